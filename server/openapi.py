"""/openapi.json: our routes, and those of the user's application where there is one."""

from __future__ import annotations

import warnings
from typing import Any

from fastapi import FastAPI

from server.application.mounted import merged


class Described(FastAPI):
    """FastAPI whose description leaves HEAD out, which answers wherever GET does, and takes in a user's application."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            with warnings.catch_warnings():
                # GET and HEAD of a route share an operation id; only one of the two is told.
                warnings.filterwarnings("ignore", message="Duplicate Operation ID")
                schema = with_named_bodies(without_head(super().openapi()))
            users = getattr(self.state, "user_app", None)
            self.openapi_schema = merged(schema, users.openapi()) if isinstance(users, FastAPI) else schema
        return self.openapi_schema


def without_head(schema: dict[str, Any]) -> dict[str, Any]:
    """The same without HEAD's operations; an id made for one of several methods loses its mark."""
    paths = {
        path: {method: operation for method, operation in operations.items() if method != "head"}
        for path, operations in schema["paths"].items()
    }
    for path in paths.values():
        for method, operation in path.items():
            made_for_head = isinstance(operation, dict) and str(operation.get("operationId", "")).endswith("_head")
            if made_for_head:
                operation["operationId"] = operation["operationId"].removesuffix("_head") + f"_{method}"
    return {**schema, "paths": paths}


def with_named_bodies(schema: dict[str, Any]) -> dict[str, Any]:
    """The same with each body that has a title under it in `components`, beside the parts that it refers to.

    As JSON Schemas of their own, bodies bring their `components` along; in this document references start at its root.
    """
    named: dict[str, Any] = dict(schema.get("components", {}).get("schemas", {}))
    paths = {
        path: {method: _with_named_body(operation, named) for method, operation in operations.items()}
        for path, operations in schema["paths"].items()
    }
    return {**schema, "paths": paths, "components": {**schema.get("components", {}), "schemas": named}}


def _with_named_body(operation: Any, named: dict[str, Any]) -> Any:
    """`operation` with a reference as its body's schema; the schema goes into `named`."""
    body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
    own = body.get("content", {}).get("application/json", {}).get("schema", {})
    title = own.get("title")
    if title is None or title == "Body":  # as FastAPI calls what has no name
        return operation
    named |= own.get("components", {}).get("schemas", {})
    named[title] = {key: value for key, value in own.items() if key != "components"}
    content = {**body["content"], "application/json": {"schema": {"$ref": f"#/components/schemas/{title}"}}}
    return {**operation, "requestBody": {**body, "content": content}}
