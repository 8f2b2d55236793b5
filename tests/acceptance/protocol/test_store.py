"""`/store`: items under namespaces, found by key, filter and namespace."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

ITEMS = "/store/items"
SEARCH = "/store/items/search"
NAMESPACES = "/store/namespaces"
NO_LABEL = "Namespace label {!r} must be a non-empty string without periods"


@pytest.fixture
def space() -> str:
    """A namespace's first label that no other test uses."""
    return f"space-{uuid4().hex}"


async def put(http: httpx.AsyncClient, namespace: list[str], key: str, value: dict[str, Any], **more: Any) -> None:
    body = {"namespace": namespace, "key": key, "value": value, **more}
    answer = await http.put(ITEMS, json=body)
    assert answer.status_code == 204, answer.text


async def keys(http: httpx.AsyncClient, space: str, **asked: Any) -> list[str]:
    answer = await http.post(SEARCH, json={"namespace_prefix": [space], **asked})
    assert answer.status_code == 200, answer.text
    return [item["key"] for item in answer.json()["items"]]


# --- one item -----------------------------------------------------------------------------------------------------


async def test_what_is_put_is_got_back_with_its_fields_in_order(client: LangGraphClient, space: str) -> None:
    await client.store.put_item([space, "a"], "k", {"text": "hello", "n": 1})
    item = await client.store.get_item([space, "a"], "k")
    assert list(item) == ["namespace", "key", "value", "created_at", "updated_at"]
    assert (item["namespace"], item["key"], item["value"]) == ([space, "a"], "k", {"text": "hello", "n": 1})


async def test_times_are_iso_with_microseconds_and_offset(client: LangGraphClient, space: str) -> None:
    await client.store.put_item([space], "k", {})
    item = await client.store.get_item([space], "k")
    for name in ("created_at", "updated_at"):
        assert str(item[name]).endswith("+00:00") and str(item[name])[10] == "T"  # type: ignore[literal-required]


def test_the_synchronous_client_does_the_same(sync_client: SyncLangGraphClient, space: str) -> None:
    sync_client.store.put_item([space], "k", {"a": 1})
    assert sync_client.store.get_item([space], "k")["value"] == {"a": 1}
    assert [item["key"] for item in sync_client.store.search_items([space])["items"]] == ["k"]
    assert sync_client.store.list_namespaces([space])["namespaces"] == [[space]]
    sync_client.store.delete_item([space], "k")
    assert sync_client.store.get_item([space], "k") is None


async def test_putting_again_replaces_the_value(client: LangGraphClient, space: str) -> None:
    await client.store.put_item([space], "k", {"a": 1, "b": 2})
    first = await client.store.get_item([space], "k")
    await client.store.put_item([space], "k", {"a": 3})
    second = await client.store.get_item([space], "k")
    assert second["value"] == {"a": 3} and str(second["updated_at"]) > str(first["updated_at"])


@pytest.mark.ours_only("its items are made anew with each write; LangGraph's Postgres store keeps the time, as we do")
async def test_putting_again_keeps_the_time_of_creation(client: LangGraphClient, space: str) -> None:
    await client.store.put_item([space], "k", {})
    first = await client.store.get_item([space], "k")
    await client.store.put_item([space], "k", {})
    assert (await client.store.get_item([space], "k"))["created_at"] == first["created_at"]


async def test_a_put_answers_204_without_a_body(http: httpx.AsyncClient, space: str) -> None:
    answer = await http.put(ITEMS, json={"namespace": [space], "key": "k", "value": {}})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


async def test_a_missing_item_is_null_with_200(http: httpx.AsyncClient, space: str) -> None:
    answer = await http.get(ITEMS, params={"namespace": space, "key": "none"})
    assert (answer.status_code, answer.text) == (200, "null")
    assert answer.headers["content-type"] == "application/json"


