"""Assistants as clients of the Agent Server know them: made, changed, versioned, searched, deleted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

SYSTEM_IDS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
FIELDS = [
    *("assistant_id", "graph_id", "config", "context", "metadata", "name", "created_at", "updated_at"),
    *("version", "description"),
]
VERSION_FIELDS = [
    *("assistant_id", "version", "graph_id", "config", "context", "metadata", "created_at", "name", "description"),
]
BOTH = (
    "Cannot specify both configurable and context. Prefer setting context alone. Context was introduced in LangGraph "
    "0.6.0 and is the long term planned replacement for configurable."
)
Json = dict[str, Any]


def told(error: str, keyword: str, where: str, value: str) -> str:
    """The text about a body that its schema refuses; `where` as it follows `schema` and `instance`."""
    parts = where.split(".") if where else []
    schema = "".join(f'["properties"]["{part}"]' for part in parts)
    instance = "".join(f'["{part}"]' for part in parts)
    return f'{error}\n\nFailed validating "{keyword}" in schema{schema}\n\nOn instance{instance}:\n    {value}'


def system_id(graph_id: str) -> str:
    return str(uuid5(SYSTEM_IDS, graph_id))


async def make(http: httpx.AsyncClient, **body: Any) -> Json:
    response = await http.post("/assistants", json={"graph_id": "steps", **body})
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


async def change(http: httpx.AsyncClient, made: Json, **body: Any) -> Json:
    response = await http.patch(f"/assistants/{made['assistant_id']}", json=body)
    assert response.status_code == 200, response.text
    changed: Json = response.json()
    return changed


# --- making -----------------------------------------------------------------------------------------------------


async def test_a_new_assistant_has_every_field_in_order_and_defaults(http: httpx.AsyncClient) -> None:
    before = datetime.now(UTC)
    response = await http.post("/assistants", json={"graph_id": "steps"})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    made = response.json()
    assert list(made) == FIELDS
    assert (made["graph_id"], made["name"], made["version"], made["description"]) == ("steps", "Untitled", 1, None)
    assert (made["config"], made["context"], made["metadata"]) == ({}, {}, {})
    assert UUID(made["assistant_id"]).version == 4
    assert made["created_at"] == made["updated_at"]
    assert before <= datetime.fromisoformat(made["created_at"]) <= datetime.now(UTC)


async def test_times_are_iso_with_microseconds_in_utc(http: httpx.AsyncClient) -> None:
    made = await make(http)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", made["created_at"])


async def test_the_sdk_makes_an_assistant_with_everything_named(client: LangGraphClient) -> None:
    assistant_id = str(uuid4())
    made = await client.assistants.create(
        "steps",
        config={"tags": ["a"], "recursion_limit": 7},
        context={"tone": "warm"},
        metadata={"owner": "lab"},
        assistant_id=assistant_id,
        name="Warm",
        description="Says things warmly.",
    )
    assert made["assistant_id"] == assistant_id
    assert made["config"] == {"tags": ["a"], "recursion_limit": 7, "configurable": {"tone": "warm"}}
    assert made["context"] == {"tone": "warm"}
    assert (made["metadata"], made["name"], made["description"]) == ({"owner": "lab"}, "Warm", "Says things warmly.")
    assert await client.assistants.get(assistant_id) == made


def test_the_sync_sdk_makes_changes_counts_and_deletes(sync_client: SyncLangGraphClient) -> None:
    mark = str(uuid4())
    made = sync_client.assistants.create("steps", metadata={"mark": mark})
    changed = sync_client.assistants.update(made["assistant_id"], name="Changed")
    assert (changed["name"], changed["version"]) == ("Changed", 2)
    assert sync_client.assistants.count(metadata={"mark": mark}) == 1
    sync_client.assistants.delete(made["assistant_id"])
    assert sync_client.assistants.search(metadata={"mark": mark}) == []


MIRRORED: list[tuple[str, Json, Json, Json]] = [
    ("configurable alone", {"config": {"configurable": {"a": 1}}}, {"configurable": {"a": 1}}, {"a": 1}),
    ("context alone", {"context": {"a": 1}}, {"configurable": {"a": 1}}, {"a": 1}),
    (
        *("context beside an empty configurable", {"config": {"configurable": {}}, "context": {"b": 1}}),
        *({"configurable": {"b": 1}}, {"b": 1}),
    ),
    (
        *("configurable beside an empty context", {"config": {"configurable": {"a": 1}}, "context": {}}),
        *({"configurable": {"a": 1}}, {"a": 1}),
    ),
    ("an empty configurable", {"config": {"configurable": {}}}, {"configurable": {}}, {}),
    ("other keys alone", {"config": {"tags": ["t"], "x": 1}}, {"tags": ["t"], "x": 1}, {}),
    (
        *("other keys and context", {"config": {"recursion_limit": 5, "x": 1}, "context": {"b": 1}}),
        *({"recursion_limit": 5, "x": 1, "configurable": {"b": 1}}, {"b": 1}),
    ),
]


@pytest.mark.parametrize(("body", "config", "context"), [row[1:] for row in MIRRORED], ids=[row[0] for row in MIRRORED])
async def test_configurable_and_context_are_kept_as_one(
    http: httpx.AsyncClient, body: Json, config: Json, context: Json
) -> None:
    made = await make(http, **body)
    assert (made["config"], made["context"]) == (config, context)


@pytest.mark.parametrize("context", [{"a": 1}, {"b": 1}], ids=["equal", "different"])
async def test_configurable_and_context_together_are_refused(http: httpx.AsyncClient, context: Json) -> None:
    body = {"graph_id": "steps", "config": {"configurable": {"a": 1}}, "context": context}
    response = await http.post("/assistants", json=body)
    assert (response.status_code, response.json()) == (400, {"detail": BOTH})


ODD_VALUES: list[tuple[str, Json]] = [
    ("nested", {"a": {"b": [1, {"c": None}]}}),
    ("numbers", {"int": 2**53, "float": 1.5, "tiny": 1e-300, "negative": -0.5}),
    ("text", {"é": "ñ ×", "line": "a\nb\u2028", "emoji": "🙂"}),
    ("lc dict", {"lc": 1, "type": "constructor", "id": ["langchain", "messages", "HumanMessage"], "kwargs": {}}),
    ("system's mark", {"created_by": "system", "graph_id": "other"}),
]


@pytest.mark.parametrize("value", [row[1] for row in ODD_VALUES], ids=[row[0] for row in ODD_VALUES])
async def test_metadata_and_context_come_back_as_they_went_in(http: httpx.AsyncClient, value: Json) -> None:
    made = await make(http, metadata=value, context=value)
    assert (made["metadata"], made["context"]) == (value, value)
    assert (await http.get(f"/assistants/{made['assistant_id']}")).json() == made


@pytest.mark.parametrize(
    ("body", "field", "kept"),
    [
        ({"name": ""}, "name", "Untitled"),
        ({"name": "  n "}, "name", "  n "),
        ({"description": None}, "description", None),
        ({"description": ""}, "description", ""),
    ],
    ids=["empty name", "spaces in a name", "null description", "empty description"],
)
async def test_names_and_descriptions_are_kept(http: httpx.AsyncClient, body: Json, field: str, kept: Any) -> None:
    assert (await make(http, **body))[field] == kept


async def test_keys_that_nobody_knows_are_ignored(http: httpx.AsyncClient) -> None:
    assert list(await make(http, extra=1)) == FIELDS


@pytest.mark.parametrize("spelt", [str.upper, lambda text: text.replace("-", "")], ids=["upper case", "no dashes"])
async def test_an_id_is_told_in_one_spelling(http: httpx.AsyncClient, spelt: Any) -> None:
    assistant_id = str(uuid4())
    made = await make(http, assistant_id=spelt(assistant_id))
    assert made["assistant_id"] == assistant_id
    assert (await http.get(f"/assistants/{spelt(assistant_id)}")).json() == made


async def test_a_taken_id_is_a_conflict(http: httpx.AsyncClient) -> None:
    made = await make(http, name="first")
    for body in ({}, {"if_exists": "raise"}):
        again = {"graph_id": "steps", "assistant_id": made["assistant_id"], **body}
        response = await http.post("/assistants", json=again)
        assert response.status_code == 409
        assert response.json() == {"detail": f"Assistant {made['assistant_id']} already exists"}


async def test_do_nothing_gives_the_one_that_is_there(http: httpx.AsyncClient) -> None:
    made = await make(http, name="first", metadata={"a": 1})
    again = await make(http, assistant_id=made["assistant_id"], name="second", if_exists="do_nothing")
    assert again == made


async def test_the_sdk_raises_conflict_and_not_found(client: LangGraphClient) -> None:
    made = await client.assistants.create("steps")
    with pytest.raises(ConflictError):
        await client.assistants.create("steps", assistant_id=made["assistant_id"])
    with pytest.raises(NotFoundError):
        await client.assistants.get(str(uuid4()))
    with pytest.raises(UnprocessableEntityError):
        await client.assistants.get("no-such-graph")


REFUSED: list[tuple[str, Json | list[Any], str]] = [
    ("no graph", {}, told('"graph_id" is a required property', "required", "", "{}")),
    ("a list", [], told('[] is not of type "object"', "type", "", "[]")),
    ("a number as graph", {"graph_id": 5}, told('5 is not of type "string"', "type", "graph_id", "5")),
    ("null as graph", {"graph_id": None}, told('null is not of type "string"', "type", "graph_id", "null")),
    ("id no UUID", {"graph_id": "steps", "assistant_id": "x"}, "Invalid assistant ID: must be a UUID"),
    (
        *("id a number", {"graph_id": "steps", "assistant_id": 5}),
        told('5 is not of type "string"', "type", "assistant_id", "5"),
    ),
    (
        *("config null", {"graph_id": "steps", "config": None}),
        told('null is not of type "object"', "type", "config", "null"),
    ),
    (
        "context a list",
        {"graph_id": "steps", "context": []},
        told('[] is not of type "object"', "type", "context", "[]"),
    ),
    (
        *("metadata a text", {"graph_id": "steps", "metadata": "x"}),
        told('"x" is not of type "object"', "type", "metadata", '"x"'),
    ),
    ("name null", {"graph_id": "steps", "name": None}, told('null is not of type "string"', "type", "name", "null")),
    (
        *("description a number", {"graph_id": "steps", "description": 3}),
        told('3 is not of types "null", "string"', "type", "description", "3"),
    ),
    (
        *("if_exists unknown", {"graph_id": "steps", "if_exists": "x"}),
        told('"x" is not one of "raise" or "do_nothing"', "enum", "if_exists", '"x"'),
    ),
    (
        *("tags a text", {"graph_id": "steps", "config": {"tags": "t"}}),
        told('"t" is not of type "array"', "type", "tags", '"t"'),
    ),
    (
        *("recursion_limit a text", {"graph_id": "steps", "config": {"recursion_limit": "x"}}),
        told('"x" is not of type "integer"', "type", "recursion_limit", '"x"'),
    ),
    (
        *("several mistakes", {"offset": {}, "name": 5, "graph_id": "steps", "config": 0, "assistant_id": -1}),
        told('-1 is not of type "string"', "type", "assistant_id", "-1"),
    ),
    (
        *("an object, told in order", {"graph_id": {"b": 1, "a": {"d": [2], "c": None}}}),
        told(
            '{"a":{"c":null,"d":[2]},"b":1} is not of type "string"',
            "type",
            "graph_id",
            '{"a":{"c":null,"d":[2]},"b":1}',
        ),
    ),
    (
        *("configurable a number", {"graph_id": "steps", "config": {"configurable": 5}}),
        told('5 is not of type "object"', "type", "configurable", "5"),
    ),
]


@pytest.mark.parametrize(("body", "detail"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_body_that_its_schema_refuses_is_told_why(http: httpx.AsyncClient, body: Any, detail: str) -> None:
    response = await http.post("/assistants", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": detail})
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["", "/search", "/count"])
@pytest.mark.parametrize("content", [b"", b"{", b'{"graph_id": NaN}', b'{"graph_id": "\\ud800"}'])
async def test_what_is_no_json_is_refused(http: httpx.AsyncClient, path: str, content: bytes) -> None:
    response = await http.post(f"/assistants{path}", content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()) == (422, {"detail": "Invalid JSON in request body"})


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/assistants"), ("POST", "/assistants/search"), ("POST", "/assistants/count")]
)
async def test_an_unknown_graph_is_not_found_and_the_known_ones_are_listed(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    response = await http.request(method, path, json={"graph_id": "nope"})
    detail = response.json()["detail"]
    assert response.status_code == 404
    assert detail.startswith("Graph 'nope' not found. Expected one of: ['asks', ")
    assert "'shapes_branching', 'shapes_builder', " in detail


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"graph_id": "nope", "assistant_id": "x", "config": {"tags": 5}}, "Invalid assistant ID"),
        ({"graph_id": "nope", "config": {"tags": 5}}, "5 is not of type"),
        ({"graph_id": "nope", "config": {"configurable": {"a": 1}}, "context": {"a": 1}}, "Graph 'nope' not found"),
    ],
    ids=["id before config", "config before graph", "graph before context"],
)
async def test_the_first_mistake_is_the_one_told(http: httpx.AsyncClient, body: Json, status: str) -> None:
    assert (await http.post("/assistants", json=body)).json()["detail"].startswith(status)


# --- reading ----------------------------------------------------------------------------------------------------


async def test_head_answers_like_get_without_a_body(http: httpx.AsyncClient) -> None:
    made = await make(http)
    response = await http.head(f"/assistants/{made['assistant_id']}")
    assert (response.status_code, response.content) == (200, b"")


READS = ["", "/graph", "/schemas", "/subgraphs", "/subgraphs/x"]


@pytest.mark.parametrize("path", READS)
async def test_an_id_that_is_no_uuid_is_refused(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(f"/assistants/nope{path}")
    assert (response.status_code, response.json()) == (422, {"detail": "Invalid assistant ID: must be a UUID"})


@pytest.mark.parametrize("path", READS)
async def test_an_unknown_id_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(f"/assistants/{uuid4()}{path}")
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/assistants"), ("PUT", "/assistants/x"), ("GET", "/assistants/x/versions")]
)
async def test_other_methods_are_not_allowed(http: httpx.AsyncClient, method: str, path: str) -> None:
    response = await http.request(method, path)
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})
    assert "allow" in response.headers


@pytest.mark.ours_only("a graph's name stands for its assistant's id everywhere; the reference takes it for runs only")
@pytest.mark.parametrize("path", ["", "/graph", "/schemas", "/subgraphs"])
async def test_a_graphs_name_is_taken_for_an_id(http: httpx.AsyncClient, path: str) -> None:
    by_name = await http.get(f"/assistants/shapes_nested{path}")
    assert by_name.status_code == 200
    assert by_name.json() == (await http.get(f"/assistants/{system_id('shapes_nested')}{path}")).json()


# --- system assistants ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graph_id", "name", "description"),
    [
        ("steps", "steps", None),
        ("shapes_nested", "nested graphs", None),
        ("shapes_made", "shapes_made", None),
        ("shapes_told", "shapes_told", "A graph that says what it is for."),
    ],
    ids=["by its name in the file", "named by its author", "made by a factory", "described in the file"],
)
async def test_every_graph_has_a_system_assistant(
    http: httpx.AsyncClient, graph_id: str, name: str, description: str | None
) -> None:
    found = (await http.get(f"/assistants/{system_id(graph_id)}")).json()
    assert list(found) == FIELDS
    assert (found["graph_id"], found["name"], found["description"]) == (graph_id, name, description)
    assert (found["metadata"], found["version"]) == ({"created_by": "system"}, 1)
    assert (found["config"], found["context"]) == ({}, {})


async def test_a_system_assistant_can_be_changed_and_changed_back(http: httpx.AsyncClient) -> None:
    path = f"/assistants/{system_id('shapes_changed')}"
    changed = (await http.patch(path, json={"name": "Changed", "metadata": {"x": 1}})).json()
    assert (changed["name"], changed["metadata"]) == ("Changed", {"created_by": "system", "x": 1})
    assert changed["version"] > 1
    back = (await http.post(f"{path}/latest", json={"version": 1})).json()
    assert (back["name"], back["metadata"]) == ("shapes_changed", {"created_by": "system"})


async def test_a_deleted_system_assistant_is_gone_for_runs_too(http: httpx.AsyncClient) -> None:
    assistant_id = system_id("shapes_gone")
    assert (await http.delete(f"/assistants/{assistant_id}")).status_code == 204
    assert (await http.get(f"/assistants/{assistant_id}")).status_code == 404
    response = await http.post("/runs/wait", json={"assistant_id": "shapes_gone", "input": {}})
    assert (response.status_code, response.json()) == (404, {"detail": "Thread or assistant not found."})
    again = await make(*(http,), assistant_id=assistant_id, graph_id="shapes_gone", metadata={"created_by": "system"})
    assert (await http.get(f"/assistants/{assistant_id}")).json() == again


# --- changing ---------------------------------------------------------------------------------------------------

BEFORE: Json = {
    "name": "Base",
    "description": "d",
    "metadata": {"k": 1, "n": {"x": 1}},
    "config": {"tags": ["t"], "configurable": {"a": 1}},
}
CHANGES: list[tuple[str, Json, Json]] = [
    ("nothing", {}, {}),
    ("a name", {"name": "B2"}, {"name": "B2"}),
    ("an empty name", {"name": ""}, {"name": ""}),
    ("a description", {"description": "x"}, {"description": "x"}),
    ("an empty description", {"description": ""}, {"description": ""}),
    ("a graph", {"graph_id": "shapes_branching"}, {"graph_id": "shapes_branching"}),
    ("one more metadata key", {"metadata": {"z": 1}}, {"metadata": {"k": 1, "n": {"x": 1}, "z": 1}}),
    ("a nested metadata key", {"metadata": {"n": {"y": 2}}}, {"metadata": {"k": 1, "n": {"y": 2}}}),
    ("metadata null", {"metadata": {"k": None}}, {"metadata": {"k": None, "n": {"x": 1}}}),
    ("no metadata", {"metadata": {}}, {}),
    ("config without configurable", {"config": {"recursion_limit": 3}}, {"config": {"recursion_limit": 3}}),
    ("an empty config", {"config": {}}, {}),
    ("an empty configurable", {"config": {"configurable": {}}}, {"config": {"configurable": {}}}),
    (
        "configurable",
        {"config": {"configurable": {"w": 1}}},
        {"config": {"configurable": {"w": 1}}, "context": {"w": 1}},
    ),
    ("context", {"context": {"q": 1}}, {"config": {"configurable": {"q": 1}}, "context": {"q": 1}}),
    ("an empty context", {"context": {}}, {"context": {}}),
    (
        *("configurable and an empty context", {"config": {"configurable": {"w": 1}}, "context": {}}),
        {"config": {"configurable": {"w": 1}}, "context": {"w": 1}},
    ),
    ("an unknown key", {"extra": 1, "version": 9, "assistant_id": str(uuid4())}, {}),
]


@pytest.mark.parametrize(("body", "after"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
async def test_a_change_makes_the_next_version_and_keeps_the_rest(
    http: httpx.AsyncClient, body: Json, after: Json
) -> None:
    made = await make(http, **BEFORE)
    changed = await change(http, made, **body)
    assert list(changed) == FIELDS
    assert changed["updated_at"] > made["updated_at"]
    assert changed == {**made, **after, "version": 2, "updated_at": changed["updated_at"]}
    assert (await http.get(f"/assistants/{made['assistant_id']}")).json() == changed


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"metadata": None}, told('null is not of type "object"', "type", "metadata", "null")),
        ({"config": None}, told('null is not of type "object"', "type", "config", "null")),
        ({"context": None}, told('null is not of type "object"', "type", "context", "null")),
        ({"description": None}, told('null is not of type "string"', "type", "description", "null")),
        ({"name": None}, told('null is not of type "string"', "type", "name", "null")),
        ({"graph_id": None}, told('null is not of type "string"', "type", "graph_id", "null")),
        ({"config": {"tags": 5}}, told('5 is not of type "array"', "type", "tags", "5")),
        ([], told('[] is not of type "object"', "type", "", "[]")),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_refused_change_makes_no_version(http: httpx.AsyncClient, body: Any, detail: str) -> None:
    made = await make(http)
    response = await http.patch(f"/assistants/{made['assistant_id']}", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": detail})
    assert (await http.get(f"/assistants/{made['assistant_id']}")).json() == made


async def test_a_change_to_both_configurable_and_context_is_refused(http: httpx.AsyncClient) -> None:
    made = await make(http)
    body = {"config": {"configurable": {"w": 1}}, "context": {"w": 2}}
    response = await http.patch(f"/assistants/{made['assistant_id']}", json=body)
    assert (response.status_code, response.json()) == (400, {"detail": BOTH})


async def test_a_change_to_an_unknown_graph_is_refused(http: httpx.AsyncClient) -> None:
    made = await make(http)
    response = await http.patch(f"/assistants/{made['assistant_id']}", json={"graph_id": "nope"})
    assert response.status_code == 404
    assert response.json()["detail"].startswith("Graph 'nope' not found.")


UNKNOWN: list[tuple[str, str, Json | None, str]] = [
    ("PATCH", "", {"name": "x"}, "Assistant {} not found"),
    ("POST", "/versions", {}, "Assistant {} not found"),
    ("POST", "/latest", {"version": 1}, "Assistant {} not found"),
    ("DELETE", "", None, "Assistant with ID {} not found"),
]


@pytest.mark.parametrize(("method", "path", "body", "detail"), UNKNOWN, ids=["patch", "versions", "latest", "delete"])
async def test_an_unknown_assistant_is_named(
    http: httpx.AsyncClient, method: str, path: str, body: Json | None, detail: str
) -> None:
    assistant_id = str(uuid4())
    response = await http.request(method, f"/assistants/{assistant_id}{path}", json=body)
    assert (response.status_code, response.json()) == (404, {"detail": detail.format(assistant_id)})


@pytest.mark.parametrize(("method", "path", "body", "detail"), UNKNOWN, ids=["patch", "versions", "latest", "delete"])
async def test_what_is_no_id_is_refused_everywhere(
    http: httpx.AsyncClient, method: str, path: str, body: Json | None, detail: str
) -> None:
    response = await http.request(method, f"/assistants/nope{path}", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": "Invalid assistant ID: must be a UUID"})


# --- versions ---------------------------------------------------------------------------------------------------


async def test_versions_are_listed_newest_first(http: httpx.AsyncClient) -> None:
    made = await make(http, **BEFORE)
    second = await change(http, made, name="B2", description="two")
    response = await http.post(f"/assistants/{made['assistant_id']}/versions", json={})
    assert response.status_code == 200
    newest, oldest = response.json()
    assert list(newest) == list(oldest) == VERSION_FIELDS
    assert newest == {name: second[name] for name in VERSION_FIELDS} | {"created_at": second["updated_at"]}
    assert oldest == {name: made[name] for name in VERSION_FIELDS}


async def test_versions_are_paged_and_ten_unless_asked(client: LangGraphClient) -> None:
    made = await client.assistants.create("steps")
    for number in range(11):
        await client.assistants.update(made["assistant_id"], name=str(number))

    async def listed(**page: Any) -> list[int]:
        return [version["version"] for version in await client.assistants.get_versions(made["assistant_id"], **page)]

    assert await listed() == list(range(12, 2, -1))
    assert await listed(limit=2, offset=1) == [11, 10]
    assert await listed(limit=100, offset=10) == [2, 1]


async def test_versions_are_found_by_metadata(http: httpx.AsyncClient) -> None:
    made = await make(http, metadata={"n": {"x": 1, "y": 2}})
    await change(http, made, metadata={"n": {"x": 2}})
    path = f"/assistants/{made['assistant_id']}/versions"
    for metadata, numbers in (({"n": {"x": 1}}, [1]), ({"n": {"x": 2}}, [2]), ({}, [2, 1])):
        found = (await http.post(path, json={"metadata": metadata})).json()
        assert [version["version"] for version in found] == numbers


@pytest.mark.parametrize("body", [{"offset": 100}, {"metadata": {"nope": 1}}], ids=["past the end", "no such metadata"])
async def test_no_version_to_show_is_not_found(http: httpx.AsyncClient, body: Json) -> None:
    made = await make(http)
    response = await http.post(f"/assistants/{made['assistant_id']}/versions", json=body)
    assert response.status_code == 404
    assert response.json() == {"detail": f"Assistant {made['assistant_id']} not found"}


PAGES: list[tuple[Json, str]] = [
    ({"limit": 0}, told("0 is less than the minimum of 1", "minimum", "limit", "0")),
    ({"limit": 1001}, told("1001 is greater than the maximum of 1000", "maximum", "limit", "1001")),
    ({"limit": "2"}, told('"2" is not of type "integer"', "type", "limit", '"2"')),
    ({"limit": 2.5}, told('2.5 is not of type "integer"', "type", "limit", "2.5")),
    ({"limit": None}, told('null is not of type "integer"', "type", "limit", "null")),
    ({"offset": -1}, told("-1 is less than the minimum of 0", "minimum", "offset", "-1")),
    ({"metadata": 5}, told('5 is not of type "object"', "type", "metadata", "5")),
]


@pytest.mark.parametrize(("body", "detail"), PAGES, ids=[str(row[0]) for row in PAGES])
async def test_a_page_of_versions_that_cannot_be_is_refused(http: httpx.AsyncClient, body: Json, detail: str) -> None:
    made = await make(http)
    response = await http.post(f"/assistants/{made['assistant_id']}/versions", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": detail})


async def test_an_earlier_version_can_be_made_the_latest(http: httpx.AsyncClient) -> None:
    made = await make(http, **BEFORE)
    changed = await change(http, made, name="B2", metadata={"z": 1}, config={"tags": ["other"]})
    response = await http.post(f"/assistants/{made['assistant_id']}/latest", json={"version": 1})
    back = response.json()
    assert response.status_code == 200
    assert list(back) == FIELDS
    assert back == {**made, "updated_at": back["updated_at"]}
    assert back["updated_at"] > changed["updated_at"]
    assert (await http.get(f"/assistants/{made['assistant_id']}")).json() == back


async def test_a_change_after_going_back_gets_a_new_number(client: LangGraphClient) -> None:
    made = await client.assistants.create("steps", name="one", metadata={"a": 1})
    await client.assistants.update(made["assistant_id"], name="two", metadata={"b": 1})
    back = await client.assistants.set_latest(made["assistant_id"], 1)
    assert (back["version"], back["name"], back["metadata"]) == (1, "one", {"a": 1})
    again = await client.assistants.update(made["assistant_id"], metadata={"c": 1})
    assert (again["version"], again["name"], again["metadata"]) == (3, "one", {"a": 1, "c": 1})


@pytest.mark.ours_only("an earlier version comes back with its graph and context; the reference keeps the newer ones")
async def test_an_earlier_version_brings_its_graph_and_context_back(http: httpx.AsyncClient) -> None:
    made = await make(http, context={"tone": "plain"})
    await change(http, made, context={"tone": "warm"}, graph_id="shapes_branching")
    back = (await http.post(f"/assistants/{made['assistant_id']}/latest", json={"version": 1})).json()
    assert (back["graph_id"], back["context"]) == ("steps", {"tone": "plain"})
    assert back["config"] == {"configurable": {"tone": "plain"}}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"version": 2}, "2"),
        ({"version": 0}, "0"),
        ({"version": -1}, "-1"),
        ({}, "None"),
        ({"version": 10**20}, "1e+20"),
    ],
    ids=["2", "0", "-1", "none named", "huge"],
)
async def test_a_version_that_is_not_there_cannot_be_the_latest(
    http: httpx.AsyncClient, body: Json, shown: str
) -> None:
    made = await make(http)
    response = await http.post(f"/assistants/{made['assistant_id']}/latest", json=body)
    detail = f"Version {shown} not found for assistant {made['assistant_id']}"
    assert (response.status_code, response.json()) == (404, {"detail": detail})


@pytest.mark.parametrize(("version", "shown"), [("1", '"1"'), (None, "null"), (True, "true"), (1.5, "1.5")])
async def test_a_version_is_an_integer(http: httpx.AsyncClient, version: Any, shown: str) -> None:
    response = await http.post("/assistants/nope/latest", json={"version": version})
    detail = told(f'{shown} is not of type "integer"', "type", "version", shown)
    assert (response.status_code, response.json()) == (422, {"detail": detail})


# --- searching --------------------------------------------------------------------------------------------------

THREE: list[tuple[str, str, Json]] = [
    ("Alpha", "steps", {"k": 1, "n": {"x": 1, "y": 2}, "l": [1, 2]}),
    ("beta", "shapes_branching", {"k": 2}),
    ("Gamma", "steps", {"k": 1, "f": 1.5, "t": True, "nul": None}),
]


async def three(http: httpx.AsyncClient) -> str:
    """Makes the three; gives the mark by which a search finds them alone."""
    mark = str(uuid4())
    for name, graph_id, metadata in THREE:
        await make(http, name=name, graph_id=graph_id, metadata={"mark": mark, **metadata})
    return mark


FOUND: list[tuple[str, Json, list[str]]] = [
    ("newest first", {}, ["Gamma", "beta", "Alpha"]),
    ("a number", {"metadata": {"k": 1}}, ["Gamma", "Alpha"]),
    ("a number as float", {"metadata": {"k": 1.0}}, ["Gamma", "Alpha"]),
    ("a number as text", {"metadata": {"k": "1"}}, []),
    ("a part of an object", {"metadata": {"n": {"x": 1}}}, ["Alpha"]),
    ("a whole object", {"metadata": {"n": {"x": 1, "y": 2}}}, ["Alpha"]),
    ("another object", {"metadata": {"n": {"x": 2}}}, []),
    ("a list", {"metadata": {"l": [1, 2]}}, ["Alpha"]),
    ("a list instead of its item", {"metadata": {"l": 3}}, []),
    ("null", {"metadata": {"nul": None}}, ["Gamma"]),
    ("true", {"metadata": {"t": True}}, ["Gamma"]),
    ("no such key", {"metadata": {"zzz": 1}}, []),
    ("a graph", {"graph_id": "steps"}, ["Gamma", "Alpha"]),
    ("a part of a name", {"name": "ET"}, ["beta"]),
    ("a whole name", {"name": "alpha"}, ["Alpha"]),
    ("a letter of all", {"name": "A"}, ["Gamma", "beta", "Alpha"]),
    ("an empty name", {"name": ""}, ["Gamma", "beta", "Alpha"]),
    ("a wildcard in a name", {"name": "a%"}, []),
    ("a joker in a name", {"name": "_"}, []),
    ("by name", {"sort_by": "name"}, ["Gamma", "beta", "Alpha"]),
    ("by name upwards", {"sort_by": "name", "sort_order": "asc"}, ["Alpha", "beta", "Gamma"]),
    ("by name downwards", {"sort_by": "name", "sort_order": "desc"}, ["Gamma", "beta", "Alpha"]),
    ("by age upwards", {"sort_by": "created_at", "sort_order": "asc"}, ["Alpha", "beta", "Gamma"]),
    ("by age", {"sort_by": "created_at"}, ["Gamma", "beta", "Alpha"]),
    ("by change upwards", {"sort_by": "updated_at", "sort_order": "asc"}, ["Alpha", "beta", "Gamma"]),
    ("by graph upwards", {"sort_by": "graph_id", "sort_order": "asc"}, ["beta", "Alpha", "Gamma"]),
    ("by graph downwards", {"sort_by": "graph_id", "sort_order": "desc"}, ["Alpha", "Gamma", "beta"]),
    ("an order without a key", {"sort_order": "asc"}, ["Gamma", "beta", "Alpha"]),
    ("a page", {"limit": 1, "offset": 1}, ["beta"]),
    ("a limit as float", {"limit": 2.0}, ["Gamma", "beta"]),
    ("past the end", {"offset": 9}, []),
    ("far past the end", {"offset": 10**18}, []),
    ("further than integers go", {"offset": 10**30}, []),
    ("an unknown key", {"extra": 1}, ["Gamma", "beta", "Alpha"]),
]


@pytest.mark.parametrize(("body", "names"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
async def test_a_search_finds(http: httpx.AsyncClient, body: Json, names: list[str]) -> None:
    mark = await three(http)
    response = await http.post(
        "/assistants/search", json={**body, "metadata": {"mark": mark, **body.get("metadata", {})}}
    )
    assert response.status_code == 200
    assert [found["name"] for found in response.json()] == names


async def test_a_search_by_id_sorts_by_it(client: LangGraphClient) -> None:
    mark = str(uuid4())
    made = [(await client.assistants.create("steps", metadata={"mark": mark}))["assistant_id"] for _ in range(3)]
    found = await client.assistants.search(metadata={"mark": mark}, sort_by="assistant_id", sort_order="asc")
    assert [assistant["assistant_id"] for assistant in found] == sorted(made)


async def test_a_change_brings_an_assistant_up_by_change_alone(http: httpx.AsyncClient) -> None:
    mark = await three(http)
    body = {"metadata": {"mark": mark}, "sort_by": "updated_at"}
    oldest = (await http.post("/assistants/search", json=body)).json()[-1]
    await change(http, oldest, name="Changed")
    assert (await http.post("/assistants/search", json=body)).json()[0]["name"] == "Changed"
    body["sort_by"] = "created_at"
    assert (await http.post("/assistants/search", json=body)).json()[-1]["name"] == "Changed"


async def test_a_search_shows_what_get_shows(http: httpx.AsyncClient) -> None:
    mark = await three(http)
    for found in (await http.post("/assistants/search", json={"metadata": {"mark": mark}})).json():
        assert list(found) == FIELDS
        assert found == (await http.get(f"/assistants/{found['assistant_id']}")).json()


HEADERS: list[tuple[Json, str, str | None]] = [
    ({}, "3", None),
    ({"limit": 3}, "3", None),
    ({"limit": 2}, "3", "2"),
    ({"limit": 2, "offset": 2}, "3", None),
    ({"limit": 1, "offset": 1}, "3", "2"),
    ({"limit": 1}, "2", "1"),
    ({"offset": 9}, "9", None),
]


@pytest.mark.parametrize(("page", "total", "following"), HEADERS, ids=[str(row[0]) for row in HEADERS])
async def test_a_search_tells_where_its_next_page_begins(
    http: httpx.AsyncClient, page: Json, total: str, following: str | None
) -> None:
    mark = await three(http)
    response = await http.post("/assistants/search", json={"metadata": {"mark": mark}, **page})
    assert response.headers["x-pagination-total"] == total
    assert response.headers.get("x-pagination-next") == following


async def test_the_sdk_reads_page_after_page(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    mark = await three(http)
    names: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await client.assistants.search(metadata={"mark": mark}, limit=2, offset=offset, response_format="object")
        names += [assistant["name"] for assistant in page["assistants"]]
        offset = int(page["next"]) if page["next"] else None
    assert names == ["Gamma", "beta", "Alpha"]


@pytest.mark.parametrize(
    ("select", "fields"),
    [
        (["name"], ["name"]),
        (["version", "name", "context"], ["context", "name", "version"]),
        (["name", "name"], ["name"]),
        ([], FIELDS),
        (list(reversed(FIELDS)), FIELDS),
    ],
    ids=["one", "several", "one twice", "none", "all"],
)
async def test_select_shows_those_fields_in_the_usual_order(
    http: httpx.AsyncClient, select: list[str], fields: list[str]
) -> None:
    mark = await three(http)
    response = await http.post("/assistants/search", json={"metadata": {"mark": mark}, "select": select})
    assert [list(found) for found in response.json()] == [fields] * 3


SEARCH_REFUSED: list[tuple[Json, str]] = [
    *PAGES,
    (
        {"sort_by": "nope"},
        told('"nope" is not one of "assistant_id", "created_at" or 3 other candidates', "enum", "sort_by", '"nope"'),
    ),
    ({"sort_order": "ASC"}, told('"ASC" is not one of "asc" or "desc"', "enum", "sort_order", '"ASC"')),
    ({"select": "name"}, told('"name" is not of type "array"', "type", "select", '"name"')),
    (
        {"select": ["nope"]},
        '"nope" is not one of "assistant_id", "graph_id" or 8 other candidates\n\nFailed validating "enum" in '
        'schema["properties"]["select"]["items"]\n\nOn instance["select"][0]:\n    "nope"',
    ),
    ({"name": None}, told('null is not of type "string"', "type", "name", "null")),
    ({"graph_id": None}, told('null is not of type "string"', "type", "graph_id", "null")),
]


@pytest.mark.parametrize(("body", "detail"), SEARCH_REFUSED, ids=[str(row[0]) for row in SEARCH_REFUSED])
async def test_a_search_that_cannot_be_is_refused(http: httpx.AsyncClient, body: Json, detail: str) -> None:
    response = await http.post("/assistants/search", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": detail})


@pytest.mark.parametrize(
    ("body", "number"),
    [({}, 3), ({"graph_id": "steps"}, 2), ({"name": "ET"}, 1), ({"limit": 1}, 3), ({"metadata": {"k": 9}}, 0)],
    ids=["all", "a graph", "a name", "limit ignored", "none"],
)
async def test_a_count_is_a_bare_number(http: httpx.AsyncClient, body: Mapping[str, Any], number: int) -> None:
    mark = await three(http)
    response = await http.post(
        "/assistants/count", json={**body, "metadata": {"mark": mark, **body.get("metadata", {})}}
    )
    assert (response.status_code, response.content) == (200, str(number).encode())
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("body", [{"graph_id": 5}, {"name": None}, {"metadata": None}, []], ids=str)
async def test_a_count_that_cannot_be_is_refused(http: httpx.AsyncClient, body: Any) -> None:
    assert (await http.post("/assistants/count", json=body)).status_code == 422


# --- deleting ---------------------------------------------------------------------------------------------------


async def test_a_deleted_assistant_is_gone(http: httpx.AsyncClient) -> None:
    made = await make(http)
    path = f"/assistants/{made['assistant_id']}"
    response = await http.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert (await http.get(path)).status_code == 404
    assert (await http.post(f"{path}/versions", json={})).status_code == 404
    again = await http.delete(path)
    assert again.json() == {"detail": f"Assistant with ID {made['assistant_id']} not found"}


async def thread_of(http: httpx.AsyncClient, assistant_id: str) -> str:
    response = await http.post("/threads", json={"metadata": {"assistant_id": assistant_id}})
    thread_id: str = response.json()["thread_id"]
    return thread_id


@pytest.mark.parametrize("query", ["", "?delete_threads=false", "?delete_threads=1", "?delete_threads=yes"])
async def test_threads_outlive_their_assistant(http: httpx.AsyncClient, query: str) -> None:
    made = await make(http)
    thread_id = await thread_of(http, made["assistant_id"])
    assert (await http.delete(f"/assistants/{made['assistant_id']}{query}")).status_code == 204
    assert (await http.get(f"/threads/{thread_id}")).status_code == 200


@pytest.mark.parametrize("query", ["true", "True", "TRUE"])
async def test_threads_with_its_runs_go_with_an_assistant_when_asked(http: httpx.AsyncClient, query: str) -> None:
    made, other = await make(http), await make(http)
    mine, theirs = [(await http.post("/threads", json={})).json()["thread_id"] for _ in range(2)]
    for thread_id, assistant in ((mine, made), (theirs, other)):
        body = {"assistant_id": assistant["assistant_id"], "input": {}}
        assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).status_code == 200
    assert (await http.delete(f"/assistants/{made['assistant_id']}?delete_threads={query}")).status_code == 204
    assert (await http.get(f"/threads/{mine}")).status_code == 404
    assert (await http.get(f"/threads/{theirs}")).status_code == 200


@pytest.mark.ours_only("documented: metadata.assistant_id decides; the reference wants a run of the assistant, too")
async def test_threads_go_by_their_metadata(http: httpx.AsyncClient) -> None:
    made, other = await make(http), await make(http)
    mine, theirs = await thread_of(http, made["assistant_id"]), await thread_of(http, other["assistant_id"])
    assert (await http.delete(f"/assistants/{made['assistant_id']}?delete_threads=true")).status_code == 204
    assert (await http.get(f"/threads/{mine}")).status_code == 404
    assert (await http.get(f"/threads/{theirs}")).status_code == 200


async def test_the_sdk_deletes_threads_too(client: LangGraphClient) -> None:
    made = await client.assistants.create("steps")
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], made["assistant_id"], input={})
    await client.assistants.delete(made["assistant_id"], delete_threads=True)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread["thread_id"])


async def test_runs_of_a_deleted_assistant_are_still_told(client: LangGraphClient) -> None:
    made = await client.assistants.create("steps")
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], made["assistant_id"], input={})
    await client.assistants.delete(made["assistant_id"])
    (run,) = await client.runs.list(thread["thread_id"])
    assert run["assistant_id"] == made["assistant_id"]


# --- runs -------------------------------------------------------------------------------------------------------


async def test_a_run_names_its_assistant_by_id_or_graph(client: LangGraphClient) -> None:
    made = await client.assistants.create("steps")
    for named, assistant_id in ((made["assistant_id"], made["assistant_id"]), ("steps", system_id("steps"))):
        thread = await client.threads.create()
        run = await client.runs.create(thread["thread_id"], named, input={})
        assert run["assistant_id"] == assistant_id


@pytest.mark.parametrize("path", ["/runs", "/runs/wait", "/runs/stream"])
async def test_a_run_of_what_is_no_assistant_is_refused(http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path, json={"assistant_id": "nope", "input": {}})
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert detail.startswith(
        "Invalid assistant: 'nope'. Must be either:\n- A valid assistant UUID, or\n"
        "- One of the registered graphs: steps, tokens, loop, "
    )


async def test_a_run_of_an_unknown_assistant_is_not_found(http: httpx.AsyncClient) -> None:
    response = await http.post("/runs", json={"assistant_id": str(uuid4()), "input": {}})
    assert (response.status_code, response.json()) == (404, {"detail": "Thread or assistant not found."})
