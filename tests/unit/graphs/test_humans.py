"""Humans in the loop on scripted models: every question answered in every way, wrong answers asked again."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs.catalog import RECURSION_LIMIT
from graphs.orchestrator import build
from state.context import Context
from state.resources import Resident
from tests.fakes import CARD, FakeModels, fake_services, tool_call

SUM = {"messages": [{"role": "user", "content": "What is 17 + 25?"}]}
SUMA = {"messages": [{"role": "user", "content": "¿Cuánto es 17 + 25?"}]}
THREAD: dict[str, Any] = {"configurable": {"thread_id": "1"}, "recursion_limit": RECURSION_LIMIT}
BEFORE_TOOLS = Context(approve_tools=True, max_attempts=1)
BEFORE_LOADS = Context(approve_load_over=1_000, max_attempts=1)


BIG = CARD.model_copy(update={"name": "big", "parameters": 9_000_000})
RESIDENT = Resident(name="fake", strategy="standard", size_bytes=1, leases=0, last_used=0.0)


class Asking:
    """A run of the orchestrator that is answered turn by turn."""

    def __init__(self, models: FakeModels, context: Context) -> None:
        self._saver, self._context = InMemorySaver(), context
        self.go_on_with(models)

    def go_on_with(self, models: FakeModels) -> None:
        """Compile the graph anew, over the same checkpoints."""
        self._graph: Any = build(fake_services(models)).compile(self._saver)

    async def ask(self, question: dict[str, Any] = SUM) -> Any:
        return await self._graph.ainvoke(question, THREAD, context=self._context)

    async def go_on(self) -> Any:
        return await self._graph.ainvoke(None, THREAD, context=self._context)

    async def answer(self, reply: Any) -> Any:
        return await self._graph.ainvoke(Command(resume=reply), THREAD, context=self._context)


def waits_for(final: Any) -> Any:
    """The one question that a stopped run asks."""
    (pending,) = final["__interrupt__"]
    return pending.value


def calls(*expressions: str) -> AIMessage:
    """A reply that asks for the calculator several times."""
    return AIMessage("", tool_calls=[tool_call(expression).tool_calls[0] for expression in expressions])


def tool_messages(models: FakeModels) -> list[tuple[str, str]]:
    """What the tools said to the model, as (status, text), in its last prompt."""
    return [(message.status, message.text) for message in models.asked[-1] if isinstance(message, ToolMessage)]


async def test_tools_are_not_called_before_a_human_says_so() -> None:
    models = FakeModels(tool_call("17 + 25"), "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS)
    asked = waits_for(await run.ask())
    assert asked["about"] == "tools" and "calculator" in asked["tools"]
    (request,) = asked["action_requests"]
    assert (request["name"], request["args"]) == ("calculator", {"expression": "17 + 25"})
    assert len(models.asked) == 1
    final = await run.answer("approve")
    assert final["result"].output == "17 + 25 = 42" and tool_messages(models) == [("success", "42")]


@pytest.mark.parametrize(
    "reply",
    [
        {"decision": "edit", "args": {"expression": "17 + 26"}},
        {"decisions": [{"type": "edit", "edited_action": {"name": "calculator", "args": {"expression": "17 + 26"}}}]},
    ],
)
async def test_an_edited_call_is_the_one_that_is_made_and_that_the_model_reads(reply: Any) -> None:
    models = FakeModels(tool_call("17 + 25"), "17 + 26 = 43")
    run = Asking(models, BEFORE_TOOLS)
    await run.ask()
    final = await run.answer(reply)
    assert tool_messages(models) == [("success", "43")]
    assert models.asked[1][-2].tool_calls[0]["args"] == {"expression": "17 + 26"}  # type: ignore[attr-defined]
    assert [message.type for message in models.asked[1]] == ["system", "human", "ai", "tool"]
    assert final["result"].output == "17 + 26 = 43"


@pytest.mark.parametrize(
    ("question", "reply", "said"),
    [
        (SUM, "reject", "The user rejected this call. It was not made; answer without it."),
        (
            SUM,
            {"decisions": [{"type": "reject", "message": "do it in your head."}]},
            "The user rejected this call: do it in your head. It was not made; answer without it.",
        ),
        (SUMA, "reject", "El usuario rechazó esta llamada. No se hizo; responde sin ella."),
    ],
)
async def test_a_rejected_call_is_told_to_the_model_which_answers_without(question: Any, reply: Any, said: str) -> None:
    models = FakeModels(tool_call("17 + 25"), "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS)
    await run.ask(question)
    final = await run.answer(reply)
    assert tool_messages(models) == [("error", said)]
    assert final["result"].output == "17 + 25 = 42"


async def test_a_human_may_answer_in_the_place_of_a_tool() -> None:
    models = FakeModels(tool_call("17 + 25"), "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS)
    await run.ask()
    await run.answer({"decisions": [{"type": "respond", "message": "about forty"}]})
    assert tool_messages(models) == [("success", "about forty")]


async def test_each_of_several_calls_is_decided_by_itself() -> None:
    models = FakeModels(calls("1 + 1", "2 + 2", "3 + 3", "4 + 4"), "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS)
    asked = waits_for(await run.ask())
    assert len(asked["action_requests"]) == len(asked["review_configs"]) == 4
    edit = {"type": "edit", "edited_action": {"name": "calculator", "args": {"expression": "5 + 5"}}}
    await run.answer(
        {"decisions": [{"type": "reject"}, {"type": "approve"}, edit, {"type": "respond", "message": "eight"}]}
    )
    texts = {text for _, text in tool_messages(models)}
    assert len(tool_messages(models)) == 4, "every call has its answer, and none two"
    assert {"4", "10", "eight"} <= texts and any("rejected" in text for text in texts)


async def test_calls_with_one_id_are_not_made_when_one_of_them_is_rejected() -> None:
    twice = AIMessage("", tool_calls=[{**call, "id": "same"} for call in calls("1 + 1", "2 + 2").tool_calls])
    models = FakeModels(twice, "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS)
    await run.ask()
    await run.answer({"decisions": [{"type": "approve"}, {"type": "reject"}]})
    assert {status for status, _ in tool_messages(models)} == {"error"}


async def test_after_a_rejected_call_tools_are_not_offered_again() -> None:
    models = FakeModels(tool_call("17 + 25"), tool_call("17 + 25"))
    run = Asking(models, BEFORE_TOOLS)
    await run.ask()
    final = await run.answer("reject")
    assert "__interrupt__" not in final and len(models.asked) == 2, "the human is not asked the same again"


async def test_a_tool_that_was_not_offered_is_neither_asked_about_nor_called() -> None:
    call = {"name": "date_time", "args": {"question": "now"}, "id": "1", "type": "tool_call"}
    models = FakeModels(AIMessage("", tool_calls=[call]), "17 + 25 = 42")
    final = await Asking(models, BEFORE_TOOLS).ask()
    assert tool_messages(models)[0][0] == "error" and "date_time is not a valid tool" in tool_messages(models)[0][1]
    assert final["result"].output == "17 + 25 = 42"


async def test_the_same_call_in_a_later_round_is_asked_about_and_made_again() -> None:
    models = FakeModels(tool_call("1 + 1"), tool_call("1 + 1"), "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS)
    await run.ask()
    assert waits_for(await run.answer({"decision": "respond", "message": "three"}))["about"] == "tools"
    await run.answer("approve")
    assert tool_messages(models) == [("success", "three"), ("success", "2")]


async def test_a_tool_that_does_not_exist_is_not_asked_about() -> None:
    call = {"name": "shell", "args": {}, "id": "1", "type": "tool_call"}
    models = FakeModels(AIMessage("", tool_calls=[call]), "17 + 25 = 42")
    final = await Asking(models, BEFORE_TOOLS).ask()
    assert "shell is not a valid tool" in models.asked[1][-1].text
    assert final["result"].output == "17 + 25 = 42"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("maybe", "approve|edit|respond|reject"),
        ({"decision": "edit", "args": {"expression": ["a", "list"]}}, "args.expression"),
        ({"decision": "edit", "args": {"wrong": "1"}}, "calculator has no 'wrong'; it takes: expression"),
        ({"decision": "edit", "args": {}}, "args.expression: Field required"),
        ({"decisions": []}, "1 calls wait, 0 decisions came"),
        ({"decision": "edit", "name": "shell", "args": {}}, "'shell' is not offered"),
    ],
)
async def test_a_wrong_answer_about_tools_is_asked_again(reply: Any, said: str) -> None:
    models = FakeModels(tool_call("17 + 25"), "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS)
    await run.ask()
    assert said in waits_for(await run.answer(reply))["error"]
    assert (await run.answer("approve"))["result"].output == "17 + 25 = 42"


async def test_an_edit_may_only_name_tools_that_the_run_allows() -> None:
    models = FakeModels(tool_call("17 + 25"), "17 + 25 = 42")
    run = Asking(models, BEFORE_TOOLS.model_copy(update={"tools": ("calculator",)}))
    assert waits_for(await run.ask())["tools"] == ["calculator"]
    again = await run.answer({"decision": "edit", "name": "convert", "args": {}})
    assert "'convert' is not offered; name one of: calculator" in waits_for(again)["error"]


async def test_half_a_surrogate_pair_in_a_call_does_not_end_the_stream() -> None:
    run = Asking(FakeModels(tool_call("17 + 25\ud800"), "17 + 25 = 42"), BEFORE_TOOLS)
    (request,) = waits_for(await run.ask())["action_requests"]
    assert request["args"] == {"expression": "17 + 25?"}


@pytest.mark.parametrize("reply", [None, "reject"])
async def test_the_thread_takes_the_next_message_whatever_became_of_the_call(reply: str | None) -> None:
    models = FakeModels(tool_call("17 + 25"), "never mind", "7 * 6 = 42")
    run = Asking(models, BEFORE_TOOLS)
    await run.ask()
    if reply is not None:
        await run.answer(reply)
    else:
        models = FakeModels("7 * 6 = 42")
        run.go_on_with(models)
    final = await run.ask({"messages": [{"role": "user", "content": "What is 7 * 6?"}]})
    assert final["result"].output == "7 * 6 = 42"
    assert not [message for message in models.asked[-1] if isinstance(message, ToolMessage)]


async def test_a_load_is_not_begun_before_a_human_says_so() -> None:
    models = FakeModels("17 + 25 = 42", needed=2_000)
    run = Asking(models, BEFORE_LOADS)
    asked = waits_for(await run.ask())
    assert (asked["about"], asked["model"], asked["load_bytes"], asked["limit_bytes"]) == ("load", "fake", 2_000, 1_000)
    assert asked["action_requests"][0]["args"] == {"model": "fake", "strategy": "standard"}
    assert asked["memory"]["budget_bytes"] == 10**9 and models.asked == []
    final = await run.answer("approve")
    assert final["result"].output == "17 + 25 = 42"
    assert "human: load of fake/standard: approve" in final["result"].summary


async def test_a_small_load_is_not_asked_about() -> None:
    final = await Asking(FakeModels("17 + 25 = 42", needed=1_000), BEFORE_LOADS).ask()
    assert final["result"].output == "17 + 25 = 42"


@pytest.mark.parametrize("reply", ["reject", {"decisions": [{"type": "reject", "message": "not now"}]}])
async def test_a_rejected_load_ends_the_run_with_a_result_that_says_so(reply: Any) -> None:
    models = FakeModels("never asked", needed=2_000)
    run = Asking(models, BEFORE_LOADS)
    await run.ask()
    final = await run.answer(reply)
    result = final["result"]
    assert models.asked == [] and models.calls == []
    assert (result.output, result.passed, result.attempts, result.decided_by) == ("", False, 0, "human")
    assert result.reasons[0].name == "load_rejected" and "fake as standard" in result.reasons[0].evidence
    assert reply == "reject" or result.reasons[0].evidence.endswith(": not now")
    assert [message.type for message in final["messages"]] == ["human"]


async def test_after_a_rejected_load_the_thread_takes_the_next_message_and_asks_again() -> None:
    models = FakeModels("17 + 25 = 42", needed=2_000)
    run = Asking(models, BEFORE_LOADS)
    await run.ask()
    await run.answer("reject")
    assert waits_for(await run.ask())["about"] == "load"
    assert (await run.answer("approve"))["result"].output == "17 + 25 = 42"


@pytest.mark.parametrize(
    "reply",
    [
        {"decision": "edit", "strategy": "optimized"},
        {
            "decisions": [
                {
                    "type": "edit",
                    "edited_action": {"name": "load_model", "args": {"model": "fake", "strategy": "optimized"}},
                }
            ]
        },
    ],
)
async def test_another_strategy_is_planned_and_loaded_unasked(reply: Any) -> None:
    models = FakeModels("17 + 25 = 42", needed=20_000)
    run = Asking(models, BEFORE_LOADS)
    await run.ask()
    final = await run.answer(reply)
    assert final["result"].output == "17 + 25 = 42"
    assert [call[:2] for call in models.calls] == [("fake", "optimized")]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("retry", "approve, edit, reject"),
        ({"decision": "edit"}, '"model" or "strategy"'),
        ({"decision": "edit", "model": "gpt-9"}, "there is no model 'gpt-9'"),
    ],
)
async def test_a_wrong_answer_about_a_load_is_asked_again(reply: Any, said: str) -> None:
    run = Asking(FakeModels("17 + 25 = 42", needed=2_000), BEFORE_LOADS)
    await run.ask()
    assert said in waits_for(await run.answer(reply))["error"]
    assert (await run.answer("approve"))["result"].output == "17 + 25 = 42"


async def test_another_model_is_planned_and_loaded_unasked() -> None:
    models = FakeModels("17 + 25 = 42", cards=(CARD, BIG), needed={"fake": 2_000, "big": 20_000})
    run = Asking(models, BEFORE_LOADS)
    await run.ask()
    final = await run.answer({"decision": "edit", "model": "big"})
    assert final["result"].output == "17 + 25 = 42"
    assert [call[:2] for call in models.calls] == [("big", "standard")]


async def test_a_model_that_never_fits_is_told_and_asked_again() -> None:
    models = FakeModels("17 + 25 = 42", cards=(CARD, BIG), needed={"fake": 2_000, "big": 10**12})
    run = Asking(models, BEFORE_LOADS)
    await run.ask()
    assert "even streamed" in waits_for(await run.answer({"decision": "edit", "model": "big"}))["error"]
    assert (await run.answer("approve"))["result"].output == "17 + 25 = 42"


async def test_a_load_is_allowed_once_for_all_attempts_of_a_run() -> None:
    models = FakeModels("41", "17 + 25 = 42", needed=2_000)  # it never stays, so each attempt would load it again
    run = Asking(models, BEFORE_LOADS.model_copy(update={"max_attempts": 2}))
    await run.ask()
    final = await run.answer("approve")
    assert final["result"].attempts == 2 and final["result"].output == "17 + 25 = 42"


@pytest.mark.parametrize("approve", [False, True])
async def test_a_rejected_load_of_a_later_attempt_leaves_the_best_answer_so_far(approve: bool) -> None:
    """The model that is loaded fails; the run would load a larger one and is not allowed to."""
    models = FakeModels("I'm sorry, I can't.", "I'm sorry, I can't say.", cards=(CARD, BIG), resident=(RESIDENT,))
    run = Asking(models, Context(approve_load_over=0, approve=approve, max_attempts=5))
    assert waits_for(await run.ask())["model"] == "big"
    tried = len(models.asked)
    final = await run.answer("reject")
    if approve:
        assert waits_for(final)["about"] == "score"
        final = await run.answer("accept")
    result = final["result"]
    assert result.output.startswith("I'm sorry") and result.attempts == tried == len(models.asked)
    assert (result.passed, result.decided_by) == ((True, "human") if approve else (False, "validator"))
    assert "human: load of big/standard: reject" in result.summary


@pytest.mark.parametrize("reply", ["approve", "reject", {"decision": "edit", "strategy": "optimized"}])
async def test_a_model_that_left_while_a_human_was_asked_is_not_loaded_unasked(reply: Any) -> None:
    """The plan was made while it was loaded; the process that goes on has not loaded it."""
    context = Context(approve_tools=True, approve_load_over=1_000, max_attempts=1)
    run = Asking(FakeModels(tool_call("17 + 25"), resident=(RESIDENT,)), context)
    assert waits_for(await run.ask())["about"] == "tools"
    script = [tool_call("17 + 25"), "17 + 25 = 42"] if isinstance(reply, dict) else ["17 + 25 = 42"]
    models = FakeModels(*script, needed=20_000)
    run.go_on_with(models)
    asked = waits_for(await run.answer("approve"))
    assert (asked["about"], asked["load_bytes"], models.asked) == ("load", 20_000, [])
    final = await run.answer(reply)
    if reply == "reject":
        assert models.asked == [] and final["result"].reasons[0].name == "load_rejected"
        return
    if isinstance(reply, dict):  # another plan is another attempt, whose tool calls are asked about anew
        final = await run.answer("approve")
        assert {call[1] for call in models.calls} == {"optimized"}
    assert final["result"].output == "17 + 25 = 42" and tool_messages(models) == [("success", "42")]


async def test_a_run_that_was_cut_before_its_model_answered_asks_before_it_loads_it_again() -> None:
    run = Asking(FakeModels(resident=(RESIDENT,)), BEFORE_LOADS)
    with pytest.raises(RuntimeError):  # it has nothing to say
        await run.ask()
    models = FakeModels("17 + 25 = 42", needed=2_000)
    run.go_on_with(models)
    assert waits_for(await run.go_on())["load_bytes"] == 2_000 and models.asked == []
    assert (await run.answer("approve"))["result"].output == "17 + 25 = 42"


async def test_a_model_that_stayed_loaded_is_not_asked_about() -> None:
    run = Asking(FakeModels(tool_call("17 + 25"), "17 + 25 = 42", resident=(RESIDENT,)), BEFORE_LOADS)
    assert (await run.ask())["result"].output == "17 + 25 = 42"


async def test_the_summary_tells_long_outputs_of_tools_in_a_line_each() -> None:
    said = "forty\n" * 1_000
    run = Asking(FakeModels(tool_call("17 + 25"), "17 + 25 = 42"), BEFORE_TOOLS)
    await run.ask()
    summary = (await run.answer({"decision": "respond", "message": said}))["result"].summary
    assert any("calculator → forty forty" in line for line in summary)
    assert all("\n" not in line and len(line) < 300 for line in summary)


async def test_all_three_questions_of_one_run() -> None:
    models = FakeModels(tool_call("17 + 25"), "41", needed=2_000)
    run = Asking(models, Context(approve=True, approve_tools=True, approve_load_over=0, max_attempts=1))
    assert waits_for(await run.ask())["about"] == "load"
    assert waits_for(await run.answer("approve"))["about"] == "tools"
    score = waits_for(await run.answer("approve"))
    assert score["about"] == "score" and score["answer"] == "41"
    final = await run.answer({"decisions": [{"type": "edit", "edited_action": {"args": {"answer": "It is 42"}}}]})
    assert final["result"].output == "It is 42" and final["result"].decided_by == "human"