async def test_an_item_answers_head(http: httpx.AsyncClient, space: str) -> None:
    answer = await http.head(ITEMS, params={"namespace": space, "key": "k"})
    assert (answer.status_code, answer.content) == (200, b"")


async def test_an_item_of_a_deeper_namespace_is_named_with_dots(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space, "a", "b"], "k", {"x": 1})
    answer = await http.get(ITEMS, params={"namespace": f"{space}.a.b", "key": "k"})
    assert answer.json()["namespace"] == [space, "a", "b"]


async def test_the_last_of_several_namespaces_counts(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space], "k", {"x": 1})
    answer = await http.get(ITEMS, params=[("namespace", "else"), ("namespace", space), ("key", "z"), ("key", "k")])
    assert answer.json()["value"] == {"x": 1}


async def test_a_comma_is_part_of_a_label(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [f"{space},x"], "k", {"x": 1})
    assert (await http.get(ITEMS, params={"namespace": f"{space},x", "key": "k"})).json()["namespace"] == [f"{space},x"]


@pytest.mark.parametrize("params", [{"namespace": "x"}, {"namespace": "x", "key": ""}])
async def test_a_key_is_required(http: httpx.AsyncClient, params: dict[str, str]) -> None:
    answer = await http.get(ITEMS, params=params)
    assert (answer.status_code, answer.json()) == (400, {"error": "Key is required"})


async def test_a_namespace_is_looked_at_before_the_key(http: httpx.AsyncClient) -> None:
    answer = await http.get(ITEMS)
    assert (answer.status_code, answer.text) == (422, "Namespace label '' must be a non-empty string without periods")


@pytest.mark.parametrize("query", ["key=k", "namespace=&key=k", "namespace=a..b&key=k", "namespace=.a&key=k"])
async def test_an_empty_label_of_a_query_is_refused_in_plain_text(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"{ITEMS}?{query}")
    assert (answer.status_code, answer.text) == (422, NO_LABEL.format(""))
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("refresh", ["true", "false", "odd"])
async def test_refresh_ttl_takes_any_text(http: httpx.AsyncClient, space: str, refresh: str) -> None:
    await put(http, [space], "k", {"a": 1})
    answer = await http.get(ITEMS, params={"namespace": space, "key": "k", "refresh_ttl": refresh})
    assert (answer.status_code, answer.json()["value"]) == (200, {"a": 1})


async def test_the_empty_key_can_be_put_and_found(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space], "", {"a": 1})
    assert await keys(http, space) == [""]


async def test_an_item_is_deleted_and_deleting_it_again_is_no_mistake(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space], "k", {"a": 1})
    for _ in range(2):
        answer = await http.request("DELETE", ITEMS, json={"namespace": [space], "key": "k"})
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await http.get(ITEMS, params={"namespace": space, "key": "k"})).json() is None


