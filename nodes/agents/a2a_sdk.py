"""What `a2a.py` does through the official A2A SDK. Imported there only, when an A2A agent is asked."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.client import Client
from a2a.client.errors import A2AClientTimeoutError
from a2a.helpers import get_data_parts, new_data_part, new_text_part
from a2a.types import AgentCard, GetTaskRequest, Message, Part, Role, SendMessageRequest, Task, TaskState
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    ExtensionSupportRequiredError,
    InvalidParamsError,
    InvalidRequestError,
    MethodNotFoundError,
    UnsupportedOperationError,
    VersionNotSupportedError,
)

from nodes.agents.card import Card
from nodes.agents.http import body_of, idempotency_key
from nodes.agents.remote import status_error, travelling, words_of
from nodes.agents.words import one_line
from nodes.teams.texts import text_of
from state.agent_ports import AgentCall
from state.agents import AgentReply
from state.errors import AgentFailed, BadRequest, LabError, TimedOut

FIRST_POLL_SEC = 0.1
LAST_POLL_SEC = 2.0
"""Between two looks at a task that goes on: doubled from the first to this."""
MAX_CAPABILITIES = 64
_REFUSALS = (
    ContentTypeNotSupportedError,
    ExtensionSupportRequiredError,
    InvalidParamsError,
    InvalidRequestError,
    MethodNotFoundError,
    UnsupportedOperationError,
    VersionNotSupportedError,
)
_GOING_ON = (TaskState.TASK_STATE_UNSPECIFIED, TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)
_ENDS = {
    TaskState.TASK_STATE_FAILED: "the task failed",
    TaskState.TASK_STATE_REJECTED: "the task was rejected",
    TaskState.TASK_STATE_CANCELED: "the task was cancelled",
    TaskState.TASK_STATE_INPUT_REQUIRED: "the agent asks for more input, which a step cannot give",
    TaskState.TASK_STATE_AUTH_REQUIRED: "the agent asks for other credentials",
}

log = logging.getLogger(__name__)


async def describe(client: httpx.AsyncClient, endpoint: str, key: str | None) -> Card:
    """An agent's card, as far as it is of use here. Raises as `nodes.agents.a2a.card_of`."""
    with _told(key):
        card = await _card(client, endpoint, key)
    words = [word for skill in card.skills for word in (skill.id, *skill.tags)]
    able = dict.fromkeys(word.strip() for word in words if 0 < len(word.strip()) <= 64 and word.isprintable())
    return Card(one_line(card.name, 200), one_line(card.description, 2_000), tuple(able)[:MAX_CAPABILITIES])


async def ask(client: httpx.AsyncClient, endpoint: str, call: AgentCall, key: str | None) -> AgentReply:
    """One turn. Raises as `A2AAgent.process`; nothing bounds how long it takes but the caller."""
    body_of(replace(call, input={**call.input, "text": call.text}))  # what cannot be sent is no fault of the agent
    with _told(key):
        card = await _card(client, endpoint, key)
        config = ClientConfig(
            streaming=False, httpx_client=client, accepted_output_modes=["text/plain", "application/json"]
        )
        agent = ClientFactory(config).create(card)
        request = SendMessageRequest(message=_message(call, card))
        answers = [answer async for answer in agent.send_message(request)]
        answer = answers[-1]
        if answer.HasField("message"):
            return _reply(answer.message.parts)
        task = await _finished(agent, answer.task)
    return _outcome(task, key)


async def _card(client: httpx.AsyncClient, endpoint: str, key: str | None) -> AgentCard:
    if key is not None:
        client.auth = _Key(key, httpx.URL(endpoint))
    return await A2ACardResolver(client, endpoint).get_agent_card()


class _Key(httpx.Auth):
    """Sends the key to the origin that the agent is registered with; its card may lead to others."""

    def __init__(self, key: str, endpoint: httpx.URL) -> None:
        self._key = key
        self._origin = _origin(endpoint)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if _origin(request.url) == self._origin:
            request.headers.update({"Authorization": f"Bearer {self._key}", "X-API-Key": self._key})
        yield request


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _message(call: AgentCall, card: AgentCard) -> Message:
    """The text, and for agents that read JSON the input beside it. The same id for each attempt at one turn."""
    parts = [new_text_part(call.text)]
    if "application/json" in card.default_input_modes:
        parts.append(new_data_part(dict(call.input), media_type="application/json"))
    message_id = uuid.uuid4() if call.execution_id is None else uuid.uuid5(call.execution_id, idempotency_key(call))
    return Message(
        message_id=str(message_id), role=Role.ROLE_USER, parts=parts, metadata={"config": travelling(call.config)}
    )


async def _finished(agent: Client, task: Task) -> Task:
    """The task when it no longer goes on."""
    wait = FIRST_POLL_SEC
    while task.status.state in _GOING_ON:
        await asyncio.sleep(wait)
        wait = min(wait * 2, LAST_POLL_SEC)
        task = await agent.get_task(GetTaskRequest(id=task.id))
    return task


def _outcome(task: Task, key: str | None) -> AgentReply:
    state = task.status.state
    if state != TaskState.TASK_STATE_COMPLETED:
        ended = _ENDS.get(state, f"the task ended in a state that is unknown here, {state}")
        raise AgentFailed(f"{ended}: {words_of(_reply(task.status.message.parts).text, key)}")
    parts = [part for artifact in task.artifacts for part in artifact.parts]
    return _reply(parts or task.status.message.parts)


def _reply(parts: Iterable[Part]) -> AgentReply:
    """Texts joined under `response`, data under `data`; data alone is the output, where it is one object."""
    texts: list[str] = []
    data: list[Any] = []
    files: list[dict[str, str]] = []
    for part in parts:
        match part.WhichOneof("content"):
            case "text":
                texts.append(part.text)
            case "data":
                data.extend(_whole(value) for value in get_data_parts([part]))
            case "url":
                files.append({"name": part.filename, "media_type": part.media_type, "url": part.url})
    output: dict[str, Any] = {}
    if texts:
        output["response"] = "\n".join(texts)
    if data:
        output["data"] = data[0] if len(data) == 1 else data
    if files:
        output["files"] = files
    if list(output) == ["data"] and isinstance(output["data"], dict):
        output = output["data"]
    return AgentReply(output=output, text=text_of(output) if output else "")


def _whole(value: Any) -> Any:
    """Numbers are floats on their way through protobuf: whole ones become what they were."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case dict():
            return {key: _whole(inner) for key, inner in value.items()}
        case list():
            return [_whole(inner) for inner in value]
    return value


@contextmanager
def _told(key: str | None) -> Iterator[None]:
    """The SDK's and httpx's errors as ours."""
    try:
        yield
    except (httpx.TimeoutException, A2AClientTimeoutError) as error:
        raise TimedOut(f"no answer in time ({type(error).__name__})") from error
    except _REFUSALS as error:
        raise BadRequest(f"refused the request: {words_of(str(error), key)}") from error
    except (A2AError, httpx.HTTPError) as error:
        cause = error.__cause__
        if isinstance(cause, httpx.HTTPStatusError):
            raise status_error(cause.response.status_code, f"from {cause.request.url.path}") from error
        raise AgentFailed(words_of(str(error) or type(error).__name__, key)) from error
    except LabError:
        raise
    except Exception as error:
        # Whatever the SDK trips over where an answer has another shape than A2A's.
        log.warning("no A2A answer", exc_info=True)
        raise AgentFailed(f"no A2A answer: {words_of(f'{type(error).__name__}: {error}', key)}") from error
