"""Agents of installed packages, with real distributions in a folder of their own on the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nodes.agents.kinds import Kinds
from nodes.agents.packages import AgentPackage, installed, load, records
from state.errors import BadRequest
from tests.unit.nodes.agents.values import call_of, needs_of, spec_of

CODE = '''
from nodes.agents.base import BaseAgent
from nodes.agents.chat import ChatKind


class Shouter(BaseAgent):
    """Shouts."""

    CAPABILITIES = ("shouting",)

    async def execute(self, input, context):
        return context.text.upper()


class ParrotKind(ChatKind):
    name = "ParrotAgent"
    description = "says it again"


class Silent(BaseAgent):
    pass


class Twice(ParrotKind):
    name = "chatagent"


class Faulty(ChatKind):
    name = "FaultyAgent"

    def check(self, spec):
        raise TypeError("not today")

    def make(self, spec, needs, record=None):
        self.check(spec)


class Loud(Shouter):
    NAME = "Shouter"


other = 7
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with the distribution `lab-shouters` in it."""
    (tmp_path / "lab_shouters.py").write_text(CODE)
    (tmp_path / "lab_broken.py").write_text("raise RuntimeError('not today')\n")
    (tmp_path / "lab_exits.py").write_text("raise SystemExit(3)\n")
    entries = {
        "shouter": "lab_shouters:Shouter",
        "parrot": "lab_shouters:ParrotKind",
        "silent": "lab_shouters:Silent",
        "twice": "lab_shouters:Twice",
        "number": "lab_shouters:other",
        "missing": "lab_shouters:Nobody",
        "faulty": "lab_shouters:Faulty",
        "loud": "lab_shouters:Loud",
        "broken": "lab_broken:Agent",
        "exits": "lab_exits:Agent",
    }
    install(tmp_path, "lab-shouters", "1.2", {"shouter": entries["shouter"], "parrot": entries["parrot"]})
    install(
        tmp_path,
        "lab-faulty",
        "0.1",
        {name: target for name, target in entries.items() if name not in ("shouter", "parrot")},
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("lab_shouters", "lab_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def install(site: Path, name: str, version: str, entries: dict[str, str]) -> None:
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = "\n".join(f"{entry} = {target}" for entry, target in entries.items())
    (info / "entry_points.txt").write_text(f"[agent_lab.agents]\n{lines}\n")


def test_what_is_installed_is_listed_and_not_imported(site: Path) -> None:
    ours = [package for package in installed() if package.distribution == "lab-shouters"]
    assert ours == [
        AgentPackage("parrot", "lab-shouters", "1.2", "lab_shouters:ParrotKind"),
        AgentPackage("shouter", "lab-shouters", "1.2", "lab_shouters:Shouter"),
    ]
    assert load([]) == []
    assert "lab_shouters" not in sys.modules and "lab_broken" not in sys.modules


async def test_what_is_switched_on_is_a_kind_by_its_entry_or_by_its_distribution(site: Path) -> None:
    (shouter,) = load(["shouter"])
    assert (await shouter.make(spec_of(), needs_of()).process(call_of("hello"))).text == "HELLO"
    both = load(["lab-shouters", "shouter"])
    assert [kind.name for kind in both] == ["Shouter", "ParrotAgent"]
    assert [(record.agent_id, record.metadata) for record in records(both)] == [("Shouter", {"source": "lab-shouters"})]
    kinds = Kinds(packages=["lab-shouters"])
    assert {"Shouter", "ParrotAgent", "ChatAgent"} <= set(kinds())
    assert ("Shouter", "plugin") in [(record.agent_id, origin) for record, origin in kinds.records()]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", r"no agent package 'nothing'; installed: .*shouter \(lab-shouters\)"),
        ("broken", r"broken \(lab-faulty\): it cannot be imported: RuntimeError: not today"),
        ("missing", r"missing \(lab-faulty\): it cannot be imported: AttributeError"),
        ("exits", r"it cannot be imported: SystemExit: 3"),
        ("silent", r"class Silent: it has no execute"),
        ("number", r"neither derived from BaseAgent nor a kind of agent: it has no name"),
        ("twice", r"an agent class 'chatagent' already"),
    ],
    ids=["unknown", "raises", "missing", "exits", "no execute", "a number", "taken"],
)
def test_a_package_that_cannot_be_used_is_refused_by_its_name(site: Path, name: str, words: str) -> None:
    with pytest.raises(BadRequest, match=rf"LAB_AGENT_PACKAGES: .*{words}"):
        load([name], taken=["ChatAgent"])


def test_two_classes_of_one_id_are_refused(site: Path) -> None:
    with pytest.raises(BadRequest, match=r"loud \(lab-faulty\): another class is registered as 'Shouter'"):
        load(["shouter", "loud"])


def test_what_a_kind_of_somebody_elses_raises_is_a_refusal(site: Path) -> None:
    (kind,) = load(["faulty"])
    for refuse in (lambda: kind.check(spec_of()), lambda: kind.make(spec_of(), needs_of())):
        with pytest.raises(BadRequest, match="agent 'ana': FaultyAgent fails with it: TypeError: not today"):
            refuse()
