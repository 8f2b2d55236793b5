"""What routes ask for, as annotated dependencies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from server.lab import TENANT, Lab


def _lab(request: Request) -> Lab:
    lab: Lab = request.app.state.lab
    return lab


CurrentLab = Annotated[Lab, Depends(_lab)]


def _tenant(request: Request) -> str:
    return TENANT


CurrentTenant = Annotated[str, Depends(_tenant)]
"""Whose data a request may see. There is one tenant until authentication exists; it never comes from the request."""
