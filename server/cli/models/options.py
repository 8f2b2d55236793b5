"""Options of the command line, checked by the shapes of the API and told by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from state.errors import BadRequest
from state.models import Strategy

Shape = TypeVar("Shape", bound=BaseModel)


def read_body(shape: type[Shape], options: Mapping[str, str], **given: object) -> dict[str, Any]:
    """The body of a request, without what was not given. `options`: how a field is called on the command line.

    Raises BadRequest in one line that names the option.
    """
    said = {name: value for name, value in given.items() if value is not None}
    try:
        return shape.model_validate(said).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        told = [f"{options.get(str(item['loc'][0]), item['loc'][0])}: {item['msg']}" for item in error.errors()]
        raise BadRequest("; ".join(told)) from error


def read_strategy(text: str | None) -> Strategy | None:
    """Raises BadRequest with the strategies there are."""
    try:
        return TypeAdapter[Strategy | None](Strategy | None).validate_python(text)
    except ValidationError as error:
        raise BadRequest(f"--strategy: {text!r} is not one of standard, optimized, streaming") from error
