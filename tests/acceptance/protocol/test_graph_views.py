"""Drawings, schemas and subgraphs of graphs of every kind, as Studio reads them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

SYSTEM_IDS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
Json = dict[str, Any]


def path_of(graph_id: str) -> str:
    return f"/assistants/{uuid5(SYSTEM_IDS, graph_id)}"


def node(name: str, **more: Any) -> Json:
    return {"id": name, "type": "runnable", "data": {"name": name}, **more}


def edge(source: str, target: str, **more: Any) -> Json:
    return {"source": source, "target": target, **more}


def fields(title: str, *, required: list[str] | None = None, **properties: Json) -> Json:
    """An object's schema; `properties` lack their titles, which come from their names."""
    titled = {name: {**schema, "title": name.replace("_", " ").title()} for name, schema in properties.items()}
    return {"properties": titled, **({"required": required} if required else {}), "title": title, "type": "object"}


TEXT: Json = {"type": "string"}
TEXTS: Json = {"items": TEXT, "type": "array"}
INTEGER: Json = {"type": "integer"}
START, END = node("__start__"), {"id": "__end__"}
ONE_STEP = {"nodes": [START, node("only"), END], "edges": [edge("__start__", "only"), edge("only", "__end__")]}

DRAWINGS: dict[str, Json] = {
    "steps": {
        "nodes": [START, node("a"), node("b"), node("c"), END],
        "edges": [edge("__start__", "a"), edge("a", "b"), edge("b", "c"), edge("c", "__end__")],
    },
    "shapes_branching": {
        "nodes": [START, node("ask", metadata={"owner": "lab", "level": 2}), node("left"), node("right"), END],
        "edges": [
            edge("__start__", "ask"),
            edge("ask", "left", conditional=True),
            edge("ask", "right", conditional=True),
            edge("left", "__end__", data="done", conditional=True),
            edge("left", "ask", data="again", conditional=True),
            edge("right", "__end__"),
        ],
    },
    "shapes_jumping": {
        "nodes": [START, node("a"), node("b"), END],
        "edges": [
            edge("__start__", "a"),
            edge("a", "__end__", conditional=True),
            edge("a", "b", conditional=True),
            edge("b", "__end__"),
        ],
    },
    "shapes_nested": {
        "nodes": [START, node("before"), node("outer"), END],
        "edges": [edge("__start__", "before"), edge("before", "outer"), edge("outer", "__end__")],
    },
    "shapes_made": {
        "nodes": [START, node("step0"), END],
        "edges": [edge("__start__", "step0"), edge("step0", "__end__")],
    },
    **dict.fromkeys(
        *(
            [f"shapes_{name}" for name in ("chat", "order", "walk", "builder", "loose", "listed", "opaque")],
            ONE_STEP,
        )
    ),
}


@pytest.mark.parametrize("graph_id", DRAWINGS)
async def test_a_graph_is_drawn(http: httpx.AsyncClient, graph_id: str) -> None:
    response = await http.get(f"{path_of(graph_id)}/graph")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == DRAWINGS[graph_id]


async def test_a_graphs_name_draws_it_too(http: httpx.AsyncClient) -> None:
    assert (await http.get("/assistants/shapes_branching/graph")).json() == DRAWINGS["shapes_branching"]


OPENED_ONCE = {
    "nodes": [START, node("before"), END, node("outer:before"), node("outer:inner")],
    "edges": [
        edge("__start__", "before"),
        edge("before", "outer:before"),
        edge("outer:inner", "__end__"),
        edge("outer:before", "outer:inner"),
    ],
}
OPENED = {
    "nodes": [START, node("before"), END, node("outer:before"), node("outer:inner:only")],
    "edges": [
        edge("__start__", "before"),
        edge("before", "outer:before"),
        edge("outer:inner:only", "__end__"),
        edge("outer:before", "outer:inner:only"),
    ],
}


@pytest.mark.parametrize(
    ("xray", "drawn"),
    [
        ("true", OPENED),
        ("True", OPENED),
        ("1", OPENED_ONCE),
        ("2", OPENED),
        ("3", OPENED),
        ("false", DRAWINGS["shapes_nested"]),
        ("", DRAWINGS["shapes_nested"]),
    ],
)
async def test_xray_opens_subgraphs_as_deep_as_asked(http: httpx.AsyncClient, xray: str, drawn: Json) -> None:
    response = await http.get(f"{path_of('shapes_nested')}/graph", params={"xray": xray})
    assert (response.status_code, response.json()) == (200, drawn)


