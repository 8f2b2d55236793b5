"""Channels that refuse what is not of their type."""

from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field

from state.channels import Typed, appended


class Point(BaseModel):
    x: int


class Kept(BaseModel):
    text: Annotated[str, Typed] = ""
    point: Annotated[Point | None, Typed] = None
    points: Annotated[list[Point], appended(Point)] = Field(default_factory=list)


def look(state: Kept) -> dict[str, Any]:
    return {"points": [state.point or Point(x=0)]}


def graph_of() -> Any:
    graph = StateGraph(Kept)
    graph.add_node("look", look)
    graph.add_edge(START, "look")
    graph.add_edge("look", END)
    return graph.compile(checkpointer=InMemorySaver())


CONFIG: Any = {"configurable": {"thread_id": "1"}}


@pytest.mark.parametrize("wrong", [{"text": 5}, {"point": {"x": "no"}}, {"point": 5}, {"points": [5]}, {"points": 5}])
async def test_a_wrong_value_is_refused_and_the_thread_goes_on(wrong: dict[str, Any]) -> None:
    graph = graph_of()
    with pytest.raises(InvalidUpdateError, match=r"^(text|point|list\[Point\])"):
        await graph.ainvoke(wrong, CONFIG)
    assert (await graph.ainvoke({"text": "fine"}, CONFIG))["text"] == "fine"
    with pytest.raises(InvalidUpdateError):
        await graph.aupdate_state(CONFIG, wrong, as_node="look")
    assert (await graph.aget_state(CONFIG)).values["text"] == "fine"


async def test_plain_json_of_a_model_becomes_the_model() -> None:
    graph = graph_of()
    await graph.ainvoke({"point": {"x": 3}, "points": [{"x": 1}]}, CONFIG)
    values = (await graph.aget_state(CONFIG)).values
    assert values["point"] == Point(x=3) and values["points"] == [Point(x=1), Point(x=3)]


def test_none_empties_a_list() -> None:
    assert appended(Point)([Point(x=1)], None) == []


def test_schemas_of_one_graph_may_share_a_reducer() -> None:
    assert appended(Point) is appended(Point)
