"""LocalChatModel: a LangChain chat model over a leased local model. Imports no torch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from llm.answer import Answer, measure
from llm.call import SAMPLING_FIELDS, Call, make_request, settle_call
from llm.engine.base import Done, Handle
from llm.leases import Lease
from llm.manager import ModelManager
from llm.prompt import to_template
from llm.tools import FORMATS
from state.models import CallMetrics, ModelCard, Strategy


class LocalChatModel(BaseChatModel):
    """A chat model that takes a lease for the length of each call.

    `temperature`, `top_p`, `top_k`, `repetition_penalty`, `max_tokens`, `seed` and `stop` may be given here, by `bind`,
    or with a call. Leaving a stream early or cancelling its task stops the generation and ends the lease.

    Raises BadRequest (settings, messages that are not text), ContextOverflow, and what `ModelManager.lease` raises.
    """

    model: str
    strategy: Strategy
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_tokens: int | None = None
    seed: int | None = None
    stop: list[str] | None = None
    card: ModelCard = Field(exclude=True, repr=False)
    manager: ModelManager = Field(exclude=True, repr=False)

    @property
    def _llm_type(self) -> str:
        return "agent-lab-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "strategy": self.strategy, "stop": self.stop, **self._sampling()}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = "local"
        params["ls_model_name"] = self.model
        return params

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call `tools`. `tool_choice`: "auto" or "none"; others raise BadRequest at the call."""
        schemas = [convert_to_openai_tool(tool) for tool in tools]
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=schemas, **choice, **kwargs)

    def get_token_ids(self, text: str) -> list[int]:
        """Ids by the model's own tokenizer; reads its files at the first use, no weights."""
        return self.manager.codec(self.model).encode(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Tokens of the prompt that a call with these messages would send, template included."""
        schemas = [convert_to_openai_tool(tool) for tool in tools or ()]
        return len(self.manager.codec(self.model).encode_chat(to_template(messages), schemas))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks = [chunk async for chunk in self._astream(messages, stop, run_manager, **kwargs)]
        return generate_from_stream(iter(chunks))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        asked = time.perf_counter()
        call, chat = self._settle(stop, kwargs), to_template(messages)
        with self.manager.lease_sync(self.model, self.strategy) as lease:
            prompt = lease.loaded.codec.encode_chat(chat, call.tools)
            handle, answer = self._submit(lease, prompt, call, asked)
            try:
                for event in handle:
                    yield from answer.feed(event)
            finally:
                handle.cancel()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        asked = time.perf_counter()
        call, chat = self._settle(stop, kwargs), to_template(messages)
        async with self.manager.lease(self.model, self.strategy) as lease:
            # A long prompt takes tens of milliseconds to encode, too long for everybody else on this event loop.
            prompt = await asyncio.to_thread(lease.loaded.codec.encode_chat, chat, call.tools)
            handle, answer = self._submit(lease, prompt, call, asked)
            try:
                async for event in handle:
                    for chunk in answer.feed(event):
                        yield chunk
            finally:
                handle.cancel()

    def _settle(self, stop: list[str] | None, given: dict[str, Any]) -> Call:
        return settle_call(self._sampling(), self.card, stop if stop is not None else self.stop, given)

    def _submit(self, lease: Lease, prompt: list[int], call: Call, asked: float) -> tuple[Handle, Answer]:
        request = make_request(prompt, call, self.card)
        before = time.perf_counter() - asked
        # Numbers alone: an answer that somebody keeps must not keep the lease's model.
        hit, load_time, wait = lease.cache_hit, lease.load_time_sec, lease.wait_sec

        def metrics(done: Done) -> CallMetrics:
            return measure(
                done,
                model=self.model,
                strategy=self.strategy,
                cache_hit=hit,
                load_time_sec=load_time,
                wait_sec=wait,
                before_sec=before,
                total_sec=time.perf_counter() - asked,
                vram_used_bytes=self.manager.vram_used_bytes(),
            )

        return lease.engine.submit(request), Answer(FORMATS["hermes"] if call.tools else None, metrics)

    def _sampling(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SAMPLING_FIELDS}
