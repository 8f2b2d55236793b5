"""What routes ask for, as annotated dependencies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from server.lab import Lab


def _lab(request: Request) -> Lab:
    lab: Lab = request.app.state.lab
    return lab


CurrentLab = Annotated[Lab, Depends(_lab)]
