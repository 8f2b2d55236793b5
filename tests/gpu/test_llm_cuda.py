"""On a real GPU: 4-bit loading, accounting against the driver, eviction under a budget, recovery from no memory."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import GenerationConfig

from llm.engine.base import Done, Event, Failed, FixedRoom, Request, Token
from llm.engine.batching import BatchingEngine
from llm.engine.suits import shared_shape
from llm.leasing.line import Patience
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.models import LocalModels, open_engine
from llm.sizing import DType
from llm.vram import DeviceMeter, default_budget
from state.errors import NoMemory
from state.models import Sampling
from tests.unit.llm.tiny import make_catalog

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

NAMES = ("tiny", "second", "third")


def make(
    folder: Path, names: tuple[str, ...] = ("tiny",), *, dtype: DType = "bfloat16", budget: int | None = None
) -> LocalModels:
    catalog = make_catalog(folder, names, hidden=1024)
    loader, meter = LocalLoader(catalog, "cuda", dtype), DeviceMeter("cuda")
    manager = ModelManager(
        catalog,
        loader,
        open_engine,
        meter,
        budget_bytes=default_budget(meter) if budget is None else budget,
        patience=Patience(hold=0),
    )
    return LocalModels(catalog, loader, manager, default_model="tiny", default_strategy="optimized")


@pytest.fixture
def models(tmp_path: Path) -> Iterator[LocalModels]:
    with make(tmp_path) as opened:
        yield opened


@pytest.fixture
def little_memory() -> Iterator[None]:
    """The device refuses what goes much beyond what is in use now: 64 MiB more, by torch's own limit."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**26) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def ids_of(events: list[Event]) -> list[int]:
    return [event.id for event in events if isinstance(event, Token) and event.id is not None]


def test_four_bits_load_answer_and_take_fewer_bytes(models: LocalModels) -> None:
    for strategy in ("standard", "optimized"):
        reply = models.chat("tiny", strategy=strategy).invoke("hello", max_tokens=8)
        assert reply.response_metadata["tokens_generated"] == 8
        assert reply.response_metadata["gpu_memory_used_gb"] > 0
    with models.manager.lease_sync("tiny", "standard") as whole, models.manager.lease_sync("tiny", "optimized") as four:
        assert four.loaded.size_bytes < 0.4 * whole.loaded.size_bytes
        for lease in (whole, four):
            strategy = lease.loaded.strategy
            least_kv = 256 * lease.loaded.kv_bytes_per_token
            assert models.bytes_needed("tiny", strategy) - least_kv == pytest.approx(lease.loaded.size_bytes, rel=0.02)


def test_what_we_count_is_what_the_driver_counts(models: LocalModels) -> None:
    before = torch.cuda.memory_allocated()
    models.manager.load_model("tiny", "standard")
    with models.manager.lease_sync("tiny", "standard") as lease:
        size = lease.loaded.size_bytes
    # The allocator rounds each tensor up to 512 bytes; the engine's rows are given back while nothing runs.
    assert torch.cuda.memory_allocated() - before == pytest.approx(size, rel=0.05)
    free = DeviceMeter("cuda").read().vram_free
    models.manager.unload_model("tiny", "standard")
    assert DeviceMeter("cuda").read().vram_free >= free
    assert torch.cuda.memory_allocated() - before < size / 20


def test_a_budget_for_two_holds_two(tmp_path: Path) -> None:
    with make(tmp_path, NAMES) as probe:
        size = probe.bytes_needed("tiny", "standard")
    before = torch.cuda.memory_allocated()
    with make(tmp_path, NAMES, budget=round(2.7 * size)) as models:
        for name in (*NAMES, *NAMES):
            reply = models.chat(name, strategy="standard").invoke("hello", max_tokens=4)
            assert reply.response_metadata["tokens_generated"] > 0
            models.manager.check_integrity()
            assert len(models.reading().resident) <= 2
            assert torch.cuda.memory_allocated() - before <= 2.7 * size


@pytest.mark.usefixtures("little_memory")
def test_a_load_that_the_device_refuses_is_told_with_the_numbers_and_harms_nobody(tmp_path: Path) -> None:
    before = torch.cuda.memory_allocated()
    with make(tmp_path, dtype="float32", budget=10**11) as models:
        wide = make_catalog(tmp_path / "wide", ("tiny",), hidden=4096)  # about 1.3 GB
        loader = LocalLoader(wide, "cuda", "float32")
        manager = ModelManager(wide, loader, open_engine, DeviceMeter("cuda"), budget_bytes=10**11)
        with pytest.raises(NoMemory, match=r"GiB|MiB"):
            manager.load_model("tiny", "standard")
        manager.close()
        torch.cuda.empty_cache()
        assert torch.cuda.memory_allocated() - before < 2**20  # the half-read weights are gone
        assert models.chat("tiny", strategy="standard").invoke("hello", max_tokens=4).text


def test_batched_answers_are_those_of_generate(tmp_path: Path) -> None:
    with make(tmp_path, dtype="float32") as models, models.manager.lease_sync("tiny", "standard") as lease:
        prompts = [tuple((7 * n + 3 * i) % 256 for i in range(5 + 40 * n)) for n in range(6)]
        handles = [lease.engine.submit(Request(prompt, Sampling(), 40)) for prompt in prompts]
        answers = [ids_of(list(handle)) for handle in handles]
        for prompt, answer in zip(prompts, answers, strict=True):
            ids = torch.tensor([prompt], device="cuda")
            settings = GenerationConfig(max_new_tokens=40, do_sample=False, pad_token_id=0)  # type: ignore[no-untyped-call]
            out = lease.loaded.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
            expected = out[0, len(prompt) :].tolist()
            assert answer == (expected[: expected.index(257)] if 257 in expected else expected)


@pytest.mark.usefixtures("little_memory")
def test_requests_that_the_device_has_no_memory_for_wait_or_are_told(tmp_path: Path) -> None:
    """The books say yes (the room is wide), the device says no: the newest give way, and nobody is lost."""
    with make(tmp_path, dtype="float32") as models, models.manager.lease_sync("tiny", "standard") as lease:
        shape = shared_shape(lease.loaded)
        assert shape is not None
        engine = BatchingEngine(lease.loaded, FixedRoom(10**12), shape, patience_sec=1.0)
        handles = [engine.submit(Request(tuple(range(250)), Sampling(), 200)) for _ in range(64)]
        ends = [list(handle)[-1] for handle in handles]
        engine.close()
        assert all(
            isinstance(end, Done) or isinstance(end.error, NoMemory) for end in ends if isinstance(end, Done | Failed)
        )
        assert sum(isinstance(end, Done) for end in ends) > 32
        assert models.chat("tiny", strategy="standard").invoke("hello", max_tokens=4).text
    assert not any(thread.name.startswith("engine-") for thread in threading.enumerate())
