"""Where a model's files are."""

import json
from pathlib import Path

import pytest

from llm.catalog import Entry
from llm.loading.files import find_folder, local_folder
from state.errors import NotFound
from tests.unit.llm.fakes import card

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = Entry(card("hub", path=None, repo="owner/name", revision=COMMIT), None)


def make_snapshot(cache: Path, *files: str) -> Path:
    folder = cache / "models--owner--name" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).touch()
    return folder


def test_a_local_model_is_in_its_folder(tmp_path: Path) -> None:
    entry = Entry(card("mine"), tmp_path)
    assert find_folder(entry) == tmp_path
    assert local_folder(entry) == tmp_path
    assert local_folder(Entry(card("mine"), tmp_path / "none")) is None
    with pytest.raises(NotFound, match=r"mine is not on this machine: no folder .*none"):
        find_folder(Entry(card("mine"), tmp_path / "none"))


def test_a_fetched_model_is_in_the_snapshot_of_its_commit(tmp_path: Path) -> None:
    folder = make_snapshot(tmp_path, "config.json", "model.safetensors")
    assert find_folder(HUB, cache_dir=tmp_path) == folder
    assert local_folder(HUB, cache_dir=tmp_path) == folder


@pytest.mark.parametrize("files", [(), ("config.json", "tokenizer.json"), ("model.safetensors",)])
def test_a_snapshot_of_some_files_is_not_a_model(tmp_path: Path, files: tuple[str, ...]) -> None:
    make_snapshot(tmp_path, *files)
    assert local_folder(HUB, cache_dir=tmp_path) is None


def test_a_snapshot_lacks_a_shard_that_its_index_names(tmp_path: Path) -> None:
    folder = make_snapshot(tmp_path, "config.json", "1.safetensors")
    index = {"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert local_folder(HUB, cache_dir=tmp_path) is None
    (folder / "2.safetensors").touch()
    assert local_folder(HUB, cache_dir=tmp_path) == folder


def test_a_model_that_is_not_here_is_told_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"hub is not on this machine \(owner/name\); `lab models pull hub` fetches it"):
        find_folder(HUB, cache_dir=tmp_path)
    assert local_folder(HUB, cache_dir=tmp_path) is None
