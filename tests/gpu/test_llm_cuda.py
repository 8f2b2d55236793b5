"""On a real GPU: 4-bit loading, and our accounting against the driver's."""

from pathlib import Path
from typing import get_args

import pytest

from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.models import LocalModels, open_engine
from llm.vram import DeviceMeter, default_budget
from state.models import Strategy
from tests.unit.llm.tiny import make_catalog

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.fixture
def models(tmp_path: Path) -> LocalModels:
    catalog = make_catalog(tmp_path, hidden=1024)
    loader, meter = LocalLoader(catalog, "cuda", "bfloat16"), DeviceMeter("cuda")
    manager = ModelManager(catalog, loader, open_engine, meter, budget_bytes=default_budget(meter))
    return LocalModels(catalog, loader, manager, default_model="tiny", default_strategy="optimized")


def test_four_bits_load_answer_and_take_fewer_bytes(models: LocalModels) -> None:
    with models:
        for strategy in ("standard", "optimized"):
            reply = models.chat("tiny", strategy=strategy).invoke("hello", max_tokens=8)
            assert reply.response_metadata["tokens_generated"] == 8
            assert reply.response_metadata["gpu_memory_used_gb"] > 0
        sizes = {resident.strategy: resident.size_bytes for resident in models.reading().resident}
        assert sizes["optimized"] < 0.4 * sizes["standard"]
        for strategy in get_args(Strategy):
            assert models.bytes_needed("tiny", strategy) == pytest.approx(sizes[strategy], rel=0.02)


def test_what_we_count_is_what_the_driver_counts(models: LocalModels) -> None:
    before = torch.cuda.memory_allocated()
    with models:
        models.manager.load_model("tiny", "standard")
        [resident] = models.reading().resident
        # The allocator rounds each tensor up to 512 bytes.
        assert torch.cuda.memory_allocated() - before == pytest.approx(resident.size_bytes, rel=0.02)
        free = DeviceMeter("cuda").read().vram_free
        models.manager.unload_model("tiny", "standard")
        assert DeviceMeter("cuda").read().vram_free >= free
        assert torch.cuda.memory_allocated() - before < resident.size_bytes / 20
