"""Fakes that keep the ports' promises and record what was asked."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field

from graphs.services import Services, lab_tools
from state.errors import NotFound
from state.models import ModelCard, Sampling, Strategy
from state.resources import Reading, Resident

CARD = ModelCard(name="fake", path="fake", context_length=2_000, parameters=1_000_000, capabilities=("chat", "tools"))


class ScriptedChatModel(BaseChatModel):
    """Says the scripted messages in turn, word by word (some words at a time where there are thousands).

    Remembers each prompt and what was bound; a token a word.
    """

    # Any: pydantic would copy a list, and all chat models of one FakeModels share these.
    script: Any = Field(repr=False)
    asked: Any = Field(repr=False)
    bound: Any = Field(repr=False)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self.asked.append(list(messages))
        self.bound.append({name: value for name, value in kwargs.items() if name in ("tools", "response_format")})
        said = next(self.script)
        reply = said if isinstance(said, AIMessage) else AIMessage(content=said)
        for piece in _pieces(reply.text):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        calls = [tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"]) for c in reply.tool_calls]
        usage = UsageMetadata(input_tokens=1, output_tokens=len(reply.text.split()), total_tokens=1)
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="", tool_call_chunks=calls, usage_metadata=usage, response_metadata=reply.response_metadata
            )
        )

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return generate_from_stream(self._stream(messages, **kwargs))

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=tools, **kwargs)

    def get_num_tokens(self, text: str) -> int:
        return len(text.split())

    def get_num_tokens_from_messages(self, messages: Sequence[Any], tools: Any = None) -> int:
        return sum(len(message.text.split()) for message in messages)


def _pieces(text: str) -> list[str]:
    words = re.split(r"(?<=\s)", text)
    at_once = 1 + len(words) // 1_000
    return ["".join(words[start : start + at_once]) for start in range(0, len(words), at_once)]


class FakeModels:
    """`state.ports.ChatModels` over one script that all chat models share.

    `needed`: bytes of a model in full precision, one number for all or one each; a quarter of it in 4 bits, a tenth
    streamed. `absent`: names of models whose files are not here. `resident`: what is in memory from the start.
    """

    def __init__(
        self,
        *script: str | AIMessage,
        budget: int = 10**9,
        needed: int | dict[str, int] = 10**6,
        cards: Sequence[ModelCard] = (CARD,),
        absent: Collection[str] = (),
        resident: Sequence[Resident] = (),
        default_strategy: Strategy = "standard",
    ) -> None:
        self._script: Iterator[AIMessage | str] = iter(script)
        self.asked: list[list[BaseMessage]] = []
        self.bound: list[dict[str, Any]] = []
        self.calls: list[tuple[str, Strategy | None, Sampling | None]] = []
        self.sized: list[tuple[str, Strategy]] = []
        self.looked_for: list[str] = []
        self.budget, self.needed, self.resident = budget, needed, tuple(resident)
        self.default_model, self.default_strategy = cards[0].name, default_strategy
        self._cards, self._absent = {card.name: card for card in cards}, absent

    def cards(self) -> Sequence[ModelCard]:
        return tuple(self._cards.values())

    def card(self, name: str) -> ModelCard:
        if name not in self._cards:
            raise NotFound(f"there is no model '{name}'; choose one of: {', '.join(self._cards)}")
        return self._cards[name]

    def is_here(self, name: str) -> bool:
        self.looked_for.append(self.card(name).name)
        return name not in self._absent

    def is_loaded(self, name: str, strategy: Strategy) -> bool:
        return bool(self.asked)

    def bytes_needed(self, name: str, strategy: Strategy) -> int:
        self.sized.append((self.card(name).name, strategy))
        whole = self.needed if isinstance(self.needed, int) else self.needed[name]
        return {"standard": whole, "optimized": whole // 4, "streaming": whole // 10}[strategy]

    def chat(self, name: str, *, strategy: Strategy | None = None, sampling: Sampling | None = None) -> BaseChatModel:
        self.card(name)
        if sampling is not None:
            self.calls.append((name, strategy, sampling))
        return ScriptedChatModel(script=self._script, asked=self.asked, bound=self.bound)

    def reading(self) -> Reading:
        return Reading(
            device="cpu",
            ram_total_bytes=8 * 10**9,
            ram_free_bytes=4 * 10**9,
            budget_bytes=self.budget,
            resident=self.resident,
        )


def fake_services(models: FakeModels) -> Services:
    return Services(models=models, tools=lab_tools(), request_timeout_sec=10.0)


def tool_call(expression: str) -> AIMessage:
    """A reply that asks for the calculator."""
    call = {"name": "calculator", "args": {"expression": expression}, "id": f"call {expression}", "type": "tool_call"}
    return AIMessage(content="", tool_calls=[call])
