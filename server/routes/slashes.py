"""Routes that also answer with a slash behind their path, without a redirect."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute


def with_slashes(router: APIRouter) -> None:
    """Give each route so far a twin `{path}/`, which /openapi.json does not list."""
    for route in [one for one in router.routes if isinstance(one, APIRoute) and not one.path.endswith("/")]:
        router.add_api_route(
            f"{route.path.removeprefix(router.prefix)}/",
            route.endpoint,
            methods=sorted(route.methods or ()),
            status_code=route.status_code,
            response_model=route.response_model,
            include_in_schema=False,
        )
