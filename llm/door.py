"""What LocalChatModel asks of whoever holds models: a manager of many, or one that is already loaded."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from llm.codec import Codec
from llm.leasing.holders import SOMEBODY
from llm.leasing.leases import Lease
from state.models import Strategy
from state.resources import Holder


class ModelDoor(Protocol):
    """Fills: `llm.manager.ModelManager`, `llm.single.SingleModel`."""

    def lease(
        self, name: str, strategy: Strategy | None = None, *, holder: Holder = SOMEBODY
    ) -> AbstractAsyncContextManager[Lease]:
        """Hold a model while the context is open, loading it first if need be. `holder`: told to who wants it gone."""
        ...

    def lease_sync(
        self, name: str, strategy: Strategy | None = None, *, holder: Holder = SOMEBODY
    ) -> AbstractContextManager[Lease]:
        """`lease` for plain threads."""
        ...

    def codec(self, name: str) -> Codec:
        """The model's tokenizer, without its weights. Blocks where files are read."""
        ...

    def vram_used_bytes(self) -> int:
        """Bytes of GPU memory in use; 0 without a GPU."""
        ...
