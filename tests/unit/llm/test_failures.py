"""Errors that travel between threads, and what they must not carry."""

import weakref

from llm.failures import broken, forget_frames


class Weights:
    """Stands for memory."""


def test_an_error_that_is_kept_keeps_no_memory() -> None:
    watched: list[weakref.ref[Weights]] = []

    def load() -> None:
        weights = Weights()
        watched.append(weakref.ref(weights))
        raise MemoryError("full")

    def attempt() -> None:
        try:
            load()
        except MemoryError as error:
            raise RuntimeError("outer") from error

    try:
        attempt()
    except RuntimeError as caught:
        kept = broken("loading failed", caught)
    assert watched[0]() is not None
    forget_frames(kept)
    assert watched[0]() is None
    assert str(kept) == "loading failed: RuntimeError: outer"
