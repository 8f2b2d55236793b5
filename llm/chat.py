"""LocalChatModel: a LangChain chat model over a leased local model. Imports no torch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Annotated, Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, SkipValidation

from llm.asking.answer import Answer, measure
from llm.asking.call import SAMPLING_FIELDS, Call, settle_call
from llm.asking.metadata import run_metadata
from llm.asking.prepare import Asked, count_tokens, prepare
from llm.asking.prompt import to_template
from llm.asking.structured import Method, structured_output
from llm.door import ModelDoor
from llm.engine.base import Done, Handle
from llm.leasing.holders import holder_of
from llm.leasing.leases import Lease
from llm.pipelines import settings_of, unwrap
from llm.single import SingleModel, load_pipeline
from state.models import CallMetrics, ModelCard, Strategy, ToolFormat

ToolLike = dict[str, Any] | type | Callable[..., Any] | BaseTool


class LocalChatModel(BaseChatModel):
    """A chat model that takes a lease for the length of each call.

    `temperature`, `top_p`, `top_k`, `repetition_penalty`, `max_tokens`, `seed`, `stop`, `caller` and `include_prompt`
    may be given here, by `bind`, or with a call; `tools`, `tool_choice`, `parallel_tool_calls` and `response_format` by
    `bind` or with a call, in OpenAI's spelling. Leaving a stream early or cancelling its task stops the generation and
    ends the lease.

    Raises BadRequest (settings, messages that are not text, schemas that cannot be followed), ContextOverflow, and what
    the door's `lease` raises.
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
    caller: str = ""
    """Who asks; callers take turns at a model. Empty: the thread of the run, which LangGraph tells."""
    include_prompt: bool = False
    """Keep the prompt's text, control tokens and all, in `response_metadata["prompt"]`."""
    card: ModelCard = Field(exclude=True, repr=False)
    manager: Annotated[ModelDoor, SkipValidation] = Field(exclude=True, repr=False)

    @classmethod
    def from_pipeline(
        cls,
        pipeline: Any,
        *,
        tool_format: ToolFormat | None = None,
        room_bytes: int | None = None,
        **settings: Any,
    ) -> Self:
        """A chat model over a text-generation pipeline that is loaded: a `HuggingFacePipeline` or one of transformers.

        The pipeline's generation settings are taken over; `settings` come before them. `tool_format`: None, what the
        chat template shows. `room_bytes`: for keys and values. The pipeline rests while this lives: `manager.close()`,
        or dropping the last reference, gives it back. Raises BadRequest for pipelines of other tasks and for settings
        that have no counterpart.
        """
        unwrapped = unwrap(pipeline)
        taken = {**settings_of(unwrapped), **settings}
        loaded = load_pipeline(unwrapped, tool_format)
        door = SingleModel(loaded, room_bytes=room_bytes)
        return cls(model=loaded.card.name, strategy=loaded.strategy, card=loaded.card, manager=door, **taken)

    @property
    def _llm_type(self) -> str:
        return "agent-lab-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "strategy": self.strategy, "stop": self.stop, **self._sampling()}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = "local"
        params["ls_model_name"] = kwargs.get("model") or self.model
        return params

    def bind_tools(
        self,
        tools: Sequence[ToolLike],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call `tools`.

        `tool_choice`: "auto", "none", "any" ("required", True), a tool's name, or OpenAI's dict; a call that is forced
        is held to the tool's schema while it is written. `strict`: so is one that is not forced.
        """
        schemas = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=schemas, **choice, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        include_raw: bool = False,
        method: Method = "json_schema",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answers as objects of `schema`: a Pydantic class, TypedDict, JSON schema, or OpenAI tool. See `Method`.

        An answer that `max_tokens` cuts raises BadRequest; with `include_raw` it is the `parsing_error`.
        """
        return structured_output(self, schema, method=method, include_raw=include_raw, strict=strict, bound=kwargs)

    def get_token_ids(self, text: str) -> list[int]:
        """Ids by the model's own tokenizer; reads its files at the first use, no weights."""
        return self.manager.codec(self.model).encode(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Tokens of the prompt that a call with these messages would send, template included."""
        call = self._settle(None, {"tools": [convert_to_openai_tool(tool) for tool in tools or ()]}, None)
        return count_tokens(self.manager.codec(self.model), self.card, to_template(messages), call)

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
        began = time.perf_counter()
        call, chat = self._settle(stop, kwargs, run_manager), to_template(messages)
        holder = holder_of(run_metadata(run_manager))
        with self.manager.lease_sync(self.model, self.strategy, holder=holder) as lease:
            asked = prepare(lease.loaded.codec, self.card, chat, call)
            handle, answer = self._submit(lease, asked, call, began)
            try:
                for event in handle:
                    yield from answer.feed(event)
                    if answer.complete:
                        handle.cancel()
            finally:
                handle.cancel()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        began = time.perf_counter()
        call, chat = self._settle(stop, kwargs, run_manager), to_template(messages)
        holder = holder_of(run_metadata(run_manager))
        async with self.manager.lease(self.model, self.strategy, holder=holder) as lease:
            # A long prompt takes tens of milliseconds to encode, too long for everybody else on this event loop.
            asked = await asyncio.to_thread(prepare, lease.loaded.codec, self.card, chat, call)
            handle, answer = self._submit(lease, asked, call, began)
            try:
                async for event in handle:
                    for chunk in answer.feed(event):
                        yield chunk
                    if answer.complete:
                        handle.cancel()
            finally:
                handle.cancel()

    def _settle(
        self,
        stop: list[str] | None,
        given: dict[str, Any],
        run: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
    ) -> Call:
        thread = run_metadata(run).get("thread_id", "")
        own = {**self._sampling(), "caller": self.caller or str(thread), "include_prompt": self.include_prompt}
        return settle_call(own, self.card, stop if stop is not None else self.stop, given)

    def _submit(self, lease: Lease, asked: Asked, call: Call, began: float) -> tuple[Handle, Answer]:
        before = time.perf_counter() - began
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
                total_sec=time.perf_counter() - began,
                vram_used_bytes=self.manager.vram_used_bytes(),
            )

        extra = {} if asked.prompt is None else {"prompt": asked.prompt}
        answer = Answer(asked.parser, metrics, parallel=call.tools.parallel, extra=extra)
        return lease.engine.submit(asked.request), answer

    def _sampling(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SAMPLING_FIELDS}
