"""What a loader promises, and what comes out of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm.codec import Codec
from llm.sizing import DType
from state.models import ModelCard, Strategy
from state.resources import Device

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Progress = Callable[[int, int], None]
"""Told of a download: bytes here and bytes in all, both 0 until the hub has listed the files. Called often, in the
thread that downloads or in one that waits for it; what it raises ends the call, and what has arrived is kept."""


@dataclass(frozen=True)
class Loaded:
    """A model ready to run. `model` is in eval mode, on its device, with no parameter on `meta`."""

    card: ModelCard
    strategy: Strategy
    model: Any
    """A transformers causal model; the engine alone calls it."""
    codec: Codec
    size_bytes: int
    """Storages walked after the load, weights and buffers; of `streaming` what is in memory at once."""
    kv_bytes_per_token: int = 0
    """Keys and values that a token of context takes in all layers."""


class Loader(Protocol):
    """Reads models. All calls block; `load` is called by one thread at a time."""

    def is_here(self, card: ModelCard) -> bool:
        """Whether the model's files are on this machine."""
        ...

    def fetch(self, card: ModelCard, progress: Progress | None = None) -> None:
        """Bring the model's files here; returns at once when they are. Any number of threads may call it.

        Raises NotFound where fetching is off or the hub lacks the model, BadRequest where its licence is not accepted
        or its files are unsafe, Unavailable where the network or the disk is short, and what `progress` raises.
        """
        ...

    def bytes_needed(self, card: ModelCard, strategy: Strategy) -> int:
        """Bytes of weights once loaded, from headers or the card, without loading."""
        ...

    def kv_bytes_per_token(self, card: ModelCard) -> int:
        """Keys and values that a token of context takes; 0 when unknown, as while the files are not here."""
        ...

    def load(self, card: ModelCard, strategy: Strategy) -> Loaded:
        """Load it from files that are here. Raises NotFound, BadRequest for unsafe or damaged ones, NoMemory."""
        ...

    def codec(self, card: ModelCard) -> Codec:
        """The tokenizer alone, for counting tokens without the weights."""
        ...

    def free(self) -> None:
        """Give memory of models that are gone back to the device."""
        ...


@dataclass(frozen=True)
class Order:
    """What a strategy is asked for."""

    card: ModelCard
    folder: Path
    """Checked: safe and whole."""
    device: Device
    dtype: DType
    """Of weights that are not quantised."""
    quantised_dir: Path | None = None
    """Where quantised weights are kept for the next load; None: nowhere."""


class LoadWeights(Protocol):
    """One strategy: weights of a checked folder onto the device."""

    def __call__(self, order: Order) -> PreTrainedModel: ...
