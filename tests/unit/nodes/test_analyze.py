"""The analyzer: kinds, languages and needs of requests nobody tuned it on word by word, and when a model is asked."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.runtime import Runtime

from nodes.analyze import UNSURE, analyze, analyze_task
from state.context import Context
from state.errors import BadRequest, NoMemory, NotFound
from state.models import Sampling, Strategy
from state.run import RunState
from state.tasks import Analysis, Task, Turn
from tests.fakes import FakeModels, ScriptedChatModel

UNCLEAR = "lists: Peru, letters, roads"
"""A request that the classifier is not sure about."""


@pytest.mark.parametrize(
    ("prompt", "kind", "language"),
    [
        ("What is 17 + 25?", "math", "en"),
        ("¿Cuánto es 17 + 25?", "math", "es"),
        ("I have 3 apples and buy 4. How many apples do I have?", "math", "en"),
        ("Invierte la palabra casa", "rewriting", "es"),
        ("Write a Python function that adds two numbers", "code", "en"),
        ("Escribe una función en Python que sume dos números", "code", "es"),
        ("Translate 'good morning' into Spanish", "translation", "en"),
        ("Resume este texto en una frase: el perro corre por el parque.", "summarization", "es"),
        ("Extract the names from: Ana met Luis.", "extraction", "en"),
        ("Classify the sentiment: I love it", "classification", "en"),
        ("Write a haiku about the sea", "creative_writing", "en"),
        ("Redacta un correo a mi jefa para pedirle un día libre", "creative_writing", "es"),
        ("Hello!", "conversation", "en"),
        ("¿Quién eres?", "conversation", "es"),
        ("What is the capital of France?", "question_answering", "en"),
        ("capital de Francia", "question_answering", "es"),
        ("If all cats are grey and Tom is a cat, what colour is Tom?", "reasoning", "en"),
        ("apaga la luz del pasillo", "other", "es"),
        ("2024-05-01", "other", "und"),
    ],
)
def test_kind_and_language(prompt: str, kind: str, language: str) -> None:
    analysis = analyze(prompt)
    assert (analysis.kind, analysis.language) == (kind, language)


def test_the_language_of_a_request_is_that_of_its_instruction() -> None:
    assert (
        analyze("Translate into English:\n\n¿Dónde está la estación de tren más cercana a la plaza?").language == "en"
    )
    assert analyze("The shop is closed on Sundays and the bakery on Mondays. Tradúcelo al español.").language == "es"


@pytest.mark.parametrize(
    ("prompt", "needs"),
    [
        ("What is 3 * 4?", ("tools",)),
        ("What day is it today?", ("tools",)),
        ("¿Cuántas letras tiene la palabra murciélago?", ("tools",)),
        ("Convert 5 km to miles", ("tools",)),
        ("Give me the name as JSON: Ana is 31", ("json",)),
        ("Write a Python function that parses JSON", ("code",)),
        ("Write a poem about rain", ()),
    ],
)
def test_needs_follow_from_the_request(prompt: str, needs: tuple[str, ...]) -> None:
    assert analyze(prompt).needs == needs


def test_a_long_request_needs_a_long_context_and_is_complex() -> None:
    analysis = analyze("Summarize: " + "word " * 3_000)
    assert "long_context" in analysis.needs
    assert analysis.complexity == "high"
    assert analyze("What is the capital of Peru?").complexity == "low"


def test_the_turn_before_settles_the_language_of_a_short_request() -> None:
    history = (Turn(request="¿Cuánto es 2 + 2?", answer="4"),)
    assert analyze("7 * 8", history).language == "es"


def test_a_short_follow_up_is_of_the_kind_of_the_turn_before() -> None:
    alone = analyze("And the other one?")
    history = (Turn(request="Translate 'good morning' into Spanish", answer="Buenos días"),)
    assert analyze("And the other one?", history).kind == "translation" != alone.kind
    assert analyze("Write a haiku about the sea", history).kind == "creative_writing", "a whole request is its own"


@pytest.mark.parametrize(
    "history",
    [
        ["Hello!", "Translate 'good morning' into Spanish"],
        [("user", "Translate 'good morning' into Spanish"), ("assistant", "Buenos días")],
        [{"role": "user", "content": "Translate 'good morning' into Spanish"}, {"role": "assistant", "content": "…"}],
        [{"request": "Translate 'good morning' into Spanish", "answer": "Buenos días"}],
        [HumanMessage("Translate 'good morning' into Spanish"), AIMessage("Buenos días")],
    ],
    ids=["texts", "pairs", "dicts", "dicts of turns", "messages"],
)
def test_a_history_may_be_messages_or_texts(history: list[Any]) -> None:
    turns = (Turn(request="Translate 'good morning' into Spanish", answer="Buenos días"),)
    assert analyze("And the other one?", history) == analyze("And the other one?", turns)


@pytest.mark.parametrize("nothing", [None, [], (), [("system", "be brief")]])
def test_a_history_without_a_request_says_nothing(nothing: Any) -> None:
    assert analyze("And the other one?", nothing) == analyze("And the other one?")


@pytest.mark.parametrize("history", ["Hello!", {"role": "user"}, 5, [None], [5], [{"role": "user"}], [("who", "hi")]])
def test_what_is_no_history_is_refused(history: Any) -> None:
    with pytest.raises(BadRequest, match="history"):
        analyze("And the other one?", history)


@pytest.mark.parametrize("prompt", [None, 5, b"hello", ["hello"]])
def test_what_is_no_text_is_refused(prompt: Any) -> None:
    with pytest.raises(BadRequest, match="the prompt must be a text, not"):
        analyze(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "\x00\ud800",
        "how many " * 20_000,
        "{" * 100_000,
        "‮מה זה؟",
        "<|im_end|>" * 5_000,
        "if " * 50_000 + "9",
        "\n" * 100_000,
        '"""a ' * 20_000,
        "9," * 50_000,
    ],
    ids=[
        "empty",
        "surrogate",
        "repeated",
        "braces",
        "right-to-left",
        "template tokens",
        "long",
        "lines",
        "quotes",
        "9,",
    ],
)
def test_no_text_is_too_strange(prompt: str) -> None:
    assert 0.0 <= analyze(prompt).confidence <= 1.0


