"""The exception that ended a run, as its clients are told."""

from __future__ import annotations

from server.wire.failures import failure


def error_payload(error: BaseException) -> dict[str, str]:
    """The data of an `error` event, of a thread's `error` and of `__error__` in what `wait` and `join` answer.

    Of several errors raised together the first one is told.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return failure(error)