@pytest.mark.parametrize(
    "body", [{"key": "k"}, {"namespace": [], "key": "k"}, {"namespace": ["langgraph"], "key": "k"}]
)
async def test_deleting_what_cannot_be_is_no_mistake(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await http.request("DELETE", ITEMS, json=body)).status_code == 204


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"lc": 1, "type": "constructor", "id": ["langchain", "x"], "kwargs": {"a": 1}},
        {"__class__": "os.system", "py/object": "x"},
        {"a": None, "b": True, "c": [1, 2.5, "x", {"d": []}]},
        {"ünï": "çödé 🎈", "": "", "a.b": {"$gt": 1}},
        {"big": 2**53, "small": -1.5e-7},
        {"$ne": 1},
    ],
    ids=["empty", "lc", "class", "kinds", "unicode", "numbers", "operator"],
)
async def test_a_value_comes_back_as_it_was(client: LangGraphClient, space: str, value: dict[str, Any]) -> None:
    await client.store.put_item([space], "k", value)
    assert (await client.store.get_item([space], "k"))["value"] == value


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"key": 5}, '5 is not of type "string"'),
        ({"key": None}, 'null is not of type "string"'),
        ({"value": []}, '[] is not of type "object"'),
        ({"value": None}, 'null is not of type "object"'),
        ({"value": "x"}, '"x" is not of type "object"'),
        ({"namespace": "a"}, '"a" is not of type "array"'),
        ({"namespace": None}, 'null is not of type "array"'),
        ({"ttl": "x"}, '"x" is not of types "null", "number"'),
        ({"ttl": True}, 'true is not of types "null", "number"'),
        ({"index": True}, "true is not valid under any of the schemas listed in the 'oneOf' keyword"),
        ({"index": "a"}, "\"a\" is not valid under any of the schemas listed in the 'oneOf' keyword"),
        ({"index": [1]}, "[1] is not valid under any of the schemas listed in the 'oneOf' keyword"),
    ],
)
async def test_a_wrong_field_of_a_put_is_named(http: httpx.AsyncClient, more: dict[str, Any], wrong: str) -> None:
    answer = await http.put(ITEMS, json={"namespace": ["a"], "key": "k", "value": {}, **more})
    name = next(iter(more))
    assert answer.status_code == 422
    keyword = "oneOf" if name == "index" else "type"
    assert answer.json() == {
        "detail": f'{wrong}\n\nFailed validating "{keyword}" in schema["properties"]["{name}"]\n\n'
        f'On instance["{name}"]:\n    {_compact(more[name])}'
    }


async def test_a_label_that_is_no_text_is_named_by_its_place(http: httpx.AsyncClient) -> None:
    answer = await http.put(ITEMS, json={"namespace": ["a", 1], "key": "k", "value": {}})
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(
        'in schema["properties"]["namespace"]["items"]\n\nOn instance["namespace"][1]:\n    1'
    )


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, "namespace"),
        ({"namespace": ["a"]}, "key"),
        ({"namespace": ["a"], "key": "k"}, "value"),
    ],
)
async def test_a_put_says_which_field_is_missing(http: httpx.AsyncClient, body: dict[str, Any], missing: str) -> None:
    answer = await http.put(ITEMS, json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(
        f'"{missing}" is a required property\n\nFailed validating "required" in schema'
    )


@pytest.mark.parametrize(
    ("namespace", "label"),
    [(["a", "b.c"], "b.c"), (["a.b"], "a.b"), ([""], ""), (["a", ""], ""), (["a", "."], "."), (["b'.\""], "b'.\"")],
)
async def test_a_label_is_not_empty_and_holds_no_dot(http: httpx.AsyncClient, namespace: list[str], label: str) -> None:
    for answer in (
        await http.put(ITEMS, json={"namespace": namespace, "key": "k", "value": {}}),
        await http.request("DELETE", ITEMS, json={"namespace": namespace, "key": "k"}),
        await http.post(SEARCH, json={"namespace_prefix": namespace}),
        await http.post(NAMESPACES, json={"prefix": namespace}),
        await http.post(NAMESPACES, json={"suffix": namespace}),
    ):
        assert (answer.status_code, answer.text) == (422, NO_LABEL.format(label))
        assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    ("namespace", "detail"),
    [
        ([], "Namespace cannot be empty."),
        (["langgraph"], "Root label for namespace cannot be \"langgraph\". Got: ('langgraph',)"),
        (["langgraph", "x"], "Root label for namespace cannot be \"langgraph\". Got: ('langgraph', 'x')"),
    ],
)
async def test_some_namespaces_are_not_for_putting(http: httpx.AsyncClient, namespace: list[str], detail: str) -> None:
    answer = await http.put(ITEMS, json={"namespace": namespace, "key": "k", "value": {}})
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


async def test_langgraph_may_stand_deeper(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space, "langgraph"], "k", {})


@pytest.mark.parametrize("index", [None, False, [], ["a"], ["a.b[*].c", "$"]])
async def test_an_index_is_taken(http: httpx.AsyncClient, space: str, index: object) -> None:
    await put(http, [space], "k", {"a": {"b": []}}, index=index)


