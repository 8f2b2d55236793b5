"""Plugins of the user's own: one file and one line put a node into the graph; what it does not answer, a model does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs.orchestrator import build
from graphs.plugins import load_plugins
from nodes.plugins import Plugin, chosen, plugin
from state.errors import BadRequest, Unavailable
from state.tasks import Analysis, Task
from tests.fakes import FakeModels, fake_services

ROMAN = '''
"""A plugin of somebody's own."""
from nodes.plugins import plugin


@plugin(kinds=("math", "question_answering", "other", "rewriting"), pattern=r"roman numerals?")
async def roman(task, analysis):
    """Small numbers as Roman numerals."""
    return "XLII" if "42" in task.prompt else None


@plugin(pattern="shout")
def shout(task, analysis):
    return task.prompt.upper()

plain = 1
'''
THREAD: dict[str, Any] = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(ROMAN)
    return path


def graph(models: FakeModels, *plugins: Plugin) -> Any:
    return build(replace(fake_services(models), plugins=plugins)).compile(InMemorySaver())


def ask(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


async def test_a_file_and_a_line_put_a_node_into_the_graph_and_its_drawing(file: Path) -> None:
    models = FakeModels("never asked")
    compiled = graph(models, *load_plugins([f"{file}:roman", f"{file}:shout"]))
    drawing = compiled.get_graph().draw_mermaid()
    for edge in ("analyze_task -.-> roman;", "roman -.-> validate_answer;", "roman -.-> monitor_resources;"):
        assert edge in drawing
    final = await compiled.ainvoke(ask("Write 42 in Roman numerals"), THREAD)
    assert final["result"].output == "XLII" and final["result"].passed and models.asked == []
    assert "plugin: roman answered" in final["result"].summary
    assert final["result"].metrics.model_name == "roman" and final["result"].metrics.strategy == "plugin"
    assert [message.text for message in final["messages"]] == ["Write 42 in Roman numerals", "XLII"]


async def test_a_request_that_no_plugin_handles_goes_to_a_model(file: Path) -> None:
    final = await graph(FakeModels("Hello!"), *load_plugins([f"{file}:roman"])).ainvoke(ask("Hello there"), THREAD)
    assert final["result"].output == "Hello!" and not any("plugin" in line for line in final["result"].summary)


async def test_what_a_plugin_declines_a_model_answers(file: Path) -> None:
    compiled = graph(FakeModels("LXXX"), *load_plugins([f"{file}:roman"]))
    final = await compiled.ainvoke(ask("Write 80 in Roman numerals"), THREAD)
    assert final["result"].output == "LXXX" and "plugin: roman declined" in final["result"].summary


@pytest.mark.parametrize(
    ("returned", "told"),
    [(ZeroDivisionError("boom"), "ZeroDivisionError: boom"), (7, "TypeError: the plugin returned int")],
)
async def test_a_plugin_that_fails_does_not_fail_the_run(returned: object, told: str) -> None:
    @plugin()
    async def broken(task: Task, analysis: Analysis) -> object:
        if isinstance(returned, Exception):
            raise returned
        return returned

    final = await graph(FakeModels("Answered."), broken).ainvoke(ask("Say something nice to me"), THREAD)
    assert final["result"].output == "Answered." and final["result"].attempts == 1
    assert any(f"plugin: broken failed: {told}" in line for line in final["result"].summary)


async def test_a_plugin_that_is_unavailable_is_asked_again() -> None:
    calls = []

    @plugin()
    def flaky(task: Task, analysis: Analysis) -> str:
        calls.append(task.prompt)
        if len(calls) < 2:
            raise Unavailable("the service is restarting; try again")
        return "Here I am."

    final = await graph(FakeModels("never asked"), flaky).ainvoke(ask("Say something nice to me"), THREAD)
    assert final["result"].output == "Here I am." and len(calls) == 2


async def test_a_plugins_rejected_answer_is_followed_by_a_models() -> None:
    @plugin()
    async def sorry(task: Task, analysis: Analysis) -> str:
        return ""

    models = FakeModels("17 + 25 = 42")
    final = await graph(models, sorry).ainvoke(ask("What is 17 + 25?"), THREAD)
    assert final["result"].output == "17 + 25 = 42" and final["result"].attempts == 2
    assert "plugin: sorry answered" in final["result"].summary


async def test_the_next_run_of_a_thread_does_not_remember_the_last_ones_plugin(file: Path) -> None:
    compiled = graph(FakeModels("Hello!"), *load_plugins([f"{file}:roman"]))
    await compiled.ainvoke(ask("Write 42 in Roman numerals"), THREAD)
    await compiled.ainvoke(ask("Hello there"), THREAD)
    assert (await compiled.aget_state(THREAD)).values["plugin"] is None


def test_the_first_plugin_that_handles_a_request_is_chosen() -> None:
    @plugin(kinds=["math"])
    async def sums(task: Task, analysis: Analysis) -> str:
        return ""

    @plugin(pattern="colou?r")
    async def paint(task: Task, analysis: Analysis) -> str:
        return ""

    math, talk = (Analysis(kind=kind, confidence=1, language="en") for kind in ("math", "conversation"))
    assert chosen([sums, paint], Task(prompt="the COLOR of 3"), math) is sums
    assert chosen([sums, paint], Task(prompt="the COLOR of 3"), talk) is paint
    assert chosen([sums, paint], Task(prompt="the sound of 3"), talk) is None


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("roman", "expected path/to/file.py:name"),
        ("nowhere.py:roman", "there is no such file"),
        ("{file}:greek", "there is no 'greek' in it; plugins in it: roman, shout"),
        ("{file}:plain", "'plain' is not a plugin"),
        ("no.such.module:roman", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_line_that_names_no_plugin_is_refused(spec: str, told: str, file: Path) -> None:
    with pytest.raises(BadRequest, match=re.escape(told)):
        load_plugins([spec.format(file=file)])


def test_a_file_that_does_not_run_is_told_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "from nodes.plugins import plugin\n\n@plugin(kinds=['poetry'])\ndef x(t, a): ...\n"
    )
    with pytest.raises(BadRequest, match="there is no kind 'poetry'; choose from: code, math"):
        load_plugins([f"{tmp_path}/bad.py:x"])
    (tmp_path / "worse.py").write_text("1/0")
    with pytest.raises(BadRequest, match="cannot be imported: ZeroDivisionError"):
        load_plugins([f"{tmp_path}/worse.py:x"])
    with pytest.raises(BadRequest, match=r"pattern '\(' cannot be read"):
        plugin(pattern="(")


def test_a_file_that_ends_the_program_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("raise SystemExit(3)")
    with pytest.raises(BadRequest, match="cannot be imported: SystemExit: 3"):
        load_plugins([f"{tmp_path}/script.py:x"])


def test_a_file_of_two_plugins_is_run_once(file: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    file.write_text(f"{ROMAN}\nwith open({str(runs)!r}, 'a') as log:\n    log.write('run ')\n")
    assert [each.name for each in load_plugins([f"{file}:roman", f"{file}:shout"])] == ["roman", "shout"]
    assert runs.read_text() == "run "


def test_two_plugins_and_nodes_of_one_name_are_refused(file: Path) -> None:
    with pytest.raises(BadRequest, match="named 'roman' is there already"):
        load_plugins([f"{file}:roman", f"{file}:roman"])

    @plugin(name="execute")
    async def mine(task: Task, analysis: Analysis) -> str:
        return ""

    with pytest.raises(BadRequest, match="cannot be named 'execute'"):
        build(replace(fake_services(FakeModels()), plugins=(mine,)))