@pytest.mark.parametrize("xray", ["0", "-1", "1.5", "x", "yes", "TRUE", "1e1"])
async def test_an_xray_that_is_no_depth_is_refused(http: httpx.AsyncClient, xray: str) -> None:
    response = await http.get(f"{path_of('shapes_nested')}/graph", params={"xray": xray})
    assert (response.status_code, response.json()) == (422, {"detail": "Invalid xray value"})


async def test_the_sdk_draws(client: LangGraphClient) -> None:
    assert await client.assistants.get_graph("shapes_nested", xray=1) == OPENED_ONCE
    assert await client.assistants.get_graph("shapes_nested", xray=True) == OPENED


def test_the_sync_sdk_draws(sync_client: SyncLangGraphClient) -> None:
    assert sync_client.assistants.get_graph("steps") == DRAWINGS["steps"]


async def test_a_factory_is_asked_with_the_assistants_configuration(client: LangGraphClient) -> None:
    made = await client.assistants.create("shapes_made", context={"steps": 3})
    drawn = await client.assistants.get_graph(made["assistant_id"])
    assert [found["id"] for found in drawn["nodes"]] == ["__start__", "step0", "step1", "step2", "__end__"]


@pytest.mark.parametrize("path", ["graph", "schemas", "subgraphs"])
async def test_a_configuration_that_a_factory_refuses_is_told_why(
    client: LangGraphClient, http: httpx.AsyncClient, path: str
) -> None:
    made = await client.assistants.create("shapes_made", context={"steps": "many"})
    response = await http.get(f"/assistants/{made['assistant_id']}/{path}")
    detail = "invalid literal for int() with base 10: 'many'"
    assert (response.status_code, response.json()) == (400, {"detail": detail})


def state(title: str, **properties: Json) -> Json:
    return fields(title, required=None, **{name: {"default": None, **schema} for name, schema in properties.items()})


TONE = fields("Tone", tone={"enum": ["plain", "warm"], "type": "string"}, length=INTEGER)
NOTE = fields("Note", note=TEXT)
QUESTION = fields("Question", required=["question"], question=TEXT)
ANSWER = fields("Answer", required=["answer"], answer=TEXT)
WHOLE = fields("Whole", required=["question", "answer"], question=TEXT, answer=TEXT, steps=TEXTS)
ORDER = {
    "description": "A pydantic state.",
    **fields(
        "Order", required=["item"], item={"description": "What is ordered.", **TEXT}, count={"default": 1, **INTEGER}
    ),
}
SETTINGS = {
    "description": "Fields with the keys that Studio reads.",
    **fields(
        "Settings",
        prompt={
            "default": "Answer well.",
            "description": "The prompt.",
            "langgraph_nodes": ["only"],
            "langgraph_type": "prompt",
            "type": "string",
        },
        model={"default": "small", "enum": ["small", "large"], "langgraph_nodes": ["only"], "type": "string"},
    ),
}
PROMPTS = {
    "description": "What Studio offers to edit.",
    **fields(
        "Prompts",
        system_prompt={"default": "Be brief.", "description": "What the model is told first.", "type": "string"},
        limit={"default": 3, "type": "integer"},
    ),
}


def walk(title: str) -> Json:
    return fields(title, required=["place"], place=TEXT, steps={"default": [], **TEXTS})


def loose(title: str) -> Json:
    return {"additionalProperties": True, "default": None, "title": title, "type": "object"}


def listed(title: str) -> Json:
    return {"default": None, "items": {}, "title": title, "type": "array"}