@pytest.mark.parametrize("ttl", [None, 1, 0.5, 1e300, 60 * 24 * 365])
async def test_a_time_to_live_is_taken(http: httpx.AsyncClient, space: str, ttl: object) -> None:
    await put(http, [space], "k", {"a": 1}, ttl=ttl)
    assert await keys(http, space) == ["k"]


async def test_fields_that_nobody_knows_are_left_alone(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space], "k", {"a": 1}, more=1)


@pytest.mark.parametrize("raw", [b"", b"nonsense", b'{"a":NaN}', b'{"a":1e400}', b'{"a":"\\ud800"}', b"{"])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", ITEMS), ("DELETE", ITEMS), ("POST", SEARCH), ("POST", NAMESPACES)]
)
async def test_what_is_no_json_is_refused(http: httpx.AsyncClient, method: str, path: str, raw: bytes) -> None:
    answer = await http.request(method, path, content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid JSON in request body"})


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", ITEMS), ("DELETE", ITEMS), ("POST", SEARCH), ("POST", NAMESPACES)]
)
async def test_a_body_is_an_object(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path, json=[])
    assert answer.status_code == 422
    assert answer.json() == {
        "detail": '[] is not of type "object"\n\nFailed validating "type" in schema\n\nOn instance:\n    []'
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ITEMS), ("PATCH", ITEMS), ("GET", SEARCH), ("GET", NAMESPACES), ("PUT", NAMESPACES), ("DELETE", SEARCH)],
)
async def test_other_methods_are_not_allowed(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})


# --- search -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def dozen(http: httpx.AsyncClient, space: str) -> str:
    """Twelve items k0 … k11, and one in a namespace below."""
    for n in range(12):
        await put(http, [space], f"k{n}", {"n": n, "s": f"s{n}", "deep": {"x": {"y": n}}, "list": [1, n]})
    await put(http, [space, "below"], "other", {"n": 100, "extra": True})
    return space


async def test_a_found_item_has_a_score_of_null_without_a_query(http: httpx.AsyncClient, dozen: str) -> None:
    answer = await http.post(SEARCH, json={"namespace_prefix": [dozen], "limit": 1})
    assert list(answer.json()) == ["items"]
    (item,) = answer.json()["items"]
    assert list(item) == ["namespace", "key", "value", "created_at", "updated_at", "score"]
    assert item["score"] is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, range(10)),
        ({"limit": 3}, range(3)),
        ({"limit": 0}, range(10)),
        ({"limit": 3, "offset": 2}, range(2, 5)),
        ({"limit": 2, "offset": 50}, range(0)),
        ({"filter": None, "limit": 2}, range(2)),
        ({"filter": {}, "limit": 2}, range(2)),
        ({"query": None, "limit": 2}, range(2)),
        ({"query": "", "limit": 2}, range(2)),
        ({"refresh_ttl": True, "limit": 2}, range(2)),
        ({"refresh_ttl": False, "limit": 2}, range(2)),
        ({"refresh_ttl": None, "limit": 2}, range(2)),
        ({"unknown": 1, "limit": 2}, range(2)),
        ({"filter": {"n": 3}}, [3]),
        ({"filter": {"n": 3.0}}, [3]),
        ({"filter": {"n": "3"}}, []),
        ({"filter": {"s": "s1"}}, [1]),
        ({"filter": {"s": "s1", "n": 1}}, [1]),
        ({"filter": {"s": "s1", "n": 2}}, []),
        ({"filter": {"n": {"$eq": 4}}}, [4]),
        ({"filter": {"n": {"$gt": 9}, "extra": None}}, [10, 11]),
        ({"filter": {"n": {"$gte": 10, "$lt": 50}}}, [10, 11]),
        ({"filter": {"n": {"$lt": 2}}}, [0, 1]),
        ({"filter": {"n": {"$lte": 2}}}, [0, 1, 2]),
        ({"filter": {"n": {"$gte": 2, "$lt": "4"}}}, [2, 3]),
        ({"filter": {"s": {"$ne": "s0"}}, "limit": 2}, [1, 2]),
        ({"filter": {"deep": {"x": {"y": 1}}}}, [1]),
        ({"filter": {"deep": {"x": {"y": {"$eq": 2}}}}}, [2]),
        ({"filter": {"deep": {"x": {}}}, "limit": 2}, [0, 1]),
        ({"filter": {"deep": {"$eq": {"x": {"y": 5}}}}}, [5]),
        ({"filter": {"list": [1, 2]}}, [2]),
        ({"filter": {"list": {"$eq": [1, 2]}}}, [2]),
        ({"filter": {"list": [1]}}, []),
        ({"filter": {"extra": None}, "limit": 2}, [0, 1]),
        ({"filter": {"extra": {"$ne": True}}, "limit": 2}, [0, 1]),
        ({"filter": {"deep.x.y": 1}}, []),
        ({"filter": {"$and": []}}, []),
        ({"filter": {"x' OR '1'='1": 1}}, []),
        ({"filter": {"n": {"": 1}}}, []),
        ({"filter": {"%s": 1, "%(a)s": 2, "{}": 3}}, []),
    ],
)
async def test_search_finds_by_value(http: httpx.AsyncClient, dozen: str, asked: dict[str, Any], expected: Any) -> None:
    assert await keys(http, dozen, **asked) == [f"k{n}" for n in expected]


