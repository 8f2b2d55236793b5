"""What of a run's metadata goes into a checkpoint's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from server.db.checkpoint_values import placed_metadata

CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("metadata", "settings", "placed"),
    [
        ({"a": {"b": [1]}, "c": None}, {}, {"a": {"b": [1]}, "c": None}),
        ({"langgraph_node": "n", "thread_id": "t", "__own": 1}, {}, {}),
        ({"langgraph_node": "n"}, {"checkpoint_ns": "", "checkpoint_map": {"": "1"}}, {}),
        (
            {"langgraph_node": "n", "langgraph_path": ("pull", "n")},
            {"checkpoint_ns": "n:1", "checkpoint_map": {"": "1"}, "checkpoint_id": "2"},
            {
                "langgraph_node": "n",
                "langgraph_path": ("pull", "n"),
                "checkpoint_ns": "n:1",
                "checkpoint_map": {"": "1"},
            },
        ),
        ({"object": object(), "inner": {"object": UUID(int=1)}, "circle": CIRCLE, "kept": 1}, {}, {"kept": 1}),
    ],
)
def test_metadata_is_carried_as_far_as_it_is_json(
    metadata: dict[str, Any], settings: dict[str, Any], placed: dict[str, Any]
) -> None:
    assert placed_metadata({"metadata": metadata, "configurable": settings}) == placed


def test_a_config_without_metadata_places_nothing() -> None:
    assert placed_metadata({}) == {}
