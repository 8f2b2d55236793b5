"""The folder of agents: what is found in it, what is wrong in it, and what a change brings."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest

from nodes.agents.kinds import Kinds, kind_of, shipped_kinds
from nodes.agents.loader import AgentFolder
from state.errors import BadRequest
from tests.unit.nodes.agents.values import call_of, needs_of, spec_of


def agent(name: str, answer: str = "'ok'", **members: object) -> str:
    lines = "\n".join(f"    {key} = {value!r}" for key, value in members.items())
    return (
        f'class {name}(BaseAgent):\n    """{name} it is."""\n{lines}\n'
        f"    async def execute(self, input, context):\n        return {answer}\n"
    )


IMPORT = "from nodes.agents.base import BaseAgent\n\n"


class Folder:
    """A folder whose files change; each write has a time of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 100.0
        self._written = 1_000

    def write(self, name: str, text: str) -> None:
        self._written += 1
        file = self.path / name
        file.write_text(text)
        os.utime(file, ns=(self._written * 10**9, self._written * 10**9))

    def open(self, *, reload: bool = False) -> AgentFolder:
        return AgentFolder(self.path, taken=tuple(shipped_kinds()), reload=reload, clock=lambda: self.now)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


async def answer(opened: AgentFolder, name: str) -> str:
    return (await opened.kinds()[name].make(spec_of(), needs_of()).process(call_of())).text


async def test_every_class_of_every_file_is_a_kind_and_a_record(folder: Folder) -> None:
    folder.write("a.py", IMPORT + agent("One", CAPABILITIES=["x"]) + agent("_Base") + agent("Two", NAME="second"))
    folder.write("b.py", "from ._help import word\nfrom .a import One\n" + IMPORT + agent("Three", "word"))
    folder.write("_help.py", "word = 'helped'\n")
    (folder.path / "notes.txt").write_text("class Four: ...")
    opened = folder.open()
    assert sorted(opened.kinds()) == ["One", "Three", "Two"] and opened.faults() == ()
    assert [(record.agent_id, record.agent_class, record.capabilities) for record in opened.records()] == [
        ("One", "One", ("x",)),
        ("second", "Two", ()),
        ("Three", "Three", ()),
    ]
    assert opened.kinds()["One"].description == "One it is." and opened.kinds()["One"].source == "a.py"
    assert await answer(opened, "Three") == "helped"