async def test_numbers_are_compared_as_numbers_below_too(http: httpx.AsyncClient, dozen: str) -> None:
    assert await keys(http, dozen, filter={"n": {"$gt": 10}}) == ["k11", "other"]


async def test_a_search_looks_below_its_namespace_and_not_beside_it(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space], "here", {})
    await put(http, [space, "a"], "below", {})
    await put(http, [f"{space}x"], "beside", {})
    await put(http, [f"{space[:-1]}_"], "pattern", {})
    assert await keys(http, space) == ["here", "below"]
    answer = await http.post(SEARCH, json={"namespace_prefix": [space, "a"]})
    assert [item["namespace"] for item in answer.json()["items"]] == [[space, "a"]]


async def test_the_whole_store_can_be_searched(http: httpx.AsyncClient, space: str) -> None:
    await put(http, [space], "k", {"mark": space})
    answer = await http.post(SEARCH, json={"namespace_prefix": [], "filter": {"mark": space}})
    assert [item["key"] for item in answer.json()["items"]] == ["k"]


@pytest.mark.ours_only("it answers 500")
@pytest.mark.parametrize("more", [{}, {"namespace_prefix": None}])
async def test_no_prefix_means_the_whole_store(http: httpx.AsyncClient, space: str, more: dict[str, Any]) -> None:
    await put(http, [space], "k", {"mark": space})
    answer = await http.post(SEARCH, json={"filter": {"mark": space}, **more})
    assert [item["key"] for item in answer.json()["items"]] == ["k"]


@pytest.mark.parametrize("operator", ["$in", "$bad", "$", "$gt "])
async def test_an_unknown_operator_is_named(http: httpx.AsyncClient, dozen: str, operator: str) -> None:
    answer = await http.post(SEARCH, json={"namespace_prefix": [dozen], "filter": {"n": {operator: 1}}})
    assert (answer.status_code, answer.json()) == (400, {"detail": f"Unsupported operator: {operator}"})


async def test_operators_do_not_mix_with_keys(http: httpx.AsyncClient, dozen: str) -> None:
    answer = await http.post(SEARCH, json={"namespace_prefix": [dozen], "filter": {"n": {"$gte": 0, "z": 2}}})
    assert (answer.status_code, answer.json()) == (400, {"detail": "Unsupported operator: z"})


async def test_only_numbers_have_an_order(http: httpx.AsyncClient, dozen: str) -> None:
    answer = await http.post(SEARCH, json={"namespace_prefix": [dozen], "filter": {"n": {"$gt": "x"}}})
    assert (answer.status_code, answer.json()) == (400, {"detail": "could not convert string to float: 'x'"})


