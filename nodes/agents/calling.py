"""Asking agents that may fail: who is asked, how long it may take, and who is asked instead.

Retries are not made here: LangGraph's policy of the node runs the step again. Breakers are asked and told here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from langgraph.errors import GraphBubbleUp

from nodes.agents.breaker import decide
from nodes.agents.failures import NotAgain
from nodes.agents.foreign import guarded
from nodes.agents.kinds import kind_of
from nodes.agents.masking import without
from nodes.agents.plain import kept
from nodes.agents.remote import endpoint_of, timeout_of, travelling
from nodes.agents.words import error_line, one_line
from nodes.teams.steps import Step
from state.agent_ports import Agent, AgentCall, AgentDirectory, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.crew_run import Tried
from state.errors import AgentFailed, BadRequest, CircuitOpen, NoDatabase, NotFound, TimedOut, Unavailable
from state.flows import AgentSpec

MAX_FALLBACKS = 5
"""Agents asked in the place of the first one."""
MAX_ERROR_CHARS = 2_000
"""Of an agent's error: several can stand in one message."""
REMOTE_KINDS = frozenset({"HttpAgent", "A2AAgent"})
"""Kinds whose config may name a registered agent by `agent_id` or `endpoint`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """An answer, and what it took."""

    reply: AgentReply
    agent_id: str
    """Who answered: the registered id, where it is a registered agent."""
    agent_name: str
    agent_class: str
    attempts: int
    """Calls of this step in this run so far, those of earlier attempts included."""
    tried: tuple[Tried, ...] = ()
    """Those asked before, in this attempt, who failed; not empty: a fallback has answered."""


class NoAnswer(AgentFailed):
    """Nobody answered, and another attempt is not to be made; the message names each who was tried and why."""

    def __init__(self, tried: tuple[Tried, ...], attempts: int, last: AgentSpec | None = None) -> None:
        """`last`: the one asked last, as the last of `tried` tells; None: nobody was."""
        super().__init__("; ".join(f"{one.agent_id}: {one.error}" for one in tried))
        self.tried = tried
        self.attempts = attempts
        self.agent_name = "" if last is None else last.name or last.agent_id
        self.agent_class = "" if last is None else last.agent_class


async def ask(step: Step, call: AgentCall, needs: AgentNeeds, *, last: bool) -> Answered:
    """The answer of the agent that `step` names, or of another one in its place.

    `call.attempt` counts from 1; `last`: no attempt follows this one. While attempts are left, Unavailable comes
    through, so that the same agent is asked again. On the last one, and at once where asking again cannot help (its
    breaker is open, it is offline or switched off, it refused the request), up to MAX_FALLBACKS healthy agents that can
    do the same are asked; where none of them answers, one that is offline is asked after all.

    Raises NoAnswer, and Unavailable before the last attempt. NoDatabase, interrupts and cancellation always pass.
    """
    asking = _Asking(call, needs, attempts=call.attempt - 1)
    try:
        first = await _primary(step, call, needs)
    except BadRequest as error:
        raise NoAnswer(
            (Tried(agent_id=step.agent_id or step.capability or step.id, error=str(error)),), call.attempt - 1
        ) from error
    offline = False
    try:
        return await asking.one(first)
    except NoDatabase:
        raise
    except (CircuitOpen, BadRequest, NotAgain) as error:
        offline = isinstance(error, _Offline)
        asking.failed(first, error)
    except Unavailable as error:
        if not last:
            raise
        asking.failed(first, error)
    async for other in _others(step, first, needs, call):
        try:
            return await asking.one(other)
        except NoDatabase:
            raise
        except (Unavailable, BadRequest) as error:
            asking.failed(other, error)
    if offline:
        return await asking.after_all(first, last=last)
    raise asking.no_answer()


class _OutOfService(NotAgain):
    """Switched off: nobody asks it before that changes."""


class _Offline(NotAgain):
    """Its health check fails, or did when somebody looked last: others go before it."""


@dataclass(frozen=True)
class _Candidate:
    """Somebody to ask: one of the crew's own, or (`record`) a registered agent."""

    spec: AgentSpec
    record: AgentRecord | None = None


