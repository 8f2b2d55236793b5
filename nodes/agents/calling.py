"""Asking agents that may fail: how long it may take, and who is asked instead.

Retries are not made here: LangGraph's policy of the node runs the step again. Breakers are asked and told here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

from langgraph.errors import GraphBubbleUp
from structlog.contextvars import bound_contextvars

from nodes.agents.candidates import Candidate, directory_of, others, primary
from nodes.agents.failures import NotAgain
from nodes.agents.foreign import guarded
from nodes.agents.kinds import kind_of
from nodes.agents.masking import without
from nodes.agents.plain import kept
from nodes.agents.remote import timeout_of
from nodes.agents.words import error_line, one_line
from nodes.teams.steps import Step
from state.agent_ports import Agent, AgentCall, AgentDirectory, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.crew_run import Tried
from state.errors import AgentFailed, BadRequest, CircuitOpen, NoDatabase, NotFound, TimedOut, Unavailable
from state.flows import AgentSpec

MAX_ERROR_CHARS = 2_000
"""Of an agent's error: several can stand in one message."""

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
        first = await primary(step, call, needs)
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
    async for other in others(step, first, needs, call):
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

    def failed(self, candidate: Candidate, error: Exception) -> None:
        self.last = candidate.spec
        self.tried.append(Tried(agent_id=candidate.spec.agent_id, error=str(error)))

    def no_answer(self) -> NoAnswer:
        return NoAnswer(tuple(self.tried), self.attempts, self.last)

    async def after_all(self, first: Candidate, *, last: bool) -> Answered:
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

    async def one(self, candidate: Candidate, *, offline: bool = False) -> Answered:
        """Ask one agent; with `offline` also one that is. Raises CircuitOpen, _OutOfService, _Offline: not called; else
        as agents do.
        """
        spec, record = candidate.spec, candidate.record
        kind = kind_of(spec.agent_class, self.needs.kinds())
        agent = kind.make(spec, self.needs, record)
        config = self.call.config if record is None else spec.config
        timeout = timeout_of(config, self.needs.request_timeout_sec)
        if record is not None:
            await _may_call(record, directory_of(self.needs), offline=offline)
        self.attempts += 1
        call = replace(self.call, agent_id=spec.agent_id, config=config, attempt=self.attempts)
        try:
            reply = await self._logged(agent, call, candidate, kind.name, timeout)
        except NoDatabase:
            raise  # ours, not the agent's
        except Unavailable as error:
            if record is not None:
                await _tell(directory_of(self.needs).failed(record.agent_id, str(error)), record)
            raise
        except (BadRequest, GraphBubbleUp):
            # Says nothing of how the agent is. Cut off (CancelledError), nobody waits for the database: a trial that
            # nobody ends is over after PROBE_SECONDS.
            if record is not None and record.breaker.open_until is not None:
                await _tell(directory_of(self.needs).gave_up(record.agent_id), record)
            raise
        if record is not None:
            await _tell(directory_of(self.needs).succeeded(record.agent_id), record)
            if record.api_key is not None:
                reply = without(reply, record.api_key.get_secret_value())
        name = spec.name or spec.agent_id
        return Answered(reply, spec.agent_id, name, kind.name, self.attempts, tuple(self.tried))

    async def _logged(
        self, agent: Agent, call: AgentCall, candidate: Candidate, kind: str, timeout: float
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
    with bound_contextvars(agent_id=call.agent_id):  # in every log line meanwhile, the agent's own included
        return await _answer(agent, call, timeout)


async def _answer(agent: Agent, call: AgentCall, timeout: float) -> AgentReply:
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
