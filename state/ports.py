"""What the nodes ask for and the floors above or beside them fill in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from langchain_core.language_models import BaseChatModel

from state.models import ModelCard, Sampling, Strategy
from state.resources import Reading


class ChatModels(Protocol):
    """The door to models. Filled by `llm.models.LocalModels`."""

    @property
    def default_model(self) -> str:
        """Catalogue name used when nobody asks for another."""
        ...

    @property
    def default_strategy(self) -> Strategy:
        """What the device does best: `standard` on a CPU, `optimized` on a GPU, or what settings say."""
        ...

    def cards(self) -> Sequence[ModelCard]:
        """The whole catalogue, in its order."""
        ...

    def card(self, name: str) -> ModelCard:
        """One card. Raises NotFound with the known names."""
        ...

    def is_here(self, name: str) -> bool:
        """Whether a call needs no download: its files are here, or it is remote and may be asked. Raises NotFound.

        Looks at the disk, so it blocks.
        """
        ...

    def is_loaded(self, name: str, strategy: Strategy) -> bool:
        """Whether a call for it would start without a load; always so for a remote model."""
        ...

    def bytes_needed(self, name: str, strategy: Strategy) -> int:
        """Bytes without which it cannot be loaded, weights and some KV, computed without loading; 0 for a remote model.

        Reads files, so it blocks. Raises NotFound.
        """
        ...

    def chat(self, name: str, *, strategy: Strategy | None = None, sampling: Sampling | None = None) -> BaseChatModel:
        """A chat model; a local one takes a lease for the length of each call. Nothing is loaded or contacted now.

        Raises at once NotFound, and for remote models BadRequest (no key, no package) and Unavailable (offline).
        """
        ...

    def reading(self) -> Reading:
        """Memory and residents now. Cheap enough for every request; never touches a device that is not there."""
        ...
