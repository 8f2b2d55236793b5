"""What is taken from a hub's listing, and what its failures are called."""

import errno
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm.loading.hub import HubFile, is_wanted, read_listing
from llm.loading.hub_errors import explain
from state.errors import BadRequest, LabError, TimedOut, Unavailable
from tests.unit.llm.fakes import card

CARD = card("mine", path=None, repo="owner/mine", revision="0" * 40)
SHA1, SHA256 = "a" * 40, "b" * 64


def item(path: str, **fields: Any) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": 3, "oid": SHA1, **fields}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("config.json", True),
        ("model-00001-of-00002.safetensors", True),
        ("chat_template.jinja", True),
        ("tokenizer.model", True),
        ("merges.txt", True),
        ("modeling.py", False),
        ("pytorch_model.bin", False),
        ("consolidated.00.safetensors", False),
        ("original/params.json", False),
        ("../config.json", False),
        ("..\\config.json", False),
        ("/config.json", False),
        (".json", False),
        ("-rf.json", False),
        ("a b.json", False),
        ("a\nb.json", False),
    ],
)
def test_only_model_files_of_the_top_folder_are_wanted(name: str, wanted: bool) -> None:
    assert is_wanted(name) is wanted


def test_a_large_file_is_known_by_its_sha_256_and_a_small_one_by_gits_hash() -> None:
    large = item("model.safetensors", lfs={"oid": SHA256, "size": 9, "pointerSize": 130})
    folder = {"type": "directory", "path": "config.json", "oid": SHA1, "size": 0}
    assert read_listing([item("config.json"), large, folder], where="there") == [
        HubFile("config.json", 3, SHA1),
        HubFile("model.safetensors", 9, SHA256),
    ]


@pytest.mark.parametrize("oid", ["../../x", "a" * 39, "A" * 40, "a" * 40 + "\n", 5])
def test_a_hash_that_is_none_is_refused_before_it_names_a_file(oid: object) -> None:
    with pytest.raises(BadRequest, match="there: not a listing of files"):
        read_listing([item("config.json", oid=oid)], where="there")


def test_content_is_told_by_hash_and_length(tmp_path: Path) -> None:
    file = tmp_path / "file"
    git = HubFile("a.txt", 6, "ce013625030ba8dba906f756967f9e9ca394464a")  # printf 'hello\n' | git hash-object --stdin
    large = HubFile("a.txt", 6, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")
    for content, right in ((b"hello\n", True), (b"hellO\n", False), (b"hello", False)):
        file.write_bytes(content)
        assert git.is_content(file) is right
        assert large.is_content(file) is right
    assert not git.is_content(tmp_path / "none")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (httpx.ReadTimeout("late"), TimedOut, "no answer in time; 1 of 2 is here, the next try goes on from there"),
        (httpx.ConnectTimeout("late"), TimedOut, "no answer in time"),
        (httpx.ReadError("reset"), Unavailable, r"was cut \(reset\); 1 of 2 is here"),
        (httpx.ConnectError("no\nname"), Unavailable, r"no connection \(no\); check the network, set LAB_HUB_URL"),
        (OSError(errno.ENOSPC, "full"), Unavailable, "the disk is full; 1 of 2 is here; free some space"),
        (PermissionError(errno.EACCES, "no", "/cache"), BadRequest, "/cache cannot be written; set HF_HOME"),
        (OSError(errno.EIO, "broken"), Unavailable, r"failed \(\[Errno 5\] broken\)"),
        (ValueError("Expecting value"), BadRequest, "not a hub's answer .*check LAB_HUB_URL"),
    ],
)
def test_each_failure_is_one_of_our_errors_with_the_way_out(
    error: Exception, kind: type[LabError], message: str
) -> None:
    told = explain(error, CARD, "https://hub", arrived="1 of 2")
    assert type(told) is kind
    with pytest.raises(kind, match=message):
        raise told
    assert str(told).startswith("mine: fetching owner/mine from https://hub")
    assert "\n" not in str(told)