@pytest.mark.ours_only("it answers 500")
@pytest.mark.parametrize("operand", [None, [1], {"a": 1}])
async def test_an_operand_without_order_is_refused(http: httpx.AsyncClient, dozen: str, operand: object) -> None:
    answer = await http.post(SEARCH, json={"namespace_prefix": [dozen], "filter": {"n": {"$gt": operand}}})
    assert answer.status_code == 400 and answer.json()["detail"].startswith("float() argument must be")


@pytest.mark.ours_only("it answers 500")
async def test_items_without_a_number_have_no_order_and_are_left_out(http: httpx.AsyncClient, space: str) -> None:
    for key, value in {"text": "x", "none": None, "list": [1], "number": 5, "digits": "6"}.items():
        await put(http, [space], key, {"n": value})
    await put(http, [space], "missing", {})
    assert await keys(http, space, filter={"n": {"$gt": 1}}) == ["number", "digits"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"namespace_prefix": [1]}, '1 is not of type "string"'),
        ({"namespace_prefix": "a"}, '"a" is not of types "array", "null"'),
        ({"limit": "a"}, '"a" is not of type "integer"'),
        ({"limit": None}, 'null is not of type "integer"'),
        ({"limit": 1.5}, '1.5 is not of type "integer"'),
        ({"offset": "a"}, '"a" is not of type "integer"'),
        ({"filter": []}, '[] is not of types "null", "object"'),
        ({"query": 5}, '5 is not of types "null", "string"'),
        ({"refresh_ttl": "x"}, '"x" is not of types "boolean", "null"'),
    ],
)
async def test_a_wrong_field_of_a_search_is_named(http: httpx.AsyncClient, body: dict[str, Any], wrong: str) -> None:
    answer = await http.post(SEARCH, json={"namespace_prefix": ["a"], **body})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f'{wrong}\n\nFailed validating "type" in schema["properties"]')


@pytest.mark.ours_only("it counts from the end, as Python's slices do")
@pytest.mark.parametrize("body", [{"limit": -1}, {"offset": -1}, {"limit": 10**12}, {"offset": 10**30}])
async def test_limits_are_bounded(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    for path in (SEARCH, NAMESPACES):
        assert (await http.post(path, json=body)).status_code == 422


async def test_a_deleted_item_is_not_found_by_search(http: httpx.AsyncClient, dozen: str) -> None:
    await http.request("DELETE", ITEMS, json={"namespace": [dozen], "key": "k1"})
    assert await keys(http, dozen, limit=2) == ["k0", "k2"]


async def test_an_item_that_is_put_again_keeps_its_place(http: httpx.AsyncClient, dozen: str) -> None:
    await put(http, [dozen], "k1", {"n": 1})
    assert await keys(http, dozen, limit=3) == ["k0", "k1", "k2"]


@pytest.fixture
async def texts(http: httpx.AsyncClient, space: str) -> str:
    """Items whose letters are counted: see letters.py of the application."""
    await put(http, [space], "1", {"text": "aaab"})
    await put(http, [space], "2", {"text": "cccc"})
    await put(http, [space], "3", {"other": "aaab"})
    await put(http, [space], "4", {"text": "aaab"}, index=False)
    await put(http, [space], "5", {"text": "c", "inner": {"one": "ab"}}, index=["inner.one"])
    await put(http, [space], "6", {"text": ["aa", "cc"]})
    await put(http, [space], "7", {"list": [{"b": "aaaa"}, {"b": "gg"}]}, index=["list[*].b"])
    return space


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            {"query": "aaab"},
            [("1", 1.0), ("7", 0.9487), ("5", 0.8944), ("6", 0.6708), ("2", 0.0), ("3", None), ("4", None)],
        ),
        ({"query": "aaab", "limit": 2}, [("1", 1.0), ("7", 0.9487)]),
        ({"query": "gg", "limit": 1}, [("7", 1.0)]),
        ({"query": "c", "limit": 1, "offset": 1}, [("6", 0.7071)]),
        ({"query": "aab", "limit": 1, "filter": {"text": {"$ne": "aaab"}}}, [("5", 0.9487)]),
        ({"query": "", "limit": 2}, [("1", None), ("2", None)]),
    ],
)
async def test_a_query_finds_what_is_near_first(
    http: httpx.AsyncClient, texts: str, asked: dict[str, Any], expected: list[tuple[str, float | None]]
) -> None:
    items = (await http.post(SEARCH, json={"namespace_prefix": [texts], **asked})).json()["items"]
    assert [item["key"] for item in items] == [key for key, _ in expected]
    assert [item["score"] and round(item["score"], 4) for item in items] == [score for _, score in expected]


