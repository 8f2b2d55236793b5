"""Mutated YAML and crew JSON: every refusal is a message of ours; meanwhile nothing is imported, opened or reached."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs.crews.build import build as build_crew
from graphs.crews.build import read_crew
from graphs.crews.check import check_crew
from graphs.flows.check import Known, check_flow
from graphs.flows.compile import build as build_flow
from graphs.flows.load import flow_from, load_flow
from graphs.flows.shipped import LIBRARY, read_text
from graphs.teams import needs_of
from state.errors import BadRequest
from tests.fakes import FakeModels, fake_services

NEEDS = needs_of(fake_services(FakeModels()))
KNOWN = Known(agents={"researcher", "writer"}, capabilities={"research"}, tools={"calculator"})
SEEDS = [read_text(file) for file in sorted(LIBRARY.iterdir())]
CREW: dict[str, Any] = {
    "crew_id": "c",
    "name": "Pair",
    "execution_mode": "flow",
    "agents": [
        {"agent_id": "a", "agent_class": "ChatAgent", "config": {"temperature": 0.5, "prompt": "${query}"}},
        {"agent_id": "b", "agent_class": "HttpAgent", "config": {"endpoint": "https://agents.example.com/b"}},
        {"agent_id": "c", "agent_class": "EvaluatorAgent", "tools": ["calculator"], "system_prompt": "Score."},
    ],
    "flow_relations": [{"source": "a", "target": ["b", "c"]}],
    "shared_tools": ["calculator"],
    "max_parallel_tasks": 2,
    "aggregator": None,
    "decision": {"model": "fake", "prompt": "", "max_steps": 3},
    "metadata": {"team": [1, None, True]},
}
EVENTS = ("import", "open", "socket.", "subprocess.", "os.", "ctypes.", "pickle.", "shutil.", "urllib.")
"""Of Python's audit hooks: what no definition may bring about. `os.`: system, exec, spawn, listdir, remove …"""
CODE = ("compile", "exec")
"""The same while a definition is read and checked. Building a graph evaluates the annotations of our own channels."""


class Watch:
    """Audit hooks cannot be taken away, so that there is one and a switch."""

    def __init__(self) -> None:
        self.events: tuple[str, ...] = ()
        self.seen: list[str] = []

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.events and event.startswith(self.events):
            self.seen.append(f"{event}: {str(args)[:200]}")


WATCH = Watch()


@contextmanager
def watched(events: tuple[str, ...]) -> Iterator[None]:
    WATCH.seen, WATCH.events = [], events
    try:
        yield
    finally:
        WATCH.events = ()
    assert WATCH.seen == []


def feed_flow(text: str) -> None:
    """All that a text goes through before a flow runs."""
    with watched(EVENTS + CODE):
        loaded = load_flow(text, "f.yaml")
        check_flow(loaded.spec, KNOWN, loaded.positions)
    with watched(EVENTS):
        build_flow(loaded.spec, NEEDS)


def feed_flow_data(data: Any) -> None:
    with watched(EVENTS + CODE):
        flow = flow_from(data)
        check_flow(flow, KNOWN)
    with watched(EVENTS):
        build_flow(flow, NEEDS)


def feed_crew(data: Any) -> None:
    with watched(EVENTS + CODE):
        crew = read_crew(data)
        check_crew(crew, NEEDS)
    with watched(EVENTS):
        build_crew(crew, NEEDS)


def refused_well(feed: Callable[[Any], None], what: Any) -> None:
    """Taken, or refused in a message; any other error is a defect and comes out."""
    try:
        feed(what)
    except BadRequest as error:
        assert error.status == 422 and error.exit_code == 2
        assert str(error).strip()
        assert all(line.isprintable() for line in str(error).split("\n"))


@pytest.fixture(scope="module", autouse=True)
def _hooked() -> None:
    """What is imported and compiled once is so before anybody looks."""
    for text in SEEDS:
        build_flow(load_flow(text).spec, NEEDS)
    build_crew(read_crew(CREW), NEEDS)
    sys.addaudithook(WATCH)


NASTY = st.sampled_from(
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "&a [*a]",
        "*a",
        "<<: {a: 1}",
        "${query",
        "${a.__class__.__init__.__globals__}",
        "__import__('os').system('true')",
        "os.system",
        "../../etc/passwd",
        "file:///etc/passwd",
        "http://169.254.169.254/",
        "\0",
        "\ud800",
        "\u202e",
        "- - - - - -",
        "{{{{",
        "[" * 300,
        "9" * 5_000,
        "1e999",
        ".nan",
        "null",
        "true",
        "---",
        "\t",
        "%YAML 1.1",
        "? x",
        "|+9",
        "query",
        "finish",
        "{{ 7 * 7 }}",
        "%(x)s",
        "{0.__class__}",
    ]
)
PIECES = st.one_of(NASTY, st.text(max_size=12))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A shipped flow with pieces put in, lines doubled, cut and swapped."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 3, 20, 200])))
        match draw(st.integers(0, 3)):
            case 0:
                text = text[:start] + draw(PIECES) + text[end:]
            case 1:
                text = text[:start] + text[start:end] * 2 + text[end:]
            case 2:
                text = text[:start] + text[end:]
            case _:
                words = text.split(" ")
                words[start % len(words)] = draw(PIECES)
                text = " ".join(words)
    return text


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=10), NASTY),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(PIECES, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def mutated_data(draw: st.DrawFn, seed: Any) -> Any:
    """`seed` with some values or keys replaced by anything that JSON, or Python's reader of it, can bring."""
    for _ in range(draw(st.integers(1, 3))):
        seed = _changed(seed, draw(st.lists(st.integers(0, 9), max_size=4)), draw(JSON), draw(st.integers(0, 3)))
    return seed


def _changed(value: Any, way: list[int], new: Any, how: int) -> Any:
    """`value`, what `way` leads to in it replaced by `new`, or doubled, or left out, or under another key."""
    if not way or not isinstance(value, dict | list) or not value:
        return new
    step, rest = way[0] % len(value), way[1:]
    if isinstance(value, list):
        if how == 1:
            return [*value, value[step]]
        if how == 2 and not rest:
            return [*value[:step], *value[step + 1 :]]
        return [*value[:step], _changed(value[step], rest, new, how), *value[step + 1 :]]
    key = list(value)[step]
    if how == 2 and not rest:
        return {one: held for one, held in value.items() if one != key}
    if how == 3 and isinstance(new, str):
        return {new if one == key else one: held for one, held in value.items()}
    return {**value, key: _changed(value[key], rest, new, how)}


FUZZ = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.mark.no_cover
@FUZZ
@given(mutated())
def test_mutated_yaml_is_refused_with_a_message(text: str) -> None:
    refused_well(feed_flow, text)


@pytest.mark.no_cover
@FUZZ
@given(mutated_data(load_flow(SEEDS[0]).spec.model_dump(mode="json")))
def test_mutated_json_of_flows_is_refused_with_a_message(data: Any) -> None:
    refused_well(feed_flow_data, data)


@pytest.mark.no_cover
@FUZZ
@given(mutated_data(CREW))
def test_mutated_json_of_crews_is_refused_with_a_message(data: Any) -> None:
    refused_well(feed_crew, data)


def test_the_watch_sees_what_it_is_for() -> None:
    with pytest.raises(AssertionError, match="open: "), watched(EVENTS):
        open(__file__).close()
