"""Who is asked when an agent fails: again, another one, or nobody more."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from langgraph.errors import GraphInterrupt

from nodes.agents.breaker import FAILURES
from nodes.agents.calling import Answered, NoAnswer, ask
from nodes.agents.candidates import MAX_FALLBACKS
from nodes.teams.steps import Step
from state.agent_ports import Agent, AgentCall, AgentKind, AgentNeeds
from state.agents import AgentRecord, AgentReply, Breaker
from state.errors import AgentFailed, BadRequest, Broken, CircuitOpen, LabError, NoDatabase, NotFound, TimedOut
from state.flows import AgentSpec
from tests.fakes import FakeModels
from tests.unit.nodes.agents.records import NOW, agent

Act = AgentReply | BaseException | Callable[[AgentCall], Any]
HELLO = AgentReply("hello", "hello", input_tokens=3, output_tokens=2)


@dataclass
class Acting:
    """A kind whose agents do what `acts` says for their id, in turn, the last one again and again."""

    acts: Mapping[str, Sequence[Act]]
    name: str = "HttpAgent"
    description: str = "acts"
    capabilities: tuple[str, ...] = ()
    calls: list[AgentCall] = field(default_factory=list)
    made: list[AgentSpec] = field(default_factory=list)

    def check(self, spec: AgentSpec) -> None: ...

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        self.made.append(spec)
        return Actor(self)

    @property
    def asked(self) -> list[str]:
        return [call.agent_id for call in self.calls]


@dataclass
class Actor:
    kind: Acting

    async def process(self, call: AgentCall) -> AgentReply:
        self.kind.calls.append(call)
        acts = self.kind.acts[call.agent_id]
        act = acts[min(self.kind.asked.count(call.agent_id), len(acts)) - 1]
        if isinstance(act, BaseException):
            raise act
        return act if isinstance(act, AgentReply) else await act(call)


@dataclass
class Registered:
    """A directory in memory that keeps what it was told."""

    records: Sequence[AgentRecord] = ()
    open: frozenset[str] = frozenset()
    told: list[str] = field(default_factory=list)
    sought: list[str | None] = field(default_factory=list)
    gone: Exception | None = None

    async def get(self, agent_id: str) -> AgentRecord:
        for record in self.records:
            if record.agent_id == agent_id:
                return record
        raise NotFound(f"there is no agent '{agent_id}'")

    async def find(self, *, capability: str | None = None, endpoint: str | None = None) -> list[AgentRecord]:
        self.sought.append(capability or endpoint)
        return [
            record
            for record in self.records
            if (record.enabled and capability in record.capabilities) or (endpoint and endpoint == record.endpoint)
        ]

    async def may_call(self, agent_id: str) -> None:
        if agent_id not in self.open:
            self.told.append(f"{agent_id} may?")
        else:
            raise CircuitOpen(f"{agent_id} rests")

    async def succeeded(self, agent_id: str) -> None:
        self.told.append(f"{agent_id} well")
        if self.gone:
            raise self.gone

    async def gave_up(self, agent_id: str) -> None:
        self.told.append(f"{agent_id} gave up")

    async def failed(self, agent_id: str, error: str) -> None:
        self.told.append(f"{agent_id} failed")
        if self.gone:
            raise self.gone


@dataclass
class Noted:
    """A call log in memory."""

    begun: list[tuple[str, int]] = field(default_factory=list)
    ended: list[str | None] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    registered: list[bool] = field(default_factory=list)

    def begin(
        self,
        *,
        run_id: UUID | None,
        step: str,
        agent_id: str,
        agent_name: str,
        agent_class: str,
        attempt: int,
        registered: bool,
    ) -> UUID:
        self.begun.append((agent_id, attempt))
        self.registered.append(registered)
        return uuid4()

    def end(self, call_id: UUID, *, error: str | None = None, input_tokens: int = 0, output_tokens: int = 0) -> None:
        self.ended.append(error)
        self.tokens.append(input_tokens + output_tokens)


@dataclass
class Team:
    """Agents that act, registered; what `ask` is handed."""

    kind: Acting
    directory: Registered
    log: Noted = field(default_factory=Noted)
    timeout: float = 300.0

    @property
    def needs(self) -> AgentNeeds:
        kinds: Mapping[str, AgentKind] = {"HttpAgent": self.kind, "ChatAgent": replace(self.kind, name="ChatAgent")}
        return AgentNeeds(
            models=FakeModels(),
            kinds=lambda: kinds,
            directory=self.directory,
            calls=self.log,
            request_timeout_sec=self.timeout,
        )

    async def ask(self, step: Step, *, last: bool = True, attempt: int = 1, **config: Any) -> Answered:
        call = AgentCall(step.id, step.id, "hi", {"q": 1}, config, uuid4(), attempt=attempt)
        return await ask(step, call, self.needs, last=last)


def team(*records: AgentRecord, open: Sequence[str] = (), **acts: Sequence[Act] | Act) -> Team:
    """`open`: those whose breaker lets nobody through."""
    listed = {name: act if isinstance(act, Sequence) else [act] for name, act in acts.items()}
    was_open = Breaker(FAILURES, open_until=NOW)
    records = tuple(replace(one, breaker=was_open) if one.agent_id in open else one for one in records)
    return Team(Acting(listed), Registered(records, frozenset(open)))


DOWN = AgentFailed("down")
BY_ID = Step("write", agent_id="a")
BY_CAPABILITY = Step("write", capability="writing")
OTHERS = (agent("b", "writing"), agent("c", "writing"))


async def test_a_registered_agent_is_asked_under_its_own_id_with_its_config_below_the_steps() -> None:
    asked = team(agent("a", config={"max_turns": 5, "timeout": 9}), a=HELLO)
    answered = await asked.ask(BY_ID, timeout=3, agent_id="x", endpoint="y")
    assert answered == Answered(HELLO, "a", "A", "HttpAgent", 1)
    (call,) = asked.kind.calls
    assert (call.agent_id, call.step, call.text, call.config) == ("a", "write", "hi", {"max_turns": 5, "timeout": 3})
    assert asked.directory.told == ["a well"]
    assert (asked.log.begun, asked.log.ended, asked.log.tokens) == ([("a", 1)], [None], [5])


@pytest.mark.parametrize(
    ("config", "who", "told"),
    [
        ({"agent_id": "a"}, "a", ["a well"]),
        ({"endpoint": "HTTP://A.example:80/"}, "a", ["a well"]),
        ({"endpoint": "http://elsewhere.example"}, "mine", []),
    ],
)
async def test_a_crews_own_http_agent_that_is_registered_is_that_one(
    config: dict[str, Any], who: str, told: list[str]
) -> None:
    asked = team(agent("a"), a=HELLO, mine=HELLO)
    spec = AgentSpec(agent_id="mine", agent_class="HttpAgent", config=config)
    answered = await asked.ask(Step("mine", agent=spec, config=config), **config)
    assert (answered.agent_id, asked.directory.told) == (who, told)
    assert asked.log.registered == [who == "a"], "one of the crew's own keeps no registered agent busy"


async def test_no_address_leads_around_a_switch_and_another_class_at_it_is_another_agent() -> None:
    config = {"endpoint": "http://a.example"}
    step = Step("mine", agent=AgentSpec(agent_id="mine", agent_class="HttpAgent", config=config), config=config)
    off = team(agent("a", enabled=False), a=HELLO, mine=HELLO)
    with pytest.raises(NoAnswer, match="a: switched off"):
        await off.ask(step, **config)
    assert off.kind.asked == []
    chat = team(agent("a", agent_class="ChatAgent"), a=HELLO, mine=HELLO)
    assert (await chat.ask(step, **config)).agent_id == "mine"


async def test_a_crews_own_agent_of_another_kind_is_never_looked_up() -> None:
    asked = team(agent("a"), mine=HELLO)
    spec = AgentSpec(agent_id="mine", agent_class="ChatAgent", config={"agent_id": "a"})
    assert (await asked.ask(Step("mine", agent=spec))).agent_id == "mine"


async def test_while_attempts_are_left_a_failure_comes_through_and_is_counted() -> None:
    asked = team(agent("a", "writing"), *OTHERS, a=[DOWN, HELLO])
    with pytest.raises(AgentFailed, match=r"^down$"):
        await asked.ask(BY_ID, last=False)
    answered = await asked.ask(BY_ID, last=False, attempt=2)
    assert (answered.agent_id, answered.attempts, answered.tried) == ("a", 2, ())
    assert asked.directory.told == ["a failed", "a well"]
    assert (asked.log.begun, asked.log.ended) == ([("a", 1), ("a", 2)], ["down", None])


@pytest.mark.parametrize("step", [BY_ID, BY_CAPABILITY], ids=["by id", "by capability"])
async def test_on_the_last_attempt_others_with_the_capability_are_asked_in_turn(step: Step) -> None:
    asked = team(agent("a", "writing"), *OTHERS, a=DOWN, b=TimedOut("late"), c=HELLO)
    answered = await asked.ask(step, attempt=3)
    assert (answered.agent_id, answered.agent_name, answered.attempts) == ("c", "C", 5)
    assert [(one.agent_id, one.error) for one in answered.tried] == [("a", "down"), ("b", "late")]
    assert asked.directory.told == ["a failed", "b failed", "c well"]


@pytest.mark.parametrize(
    ("first", "acts", "open", "said", "calls"),
    [
        (agent("a", "writing"), HELLO, ["a"], "a rests", 1),
        (agent("a", "writing", enabled=False), HELLO, [], "switched off", 1),
        (agent("a", "writing", health="unhealthy", health_error="refused"), HELLO, [], "offline: refused", 1),
        (agent("a", "writing"), BadRequest("no such input"), [], "no such input", 2),
        (agent("a", "writing", agent_class="Gone"), HELLO, [], "there is no agent class 'Gone'", 1),
    ],
    ids=["open", "switched off", "offline", "refused", "unknown class"],
)
async def test_where_asking_again_cannot_help_others_are_asked_at_once(
    first: AgentRecord, acts: Act, open: list[str], said: str, calls: int
) -> None:
    asked = team(first, *OTHERS, open=open, a=acts, b=HELLO)
    answered = await asked.ask(BY_ID, last=False)
    assert (answered.agent_id, answered.attempts) == ("b", calls)
    assert answered.tried[0].agent_id == "a" and said in answered.tried[0].error
    assert asked.directory.told == ["b well"], "neither counts against the agent"


GONE = agent("a", "writing", health="unhealthy", health_error="refused")
GONE_TOO = agent("b", "writing", health="unhealthy")


@pytest.mark.parametrize("step", [BY_ID, BY_CAPABILITY], ids=["by id", "by capability"])
async def test_one_that_is_offline_is_asked_after_all_where_nobody_else_can_be(step: Step) -> None:
    back = team(GONE, GONE_TOO, a=[DOWN, HELLO])
    with pytest.raises(AgentFailed, match=r"^down$"):
        await back.ask(step, last=False)
    answered = await back.ask(step, attempt=2)
    assert (answered.agent_id, answered.attempts, answered.tried) == ("a", 2, ())
    assert back.directory.told == ["a failed", "a well"], "what the registry takes for its return"
    away = team(GONE, a=DOWN)
    with pytest.raises(NoAnswer, match=r"^a: down$") as nobody:
        await away.ask(step, attempt=3)
    assert (nobody.value.attempts, away.log.begun) == (3, [("a", 3)]), "only calls count"


async def test_one_that_is_offline_is_asked_last_and_once_where_others_fail() -> None:
    asked = team(GONE, *OTHERS, a=HELLO, b=DOWN, c=TimedOut("late"))
    answered = await asked.ask(BY_ID, last=False)
    assert (asked.kind.asked, answered.agent_id, answered.attempts) == (["b", "c", "a"], "a", 3)
    assert [one.agent_id for one in answered.tried] == ["b", "c"]
    asked = team(GONE, *OTHERS, a=DOWN, b=DOWN, c=DOWN)
    with pytest.raises(NoAnswer, match=r"^b: down; c: down; a: down$") as nobody:
        await asked.ask(BY_ID, last=False)
    assert nobody.value.agent_name == "A", "as the last of those who were tried"
    resting = team(GONE, open=["a"], a=HELLO)
    with pytest.raises(NoAnswer, match=r"^a: a rests$"):
        await resting.ask(BY_ID, last=False)
    assert resting.kind.asked == []


LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "who"),
    [
        (agent("a", "writing", breaker=Breaker(FAILURES, open_until=LATER)), "c"),
        (agent("a", "writing", breaker=Breaker(FAILURES, open_until=NOW, probe_until=LATER)), "c"),
        (agent("a", "writing", breaker=Breaker(FAILURES, open_until=NOW)), "a"),
        (agent("a", "writing", health="unhealthy"), "c"),
        (agent("a", "writing", health="unknown", running=9), "a"),
    ],
    ids=["rests", "is tried", "has rested", "offline", "unknown"],
)
async def test_for_a_capability_the_first_that_may_be_called_is_asked(first: AgentRecord, who: str) -> None:
    others = (agent("b", "writing", health="unhealthy"), agent("c", "writing"))
    answered = await team(first, *others, a=HELLO, c=HELLO).ask(BY_CAPABILITY)
    assert (answered.agent_id, answered.tried) == (who, ())


async def test_one_that_is_let_through_to_try_is_called_and_its_answer_told() -> None:
    asked = team(agent("a", breaker=Breaker(FAILURES, open_until=NOW)), a=HELLO)
    assert (await asked.ask(BY_ID)).agent_id == "a"
    assert asked.directory.told == ["a may?", "a well"]


@pytest.mark.parametrize("end", [BadRequest("no such input"), GraphInterrupt(())], ids=["refused", "asks a human"])
async def test_a_trial_that_says_nothing_of_the_agent_is_left_to_another(end: BaseException) -> None:
    asked = team(agent("a", breaker=Breaker(FAILURES, open_until=NOW)), a=end)
    with pytest.raises((NoAnswer, GraphInterrupt)):
        await asked.ask(BY_ID)
    assert asked.directory.told == ["a may?", "a gave up"]


async def test_nobody_is_asked_twice_and_no_more_than_five_instead() -> None:
    many = [agent(f"x{n}", "writing", "review") for n in range(9)]
    asked = team(agent("a", "review", "writing"), *many, a=DOWN, **{f"x{n}": DOWN for n in range(9)})
    with pytest.raises(NoAnswer) as nobody:
        await asked.ask(BY_ID, attempt=3)
    assert asked.kind.asked == ["a", *(f"x{n}" for n in range(MAX_FALLBACKS))]
    assert [one.agent_id for one in nobody.value.tried] == asked.kind.asked
    assert nobody.value.attempts == 2 + 1 + MAX_FALLBACKS
    assert asked.directory.sought == ["review"], "who is enough need not be looked for"
    assert str(nobody.value).startswith("a: down; x0: down; ")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step("s", agent_id="zoe"), "zoe: there is no agent 'zoe'"),
        (Step("s", capability="juggling"), "juggling: no agent with the capability 'juggling' is registered"),
        (Step("s", agent=AgentSpec(agent_id="x", agent_class="os.system")), "s: there is no agent class 'os.system'"),
        (Step("s"), "s: step 's' names no agent"),
    ],
    ids=["agent", "capability", "class", "nothing"],
)
async def test_who_does_not_exist_is_not_waited_for(step: Step, said: str) -> None:
    with pytest.raises(NoAnswer) as nobody:
        await team(agent("a")).ask(step, last=False)
    assert str(nobody.value).startswith(said) and nobody.value.attempts == 0


async def test_without_a_registry_only_a_crews_own_agents_can_be_called() -> None:
    asked = team(mine=HELLO)
    needs = replace(asked.needs, directory=None, calls=None)
    call = AgentCall("s", "s", "hi", {})
    with pytest.raises(NoAnswer, match="on a server only"):
        await ask(BY_ID, call, needs, last=True)
    spec = AgentSpec(agent_id="mine", agent_class="HttpAgent", config={"endpoint": "http://x.example"})
    assert (await ask(Step("s", agent=spec), call, needs, last=True)).reply == HELLO


async def never(call: AgentCall) -> AgentReply:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(("said", "default", "bound"), [(0.01, 300.0, "0.01"), (None, 0.02, "0.02")])
async def test_an_agent_that_does_not_answer_is_given_up_after_its_timeout(
    said: float | None, default: float, bound: str
) -> None:
    asked = team(agent("a"), a=never)
    asked.timeout = default
    with pytest.raises(TimedOut, match=rf"^no answer within {bound} s$"):
        await asked.ask(BY_ID, last=False, **({} if said is None else {"timeout": said}))
    assert asked.directory.told == ["a failed"] and asked.log.ended == [f"no answer within {bound} s"]


@pytest.mark.parametrize("wrong", [0, -1, "3", True, float("nan"), float("inf"), 86_401, [1]], ids=str)
async def test_a_timeout_that_is_none_is_refused_before_the_call(wrong: Any) -> None:
    asked = team(agent("a"), a=HELLO)
    with pytest.raises(NoAnswer, match=r"a: config\.timeout is "):
        await asked.ask(BY_ID, timeout=wrong)
    assert asked.kind.calls == []


async def said_late(call: AgentCall) -> AgentReply:
    raise TimeoutError("of its own")


async def said_nothing(call: AgentCall) -> None:
    return None


async def said_deep(call: AgentCall) -> AgentReply:
    return AgentReply(json.loads("[" * 51 + "]" * 51), "deep")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (ZeroDivisionError("by\nzero"), "ZeroDivisionError: by zero"),
        (Broken("ours"), "Broken: ours"),
        (said_late, "TimeoutError: of its own"),
        (said_nothing, "answered NoneType, not an AgentReply"),
        (said_deep, "the output is nested deeper than 50"),
    ],
    ids=["raises", "broken", "times out itself", "no reply", "deep"],
)
async def test_what_foreign_code_does_wrong_is_that_agents_failure(
    act: Act, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = team(agent("a"), a=act)
    with caplog.at_level(logging.ERROR), pytest.raises(AgentFailed) as failed:
        await asked.ask(BY_ID, last=False)
    assert str(failed.value) == said and asked.directory.told == ["a failed"]
    traced = [record for record in caplog.records if record.exc_info]
    assert len(traced) == (act not in (said_nothing, said_deep)), "what its code raises is logged"


@pytest.mark.parametrize("error", [AgentFailed, BadRequest, CircuitOpen], ids=lambda error: error.__name__)
async def test_an_error_of_foreign_code_can_be_kept(error: type[LabError]) -> None:
    asked = team(agent("a"), a=error("a\0b\ud800\n" + "x" * 10_000))
    with pytest.raises(NoAnswer) as failed:
        await asked.ask(BY_ID)
    (tried,) = failed.value.tried
    assert tried.error.startswith("a b x") and len(tried.error) == 2_000


async def cancelled(call: AgentCall) -> AgentReply:
    task = asyncio.current_task()
    assert task is not None and task.cancel()
    await asyncio.sleep(0)
    raise AssertionError("it went on")


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("act", "raised", "ended"),
    [(GraphInterrupt(()), GraphInterrupt, None), (cancelled, asyncio.CancelledError, "CancelledError")],
    ids=["interrupt", "cancelled"],
)
async def test_interrupts_and_cancellation_pass_and_count_for_nothing(
    act: Any, raised: type[BaseException], ended: str | None, last: bool
) -> None:
    asked = team(agent("a", "writing"), *OTHERS, a=act)
    with pytest.raises(raised):
        await asyncio.create_task(asked.ask(BY_ID, last=last))
    assert (asked.directory.told, asked.log.ended) == ([], [ended])


@pytest.mark.parametrize(
    "error", [SystemExit(3), asyncio.CancelledError(), BaseException("odd")], ids=["exit", "cancel", "other"]
)
async def test_an_agent_that_would_end_the_process_or_the_run_has_failed(error: BaseException) -> None:
    asked = team(agent("a"), a=error)
    with pytest.raises(AgentFailed, match=type(error).__name__):
        await asked.ask(BY_ID, last=False)


@pytest.mark.parametrize("last", [False, True])
async def test_a_lost_database_is_nobodys_failure(last: bool) -> None:
    asked = team(agent("a", "writing"), *OTHERS, a=NoDatabase("gone"))
    with pytest.raises(NoDatabase):
        await asked.ask(BY_ID, last=last)
    assert asked.directory.told == []


@pytest.mark.parametrize("gone", [NoDatabase("gone"), NotFound("deregistered")], ids=["database", "agent"])
async def test_an_answer_is_not_lost_with_the_breaker(gone: LabError) -> None:
    asked = team(agent("a"), a=[HELLO, DOWN])
    asked.directory.gone = gone
    assert (await asked.ask(BY_ID)).reply == HELLO
    with pytest.raises(AgentFailed, match=r"^down$"):
        await asked.ask(BY_ID, last=False)
