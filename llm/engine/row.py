"""One request on its way through the batch: its tokens, its text, its clock. Imports no torch of its own accord."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

from llm.codec import Codec
from llm.engine.arena import Place
from llm.engine.base import Done, Failed, FinishReason, Request, Timings, Token
from llm.engine.bridge import EventStream
from llm.engine.decode import AnswerText
from llm.engine.sampling import make_generator, next_token
from llm.engine.slots import Waiting


@dataclass(eq=False)
class Row:
    """`ids[:computed]` have their KV in `place`; the rest is still to be computed. Only the engine's thread uses it."""

    request: Request
    stream: EventStream
    order: int
    codec: Codec
    device: torch.device
    submitted: float = field(default_factory=time.perf_counter)
    place: Place | None = None
    computed: int = 0
    put_back: bool = False
    reused: int = 0
    _joined: float | None = None
    _first_token: float | None = None

    def __post_init__(self) -> None:
        self.ids = list(self.request.prompt)
        self._text = AnswerText(self.codec.decode, self.request.stop)
        self._generator = make_generator(self.request.sampling, self.device)

    @property
    def left(self) -> int:
        """Tokens whose KV is still to be computed; 1 while decoding."""
        return len(self.ids) - self.computed

    @property
    def generated(self) -> int:
        return len(self.ids) - len(self.request.prompt)

    @property
    def waiting(self) -> Waiting:
        """As the queue sees it."""
        return Waiting(self.request.caller, self.order, self.put_back)

    @property
    def is_plain(self) -> bool:
        """Whether its next token is simply the likeliest one."""
        sampling = self.request.sampling
        return self._generator is None and sampling.repetition_penalty == 1.0 and self.request.constraint is None

    def join(self, place: Place, known: int) -> None:
        """Take a place in which the first `known` tokens are computed already."""
        self.place, self.computed = place, known
        if self._joined is None:
            self._joined = time.perf_counter()
            self.reused = known

    def leave(self) -> None:
        """Give the place up, to be computed again from the start later."""
        self.place, self.computed, self.put_back = None, 0, True

    def draw(self, logits: torch.Tensor) -> int:
        """The next token from logits of shape (vocabulary,). Raises Broken for logits that are not numbers."""
        constraint = self.request.constraint
        if constraint is not None:
            logits = constraint.mask(logits.float())
        return next_token(self.ids, logits, self.request.sampling, self._generator)

    def take(self, token: int) -> FinishReason | None:
        """Add the next token and show its text; says why the answer ends with it, if it does."""
        self.ids.append(token)
        if self._first_token is None:
            self._first_token = time.perf_counter()
        if token in self.codec.eos_ids:
            return "stop"
        complete = self.request.constraint is not None and self.request.constraint.accept(token)
        self.stream.put(Token(self._text.push(token), token))
        if complete or self._text.stopped:
            return "stop"
        return "length" if self.generated >= self.request.max_tokens else None

    def finish(self, reason: FinishReason) -> None:
        """Send the terminal event."""
        rest = self._text.finish()
        if rest and reason != "cancelled":
            self.stream.put(Token(rest, None))
        now = time.perf_counter()
        started = now if self._joined is None else self._joined
        first = None if self._first_token is None else self._first_token - self.submitted
        timings = Timings(queue_wait=started - self.submitted, first_token=first, inference=now - started)
        self.stream.put(Done(reason, len(self.request.prompt), self.generated, timings, self.reused))

    def fail(self, error: BaseException) -> None:
        """Send the terminal event of a request that failed."""
        self.stream.put(Failed(error))
