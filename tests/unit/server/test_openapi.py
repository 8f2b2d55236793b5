"""The description of the API: whole, consistent, with examples that hold."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI

from server.app import create_app
from server.errors import is_lab_path
from server.openapi import Described
from server.settings import Settings
from server.wire.shapes import SHAPES
from server.wire.shapes.parameters import PARAMETERS

SEEDS = {
    "/", "/health", "/models", "/inference", "/orchestrate", "/cache", "/cache/clear", "/cache/{model_key}", "/metrics",
    "/api/v1/execute", "/api/v1/health", "/api/v1/health/detailed", "/api/v1/ready", "/api/v1/models",
    "/api/v1/metrics", "/api/v1/history", "/api/v1/history/{execution_id}",
}  # fmt: skip
"""Paths that the seeds print."""

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Method, path, and what is said of it."""
    for path, there in document["paths"].items():
        for method, operation in there.items():
            yield method.upper(), path, operation


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema on its own: with the parts that its references lead to."""
    return {**schema, "components": document["components"]}


def holds(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    return jsonschema_rs.is_valid(resolved(document, schema), value)


def examples_of(document: dict[str, Any], content: dict[str, Any]) -> list[Any]:
    """Of a body: beside its schema, in it, or in what it refers to."""
    if "example" in content:
        return [content["example"]]
    schema = content["schema"]
    for one in (schema, *schema.get("anyOf", ())):
        name = one.get("$ref", "").rpartition("/")[2]
        found = document["components"]["schemas"].get(name, one).get("examples")
        if found:
            return list(found)
    return []


def test_every_path_of_the_seeds_is_listed_once(document: dict[str, Any]) -> None:
    assert set(document["paths"]) >= SEEDS
    assert [path for path in document["paths"] if path != "/" and path.endswith("/")] == []


def test_every_operation_says_what_it_does_under_a_tag_that_is_explained(document: dict[str, Any]) -> None:
    explained = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        assert operation["summary"] and operation["description"], (method, path)
        assert len(operation["tags"]) == 1 and operation["tags"][0] in explained, (method, path)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_parameter_has_a_type_a_meaning_and_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            where = (method, path, parameter["name"])
            assert {"type", "anyOf", "enum", "$ref"} & schema.keys(), where
            assert parameter.get("description"), where
            (example, *_) = parameter.get("examples") or schema.get("examples") or [parameter["example"]]
            assert holds(document, schema, example) or holds(document, schema, example == "true"), where


def test_every_body_has_an_example_that_is_as_the_body_should_be(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            found = examples_of(document, content)
            assert found, (method, path, media_type)
            for example in found:
                assert holds(document, content["schema"], example), (method, path, example)


def test_every_success_says_what_is_answered(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        good = {status: one for status, one in operation["responses"].items() if status.startswith("2")}
        assert good, (method, path)
        for status, response in good.items():
            where = (method, path, status)
            assert ("content" in response) != (status == "204" or (path.endswith("/cancel") and status == "202")), where
            for media_type, content in response.get("content", {}).items():
                assert content.get("schema") or content.get("itemSchema"), (*where, media_type)
                assert media_type != "text/event-stream" or content["example"].endswith("\n\n"), where


def test_errors_are_told_as_their_path_tells_them(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert "HTTPValidationError" not in json.dumps(operation), (method, path)
        (content,) = operation["responses"]["default"]["content"].items()
        media_type, name = (
            ("application/problem+json", "Problem") if is_lab_path(path) else ("application/json", "Detail")
        )
        assert content == (media_type, {"schema": {"$ref": f"#/components/schemas/{name}"}}), (method, path)


def test_every_shape_is_answered_somewhere_and_its_examples_are_like_it(document: dict[str, Any]) -> None:
    there = document["components"]["schemas"]
    assert set(SHAPES) <= there.keys()
    for name, schema in there.items():
        for example in schema.get("examples", ()):
            assert holds(document, schema, example), (name, example)


def test_no_two_parts_of_one_name_differ(document: dict[str, Any]) -> None:
    there = document["components"]["schemas"]
    assert [name for name in there if "__" in name] == [], "FastAPI names models so that are called alike"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Duplicate Operation ID")
        raw = FastAPI.openapi(create_app(Settings()))
    parts = list(raw["components"]["schemas"].items())
    for _, _, operation in operations(raw):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            parts += content["schema"].get("components", {}).get("schemas", {}).items()
    assert {name for name, part in parts if name in there and there[name] != part} == set()


def test_every_parameter_that_is_explained_is_one(document: dict[str, Any]) -> None:
    asked = [
        {f"{operation['tags'][0]}.{one['name']}", f"{one['in']}.{one['name']}"}
        for _, _, operation in operations(document)
        for one in operation.get("parameters", ())
    ]
    assert set(PARAMETERS) <= set().union(*asked)


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named <= document["components"]["schemas"].keys()


def test_the_websockets_are_described_in_words(document: dict[str, Any]) -> None:
    told = document["info"]["description"]
    assert "/ws/runs/{run_id}" in told and "/ws/execute" in told


def test_a_route_that_answers_head_as_well_is_described_once() -> None:
    app = Described()

    @app.api_route("/a/{number}", methods=["GET", "HEAD"])
    async def _both(number: int) -> None: ...

    (there,) = app.openapi()["paths"].values()
    assert list(there) == ["get"]
    assert there["get"]["operationId"].endswith("_get")


def test_what_is_switched_off_leaves_no_shapes_behind() -> None:
    app = Described()

    @app.get("/threads")
    async def _threads() -> str: ...

    assert set(app.openapi()["components"]["schemas"]) == {"Detail"}
