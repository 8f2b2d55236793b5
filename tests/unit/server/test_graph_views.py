"""Drawings and schemas of graphs, where langgraph itself offers none of this form."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from langgraph.graph import StateGraph
from typing_extensions import TypedDict

from server.graph_views import drawing, label, schemas, xray_of
from state.errors import BadRequest


class Reserved(TypedDict):
    """Names that pydantic models have as methods, or hide."""

    copy: str
    _hidden: int
    model_dump: list[str]


class Opaque:
    """No JSON schema can be made of it."""


class Held(TypedDict):
    thing: Opaque
    note: str


def one_step(state: Any, name: str | None = None, **kinds: Any) -> Any:
    built: StateGraph[Any, Any, Any, Any] = StateGraph(state, **kinds)
    built.add_node("only", lambda state: state)
    built.set_entry_point("only")
    return built.compile(name=name)


@pytest.mark.parametrize(
    ("text", "depth"),
    [("", False), ("false", False), ("False", False), ("true", True), ("True", True), ("1", 1), ("7", 7)],
)
def test_xray_is_a_switch_or_a_depth(text: str, depth: bool | int) -> None:
    assert xray_of(text) is depth if isinstance(depth, bool) else xray_of(text) == depth


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "yes", "TRUE", "null", "9" * 5000])
def test_no_other_xray_is_taken(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^Invalid xray value$"):
        xray_of(text)


def test_a_drawing_names_no_classes() -> None:
    drawn = drawing(one_step(Held).get_graph())
    assert drawn["nodes"][1] == {"id": "only", "type": "runnable", "data": {"name": "only"}}
    assert drawn["nodes"][-1] == {"id": "__end__"}


def test_an_author_names_a_graph_before_the_file_does() -> None:
    assert label(one_step(Held), "in the file") == "in the file"
    assert label(one_step(Held, "by its author"), "in the file") == "by its author"


def test_a_type_without_a_schema_costs_no_other() -> None:
    shown = schemas(one_step(Held, "held"))
    assert (shown["input_schema"], shown["output_schema"]) == (None, None)
    assert shown["state_schema"] == {
        "properties": {
            "thing": {"default": None, "title": "Thing"},
            "note": {"default": None, "title": "Note", "type": "string"},
        },
        "title": "held_state",
        "type": "object",
    }


def test_keys_may_be_called_like_methods_of_models() -> None:
    assert set(schemas(one_step(Reserved, "r"))["state_schema"]["properties"]) == {"copy", "_hidden", "model_dump"}


def test_a_state_that_is_one_value_has_its_schema() -> None:
    state = Annotated[list, lambda old, new: old + new]
    assert schemas(one_step(state, "l"))["state_schema"] == {
        "default": None,
        "items": {},
        "title": "l_state",
        "type": "array",
    }


def test_a_context_that_has_no_schema_is_none() -> None:
    class Held2(TypedDict):
        thing: Opaque

    shown = schemas(one_step(Held, context_schema=Held2))
    assert (shown["config_schema"], shown["context_schema"]) == ({}, None)
