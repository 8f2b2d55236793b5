"""RemoteChatModel: a provider's chat model with our settings, metrics and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from typing import Any, Protocol, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, SecretStr

from llm.providers.base import Backend
from llm.providers.estimate import estimate_messages, estimate_text
from llm.providers.failures import translate
from llm.providers.pieces import apieces, pieces
from llm.providers.rebind import rebind
from llm.providers.request import RemoteCall, settle_remote_call
from llm.providers.tally import Tally
from state.models import ModelCard, Sampling


class Backends(Protocol):
    """Where a remote chat model gets its provider's from."""

    def opened(self, card: ModelCard) -> Backend | None:
        """The backend if it was made before."""
        ...

    def open(self, card: ModelCard) -> Backend:
        """The backend, made at the first call, which imports for seconds. Raises BadRequest."""
        ...

    def key_of(self, card: ModelCard) -> SecretStr:
        """The key that is sent; never to be shown."""
        ...


class RemoteChatModel(BaseChatModel):
    """A chat model behind somebody's API. `stop` and the settings of Sampling as for LocalChatModel.

    What the model does not take of them is left out and named in `response_metadata["ignored_settings"]`. Calls are
    tried again by the provider's client until a first piece of the answer came, never after it. Leaving a stream
    closes its connection. Token counts are estimates from above.

    Raises BadRequest, NotFound, ContextOverflow, TimedOut and Unavailable, with model, provider and status.
    """

    model: str
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_tokens: int | None = None
    seed: int | None = None
    stop: list[str] | None = None
    card: ModelCard = Field(exclude=True, repr=False)
    backends: Any = Field(exclude=True, repr=False)
    """A `Backends`; Any, because pydantic would ask a Protocol for its class."""

    @property
    def _llm_type(self) -> str:
        return "agent-lab-remote"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "provider": self.card.provider, "stop": self.stop, **self._sampling()}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = self.card.provider
        params["ls_model_name"] = self.card.model_id or self.model
        return params

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call `tools`, each ours or a dict as its provider wants it; the provider's own choices."""
        schemas = [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in tools]
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=schemas, **choice, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """As the provider's own class does it, `method` and `strict` included, over this model."""
        backend = self._backend()
        if backend.structured_method is not None:
            kwargs.setdefault("method", backend.structured_method)
        with self._told(backend):
            made = backend.model.with_structured_output(schema, include_raw=include_raw, **kwargs)
        return rebind(made, backend.model, self)

    def get_num_tokens(self, text: str) -> int:
        """An estimate from above: the provider's tokenizer is not here."""
        return estimate_text(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """As `get_num_tokens`, tools included."""
        return estimate_messages(messages, [convert_to_openai_tool(tool) for tool in tools or ()])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        backend, call, tally = self._begin(self._backend(), stop, kwargs)
        with self._told(backend):
            # Without the run manager: LangChain reports this model's answer, and would report the inner one's again.
            result = backend.model._generate(messages, stop=call.stop, **call.given)
        return tally.whole(result)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        backend, call, tally = self._begin(await self._abackend(), stop, kwargs)
        with self._told(backend):
            result = await backend.model._agenerate(messages, stop=call.stop, **call.given)
        return tally.whole(result)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        backend, call, tally = self._begin(self._backend(), stop, kwargs)
        with self._told(backend), closing(pieces(backend.model, messages, call)) as chunks:
            for chunk in chunks:
                yield tally.take(chunk)
        yield tally.end(must_finish=backend.always_ends)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        backend, call, tally = self._begin(await self._abackend(), stop, kwargs)
        with self._told(backend):
            async with aclosing(apieces(backend.model, messages, call)) as chunks:
                async for chunk in chunks:
                    yield tally.take(chunk)
        yield tally.end(must_finish=backend.always_ends)

    def _backend(self) -> Backend:
        backends = cast(Backends, self.backends)
        opened = backends.opened(self.card)
        return backends.open(self.card) if opened is None else opened

    async def _abackend(self) -> Backend:
        backends = cast(Backends, self.backends)
        opened = backends.opened(self.card)
        return await asyncio.to_thread(backends.open, self.card) if opened is None else opened

    def _begin(
        self, backend: Backend, stop: list[str] | None, given: Mapping[str, Any]
    ) -> tuple[Backend, RemoteCall, Tally]:
        with self._told(backend):
            call = settle_remote_call(
                self._sampling(), self.card, backend, stop if stop is not None else self.stop, given
            )
        return backend, call, Tally(self.card, call.ignored)

    @contextmanager
    def _told(self, backend: Backend) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            told = translate(error, self.card, cast(Backends, self.backends).key_of(self.card), backend)
            if told is error:
                raise
            # Not chained where the cause might repeat a key: it would be printed with a traceback.
            raise told from (None if getattr(error, "status_code", None) in (401, 403) else error)

    def _sampling(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Sampling.model_fields}
