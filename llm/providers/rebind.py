"""Another model in the place of one inside a chain."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableBinding, RunnableParallel, RunnableSequence


def rebind(part: Runnable[Any, Any], old: BaseChatModel, new: BaseChatModel) -> Runnable[Any, Any]:
    """The chain with `new` wherever `old` is asked: in sequences, in parallel branches and under bound settings."""
    if part is old:
        return new
    match part:
        case RunnableBinding():
            return part.model_copy(update={"bound": rebind(part.bound, old, new)})
        case RunnableSequence():
            return RunnableSequence(*(rebind(step, old, new) for step in part.steps))
        case RunnableParallel():
            return RunnableParallel({name: rebind(step, old, new) for name, step in part.steps__.items()})
    return part
