"""Questions outlive the process that asked them: each is answered in every way by another, over the same Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from server.db.pool import open_database
from server.db.runs import Runs
from server.db.worker import open_worker
from server.run_request import RunRequest
from server.runner import Runner
from server.settings import Settings
from server.streaming.events import Event
from state.errors import BadRequest, Conflict, LabError, NotFound
from state.models import ModelCard
from tests.fakes import CARD, FakeModels, fake_services, tool_call

SUM = "What is 17 + 25?"
RIGHT = "17 + 25 = 42"
LOAD_BYTES = 20_000

Asked = tuple[dict[str, Any], list[Any]]
SCORE: Asked = ({"approve": True, "max_attempts": 1}, ["41"])
TOOLS: Asked = ({"approve_tools": True, "max_attempts": 1}, [tool_call("17 + 25")])
LOAD: Asked = ({"approve_load_over": 1_000, "max_attempts": 1}, [])


def front_end(kind: str, **rest: Any) -> dict[str, Any]:
    return {"decisions": [{"type": kind, **rest}]}


def edit(name: str, **args: Any) -> dict[str, Any]:
    return front_end("edit", edited_action={"name": name, "args": args})


@asynccontextmanager
async def process(
    settings: Settings, *script: Any, cards: Sequence[ModelCard] = (CARD,)
) -> AsyncIterator[tuple[Runner, Runs, FakeModels]]:
    """What a process of ours opens: its own pool, its own worker, its own compiled graphs; models that say `script`."""
    models = FakeModels(*script, needed=LOAD_BYTES, cards=cards)
    async with open_database(settings) as database, open_worker(database.dsn) as worker:
        runs = Runs(database.pool, worker)
        yield Runner(database, runs, fake_services(models)), runs, models


async def last(runner: Runner, request: RunRequest) -> Event:
    return [event async for event in runner.run(request)][-1]


async def ask(settings: Settings, asked: Asked) -> tuple[UUID, dict[str, Any]]:
    """Run up to the question, in a process that ends there."""
    context, script = asked
    async with process(settings, *script) as (runner, _, _):
        event = await last(runner, RunRequest("orchestrator", context, SUM))
    assert event.name == "interrupt"
    return UUID(event.data["thread_id"]), event.data


def resume(thread_id: UUID, decision: object, interrupt_id: str | None = None) -> RunRequest:
    return RunRequest("orchestrator", thread_id=thread_id, resume=True, decision=decision, interrupt_id=interrupt_id)


EVERY_ANSWER = [
    # question, answer, what the model says afterwards, output, attempts, who decided
    (SCORE, "accept", [], "41", 1, "human"),
    (SCORE, front_end("approve"), [], "41", 1, "human"),
    (SCORE, {"decision": "edit", "answer": "It is 42"}, [], "It is 42", 1, "human"),
    (SCORE, edit("answer", answer="It is 42"), [], "It is 42", 1, "human"),
    (SCORE, {"decision": "retry", "hint": "count"}, [RIGHT], RIGHT, 2, "validator"),
    (SCORE, front_end("respond", message="count"), [RIGHT], RIGHT, 2, "validator"),
    (SCORE, "reject", [], "", 1, "human"),
    (SCORE, front_end("reject"), [], "", 1, "human"),
    (TOOLS, "approve", [RIGHT], RIGHT, 1, "validator"),
    (TOOLS, front_end("approve"), [RIGHT], RIGHT, 1, "validator"),
    (TOOLS, {"decision": "edit", "args": {"expression": "6 * 7"}}, [RIGHT], RIGHT, 1, "validator"),
    (TOOLS, edit("calculator", expression="6 * 7"), [RIGHT], RIGHT, 1, "validator"),
    (TOOLS, {"decision": "reject", "message": "no"}, [RIGHT], RIGHT, 1, "validator"),
    (TOOLS, front_end("reject", message="no"), [RIGHT], RIGHT, 1, "validator"),
    (TOOLS, front_end("respond", message="42"), [RIGHT], RIGHT, 1, "validator"),
    (LOAD, "approve", [RIGHT], RIGHT, 1, "validator"),
    (LOAD, front_end("approve"), [RIGHT], RIGHT, 1, "validator"),
    (LOAD, {"decision": "edit", "strategy": "optimized"}, [RIGHT], RIGHT, 1, "validator"),
    (LOAD, edit("load_model", model="fake", strategy="optimized"), [RIGHT], RIGHT, 1, "validator"),
    (LOAD, "reject", [], "", 0, "human"),
    (LOAD, front_end("reject", message="not now"), [], "", 0, "human"),
]


@pytest.mark.parametrize(("asked", "reply", "script", "output", "attempts", "decided_by"), EVERY_ANSWER)
async def test_every_question_takes_every_answer_in_another_process(
    settings: Settings, asked: Asked, reply: Any, script: list, output: str, attempts: int, decided_by: str
) -> None:
    thread_id, _ = await ask(settings, asked)
    async with process(settings, *script) as (runner, runs, models):
        event = await last(runner, resume(thread_id, reply))
        assert event.name == "result"
        assert (event.data["output"], event.data["attempts"], event.data["decided_by"]) == (
            output,
            attempts,
            decided_by,
        )
        assert len(models.asked) == len(script)
        newest = await runs.newest_run(thread_id)
        assert newest is not None and newest.status == "success"
        assert newest.input == {"prompt": None, "decision": reply}, "what the human said is on record"


async def test_the_tools_of_the_next_process_do_what_the_human_said(settings: Settings) -> None:
    thread_id, _ = await ask(settings, TOOLS)
    async with process(settings, RIGHT) as (runner, _, models):
        await last(runner, resume(thread_id, edit("calculator", expression="6 * 7 + 1")))
        assert models.asked[0][-1].text == "43"


async def test_the_strategy_that_a_human_chose_is_loaded_by_the_next_process(settings: Settings) -> None:
    thread_id, _ = await ask(settings, LOAD)
    async with process(settings, RIGHT) as (runner, _, models):
        await last(runner, resume(thread_id, {"decision": "edit", "strategy": "optimized"}))
        assert [call[:2] for call in models.calls] == [("fake", "optimized")]


@pytest.mark.parametrize(
    ("asked", "reply", "error", "said"),
    [
        (SCORE, "maybe", BadRequest, "accept|edit|retry|reject"),
        (SCORE, {"decision": "edit"}, BadRequest, "corrected text"),
        (SCORE, {"decision": "edit", "answer": "a\0b"}, BadRequest, "NUL"),
        (SCORE, {"decision": "edit", "answer": "\ud800"}, BadRequest, "surrogate"),
        (SCORE, None, Conflict, "accept, edit, retry, reject"),
        (TOOLS, "retry", BadRequest, "approve, edit, respond, reject"),
        (TOOLS, {"decision": "edit", "args": {"x": 1}}, BadRequest, "it takes: expression"),
        (TOOLS, None, Conflict, "approve, edit, respond, reject"),
        (LOAD, {"decision": "edit"}, BadRequest, '"model" or "strategy"'),
        (LOAD, {"decision": "edit", "model": "gpt-9"}, NotFound, "gpt-9"),
        (LOAD, None, Conflict, "approve, edit, reject"),
    ],
)
async def test_a_wrong_answer_is_refused_at_once_and_nothing_is_written(
    settings: Settings, asked: Asked, reply: Any, error: type[LabError], said: str
) -> None:
    thread_id, _ = await ask(settings, asked)
    async with process(settings) as (runner, runs, models):
        before = await runs.newest_run(thread_id)
        with pytest.raises(error, match=said.replace("|", r"\|")):
            await last(runner, resume(thread_id, reply))
        assert await runs.newest_run(thread_id) == before and models.asked == []


async def test_null_in_a_resume_leaves_the_settings_of_the_run_as_they_are(settings: Settings) -> None:
    thread_id, _ = await ask(settings, ({**SCORE[0], "model": "fake", "seed": 7}, SCORE[1]))
    async with process(settings) as (runner, runs, _):
        nulls = {"model": None, "seed": None, "strategy": None, "min_score": 0.5}
        await last(runner, replace(resume(thread_id, "accept"), context=nulls))
        newest = await runs.newest_run(thread_id)
        assert newest is not None
        kept = {name: newest.context[name] for name in ("model", "seed", "max_attempts", "min_score")}
        assert kept == {"model": "fake", "seed": 7, "max_attempts": 1, "min_score": 0.5}


async def test_a_load_is_rejected_where_the_catalogue_has_its_model_no_more(settings: Settings) -> None:
    thread_id, _ = await ask(settings, LOAD)
    async with process(settings, cards=[CARD.model_copy(update={"name": "other"})]) as (runner, _, _):
        with pytest.raises(NotFound, match="no model 'fake'"):
            await last(runner, resume(thread_id, "approve"))
        assert (await last(runner, resume(thread_id, "reject"))).data["reasons"][0]["name"] == "load_rejected"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (replace(resume(uuid4(), "accept"), prompt=SUM), "takes no prompt"),
        (RunRequest("orchestrator", resume=True, decision="accept"), "needs the thread_id"),
    ],
)
async def test_a_resume_that_would_lose_its_prompt_or_has_no_thread_is_refused(
    settings: Settings, request_: RunRequest, said: str
) -> None:
    async with process(settings) as (runner, _, _):
        with pytest.raises(BadRequest, match=said):
            await last(runner, request_)


async def test_a_question_may_be_answered_by_its_id(settings: Settings) -> None:
    thread_id, asked = await ask(settings, SCORE)
    async with process(settings) as (runner, _, _):
        with pytest.raises(NotFound, match=asked["interrupt_id"]):
            await last(runner, resume(thread_id, "accept", "another"))
        done = await last(runner, resume(thread_id, "accept", asked["interrupt_id"]))
        assert done.data["output"] == "41"


@pytest.mark.parametrize("asked", [SCORE, TOOLS, LOAD], ids=["score", "tools", "load"])
async def test_a_thread_whose_question_nobody_answers_takes_the_next_message(settings: Settings, asked: Asked) -> None:
    thread_id, _ = await ask(settings, asked)
    async with process(settings, "7 * 6 = 42") as (runner, _, _):
        request = RunRequest("orchestrator", {"max_attempts": 1}, "What is 7 * 6?", thread_id)
        assert (await last(runner, request)).data["output"] == "7 * 6 = 42"


async def test_a_decision_nobody_asked_for_is_refused(settings: Settings) -> None:
    async with process(settings, RIGHT) as (runner, _, _):
        with pytest.raises(BadRequest, match="resume"):
            await last(runner, RunRequest("orchestrator", {}, SUM, decision="accept"))
        done = await last(runner, RunRequest("orchestrator", {}, SUM))
        with pytest.raises(Conflict, match="nothing to resume"):
            await last(runner, resume(UUID(done.data["thread_id"]), "accept"))
        with pytest.raises(Conflict, match="nothing to resume"):
            await last(runner, resume(uuid4(), "accept"))


@pytest.mark.parametrize(
    ("context", "said"),
    [({"judge": "gpt-9"}, "gpt-9"), ({"analyst": "gpt-9"}, "gpt-9"), ({"tools": ["shell"]}, "calculator")],
)
async def test_a_model_or_tool_that_is_not_there_is_refused_at_once(
    settings: Settings, context: dict, said: str
) -> None:
    async with process(settings) as (runner, _, _):
        with pytest.raises(BadRequest, match=said):
            await last(runner, RunRequest("orchestrator", context, SUM))
