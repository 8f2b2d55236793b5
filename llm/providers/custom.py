"""A chat model made by a callable that the operator's models file names."""

from __future__ import annotations

import importlib

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from llm.providers.base import Access, Backend
from state.errors import BadRequest
from state.models import ModelCard


def open_custom(card: ModelCard, key: SecretStr, access: Access) -> Backend:
    """What `card.factory` makes of its card. It is the operator's code, and reads its own keys.

    Raises BadRequest, with the card's name, when there is no such callable or it makes something else.
    """
    module, _, name = str(card.factory).partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadRequest(f"{card.name}: factory {card.factory} cannot be imported: {error}") from error
    model = make(card)
    if not isinstance(model, BaseChatModel):
        raise BadRequest(f"{card.name}: factory {card.factory} made a {type(model).__name__}, not a BaseChatModel")
    return Backend(model, always_ends=False)