async def _primary(step: Step, call: AgentCall, needs: AgentNeeds) -> _Candidate:
    """Who is meant. Raises BadRequest, NotFound: nobody is."""
    if step.agent is not None:
        return await _own(step.agent, call, needs)
    if step.agent_id is not None:
        return _registered(await _directory(needs).get(step.agent_id), call)
    if step.capability is None:
        raise BadRequest(f"step '{step.id}' names no agent and no capability")
    able = await _directory(needs).find(capability=step.capability)
    if able:
        return _registered(first_of(able, datetime.now(UTC)), call)
    raise NotFound(f"no agent with the capability '{step.capability}' is registered and switched on")


def first_of(able: Sequence[AgentRecord], now: datetime) -> AgentRecord:
    """Of these, in their order: one that may be called, before one that rests, before one that is offline.

    One whose rest is over keeps its place: nobody else would find out that it is back.
    """
    return min(able, key=lambda record: (not record.healthy, decide(record.breaker, now) == "open"))


async def _own(spec: AgentSpec, call: AgentCall, needs: AgentNeeds) -> _Candidate:
    """A crew's own agent; one that stands for a registered agent is that one, with its key and its breaker."""
    kind = kind_of(spec.agent_class, needs.kinds())
    if kind.name not in REMOTE_KINDS:
        return _Candidate(spec)
    match spec.config:
        case {"agent_id": str(agent_id)}:
            return _registered(await _directory(needs).get(agent_id), call)
        case {"endpoint": str(endpoint)} if needs.directory is not None:
            for record in await needs.directory.find(endpoint=endpoint_of(endpoint)):
                # One of another class at the same address is spoken to in another way.
                if record.agent_class == kind.name:
                    return _registered(record, call)
    return _Candidate(spec)


def _directory(needs: AgentNeeds) -> AgentDirectory:
    if needs.directory is None:
        raise BadRequest("registered agents can be called on a server only; here a crew's own agents can")
    return needs.directory


def _registered(record: AgentRecord, call: AgentCall) -> _Candidate:
    """A registered agent, asked with its own config and, above that, the definition's."""
    spec = AgentSpec(
        agent_id=record.agent_id,
        name=record.name,
        agent_class=record.agent_class,
        config={**record.config, **travelling(call.config)},
        tools=record.tools,
        system_prompt=record.system_prompt,
    )
    return _Candidate(spec, record)


async def _others(step: Step, first: _Candidate, needs: AgentNeeds, call: AgentCall) -> AsyncIterator[_Candidate]:
    """Healthy agents that can do the same and do not rest, the least busy first, none twice, at most MAX_FALLBACKS."""
    able = first.record.capabilities if first.record is not None else ()
    seen = {first.spec.agent_id}
    for capability in [step.capability] if step.capability is not None else able:
        for record in await _directory(needs).find(capability=capability):
            if len(seen) > MAX_FALLBACKS:
                return
            rests = decide(record.breaker, datetime.now(UTC)) == "open"
            if record.healthy and not rests and record.agent_id not in seen:
                seen.add(record.agent_id)
                yield _registered(record, call)


