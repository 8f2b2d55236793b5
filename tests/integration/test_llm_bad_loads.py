"""Every way that a load goes wrong ends in one line of an error of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import load_file, save_file

from llm.catalog import load_catalog
from llm.loading.faults import is_no_memory, tells_no_memory
from llm.loading.local import LocalLoader
from state.errors import BadRequest
from state.models import Strategy
from tests.unit.llm.tiny import make_catalog, save_model

ROOT = Path(__file__).parents[2]


def load(folder: Path, strategy: Strategy = "standard") -> None:
    """Load the model `tiny` of a folder whose files a test has changed after `make_catalog`."""
    catalog = load_catalog(folder / "models.yaml")
    LocalLoader(catalog, "cpu", "float32").load(catalog.card("tiny"), strategy)


def configure(folder: Path, **changes: Any) -> None:
    file = folder / "tiny" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_weights_of_another_shape_are_named_with_both(
    tmp_path: Path, strategy: Strategy, caplog: pytest.LogCaptureFixture
) -> None:
    make_catalog(tmp_path)
    file = tmp_path / "tiny" / "model.safetensors"
    weights = load_file(file)
    save_file(weights | {"model.norm.weight": torch.ones(7)}, file, metadata={"format": "pt"})
    with pytest.raises(BadRequest, match=r"1 weights .* model\.norm\.weight \[7\] instead of \[64\]") as caught:
        load(tmp_path, strategy)
    assert "\n" not in str(caught.value)
    assert not caplog.records


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised by 'gptq'; only full precision and"),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantised by 'fp8'"),
        ({"quantization_config": {}}, "quantised by None"),
        ({"quantization_config": "yes"}, "quantised by 'yes'"),
        ({"hidden_size": 60}, "instead of"),
        ({"num_attention_heads": 7}, "tiny cannot be loaded from"),
        ({"num_attention_heads": 0}, "tiny cannot be loaded from"),
        ({"hidden_size": "wide"}, "tiny cannot be loaded from"),
        ({"num_hidden_layers": 9}, "63 weights are missing"),
        ({"hidden_act": "no-such"}, "tiny cannot be loaded from"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "weights are missing"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    make_catalog(tmp_path)
    configure(tmp_path, **changes)
    with pytest.raises(BadRequest, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def run(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_bitsandbytes_the_way_out_is_told(tmp_path: Path) -> None:
    make_catalog(tmp_path)
    told = run(
        "import sys; sys.modules['bitsandbytes'] = None; from pathlib import Path;"
        "from state.errors import BadRequest; from tests.integration.test_llm_bad_loads import load\n"
        "try: load(Path(sys.argv[1]), 'optimized')\n"
        "except BadRequest as error: print(error)",
        tmp_path,
    )
    assert told.startswith("tiny (optimized): ")
    assert told.endswith("; pip install 'agent-lab[gpu]', or strategy standard")


SHORT = """
import resource, sys
from pathlib import Path
from state.errors import NoMemory
from tests.integration.test_llm_bad_loads import load
folder, strategy, spare = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
load(folder / "small", strategy)
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + spare, resource.RLIM_INFINITY))
try:
    load(folder / "large", strategy)
except NoMemory as error:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(error)
    load(folder / "small", strategy)
    print("goes on")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits on a process's memory are Linux's")
@pytest.mark.parametrize(("strategy", "share"), [("standard", 2.1), ("optimized", 0.5)])
def test_a_computer_without_the_memory_says_so_in_numbers_and_goes_on(
    tmp_path: Path, strategy: Strategy, share: float
) -> None:
    """`share` of the file's bytes is left: enough to map it twice, not for a copy in fp32; or too few to map it."""
    for name in ("small", "large"):
        make_catalog(tmp_path / name)
    save_model(tmp_path / "large" / "tiny", hidden=1024, layers=8)
    file = tmp_path / "large" / "tiny" / "model.safetensors"
    halves = {key: weight.bfloat16() for key, weight in load_file(file).items()}
    save_file(halves, file, metadata={"format": "pt"})
    told = run(SHORT, tmp_path, strategy, round(share * file.stat().st_size))
    first, second = told.splitlines()
    assert first.startswith(f"tiny ({strategy}) needs ")
    assert " MiB once loaded" in first and "GiB are free on cpu, and it refused: " in first
    assert second == "goes on"


@pytest.mark.parametrize(
    ("error", "no_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("unable to mmap 9 bytes from file <x>: Cannot allocate memory (12)"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("size mismatch for model.norm.weight"), False),
        (ValueError("the word memory alone"), False),
        (OSError(28, "No space left on device"), False),
    ],
)
def test_too_little_memory_is_told_from_damage(error: Exception, no_memory: bool) -> None:
    assert is_no_memory(error) is no_memory


def test_too_little_memory_is_seen_in_a_report_of_transformers() -> None:
    assert tells_no_memory("CONVERSION\nTraceback ...\ntorch.OutOfMemoryError: CUDA out of memory.")
    assert not tells_no_memory("MISMATCH model.norm.weight")
