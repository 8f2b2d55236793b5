"""Quantised weights kept on the disk: what is read again, what is made again, and what a full disk costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file

from llm.catalog import Catalog, load_catalog
from llm.loading.local import LocalLoader
from llm.loading.quantised import LEAVE_FREE_BYTES, is_room
from state.models import Strategy
from tests.unit.llm.tiny import save_model

ROOT = Path(__file__).parents[2]
CARD = "models: {tiny: {path: tiny, context_length: 512, parameters: 100000, bits: %d}}"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    save_model(tmp_path / "tiny")
    return catalog_in(tmp_path)


def catalog_in(folder: Path, bits: int = 4) -> Catalog:
    (folder / "models.yaml").write_text(CARD % bits)
    return load_catalog(folder / "models.yaml")


def logits(catalog: Catalog, kept: Path | None, strategy: Strategy = "optimized") -> torch.Tensor:
    loader = LocalLoader(catalog, "cpu", "float32", quantised_dir=kept)
    loaded = loader.load(catalog.card("tiny"), strategy)
    assert loader.bytes_needed(catalog.card("tiny"), strategy) == pytest.approx(loaded.size_bytes, rel=0.01)
    with torch.inference_mode():
        return loaded.model(torch.arange(50)[None]).logits  # type: ignore[no-any-return]


def entries(kept: Path) -> list[Path]:
    return sorted(path for path in (kept / "tiny").iterdir() if path.is_dir())


def spoil_source(folder: Path) -> None:
    """Zeros where the weights were, in a file that looks as it did: whoever reads it gives other answers."""
    file = folder / "tiny" / "model.safetensors"
    before = file.stat()
    save_file({name: torch.zeros_like(w) for name, w in load_file(file).items()}, file, metadata={"format": "pt"})
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("bits", [4, 8])
def test_the_second_load_reads_what_the_first_one_made(
    tmp_path: Path, catalog: Catalog, bits: int, caplog: pytest.LogCaptureFixture
) -> None:
    catalog, kept = catalog_in(tmp_path, bits), tmp_path / "kept"
    plain = logits(catalog, None)
    assert torch.equal(logits(catalog, kept), plain)
    spoil_source(tmp_path)
    assert torch.equal(logits(catalog, kept), plain)
    assert not torch.equal(logits(catalog, None), plain)
    assert len(entries(kept)) == 1
    assert not caplog.records


def test_nothing_is_kept_of_other_strategies_or_without_a_folder(tmp_path: Path, catalog: Catalog) -> None:
    logits(catalog, tmp_path / "kept", "standard")
    logits(catalog, tmp_path / "kept", "streaming")
    logits(catalog, None)
    assert not (tmp_path / "kept").exists()


def test_new_weights_and_other_bits_replace_what_was_kept(tmp_path: Path, catalog: Catalog) -> None:
    kept = tmp_path / "kept"
    old = logits(catalog, kept)
    [first] = entries(kept)
    save_model(tmp_path / "tiny", seed=7)
    assert not torch.equal(logits(catalog, kept), old)
    [second] = entries(kept)
    logits(catalog_in(tmp_path, bits=8), kept)
    [third] = entries(kept)
    assert len({first, second, third}) == 3


def cut_short(entry: Path) -> None:
    file = entry / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def lose_a_weight(entry: Path) -> None:
    weights = load_file(entry / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, entry / "model.safetensors", metadata={"format": "pt"})


def change_a_shape(entry: Path) -> None:
    weights = load_file(entry / "model.safetensors")
    weights["model.embed_tokens.weight"] = torch.zeros(3, 3)
    save_file(weights, entry / "model.safetensors", metadata={"format": "pt"})


def ask_for_code(entry: Path) -> None:
    config = json.loads((entry / "config.json").read_text())
    (entry / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "evil.Model"}}))


def be_of_another_method(entry: Path) -> None:
    config = json.loads((entry / "config.json").read_text())
    (entry / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "gptq"}}))


def be_somebody_elses(entry: Path) -> None:
    key = json.loads((entry / "key.json").read_text())
    (entry / "key.json").write_text(json.dumps(key | {"dtype": "bfloat16"}))


def be_full_precision(entry: Path) -> None:
    for file in (entry.parents[2] / "tiny").iterdir():
        (entry / file.name).write_bytes(file.read_bytes())


def be_empty(entry: Path) -> None:
    for file in entry.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        cut_short,
        lose_a_weight,
        change_a_shape,
        ask_for_code,
        be_of_another_method,
        be_somebody_elses,
        be_full_precision,
        be_empty,
    ],
)
def test_what_is_damaged_or_foreign_is_made_again(
    tmp_path: Path, catalog: Catalog, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept"
    wanted = logits(catalog, kept)
    [entry] = entries(kept)
    spoil(entry)
    assert torch.equal(logits(catalog, kept), wanted)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "quantising again" in record.getMessage()
    assert "\n" not in record.getMessage()
    spoil_source(tmp_path)
    assert torch.equal(logits(catalog, kept), wanted), "it was not kept anew"
    assert entries(kept) == [entry]


def test_what_a_process_that_died_left_half_written_is_removed(tmp_path: Path, catalog: Catalog) -> None:
    kept = tmp_path / "kept"
    (kept / "tiny" / "new-abc").mkdir(parents=True)
    logits(catalog, kept)
    assert [entry.name.startswith("new-") for entry in entries(kept)] == [False]


def test_a_folder_that_cannot_be_made_costs_a_warning(
    tmp_path: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kept").write_text("a file")
    assert torch.equal(logits(catalog, tmp_path / "kept"), logits(catalog, None))
    [record] = caplog.records
    assert "quantised weights are not kept" in record.getMessage()


IMPORTS = """
import logging, resource, sys, torch
from pathlib import Path
from llm.catalog import load_catalog
from llm.loading import opening
from llm.loading.local import LocalLoader
logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
torch.set_num_threads(1)
folder = Path(sys.argv[1])
catalog = load_catalog(folder / "models.yaml")
loader = LocalLoader(catalog, "cpu", "float32", quantised_dir=folder / "kept")
"""
LOAD = """
loaded = loader.load(catalog.card("tiny"), "optimized")
with torch.inference_mode():
    print(float(loaded.model(torch.arange(50)[None]).logits.sum()))
