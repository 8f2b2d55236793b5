"""On a real GPU: streamed layers and kept quantised weights compute what freshly loaded ones do."""

from pathlib import Path

import pytest

from llm.loading.base import Loaded
from llm.loading.local import LocalLoader
from llm.loading.streaming import resident_bytes
from llm.vram import DeviceMeter, read_gpus
from state.models import Strategy
from tests.unit.llm.tiny import make_catalog, save_model

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def load(folder: Path, strategy: Strategy) -> Loaded:
    catalog = make_catalog(folder)
    save_model(folder / "tiny", hidden=512, layers=6)
    return LocalLoader(catalog, "cuda", "bfloat16").load(catalog.card("tiny"), strategy)


def logits(loaded: Loaded) -> "torch.Tensor":
    with torch.inference_mode():
        return loaded.model(torch.arange(50, device="cuda")[None]).logits


def test_streamed_layers_compute_what_loaded_ones_do_in_less_memory(tmp_path: Path) -> None:
    whole = load(tmp_path, "standard")
    wanted = logits(whole)
    before = torch.cuda.memory_allocated()
    streamed = load(tmp_path, "streaming")
    assert torch.cuda.memory_allocated() - before == pytest.approx(streamed.size_bytes, rel=0.05)
    assert streamed.size_bytes == resident_bytes(streamed.model) < 0.4 * whole.size_bytes
    for _ in range(2):
        assert torch.equal(logits(streamed), wanted)


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_weights_that_were_kept_compute_the_same(tmp_path: Path, bits: int) -> None:
    kept = tmp_path / "kept"
    catalog = make_catalog(tmp_path, bits=bits)
    save_model(tmp_path / "tiny", hidden=512, layers=6)
    loader = LocalLoader(catalog, "cuda", "bfloat16", quantised_dir=kept)
    first, second = (loader.load(catalog.card("tiny"), "optimized") for _ in range(2))
    assert len([entry for entry in (kept / "tiny").iterdir() if entry.is_dir()]) == 1
    assert torch.equal(logits(first), logits(second))
    assert loader.bytes_needed(catalog.card("tiny"), "optimized") == pytest.approx(second.size_bytes, rel=0.02)


def test_each_gpu_is_read_and_the_totals_are_sums() -> None:
    memory = DeviceMeter("cuda").read()
    assert len(memory.gpus) == len(read_gpus()) == torch.cuda.device_count()
    assert memory.vram_total == sum(gpu.total for gpu in memory.gpus)
    assert all(0 < gpu.free <= gpu.total for gpu in memory.gpus)
