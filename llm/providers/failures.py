"""A provider's errors in our tree. Pure but for reading the error."""

from __future__ import annotations

from langchain_core.exceptions import ContextOverflowError, ModelConnectionError, ModelTimeoutError
from pydantic import SecretStr

from llm.failures import broken
from llm.providers.base import Backend
from state.errors import BadRequest, ContextOverflow, LabError, NotFound, TimedOut, Unavailable
from state.models import ModelCard

MAX_SAID = 300
"""Characters of a provider's own words that a message of ours repeats."""


def translate(error: Exception, card: ModelCard, key: SecretStr, backend: Backend) -> LabError:
    """The error to raise instead of `error`: model, provider and status in one line, never the key."""
    if isinstance(error, LabError):
        return error
    status = getattr(error, "status_code", None)
    who = describe(card)
    code = f" (status {status})" if isinstance(status, int) else ""
    said = words_of(error, key)
    if status in (401, 403):
        # What a server says here may repeat the key in a form that cannot be recognised.
        return BadRequest(f"{who}: the key was refused{code}; check {key_setting(card)}")
    if _overflows(error):
        return ContextOverflow(
            f"{who}: prompt and answer do not fit; its card says {card.context_length:,} tokens: {said}"
        )
    if isinstance(error, (TimeoutError, ModelTimeoutError, *backend.timeouts)) or status == 408:
        return TimedOut(f"{who}: no answer in time{code}: {said}; ask again, or raise LAB_REQUEST_TIMEOUT")
    if isinstance(error, backend.too_short):
        return BadRequest(f"{who}: max_tokens cut the answer before its structure was complete; allow more tokens")
    if status == 404:
        return NotFound(f"{who}: no such model there{code}: {said}; check 'model_id' and 'base_url' of its card")
    if isinstance(status, int) and 400 <= status < 500 and status not in (409, 425, 429):
        return BadRequest(f"{who}: request refused{code}: {said}")
    if isinstance(error, (OSError, ModelConnectionError, *backend.interrupted)):
        return Unavailable(f"{who}: cannot answer now{code}: {said}; ask again later")
    if isinstance(error, (ValueError, TypeError, KeyError, AttributeError)):
        # Messages it cannot take, or an answer in another protocol, such as a web page from a wrong address, which
        # the providers' clients read as far as they come.
        return BadRequest(f"{who}: could not be asked, or its answer not be read: {type(error).__name__}: {said}")
    return broken(who, error)


def _overflows(error: Exception) -> bool:
    if isinstance(error, ContextOverflowError):
        return True
    known = {"context_length_exceeded", "exceed_context_size_error"}
    if known & {str(getattr(error, name, None)) for name in ("code", "type")}:
        return True
    # vLLM has no code for it, but repeats OpenAI's sentence.
    return getattr(error, "status_code", None) == 400 and "maximum context length" in str(error)


def describe(card: ModelCard) -> str:
    """`gpt (openai, gpt-5-mini)`: the model's name here, its provider, its name there."""
    return f"{card.name} ({card.provider}, {card.model_id or card.factory})"


def key_setting(card: ModelCard) -> str:
    """The setting that holds the key of this card."""
    name = card.key or card.provider
    if name in ("openai", "anthropic"):
        return f"{name.upper()}_API_KEY"
    return f"LAB_PROVIDER_KEYS ({name}=…)" if card.key else "'key' of its card and LAB_PROVIDER_KEYS"


def words_of(error: Exception, key: SecretStr) -> str:
    """What an error says, in one line of bounded length, without the key."""
    text = " ".join((str(error) or type(error).__name__).split())
    secret = key.get_secret_value()
    text = text.replace(secret, "***") if secret else text
    return text if len(text) <= MAX_SAID else f"{text[:MAX_SAID]}…"
