"""KV of one engine within its room: places for running requests, and what earlier ones left. Imports torch."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from llm.engine.arena import Arenas, KVShape, Place, write_row
from llm.engine.base import Room
from llm.engine.prefix import PrefixStore
from llm.loading.faults import is_no_memory

log = logging.getLogger(__name__)

Made = TypeVar("Made")


class KVMemory:
    """Arenas and kept prefixes together never take more than the room has granted.

    Running requests come first: prefixes are forgotten before a request is refused, and so is what they hold.
    """

    def __init__(self, shape: KVShape, room: Room) -> None:
        self.shape = shape
        self._room = room
        self._least_bytes = room.granted_bytes
        self._arenas = Arenas(shape)
        self._prefixes = PrefixStore(shape.bytes_per_token)

    @property
    def bytes(self) -> int:
        """What is held now."""
        return self._arenas.bytes + self._prefixes.bytes

    def place(self, ids: Sequence[int]) -> tuple[Place, int] | None:
        """A place for these tokens and one more, and how many of them an earlier request has left computed in it.

        None when there is no room now. The last token is always left to compute: its logits choose the next one.
        """
        layers, known = self._prefixes.find(ids[:-1])
        place = self._guarded(len(ids) + 1, lambda: self._arenas.take(len(ids) + 1))
        if place is None:
            return None
        if known:
            write_row(place, layers)
        return place, known

    def grow(self, place: Place, tokens: int, *, computed: int) -> bool:
        """See that a row has room for `tokens`; False when there is none now."""
        if tokens <= place.arena.length:
            return True

        def move() -> bool:
            self._arenas.move(place, tokens, computed=computed)
            return True

        return bool(self._guarded(tokens, move))

    def free(self, place: Place, *, wipe: bool = False) -> None:
        """Give a row back; see `Arenas.free`."""
        self._arenas.free(place, wipe=wipe)

    def keep(self, ids: Sequence[int], place: Place) -> None:
        """Keep a row's tokens for requests that begin alike: in free bytes, else in place of what nobody uses."""
        wanted = self.bytes + len(ids) * self.shape.bytes_per_token
        try:
            if wanted > self._room.granted_bytes and not self._room.resize(wanted, evict=False):
                self._arenas.trim()
            self._prefixes.keep(ids, place, self._room.granted_bytes - self._arenas.bytes)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_no_memory(error):
                raise
            self._give_back()

    def rest(self) -> None:
        """No request runs: give back what exceeds the room's least, the rows first, then the oldest prefixes."""
        if self.bytes > self._least_bytes:
            self._arenas.trim()
        while self.bytes > self._least_bytes and self._prefixes.drop_oldest():
            pass
        if self._room.granted_bytes > self._least_bytes:
            self._room.resize(self._least_bytes)

    def _guarded(self, tokens: int, act: Callable[[], Made]) -> Made | None:
        """`act`, when there is room for another row of `tokens`, and the device agrees."""
        if not self._fits(tokens):
            return None
        try:
            return act()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_no_memory(error):
                raise
            log.warning("the device refused %d bytes of KV", self._arenas.bytes_to_add(tokens))
        self._give_back()
        return None

    def _fits(self, tokens: int) -> bool:
        """Whether another row fits, making room if need be: by asking for more, by giving up what nobody uses."""
        if self._within(tokens) or self._room.resize(self.bytes + self._arenas.bytes_to_add(tokens), evict=False):
            return True
        self._arenas.trim()
        while not self._within(tokens) and self._prefixes.drop_oldest():
            pass
        return self._within(tokens) or self._room.resize(self.bytes + self._arenas.bytes_to_add(tokens))

    def _within(self, tokens: int) -> bool:
        return self.bytes + self._arenas.bytes_to_add(tokens) <= self._room.granted_bytes

    def _give_back(self) -> None:
        """The device has less than the books say: drop what can be dropped."""
        while self._prefixes.drop_oldest():
            pass
        self._arenas.trim()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
