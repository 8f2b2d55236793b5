"""How errors are told."""

from __future__ import annotations

from server.wire.shapes.building import AN_ID, ID, TEXT, WHOLE, Schema, anything, listed, shape

SHAPES: dict[str, Schema] = {
    "Problem": shape(
        "An error of the lab's own routes: problem details, RFC 9457.",
        {
            "type": {**TEXT, "description": "about:blank: the status says what kind of error it is"},
            "title": {**TEXT, "description": "the status in words"},
            "status": {**WHOLE, "minimum": 400, "maximum": 599},
            "detail": {**TEXT, "description": "what was wrong, on one line"},
            "execution_id": {**ID, "description": "of the request, as in X-Execution-ID and in the log"},
            "errors": {
                **listed(shape("A mistake.", {"field": {**TEXT, "description": "its path"}, "message": TEXT})),
                "description": "of a body or parameters that are not as they should be, field by field",
            },
        },
        optional=["errors"],
        example={
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "there is no model 'gpt'; there are: demo",
            "execution_id": AN_ID,
        },
    ),
    "Detail": shape(
        "An error of the Agent Server's routes.",
        {"detail": anything("what was wrong, a line of text")},
        example={"detail": "Thread with ID 018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f not found"},
    ),
}