"""


def start(folder: Path, before: str) -> subprocess.Popen[str]:
    """A process that does what is wanted before, loads the model and prints a sum of its logits."""
    return subprocess.Popen(
        [sys.executable, "-c", IMPORTS + before + LOAD, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_a_disk_that_fills_up_while_saving_costs_a_warning(tmp_path: Path, catalog: Catalog) -> None:
    """A limit on the size of files stops the writing as a full disk does, in the middle."""
    process = start(tmp_path, "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))")
    output, errors = process.communicate(timeout=120)
    assert "WARNING quantised weights of tiny are not kept: " in errors
    assert float(output) == pytest.approx(float(logits(catalog, None).sum()), rel=1e-3)
    assert entries(tmp_path / "kept") == []


def test_two_processes_make_one_entry(tmp_path: Path, catalog: Catalog) -> None:
    """Both are about to load when the lock that is held here is let go; one quantises, the other reads the result."""
    home = tmp_path / "kept" / "tiny"
    home.mkdir(parents=True)
    with FileLock(home / "lock"):
        processes = [start(tmp_path, "print('ready', flush=True)") for _ in range(2)]
        assert [process.stdout and process.stdout.readline() for process in processes] == ["ready\n"] * 2
    answers, logs = zip(*[process.communicate(timeout=120) for process in processes], strict=True)
    assert len(set(answers)) == 1 and float(answers[0])
    assert "".join(logs).count("quantised weights kept: model=tiny") == 1
    [entry] = entries(tmp_path / "kept")
    assert not entry.name.startswith("new-")


@pytest.mark.parametrize(
    ("size", "free", "room"),
    [
        (10, LEAVE_FREE_BYTES + 10, True),
        (10, LEAVE_FREE_BYTES + 9, False),
        (0, LEAVE_FREE_BYTES - 1, False),
        (4 * 2**30, 100 * 2**30, True),
    ],
)
def test_a_checkpoint_is_saved_where_it_leaves_room_for_others(size: int, free: int, room: bool) -> None:
    assert is_room(size, free) is room
