"""`GET /models`: the catalogue, and what is in memory."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter

from server.deps import CurrentLab
from server.wire.lab import ModelInfo
from state.models import Strategy

router = APIRouter(tags=["lab"])


@router.get("/models")
def list_models(lab: CurrentLab) -> list[ModelInfo]:
    """Every model that can be asked for. Sizing reads files, so it is a plain function, run in a thread."""
    resident = lab.models.reading().resident
    return [
        ModelInfo(
            **card.model_dump(),
            loaded=[model.strategy for model in resident if model.name == card.name],
            bytes_needed={choice: lab.models.bytes_needed(card.name, choice) for choice in get_args(Strategy)},
        )
        for card in lab.models.cards()
    ]
