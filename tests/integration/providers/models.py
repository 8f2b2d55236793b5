"""Remote models of every kind over a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import tool
from pydantic import SecretStr

from llm.catalog import load_catalog
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.models import LocalModels, open_engine
from llm.providers.base import Access
from llm.responses.cache import ResponseCache
from llm.vram import FixedMeter, Memory
from tests.integration.providers import wire
from tests.integration.providers.wire import Remote, Reply

SECRET = "sk-do-not-tell-this-to-anybody"


@dataclass(frozen=True)
class Kind:
    """One provider as the tests see it."""

    provider: str
    whole: Callable[..., Reply]
    stream: Callable[..., Reply]
    error: Callable[..., Reply]
    too_long: Reply


KINDS = {
    "openai": Kind(
        "openai",
        wire.openai_whole,
        wire.openai_stream,
        wire.openai_error,
        wire.openai_error(400, "Your input exceeds 9 tokens.", "context_length_exceeded"),
    ),
    "openai_compatible": Kind(
        "openai_compatible",
        wire.openai_whole,
        wire.openai_stream,
        wire.openai_error,
        wire.openai_error(400, "This model's maximum context length is 9 tokens.", "400"),
    ),
    "anthropic": Kind(
        "anthropic",
        wire.anthropic_whole,
        wire.anthropic_stream,
        wire.anthropic_error,
        wire.anthropic_error(400, "prompt is too long: 11 tokens > 9 maximum", "invalid_request_error"),
    ),
}


def open_remotes(
    folder: Path,
    cards: dict[str, dict[str, Any]],
    *,
    timeout_sec: float = 5.0,
    online: bool = True,
    keys: dict[str, str] | None = None,
    responses: ResponseCache | None = None,
) -> LocalModels:
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": {name: {"context_length": 1000} | card for name, card in cards.items()}}))
    catalog = load_catalog(file)
    loader = LocalLoader(catalog, "cpu", "float32")
    meter = FixedMeter(Memory(ram_total=2**34, ram_free=2**34))
    manager = ModelManager(catalog, loader, open_engine, meter, budget_bytes=10**7)
    given = {"openai": SECRET, "anthropic": SECRET, "mine": SECRET} if keys is None else keys
    access = Access({name: SecretStr(key) for name, key in given.items()}, online=online, timeout_sec=timeout_sec)
    return LocalModels(catalog, loader, manager, access=access, responses=responses)


def card_of(kind: Kind, server: Remote, **fields: Any) -> dict[str, Any]:
    path = "" if kind.provider == "anthropic" else "/v1"
    card = {"provider": kind.provider, "model_id": "big", "base_url": server.url + path, "max_output_tokens": 77}
    key = {"key": "mine"} if kind.provider == "openai_compatible" else {}
    return {**card, **key, "capabilities": ["chat", "tools"], **fields}


@tool
def calculator(expression: str) -> str:
    """Evaluate an arithmetic expression."""
    return expression


async def ask_all_ways(chat: BaseChatModel, question: str = "hello") -> list[Any]:
    """The answer by invoke, ainvoke, stream and astream, each as one message."""

    def added(chunks: list[Any]) -> Any:
        total: Any = chunks[0]
        for chunk in chunks[1:]:
            total = total + chunk
        return total

    return [
        await asyncio.to_thread(chat.invoke, question),
        await chat.ainvoke(question),
        added(await asyncio.to_thread(lambda: list(chat.stream(question)))),
        added([chunk async for chunk in chat.astream(question)]),
    ]