SCHEMAS: dict[str, tuple[Json | None, Json | None, Json, Json | None]] = {
    "shapes_branching": (
        *(QUESTION, ANSWER, state("shapes_branching_state", question=TEXT, answer=TEXT, steps=TEXTS), TONE),
    ),
    "shapes_jumping": (NOTE, NOTE, state("shapes_jumping_state", note=TEXT), None),
    "shapes_nested": (WHOLE, WHOLE, state("nested graphs_state", question=TEXT, answer=TEXT, steps=TEXTS), None),
    "shapes_order": (ORDER, ORDER, state("shapes_order_state", item=TEXT, count=INTEGER), None),
    "shapes_walk": (
        *(walk("shapes_walk_input"), walk("shapes_walk_output")),
        *(state("shapes_walk_state", place=TEXT, steps=TEXTS), PROMPTS),
    ),
    "shapes_builder": (NOTE, NOTE, state("shapes_builder_state", note=TEXT), TONE),
    "shapes_made": (NOTE, NOTE, state("shapes_made_state", note=TEXT), None),
    "shapes_loose": (loose("shapes_loose_input"), loose("shapes_loose_output"), loose("shapes_loose_state"), None),
    "shapes_listed": (
        listed("shapes_listed_input"),
        listed("shapes_listed_output"),
        listed("shapes_listed_state"),
        None,
    ),
    "shapes_opaque": (None, None, state("shapes_opaque_state", thing={}), None),
}


@pytest.mark.parametrize("graph_id", SCHEMAS)
async def test_schemas_are_told(http: httpx.AsyncClient, graph_id: str) -> None:
    taken, given, kept, context = SCHEMAS[graph_id]
    response = await http.get(f"{path_of(graph_id)}/schemas")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    told = response.json()
    assert list(told) == [
        *("graph_id", "input_schema", "output_schema", "state_schema", "config_schema", "context_schema"),
    ]
    assert told == {
        "graph_id": graph_id,
        "input_schema": taken,
        "output_schema": given,
        "state_schema": kept,
        "config_schema": context or {},
        "context_schema": context,
    }


async def test_messages_have_a_schema_for_each_kind(http: httpx.AsyncClient) -> None:
    told = (await http.get(f"{path_of('shapes_chat')}/schemas")).json()
    for name in ("input_schema", "output_schema", "state_schema"):
        assert {"AIMessage", "HumanMessage", "ToolMessage", "ToolCall", "UsageMetadata"} <= set(told[name]["$defs"])
        kinds = told[name]["properties"]["messages"]["items"]["oneOf"]
        assert {"$ref": "#/$defs/HumanMessage"} in kinds
    assert told["state_schema"]["title"] == "shapes_chat_state"


async def test_the_keys_by_which_studio_edits_prompts_are_kept(client: LangGraphClient) -> None:
    told = await client.assistants.get_schemas(str(uuid5(SYSTEM_IDS, "shapes_chat")))
    assert told["context_schema"] == told["config_schema"] == SETTINGS


def inner(taken: Json, **properties: Json) -> Json:
    kept = state("LangGraphState", **properties)
    return {
        "input_schema": taken,
        "output_schema": taken,
        "state_schema": kept,
        "config_schema": {},
        "context_schema": None,
    }


OUTER = {"outer": inner(NOTE, note=TEXT)}
INNER = {"outer|inner": inner(QUESTION, question=TEXT)}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", OUTER),
        ("?recurse=false", OUTER),
        ("?recurse=1", OUTER),
        ("?recurse=true", OUTER | INNER),
        ("?recurse=True", OUTER | INNER),
        ("/outer", OUTER),
        ("/outer?recurse=true", OUTER),
        ("/outer|inner", {}),
        ("/outer|inner?recurse=true", INNER),
        ("/outer%7Cinner?recurse=true", INNER),
        ("/inner?recurse=true", {}),
        ("/before", {}),
        ("/nope", {}),
    ],
)
async def test_subgraphs_are_told_by_namespace(http: httpx.AsyncClient, query: str, found: Json) -> None:
    response = await http.get(f"{path_of('shapes_nested')}/subgraphs{query}")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert list(response.json().items()) == list(found.items())


async def test_a_graph_without_subgraphs_has_none(http: httpx.AsyncClient) -> None:
    response = await http.get(f"{path_of('steps')}/subgraphs?recurse=true")
    assert (response.status_code, response.json()) == (200, {})


async def test_the_sdk_asks_for_subgraphs(client: LangGraphClient) -> None:
    assistant_id = str(uuid5(SYSTEM_IDS, "shapes_nested"))
    assert await client.assistants.get_subgraphs(assistant_id, recurse=True) == OUTER | INNER
    assert await client.assistants.get_subgraphs(assistant_id, namespace="outer") == OUTER


async def test_a_namespace_is_one_part_of_the_path(http: httpx.AsyncClient) -> None:
    response = await http.get(f"{path_of('shapes_nested')}/subgraphs/outer/inner")
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})
