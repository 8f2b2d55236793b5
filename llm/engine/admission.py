"""What every engine checks before a request enters its queue, and how it waits for room. Imports no torch."""

from __future__ import annotations

from llm.engine.base import Request, Room
from llm.loading.base import Loaded
from llm.sizing import human_bytes
from state.errors import BadRequest, NoMemory

PATIENCE_SEC = 30.0
"""How long a request that finds no room beside other models waits for it."""

POLL_SEC = 0.02
"""How often the engine asks again for room."""


class PromptCheck:
    """Refuses prompts that would fail, or harm others, inside the model. Holds numbers alone, not the model."""

    def __init__(self, loaded: Loaded, bytes_per_token: int, room: Room) -> None:
        self._name = loaded.card.name
        self._vocabulary = int(loaded.model.get_input_embeddings().weight.shape[0])
        self._bytes_per_token = bytes_per_token
        self._room = room

    def __call__(self, request: Request, tokens: int) -> None:
        """Raises BadRequest, or NoMemory when KV of `tokens` could never fit."""
        if not request.prompt:
            raise BadRequest(f"{self._name}: the prompt has no tokens")
        # An id beyond the embedding would end the process's CUDA context, and every other request with it.
        if not 0 <= min(request.prompt) <= max(request.prompt) < self._vocabulary:
            raise BadRequest(f"{self._name}: the prompt holds token ids outside 0 to {self._vocabulary - 1:,}")
        needed = tokens * self._bytes_per_token
        if needed > self._room.most_bytes:
            asked = len(request.prompt) + request.max_tokens
            raise NoMemory(
                f"{self._name}: {asked:,} tokens need {human_bytes(needed)} of KV, and at most "
                f"{human_bytes(self._room.most_bytes)} are left beside its weights (LAB_MAX_VRAM_USAGE); ask for fewer"
            )


def no_room(name: str, tokens: int, needed_bytes: int, waited_sec: float) -> NoMemory:
    """Told to a request that found no room in time."""
    return NoMemory(
        f"{name}: no room for {human_bytes(needed_bytes)} of KV ({tokens:,} tokens) beside the models in use for "
        f"{waited_sec:g} s; ask again later"
    )
