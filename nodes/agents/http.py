"""Agents over HTTP: `POST {endpoint}/process` with an input and a config, answered by an output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from nodes.agents.remote import address_of, check_address, status_error, timeout_of, travelling, words_of
from nodes.agents.words import one_line
from nodes.teams.texts import text_of
from state.agent_ports import Agent, AgentCall, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.errors import AgentFailed, BadRequest, TimedOut
from state.flows import AgentSpec

_FAILED = frozenset({"failed", "error"})
_MAX_TOKENS = 2**53


@dataclass(frozen=True)
class HttpKind:
    """The kind `HttpAgent`."""

    name: str = "HttpAgent"
    description: str = "an agent at a URL: POST {endpoint}/process with its input and config as JSON"
    capabilities: tuple[str, ...] = ()

    def check(self, spec: AgentSpec) -> None:
        """Raises BadRequest: no agent_id and no endpoint, a URL that is none, a timeout that is none."""
        check_address(spec)

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        """Raises BadRequest."""
        endpoint, key = address_of(spec, record)
        if needs.http is None:
            raise BadRequest("agents over HTTP can be called on a server only")
        return HttpAgent(f"{endpoint}/process", needs.http, needs.request_timeout_sec, key)


@dataclass(frozen=True)
class HttpAgent:
    """One agent's URL, and how it is called."""

    url: str
    http: Callable[[float], httpx.AsyncClient]
    request_timeout_sec: float
    key: str | None = field(default=None, repr=False)

    async def process(self, call: AgentCall) -> AgentReply:
        """Ask. Raises AgentFailed, TimedOut; BadRequest where the agent refuses what it was sent."""
        body = body_of(call)
        timeout = timeout_of(call.config, self.request_timeout_sec)
        try:
            async with self.http(timeout) as client:
                response = await client.post(self.url, content=body, headers=self._headers(call))
        except httpx.TimeoutException as error:
            raise TimedOut(f"no answer within {timeout:g} s ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise AgentFailed(f"cannot be reached: {words_of(str(error) or type(error).__name__, self.key)}") from error
        return self._reply(response)

    def _headers(self, call: AgentCall) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key is not None:
            headers |= {"Authorization": f"Bearer {self.key}", "X-API-Key": self.key}
        if call.execution_id is not None:
            headers |= {"X-Execution-Id": str(call.execution_id), "Idempotency-Key": idempotency_key(call)}
        return headers

    def _reply(self, response: httpx.Response) -> AgentReply:
        content = response.content
        if not response.is_success:
            raise status_error(response.status_code, words_of(said(content), self.key))
        try:
            return reply_of(orjson.loads(content))
        except orjson.JSONDecodeError as error:
            raise AgentFailed(f"the answer is not JSON: {words_of(said(content), self.key)}") from error
        except AgentFailed as error:
            raise AgentFailed(words_of(str(error), self.key)) from None


def body_of(call: AgentCall) -> bytes:
    """What is sent: `input` and `config`. Raises BadRequest where that is no JSON."""
    try:
        return orjson.dumps({"input": call.input, "config": travelling(call.config)})
    except TypeError as error:
        raise BadRequest(f"the input of step '{call.step}' cannot be sent as JSON: {one_line(str(error))}") from error


def idempotency_key(call: AgentCall) -> str:
    """The same for each attempt at one turn, so that an agent can tell a repeated call from a new one.

    A step of an adaptive crew may have several turns in one execution: these differ in what is asked.
    """
    asked = orjson.dumps([call.input, travelling(call.config)], option=orjson.OPT_SORT_KEYS)
    return f"{call.execution_id}:{call.step}:{hashlib.sha256(asked).hexdigest()[:16]}"


def said(content: bytes) -> str:
    """What a refusal says, for a message: its `detail`, `error` or `message`, else its beginning as it is."""
    with suppress(orjson.JSONDecodeError):
        match orjson.loads(content):
            case {"detail": str(words)} | {"error": str(words)} | {"message": str(words)}:
                return words
            case {"error": {"message": str(words)}}:
                return words
    return content[:5_000].decode("utf-8", "replace")


def reply_of(answer: Any) -> AgentReply:
    """An agent's answer, read. Raises AgentFailed: not in the form that agents answer in, or told as a failure."""
    output = answer.get("output") if isinstance(answer, dict) else None
    if not isinstance(output, dict | str):
        raise AgentFailed("the answer has no 'output' that is an object or a text")
    fields = output if isinstance(output, dict) else {}
    status = fields.get("status")
    if isinstance(status, str) and status.strip().lower() in _FAILED:
        words = next((fields[key] for key in ("error", "message", "response") if isinstance(fields.get(key), str)), "")
        raise AgentFailed(f"status '{status}': {words or 'without a reason'}")
    usage: Mapping[str, Any] = next(
        (place["usage"] for place in (fields, answer) if isinstance(place.get("usage"), dict)), {}
    )
    model, follows = fields.get("model"), fields.get("next")
    return AgentReply(
        output=output,
        text=text_of(output),
        input_tokens=_tokens(usage, "input_tokens", "prompt_tokens"),
        output_tokens=_tokens(usage, "output_tokens", "completion_tokens"),
        model=one_line(model, 200) if isinstance(model, str) else None,
        next=follows if isinstance(follows, str) else None,
    )


def _tokens(usage: Mapping[str, Any], *names: str) -> int:
    """The first of these that is a count."""
    counts = (usage.get(name) for name in names)
    return next((n for n in counts if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < _MAX_TOKENS), 0)