BROKEN = {
    "syntax.py": ("x = 1\nclass A(\n", 2, "it is not Python"),
    "raises.py": ("x = 1\n\nraise KeyError('gone')\n", 3, "it cannot be imported: KeyError: 'gone'"),
    "leaves.py": ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    "missing.py": ("import no_such_module_here\n", 1, "ModuleNotFoundError"),
    "nul.py": ("x = 1\x00\n", 1, "null bytes"),
    "lacks.py": (IMPORT + "class Lacks(BaseAgent):\n    pass\n", 3, "class Lacks: it has no execute"),
    "odd.py": ("class Odd(BaseException):\n    def __str__(self):\n        return 1 / 0\n\nraise Odd\n", 5, "Odd"),
    "long.py": (IMPORT + agent("L" * 101, NAME="long"), 3, "agent_class: "),
    "taken.py": (IMPORT + agent("ChatAgent"), 3, "an agent class of that name already"),
    "z_again.py": (IMPORT + agent("One"), 3, "an agent class of that name already"),
    "z_id.py": (IMPORT + agent("Other", NAME="One"), 3, "another class is registered as 'One'; set NAME"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_with_its_line_and_stops_no_other(
    folder: Folder, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    text, line, words = BROKEN[name]
    folder.write("good.py", IMPORT + agent("One"))
    folder.write(name, text)
    opened = folder.open()
    assert list(opened.kinds()) == ["One"]
    (fault,) = opened.faults()
    assert words in fault.message and (fault.file, fault.line) == (str(folder.path / name), line)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [f"agents: {fault}"]


def test_links_out_of_the_folder_are_not_followed(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "agent.py"
    elsewhere.write_text(IMPORT + agent("Two"))
    for name in ("two.py", "_two.py"):
        (folder.path / name).symlink_to(elsewhere)
    (folder.path / "folder.py").mkdir()
    folder.write("a.py", IMPORT + agent("One"))
    folder.write("b.py", "from ._two import Two\n")
    (folder.path / "c.py").symlink_to("a.py")
    opened = folder.open()
    assert list(opened.kinds()) == ["One"]
    told = {Path(fault.file).name: fault.message for fault in opened.faults()}
    assert "_two.py is a link out of" in told["b.py"] and "two.py is a link out of" in told["two.py"]


def test_a_helper_that_changes_within_a_second_is_read_anew(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder.write(
        "a.py",
        "from ._help import word\n" + IMPORT + "class One(BaseAgent):\n    DESCRIPTION = word\n"
        "    async def execute(self, input, context): ...\n",
    )
    opened = folder.open(reload=True)
    for number in range(2):
        (folder.path / "_help.py").write_text(f"word = 'word {number}'\n")
        os.utime(folder.path / "_help.py", ns=(10**9 + number, 10**9 + number))
        folder.now += 1
        assert opened.kinds()["One"].description == f"word {number}"


def test_threads_that_ask_at_once_have_one_class(folder: Folder) -> None:
    folder.write("a.py", "import time\ntime.sleep(0.01)\n" + IMPORT + agent("One"))
    opened = folder.open(reload=True)
    with ThreadPoolExecutor(8) as pool:
        assert len({kinds["One"].cls for kinds in pool.map(lambda _: opened.kinds(), range(8))}) == 1


async def test_with_reload_a_change_is_seen_and_a_file_that_breaks_keeps_its_last_good_class(folder: Folder) -> None:
    folder.write("a.py", IMPORT + agent("One", "'first'"))
    folder.write("b.py", "from ._help import word\n" + IMPORT + agent("Two", "word"))
    folder.write("_help.py", "word = 'old'\n")
    opened = folder.open(reload=True)
    assert await answer(opened, "One") == "first"

    folder.write("a.py", IMPORT + agent("One", "'second'"))
    assert await answer(opened, "One") == "first", "it is looked at twice a second at most"
    folder.now += 1
    assert await answer(opened, "One") == "second"

    folder.write("a.py", "class One(\n")
    folder.write("_help.py", "word = 'newer'\n")
    folder.now += 1
    assert [await answer(opened, name) for name in ("One", "Two")] == ["second", "newer"]
    assert [fault.line for fault in opened.faults()] == [1]

    folder.write("a.py", IMPORT + agent("One", "'no'", CAPABILITIES="x"))
    folder.now += 1
    assert await answer(opened, "One") == "second" and "CAPABILITIES" in opened.faults()[0].message

    folder.write("a.py", IMPORT + agent("One", "'third'"))
    (folder.path / "b.py").unlink()
    folder.write("c.py", IMPORT + agent("Three"))
    folder.now += 1
    assert sorted(opened.kinds()) == ["One", "Three"] and opened.faults() == ()
    assert await answer(opened, "One") == "third"


def test_a_file_that_is_being_written_is_left_until_it_is_done(folder: Folder) -> None:
    folder.write("a.py", IMPORT + agent("One"))
    opened = folder.open(reload=True)
    first = opened.kinds()["One"]
    folder.now += 1
    folder.write("a.py", IMPORT)
    os.utime(folder.path / "a.py", ns=(int(folder.now * 1e9), int(folder.now * 1e9)))
    assert opened.kinds()["One"] is first
    folder.now += 1
    assert "One" not in opened.kinds()


def test_without_reload_and_without_a_change_nothing_is_imported_again(folder: Folder) -> None:
    folder.write("a.py", IMPORT + agent("One"))
    fixed, watched = folder.open(), folder.open(reload=True)
    first, seen = fixed.kinds()["One"], watched.kinds()["One"]
    folder.now += 60
    assert watched.kinds()["One"] is seen
    folder.write("a.py", IMPORT + agent("Two"))
    folder.now += 60
    assert fixed.kinds()["One"] is first and list(watched.kinds()) == ["Two"]


def test_its_modules_have_private_names_and_can_be_looked_up(folder: Folder) -> None:
    folder.write(
        "json.py",
        dedent("""
            from __future__ import annotations
            from dataclasses import dataclass
            from nodes.agents.base import BaseAgent

            @dataclass
            class Word:
                text: str = "ok"
        """)
        + agent("One", "Word().text"),
    )
    cls = folder.open().kinds()["One"].cls
    assert cls.__module__.startswith("lab_agents_") and sys.modules[cls.__module__].__dict__["One"] is cls


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"LAB_AGENTS_DIR: .* is no folder"):
        AgentFolder(tmp_path / "nothing")


def test_all_kinds_of_a_process(folder: Folder) -> None:
    folder.write("a.py", IMPORT + agent("One", NAME="researcher") + agent("Chatbot"))
    folder.write("b.py", "class\n")
    kinds = Kinds(folder.path)
    assert set(kinds()) == {*shipped_kinds(), "One", "Chatbot"}
    assert kind_of("chatbot", kinds()).name == "Chatbot", "a class of the operator's goes before an alias"
    assert kind_of("Chatbot", shipped_kinds()).name == "ChatAgent"
    records = {record.agent_id: (record.agent_class, origin) for record, origin in kinds.records()}
    assert records["researcher"] == ("One", "folder") and records["writer"] == ("ChatAgent", "builtin")
    assert [fault.line for fault in kinds.faults()] == [1] and Kinds().faults() == ()