@dataclass
class _Asking:
    """One attempt of one step, with whoever failed in it so far."""

    call: AgentCall
    needs: AgentNeeds
    attempts: int
    """Calls, earlier attempts included."""
    tried: list[Tried] = field(default_factory=list)
    last: AgentSpec | None = None
    """Of those who failed."""

    def failed(self, candidate: _Candidate, error: Exception) -> None:
        self.last = candidate.spec
        self.tried.append(Tried(agent_id=candidate.spec.agent_id, error=str(error)))

    def no_answer(self) -> NoAnswer:
        return NoAnswer(tuple(self.tried), self.attempts, self.last)

    async def after_all(self, first: _Candidate, *, last: bool) -> Answered:
        """Ask one that is offline, since nobody else has answered: it may be back, and nobody has looked yet.

        Raises NoAnswer, and Unavailable where it may be asked again: attempts are left, and nobody else was asked.
        """
        del self.tried[0]  # that it is offline
        again = not last and not self.tried
        try:
            return await self.one(first, offline=True)
        except NoDatabase:
            raise
        except (Unavailable, BadRequest) as error:
            if again and isinstance(error, Unavailable) and not isinstance(error, CircuitOpen | NotAgain):
                raise
            self.failed(first, error)
            raise self.no_answer() from error

    async def one(self, candidate: _Candidate, *, offline: bool = False) -> Answered:
        """Ask one agent; with `offline` also one that is. Raises CircuitOpen, _OutOfService, _Offline: not called; else
        as agents do.
        """
        spec, record = candidate.spec, candidate.record
        kind = kind_of(spec.agent_class, self.needs.kinds())
        agent = kind.make(spec, self.needs, record)
        config = self.call.config if record is None else spec.config
        timeout = timeout_of(config, self.needs.request_timeout_sec)
        if record is not None:
            await _may_call(record, _directory(self.needs), offline=offline)
        self.attempts += 1
        call = replace(self.call, agent_id=spec.agent_id, config=config, attempt=self.attempts)
        try:
            reply = await self._logged(agent, call, candidate, kind.name, timeout)
        except NoDatabase:
            raise  # ours, not the agent's
        except Unavailable as error:
            if record is not None:
                await _tell(_directory(self.needs).failed(record.agent_id, str(error)), record)
            raise
        except (BadRequest, GraphBubbleUp):
            # Says nothing of how the agent is. Cut off (CancelledError), nobody waits for the database: a trial that
            # nobody ends is over after PROBE_SECONDS.
            if record is not None and record.breaker.open_until is not None:
                await _tell(_directory(self.needs).gave_up(record.agent_id), record)
            raise
        if record is not None:
            await _tell(_directory(self.needs).succeeded(record.agent_id), record)
            if record.api_key is not None:
                reply = without(reply, record.api_key.get_secret_value())
        name = spec.name or spec.agent_id
        return Answered(reply, spec.agent_id, name, kind.name, self.attempts, tuple(self.tried))

    async def _logged(
        self, agent: Agent, call: AgentCall, candidate: _Candidate, kind: str, timeout: float
    ) -> AgentReply:
        """Call, with its begin and its end in the log of calls."""
        calls = self.needs.calls
        if calls is None:
            return await _process(agent, call, timeout)
        call_id = calls.begin(
            run_id=call.execution_id,
            step=call.step,
            agent_id=call.agent_id,
            agent_name=candidate.spec.name or call.agent_id,
            agent_class=kind,
            attempt=call.attempt,
            registered=candidate.record is not None,
        )
        try:
            reply = await _process(agent, call, timeout)
        except GraphBubbleUp:
            calls.end(call_id)  # it asks a human, which is no failure
            raise
        except BaseException as error:
            calls.end(call_id, error=str(error) or type(error).__name__)
            raise
        calls.end(call_id, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
        return reply


async def _may_call(record: AgentRecord, directory: AgentDirectory, *, offline: bool) -> None:
    """Raises CircuitOpen, _OutOfService, and without `offline` _Offline."""
    if not record.enabled:
        raise _OutOfService("switched off")
    if not record.healthy and not offline:
        raise _Offline(f"offline: {record.health_error or 'its health check fails'}")
    # The record was read for this call: a breaker that was closed then need not be asked again, a round trip less.
    if record.breaker.open_until is not None:
        await directory.may_call(record.agent_id)


async def _tell(told: Awaitable[None], record: AgentRecord) -> None:
    """An agent's answer is not lost because its breaker cannot be written."""
    try:
        await told
    except (NoDatabase, NotFound) as error:  # not found: it was deregistered during the call
        log.warning("breaker of agent %s: %s", record.agent_id, error)


async def _process(agent: Agent, call: AgentCall, timeout: float) -> AgentReply:
    """Call; agents are foreign code. Raises TimedOut, AgentFailed and what agents are to raise."""
    bound = asyncio.timeout(timeout)
    try:
        async with bound:
            reply = await guarded(agent.process(call))
    except (BadRequest, Unavailable) as error:
        error.args = (one_line(str(error), MAX_ERROR_CHARS),)  # foreign code's words, too, which are kept and shown
        raise
    except GraphBubbleUp:
        raise
    except Exception as error:
        if bound.expired():
            raise TimedOut(f"no answer within {timeout:g} s") from None
        log.exception("agent %s in step %s", call.agent_id, call.step)
        raise AgentFailed(error_line(error)) from error
    if not isinstance(reply, AgentReply):
        raise AgentFailed(f"answered {type(reply).__name__}, not an AgentReply")
    return kept(reply)
