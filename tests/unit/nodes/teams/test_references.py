"""References: what is found, what is filled in, what is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.teams.references import MAX_CHARS, Scope, fill, fill_text, find, name_of
from state.errors import BadRequest

SCOPE = Scope(
    {
        "query": "colours",
        "previous": "",
        "input": {"topic": "red", "n": 3, "deep": {"list": [{"name": "Ana"}, None, True]}, "a-b": "dash", "ñ": "eñe"},
        "write": {"response": "A text.", "score": 0.5},
        "write.v2": {"response": "Second."},
        "failed": None,
    },
    {"write": "A text.", "write.v2": "Second.", "failed": ""},
)

TEXTS = {
    "no reference": ("plain $5 {x} $", "plain $5 {x} $"),
    "the query": ("About ${query}.", "About colours."),
    "a path": ("${input.topic}, ${input.n}", "red, 3"),
    "keys and indexes": ("${input.deep.list.0.name}", "Ana"),
    "a step is its text": ("Draft: ${write}", "Draft: A text."),
    "a key of a step": ("${write.score}", "0.5"),
    "an id with dots before a shorter one": ("${write.v2}", "Second."),
    "a path behind an id with dots": ("${write.v2.response}", "Second."),
    "other JSON is compact": ("${input.deep.list}", '[{"name":"Ana"},null,true]'),
    "an object": ("${input.deep}", '{"list":[{"name":"Ana"},null,true]}'),
    "odd keys": ("${input.a-b} ${input.ñ}", "dash eñe"),
    "escaped": ("$${query} costs $$5", "${query} costs $$5"),
    "what is filled in is not looked at again": ("${input.trap}", "${query}"),
    "a default that is not needed": ("${input.topic:-blue}", "red"),
    "a default": ("${input.language:-Spanish}", "Spanish"),
    "a default with blanks and marks": ("${input.keys:-name, age: all}", "name, age: all"),
    "a default in the place of null": ("${input.deep.list.1:-none} ${failed:-none}", "none none"),
    "null without a default": ("<${input.deep.list.1}><${failed}>", "<null><>"),
    "an empty default": ("<${input.language:-}>", "<>"),
    "no attributes": ("${query:-x}${write.__class__:-none}", "coloursnone"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_filled(name: str) -> None:
    text, filled = TEXTS[name]
    scope = Scope({**SCOPE.values, "input": {**SCOPE.values["input"], "trap": "${query}"}}, SCOPE.texts)
    assert fill_text(text, scope) == filled


VALUES: dict[str, tuple[Any, Any]] = {
    "one reference keeps its type": ("${input.n}", 3),
    "a step is its output": ("${write}", {"response": "A text.", "score": 0.5}),
    "null": ("${input.deep.list.1}", None),
    "inside of lists and objects": ({"a": ["${input.n}", "n=${input.n}"], "b": 1.5}, {"a": [3, "n=3"], "b": 1.5}),
    "keys are not filled": ({"${query}": "${query}"}, {"${query}": "colours"}),
    "a default is a text": ("${input.m:-3}", "3"),
    "other values stay": ([None, True, 2], [None, True, 2]),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_filled(name: str) -> None:
    value, filled = VALUES[name]
    assert fill(value, SCOPE) == filled


REFUSED = {
    "an unknown name": (
        "${wrote}",
        "${wrote}: there is no 'wrote'; there is: query, previous, input, write, write.v2, failed",
    ),
    "an unknown key": ("${write.x}", "${write.x}: 'write' has response, score, nothing named 'x'"),
    "an index too far": ("${input.deep.list.3}", "'input.deep.list' is a list of 3, nothing named '3'"),
    "a key of a list": ("${input.deep.list.name}", "is a list of 3, nothing named 'name'"),
    "a key of a text": ("${query.x}", "'query' is a text, nothing named 'x'"),
    "a key of a number": ("${input.n.real}", "'input.n' is 3, nothing named 'real'"),
    "an attribute": ("${write.__class__}", "nothing named '__class__'"),
    "not closed": ("a ${query", "'${' is no reference; write $${ for the characters themselves"),
    "empty": ("${}", "'${' is no reference"),
    "too much in all": ("${input.deep}" * 40_000, f"more than {MAX_CHARS} characters"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_names_nothing_is_refused(name: str) -> None:
    text, told = REFUSED[name]
    with pytest.raises(BadRequest) as refused:
        fill_text(text, SCOPE)
    assert told in str(refused.value)


def test_whole_values_count_too() -> None:
    with pytest.raises(BadRequest, match="more than"):
        fill({str(number): "${input}" for number in range(20_000)}, SCOPE)


def test_what_is_nested_too_deep_is_refused() -> None:
    value: Any = "${query}"
    for _ in range(60):
        value = [value]
    with pytest.raises(BadRequest, match="nested deeper than 50"):
        fill(value, SCOPE)


def test_references_are_found_with_their_places() -> None:
    value = {"a": "${query} $${x} ${", "b": [1, {"c": "${write.score:-0} ${ x }"}]}
    found = [(one.inside, one.text, one.spot) for one in find(value)]
    assert found == [
        ("query", "${query}", ("a",)),
        (None, "${", ("a",)),
        ("write.score", "${write.score:-0}", ("b", 1, "c")),
        (None, "${ x }", ("b", 1, "c")),
    ]


def test_the_longest_name_counts() -> None:
    assert name_of("a.b.c", ["a", "a.b"]) == ("a.b", ("c",))
    assert name_of("a.bb", ["a", "a.b"]) == ("a", ("bb",))
    assert name_of("b", ["a"]) is None


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.text(alphabet="${}:-.a\nñ \U0001f600", max_size=30))
def test_what_is_escaped_comes_out_as_it_was_and_nothing_else_than_a_bad_request_is_raised(text: str) -> None:
    assert fill_text(text.replace("${", "$${"), SCOPE) == text
    try:
        fill({"x": [text]}, SCOPE)
    except BadRequest as error:
        assert "\n" not in str(error)
