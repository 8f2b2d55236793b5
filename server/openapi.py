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
                schema = without_head(super().openapi())
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
