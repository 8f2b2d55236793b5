"""Items of the store."""

from __future__ import annotations

from server.wire.shapes.building import A_MOMENT, MOMENT, NUMBER, OBJECT, TEXT, TEXTS, Schema, listed, maybe, shape

_ITEM = {"namespace": TEXTS, "key": TEXT, "value": OBJECT, "created_at": MOMENT, "updated_at": MOMENT}

SHAPES: dict[str, Schema] = {
    "Item": shape(
        "A value that is kept.",
        _ITEM,
        example={
            "namespace": ["memories", "ana"],
            "key": "language",
            "value": {"speaks": "Spanish"},
            "created_at": A_MOMENT,
            "updated_at": A_MOMENT,
        },
    ),
    "ItemsFound": shape(
        "What a search found.",
        {
            "items": listed(
                shape("An item.", {**_ITEM, "score": {**maybe(NUMBER), "description": "nearness to the query; null"}})
            )
        },
    ),
    "NamespacesFound": shape(
        "Namespaces that hold items.", {"namespaces": listed(TEXTS)}, example={"namespaces": [["memories", "ana"]]}
    ),
}