async def test_a_value_that_is_put_again_is_found_by_its_new_text(client: LangGraphClient, texts: str) -> None:
    await client.store.put_item([texts], "2", {"text": "hhhh"})
    found = await client.store.search_items([texts], query="h", limit=1)
    assert [item["key"] for item in found["items"]] == ["2"]


# --- namespaces ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def spaces(http: httpx.AsyncClient, space: str) -> str:
    for rest in (["y"], ["x", "u"], [], ["x", "v"], ["x-", "u"]):
        await put(http, [space, *rest], "k", {})
    return space


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [[], ["x", "u"], ["x", "v"], ["x-", "u"], ["y"]]),
        ({"max_depth": 2}, [[], ["x"], ["x-"], ["y"]]),
        ({"max_depth": 1}, [[]]),
        ({"max_depth": 9}, [[], ["x", "u"], ["x", "v"], ["x-", "u"], ["y"]]),
        ({"limit": 2}, [[], ["x", "u"]]),
        ({"limit": 2, "offset": 1}, [["x", "u"], ["x", "v"]]),
        ({"limit": 0}, []),
        ({"offset": 50}, []),
        ({"suffix": ["u"]}, [["x", "u"], ["x-", "u"]]),
        ({"suffix": ["x", "u"]}, [["x", "u"]]),
        ({"suffix": ["*", "v"]}, [["x", "v"]]),
        ({"suffix": ["*"]}, [[], ["x", "u"], ["x", "v"], ["x-", "u"], ["y"]]),
        ({"suffix": []}, [[], ["x", "u"], ["x", "v"], ["x-", "u"], ["y"]]),
        ({"suffix": ["default", "y"]}, []),
        ({"below": ["x"]}, [["x", "u"], ["x", "v"]]),
        ({"below": ["*", "u"]}, [["x", "u"], ["x-", "u"]]),
        ({"below": ["*"]}, [["x", "u"], ["x", "v"], ["x-", "u"], ["y"]]),
        ({"below": ["x", "u", "z"]}, []),
        ({"below": ["*", "*", "*"]}, []),
        ({"below": ["."]}, None),
    ],
)
async def test_namespaces_are_listed_in_order(
    http: httpx.AsyncClient, spaces: str, asked: dict[str, Any], expected: list[list[str]] | None
) -> None:
    answer = await http.post(NAMESPACES, json={"prefix": [spaces, *asked.pop("below", [])], **asked})
    if expected is None:
        assert answer.status_code == 422
    else:
        assert answer.json() == {"namespaces": [[spaces, *rest] for rest in expected]}


async def test_a_suffix_can_be_the_whole_namespace(http: httpx.AsyncClient, spaces: str) -> None:
    answer = await http.post(NAMESPACES, json={"suffix": [spaces, "y"]})
    assert answer.json() == {"namespaces": [[spaces, "y"]]}


