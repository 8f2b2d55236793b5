"""Which engine runs a loaded model. Imports torch only once there is one."""

from __future__ import annotations

from llm.engine.base import Engine, Room
from llm.loading.base import Loaded


def open_engine(loaded: Loaded, room: Room) -> Engine:
    """The engine that suits a loaded model: many requests a step where its attention allows it, else one at a time."""
    # They import torch, which takes seconds; by the time a model is loaded it is there.
    from llm.engine.batching import BatchingEngine  # noqa: PLC0415
    from llm.engine.plain import PlainEngine  # noqa: PLC0415
    from llm.engine.suits import shared_shape  # noqa: PLC0415

    shape = shared_shape(loaded)
    return PlainEngine(loaded, room) if shape is None else BatchingEngine(loaded, room, shape)
