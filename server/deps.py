"""What routes ask for, as annotated dependencies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from server.lab import TENANT, Lab


def _lab(asked: HTTPConnection) -> Lab:
    lab: Lab = asked.app.state.lab
    return lab


CurrentLab = Annotated[Lab, Depends(_lab)]


def _tenant(asked: HTTPConnection) -> str:
    return TENANT


CurrentTenant = Annotated[str, Depends(_tenant)]
"""Whose data a request may see. There is one tenant until authentication exists; it never comes from the request."""
