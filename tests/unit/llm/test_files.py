"""Where a model's files are."""

from pathlib import Path

import pytest

from llm.catalog import Entry
from llm.loading.files import find_folder, local_folder
from state.errors import NotFound
from tests.unit.llm.fakes import card

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = Entry(card("hub", path=None, repo="owner/name", revision=COMMIT), None)


def test_a_local_model_is_in_its_folder(tmp_path: Path) -> None:
    entry = Entry(card("mine"), tmp_path)
    assert find_folder(entry, online=False) == tmp_path
    assert local_folder(entry) == tmp_path
    assert local_folder(Entry(card("mine"), tmp_path / "none")) is None


def test_a_fetched_model_is_in_the_snapshot_of_its_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--owner--name" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    assert find_folder(HUB, online=False, cache_dir=tmp_path) == snapshot
    assert local_folder(HUB, cache_dir=tmp_path) == snapshot


def test_a_model_that_is_not_here_is_not_fetched_offline(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"hub is not on this machine \(owner/name\) and fetching is off"):
        find_folder(HUB, online=False, cache_dir=tmp_path)
    assert local_folder(HUB, cache_dir=tmp_path) is None
