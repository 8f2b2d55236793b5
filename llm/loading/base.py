"""What a loader promises, and what comes out of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm.codec import Codec
from llm.sizing import DType
from state.models import ModelCard, Strategy
from state.resources import Device

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Loaded:
    """A model ready to run. `model` is in eval mode, on its device, with no parameter on `meta`."""

    card: ModelCard
    strategy: Strategy
    model: Any
    """A transformers causal model; the engine alone calls it."""
    codec: Codec
    size_bytes: int
    """Storages walked after the load: weights and buffers."""
    kv_bytes_per_token: int = 0
    """Keys and values that a token of context takes in all layers."""


class Loader(Protocol):
    """Reads models. All calls block; `load` is called by one thread at a time."""

    def is_here(self, card: ModelCard) -> bool:
        """Whether the model's files are on this machine."""
        ...

    def bytes_needed(self, card: ModelCard, strategy: Strategy) -> int:
        """Bytes of weights once loaded, from headers or the card, without loading."""
        ...

    def kv_bytes_per_token(self, card: ModelCard) -> int:
        """Keys and values that a token of context takes; 0 when unknown, as while the files are not here."""
        ...

    def load(self, card: ModelCard, strategy: Strategy) -> Loaded:
        """Load it. Raises BadRequest for unsafe or damaged files, NoMemory when the device refuses."""
        ...

    def codec(self, card: ModelCard) -> Codec:
        """The tokenizer alone, for counting tokens without the weights."""
        ...

    def free(self) -> None:
        """Give memory of models that are gone back to the device."""
        ...


class LoadWeights(Protocol):
    """One strategy: weights of a checked folder onto the device."""

    def __call__(self, folder: Path, device: Device, dtype: DType) -> PreTrainedModel: ...
