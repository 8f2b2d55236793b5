"""Saving files: whole, numbered, and never outside the folder. On a real folder."""

import os
import stat
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.tools import ToolException

from nodes.tools.save_output import MAX_BYTES, MAX_NAME_CHARS, file_name, save_output, save_text
from tests.unit.nodes.tools.calls import call


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("report.txt", "report.txt"),
        ("report", "report.txt"),
        (" año 2024.md ", "año 2024.md"),
        ("an\u0303o", "año.txt"),
        ("a..b.tar.gz", "a..b.tar.gz"),
        ("x" * 96, "x" * 96 + ".txt"),
        ("console.txt", "console.txt"),
    ],
)
def test_plain_names_are_used(name: str, used: str) -> None:
    assert file_name(name) == used


ESCAPES = [
    "../secret",
    "..",
    ".",
    "a/b.txt",
    "a\\b.txt",
    "/etc/passwd",
    "C:\\x.txt",
    "C:x.txt",
    "\\\\host\\share",
    ".bashrc",
    "~/x",
    "-rf",
    "a\x00.txt",
    "a\n.txt",
    "\u202etxt.exe",
    "a\u2028b.txt",
    "\ud800.txt",
    "x.txt:stream",
    "what?.txt",
    "CON",
    "con.txt",
    "Lpt1.md",
    "NUL .txt",
    "a.",
    "",
    "   ",
    "x" * (MAX_NAME_CHARS + 1),
    "𐍈" * 60,
    "x" * 100_000,
    "．．／x",
    "a\u2215..",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "outputs"
    try:
        saved = save_text(folder, name, "text")
    except ToolException as error:
        assert "\n" not in str(error) and len(str(error)) < 200
        saved = ""
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written == ([folder / saved] if saved else [])


@pytest.mark.parametrize("name", ESCAPES[:-2])
def test_names_with_folders_hidden_names_and_devices_are_refused(name: str) -> None:
    with pytest.raises(ToolException, match=r"report\.txt"):
        file_name(name)


def test_nothing_is_overwritten_and_the_name_is_numbered(tmp_path: Path) -> None:
    assert [save_text(tmp_path, "a.txt", text) for text in ("one", "two", "three")] == ["a.txt", "a-2.txt", "a-3.txt"]
    assert (tmp_path / "a.txt").read_text() == "one" and (tmp_path / "a-3.txt").read_text() == "three"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-2.txt", "a-3.txt", "a.txt"]


def test_a_symbolic_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.txt", tmp_path / "outputs"
    folder.mkdir()
    outside.write_text("mine")
    (folder / "a.txt").symlink_to(outside)
    (folder / "b.txt").symlink_to(tmp_path / "new.txt")  # leads to a file that does not exist yet
    assert save_text(folder, "a.txt", "theirs") == "a-2.txt"
    assert save_text(folder, "b.txt", "theirs") == "b-2.txt"
    assert outside.read_text() == "mine" and not (tmp_path / "new.txt").exists()


def test_content_is_written_as_it_is(tmp_path: Path) -> None:
    content = "line\r\n\x00 ñ 🇪🇸\n"
    saved = tmp_path / save_text(tmp_path, "a", content)
    assert saved.read_bytes() == content.encode()
    assert not saved.stat().st_mode & stat.S_IXUSR
    assert (tmp_path / save_text(tmp_path, "b", "lone \ud800")).read_bytes() == b"lone ?"


def test_a_content_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "outputs"
    with pytest.raises(ToolException, match=f"{MAX_BYTES + 1} bytes, {MAX_BYTES} are allowed"):
        save_text(folder, "a", "x" * (MAX_BYTES + 1))
    assert not folder.exists()
    assert save_text(folder, "a", "x" * MAX_BYTES) == "a.txt"


def test_a_folder_that_cannot_be_written_is_told_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file in its place")
    with pytest.raises(ToolException, match=r"'a\.txt' cannot be saved") as told:
        save_text(tmp_path / "outputs", "a.txt", "text")
    assert str(tmp_path) not in str(told.value)


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "outputs"
    folder.mkdir()
    (folder / "a.txt").mkdir()  # the name is taken by a folder: the next number is used
    assert save_text(folder, "a.txt", "text") == "a-2.txt"
    assert sorted(path.name for path in folder.iterdir()) == ["a-2.txt", "a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="links of folders need a privilege on Windows")
def test_a_linked_outputs_folder_is_the_operators_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "outputs").symlink_to(tmp_path / "disk")
    assert save_text(tmp_path / "outputs", "a", "x") == "a.txt"
    assert (tmp_path / "disk" / "a.txt").read_text() == "x"


async def test_models_save_without_holding_up_the_event_loop(tmp_path: Path) -> None:
    tool = save_output(tmp_path)
    with blockbuster_ctx():
        told = await call([tool], "save_output", name="poem.md", content="Roses")
    assert told.text == "saved as poem.md" and (tmp_path / "poem.md").read_text() == "Roses"
    told = await call([tool], "save_output", name="../poem.md", content="Roses")
    assert (told.status, told.text) == ("error", "Error: give a plain file name without folders, such as report.txt")
