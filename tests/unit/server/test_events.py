"""Stream parts become events, and events become lines on a terminal."""

import io

from langgraph.checkpoint.memory import InMemorySaver
from rich.console import Console

from graphs.orchestrator import build
from server.cli.view import RunView, cost_line, describe
from server.streaming.events import STREAM_MODES, Event, Translator, to_json
from state.context import Context
from tests.fakes import FakeModels, fake_services, tool_call


async def events_of(models: FakeModels, context: Context) -> list[Event]:
    graph = build(fake_services(models)).compile(InMemorySaver())
    ticks = iter(range(1_000))
    translator = Translator(lambda: next(ticks))
    question = {"messages": [{"role": "user", "content": "What is 17 + 25?"}]}
    config = {"configurable": {"thread_id": "1"}}
    parts = graph.astream(question, config, context=context, stream_mode=list(STREAM_MODES), version="v2")
    return [event async for part in parts for event in translator.translate(part)]


async def test_each_node_starts_ends_and_says_what_it_wrote() -> None:
    events = await events_of(FakeModels(tool_call("17 + 25"), "17 + 25 = 42"), Context())
    nodes = ["read_history", "analyze_task", "monitor_resources", "execute", "call_tools", "execute"]
    nodes += ["validate_answer", "summarise"]
    assert [event.data["node"] for event in events if event.name == "node_start"] == nodes
    ends = [event.data for event in events if event.name == "node_end"]
    assert [end["node"] for end in ends] == nodes and all(end["seconds"] > 0 for end in ends)
    assert ends[0]["update"]["attempts"] == []
    assert ends[-1]["update"]["result"]["output"] == "17 + 25 = 42"


async def test_tokens_come_between_start_and_end_of_their_node() -> None:
    events = await events_of(FakeModels("17 + 25 = 42"), Context())
    names = [event.name for event in events]
    assert "".join(event.data["text"] for event in events if event.name == "token") == "17 + 25 = 42"
    assert names.index("model") < names.index("token") < len(names) - 1 - names[::-1].index("node_end")
    assert {event.data["node"] for event in events if event.name == "token"} == {"execute"}


async def test_a_failing_node_says_why() -> None:
    translator = Translator(lambda: 0.0)
    part = {"type": "tasks", "data": {"id": "1", "name": "execute", "error": ValueError("no"), "result": {}}}
    (event,) = translator.translate(part)
    assert event.data["error"] == "no"


def test_odd_values_become_plain_json() -> None:
    assert to_json({"x": float("nan"), 1: {2, 3}, "f": print}) == {"x": None, "1": [2, 3], "f": str(print)}


async def test_the_terminal_shows_every_node_in_a_line() -> None:
    events = await events_of(FakeModels("41", tool_call("17 + 25"), "17 + 25 = 42"), Context())
    out = io.StringIO()
    with RunView(Console(file=out, width=200, force_terminal=False)) as view:
        view.show(Event("run", {"graph": "orchestrator", "thread_id": "t", "next": ["execute"]}))
        for event in events:
            view.show(event)
        asked = {"about": "score", "question": "Well?", "answer": "[41]\x1b[2J", "reasons": [], "score": 0.1}
        view.show(Event("interrupt", {"value": asked}))
        result = next(e.data["update"]["result"] for e in events[::-1] if e.name == "node_end")
        view.show(Event("result", result))
    text = out.getvalue()
    for part in (
        "continuing at execute",
        "✓ analyze_task",
        "math, en, low, needs tools",
        "score 0.10 · wrong_arithmetic: the value is 42",
        "attempt 2: fake/standard",
        "calls calculator(expression=17 + 25)",
        "[41]␛[2J",
        "17 + 25 = 42",
        "2 attempts",
    ):
        assert part in text


async def test_a_live_terminal_shows_the_same() -> None:
    events = await events_of(FakeModels("17 + 25 = 42"), Context())
    out = io.StringIO()
    with RunView(Console(file=out, width=100, force_terminal=True)) as view:
        for event in events:
            view.show(event)
    assert "summarise" in out.getvalue()


def test_costs_fit_a_line() -> None:
    metrics = {
        "cache_hit": False,
        "load_time_sec": 1.5,
        "time_to_first_token_sec": None,
        "model_name": "m",
        "strategy": "standard",
        "tokens_generated": 7,
        "tokens_per_sec": 3.5,
        "total_time_sec": 2.0,
    }
    line = cost_line({"score": None, "attempts": 1, "metrics": metrics})
    assert line == "1 attempt · m/standard · cache miss (loaded in 1.50 s) · 7 tokens, 4/s · 2.00 s"
    assert describe("other", {}) == ""
