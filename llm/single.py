"""SingleModel: one model that somebody has loaded already, behind the door that LocalChatModel asks."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

from llm.codec import Codec
from llm.engine.base import Engine, FixedRoom
from llm.engines import open_engine
from llm.leasing.holders import SOMEBODY
from llm.leasing.leases import Lease
from llm.loading.base import Loaded
from llm.pipelines import Unwrapped, card_of
from llm.sizing import DTYPE_BYTES, DType, kv_bytes_per_token
from llm.vram import DeviceMeter, Meter, default_budget
from state.errors import Unavailable
from state.models import Strategy, ToolFormat
from state.resources import Holder


class SingleModel:
    """Fills `ModelDoor`. `close` it, leave its context, or drop the last reference: its engine's thread ends then.

    The model is the engine's while this is open: what else uses it meanwhile gets wrong answers.
    """

    def __init__(self, loaded: Loaded, *, room_bytes: int | None = None, meter: Meter | None = None) -> None:
        """`room_bytes`: of keys and values; None: `BUDGET_SHARE` of what is free now on the model's device."""
        self._meter = meter or DeviceMeter(loaded.model.device.type)
        self._loaded = loaded
        attention = getattr(loaded.model.config, "_attn_implementation", None)
        room = default_budget(self._meter) if room_bytes is None else room_bytes
        self._engine = open_engine(loaded, FixedRoom(max(1, room)))
        self._finalise = weakref.finalize(self, _close, self._engine, loaded.model, attention)

    @asynccontextmanager
    async def lease(
        self, name: str, strategy: Strategy | None = None, *, holder: Holder = SOMEBODY
    ) -> AsyncIterator[Lease]:
        """See `ModelDoor`. Raises Unavailable when closed."""
        yield self._lease()

    @contextmanager
    def lease_sync(self, name: str, strategy: Strategy | None = None, *, holder: Holder = SOMEBODY) -> Iterator[Lease]:
        """See `ModelDoor`. Raises Unavailable when closed."""
        yield self._lease()

    def codec(self, name: str) -> Codec:
        """See `ModelDoor`."""
        return self._loaded.codec

    def vram_used_bytes(self) -> int:
        """See `ModelDoor`."""
        memory = self._meter.read()
        return memory.vram_total - memory.vram_free

    def close(self) -> None:
        """End what runs, as cancelled, and the engine's thread; the model is its owner's again. May be called twice."""
        self._finalise()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _lease(self) -> Lease:
        if not self._finalise.alive:
            raise Unavailable(f"{self._loaded.card.name} is closed; make a new chat model of its pipeline")
        return Lease(self._loaded, self._engine, cache_hit=True, load_time_sec=0.0, wait_sec=0.0)


def _close(engine: Engine, model: Any, attention: str | None) -> None:
    engine.close()
    if attention is not None and model.config._attn_implementation != attention:
        model.set_attn_implementation(attention)


def load_pipeline(unwrapped: Unwrapped, tool_format: ToolFormat | None) -> Loaded:
    """A pipeline's model as engines take it. Raises BadRequest, and Broken for a transformers that is too old."""
    # Imports torch, which whoever has a pipeline has imported.
    from llm.loading.pretrained import walk_bytes  # noqa: PLC0415

    ends = unwrapped.model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    codec = Codec(unwrapped.tokenizer, name=unwrapped.name, eos_ids=ends)
    card = card_of(unwrapped, codec, tool_format)
    unwrapped.model.eval()
    dtype: DType = next((each for each in DTYPE_BYTES if str(unwrapped.model.dtype).endswith(each)), "float32")
    per_token = kv_bytes_per_token(unwrapped.model.config.to_dict(), dtype)
    return Loaded(card, "standard", unwrapped.model, codec, walk_bytes(unwrapped.model), per_token)