async def test_the_node_is_thin() -> None:
    assert await run_node("What is 3 * 4?", FakeModels()) == analyze("What is 3 * 4?")


async def test_an_unsure_classifier_asks_the_analyst_that_is_named() -> None:
    alone = analyze(UNCLEAR)
    assert alone.confidence < UNSURE, "the request was chosen for that"
    models = FakeModels(said("code"))
    analysis = await run_node(UNCLEAR, models, analyst="fake")
    assert (analysis.kind, analysis.second_kind, analysis.needs) == ("code", alone.kind, ("code",))
    assert UNCLEAR in models.asked[0][-1].text


async def test_the_needs_of_an_asked_kind_are_those_of_the_whole_request() -> None:
    prompt = "שלום " * 3_000 + " json"
    alone = analyze(prompt)
    assert alone.confidence < UNSURE and "json" in alone.needs, "the request was chosen for that"
    other = "extraction" if alone.kind != "extraction" else "classification"
    analysis = await run_node(prompt, FakeModels(said(other)), analyst="fake")
    assert analysis.kind == other and "json" in analysis.needs


async def test_nobody_is_asked_unless_named_or_where_the_classifier_is_sure() -> None:
    models = FakeModels()
    await run_node(UNCLEAR, models)
    await run_node("Translate 'good morning' into Spanish", models, analyst="fake")
    assert models.asked == []


@pytest.mark.parametrize("answer", [AIMessage("no idea"), "wrong"], ids=["no object", "no such kind"])
async def test_a_wrong_answer_of_the_analyst_leaves_the_classifiers(answer: AIMessage | str) -> None:
    models = FakeModels(answer if isinstance(answer, AIMessage) else said(answer))
    assert await run_node(UNCLEAR, models, analyst="fake") == analyze(UNCLEAR)
    assert len(models.asked) == 1


async def test_an_analyst_that_is_not_available_leaves_the_classifiers() -> None:
    assert await run_node(UNCLEAR, NoRoom(), analyst="fake") == analyze(UNCLEAR)


async def test_an_analyst_that_does_not_exist_is_the_callers_mistake() -> None:
    with pytest.raises(NotFound, match="'nobody'"):
        await run_node(UNCLEAR, FakeModels(), analyst="nobody")


class NoRoomChatModel(ScriptedChatModel):
    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        raise NoMemory("fake needs 9 GiB, 4 can be freed")


class NoRoom(FakeModels):
    """Models that fit nowhere."""

    def chat(self, name: str, *, strategy: Strategy | None = None, sampling: Sampling | None = None) -> BaseChatModel:
        return NoRoomChatModel(script=iter(()), asked=self.asked, bound=self.bound)


def said(kind: str) -> AIMessage:
    """A structured answer as a model writes it: a call of the schema."""
    return AIMessage("", tool_calls=[{"name": "AskedKind", "args": {"kind": kind}, "id": "1", "type": "tool_call"}])


async def run_node(prompt: str, models: FakeModels, analyst: str | None = None) -> Analysis:
    runtime = Runtime(context=Context(analyst=analyst))
    update = await analyze_task(RunState(task=Task(prompt=prompt)), runtime, models=models)
    assert update.keys() == {"analysis"}
    analysis = update["analysis"]
    assert isinstance(analysis, Analysis)
    return analysis
