"""A store of answers for calls that repeat: in memory, bounded, opt-in. It fills LangChain's port, `BaseCache`."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.outputs import Generation


class ResponseCache(BaseCache):
    """The last `size` answers asked for. May be used from any thread; what comes out is the caller's to change."""

    def __init__(self, size: int) -> None:
        """`size`: answers kept, at least 1."""
        if size < 1:
            raise ValueError(f"a cache of {size} answers")
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], list[Generation]] = OrderedDict()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """The answer kept under this key, which is the most recently used one then."""
        with self._lock:
            kept = self._kept.get((prompt, llm_string))
            if kept is not None:
                self._kept.move_to_end((prompt, llm_string))
        return copy.deepcopy(kept)

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keep an answer; the one that was not asked for the longest leaves when there are too many."""
        kept = copy.deepcopy(list(return_val))
        with self._lock:
            self._kept[prompt, llm_string] = kept
            self._kept.move_to_end((prompt, llm_string))
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """As `lookup`, which waits for nothing."""
        return self.lookup(prompt, llm_string)

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """As `update`, which waits for nothing."""
        self.update(prompt, llm_string, return_val)

    def clear(self, **kwargs: Any) -> None:
        """Forget all answers."""
        with self._lock:
            self._kept.clear()
