"""README, glossary and configuration say what is so."""

import json
import re
from pathlib import Path

from graphs.catalog import BUILDERS, DEFINED
from graphs.orchestrator import build
from server.app import create_app
from server.cli.main import app as cli
from server.cli.models.group import models
from server.errors import is_lab_path
from server.settings import Settings
from tests.fakes import FakeModels, fake_services

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_picture_is_the_one_the_graph_draws() -> None:
    drawn = build(fake_services(FakeModels())).compile().get_graph().draw_mermaid()
    assert f"```mermaid\n{drawn.strip()}\n```" in README


def test_every_route_and_no_other_is_told_in_the_readme_or_on_the_servers_page() -> None:
    told = set(re.findall(r"^\| `(GET|POST|PUT|DELETE) (/\S+)` \|", README, re.MULTILINE))
    schema = create_app(Settings()).openapi()
    there = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    page = (ROOT / "server" / "README.md").read_text()
    api = set(re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^\s`]*)`", page))
    assert told | api == there
    assert not told & api
    assert all(is_lab_path(path) for _, path in told)


def test_every_setting_named_is_one() -> None:
    named = set(re.findall(r"`LAB_([A-Z_]+)", README))
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_command_named_is_one() -> None:
    known = {command.callback.__name__ for command in cli.registered_commands if command.callback}
    known |= {group.typer_instance.info.name for group in cli.registered_groups if group.typer_instance}
    assert set(re.findall(r"\blab (ask|serve|models|doctor|\w+s)\b", README)) - {"tools"} <= known


def test_every_verb_of_models_that_is_named_is_one() -> None:
    known = {command.name or command.callback.__name__ for command in models.registered_commands if command.callback}
    assert set(re.findall(r"^\$ lab models (\w+)", README, re.MULTILINE)) <= known


def test_every_link_leads_somewhere() -> None:
    for page in (
        ROOT / "README.md",
        *(ROOT / floor / "README.md" for floor in ("state", "llm", "nodes", "graphs", "server")),
    ):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_langgraph_json_names_every_graph() -> None:
    named = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    assert set(named) == {*BUILDERS, *DEFINED}
    for target in named.values():
        path, factory = target.split(":")
        assert f"def {factory}(" in (ROOT / path).read_text()
