"""A value that is known only once something made before it is open: it closes a circle in the composition root."""

from __future__ import annotations

from typing import Generic, TypeVar

from state.errors import Broken

T = TypeVar("T")


class Later(Generic[T]):
    """Called, it gives the value; set once, by whoever wires."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values: list[T] = []

    def set(self, value: T) -> None:
        self._values = [value]

    def __call__(self) -> T:
        """Raises Broken when it is asked before it is set."""
        if not self._values:
            raise Broken(f"{self._name} was asked for before it was there")
        return self._values[0]