@pytest.mark.parametrize("odd", ["%", "_", "x%", "[a-z]", "\\", "'; DROP TABLE store; --"])
async def test_patterns_in_labels_mean_themselves(http: httpx.AsyncClient, spaces: str, odd: str) -> None:
    answer = await http.post(NAMESPACES, json={"prefix": [spaces, odd]})
    assert (answer.status_code, answer.json()) == (200, {"namespaces": []})
    await put(http, [spaces, odd], "k", {})
    answer = await http.post(NAMESPACES, json={"prefix": [spaces, odd]})
    assert answer.json() == {"namespaces": [[spaces, odd]]}
    answer = await http.post(SEARCH, json={"namespace_prefix": [spaces, odd]})
    assert [item["key"] for item in answer.json()["items"]] == ["k"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"prefix": None}, 'null is not of type "array"'),
        ({"prefix": "a"}, '"a" is not of type "array"'),
        ({"prefix": [1]}, '1 is not of type "string"'),
        ({"suffix": None}, 'null is not of type "array"'),
        ({"max_depth": "x"}, '"x" is not of type "integer"'),
        ({"max_depth": None}, 'null is not of type "integer"'),
        ({"limit": None}, 'null is not of type "integer"'),
        ({"offset": "x"}, '"x" is not of type "integer"'),
    ],
)
async def test_a_wrong_field_of_a_list_is_named(http: httpx.AsyncClient, body: dict[str, Any], wrong: str) -> None:
    answer = await http.post(NAMESPACES, json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f'{wrong}\n\nFailed validating "type" in schema["properties"]')


async def test_the_client_asks_for_namespaces_too(client: LangGraphClient, spaces: str) -> None:
    found = await client.store.list_namespaces([spaces], suffix=["u"], max_depth=2, limit=5, offset=0)
    assert found == {"namespaces": [[spaces, "x"], [spaces, "x-"]]}


async def test_the_client_searches_with_filter_and_page(client: LangGraphClient, dozen: str) -> None:
    found = await client.store.search_items([dozen], filter={"n": {"$lt": 5}}, limit=2, offset=1)
    assert [item["key"] for item in found["items"]] == ["k1", "k2"]


# --- what the reference does not have, or does not survive --------------------------------------------------------


@pytest.mark.ours_only("it has no time to live")
@pytest.mark.parametrize("ttl", [0, -5, 1e-9])
async def test_an_item_whose_time_is_over_is_gone_at_once(http: httpx.AsyncClient, space: str, ttl: float) -> None:
    await put(http, [space], "kept", {})
    await put(http, [space], "gone", {}, ttl=ttl)
    assert await keys(http, space) == ["kept"]
    assert (await http.get(ITEMS, params={"namespace": space, "key": "gone"})).json() is None


async def test_nul_is_kept_as_a_replacement_character(http: httpx.AsyncClient, space: str) -> None:
    raw = b'{"namespace":["%s"],"key":"k","value":{"a":"x\\u0000y"}}' % space.encode()
    answer = await http.put(ITEMS, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 204
    assert (await http.get(ITEMS, params={"namespace": space, "key": "k"})).json()["value"] == {"a": "x\ufffdy"}


@pytest.mark.parametrize("query", ["namespace=a&key=%00", "namespace=a%00&key=k"])
async def test_nul_names_no_item(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"{ITEMS}?{query}")
    assert (answer.status_code, answer.json()) == (200, None)


@pytest.mark.ours_only("it keeps keys of any length")
async def test_names_are_bounded(http: httpx.AsyncClient) -> None:
    long = "".join(uuid4().hex for _ in range(100))
    answer = await http.put(ITEMS, json={"namespace": ["a"], "key": long, "value": {}})
    assert answer.status_code == 400 and "2,000" in answer.json()["detail"]


@pytest.mark.ours_only("it takes filters of any size")
async def test_filters_are_bounded(http: httpx.AsyncClient) -> None:
    answer = await http.post(SEARCH, json={"namespace_prefix": ["a"], "filter": {f"k{n}": n for n in range(501)}})
    assert answer.status_code == 400 and "500" in answer.json()["detail"]


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
