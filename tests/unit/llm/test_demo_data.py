"""The demo model's generated data: repeatable, bilingual, and split so that nothing tested was learnt."""

from random import Random

import pytest

from llm.demo.conversation import FULL, Lesson, dress, lesson_at, sample_conversation
from llm.demo.item import LANGS, PINNED_TO_TEST, Item, assistant, draw, is_test_key, user
from llm.demo.tasks import TASKS


def items(task: str, split: str, count: int = 30) -> list[Item]:
    rng = Random(f"{task} {split}")
    return [draw(TASKS[task].generate, rng, lang, split) for lang in LANGS for _ in range(count)]


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_repeats_the_same_items(task: str) -> None:
    assert items(task, "train") == items(task, "train")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_asks_in_both_languages_and_names_its_answer(task: str) -> None:
    drawn = items(task, "train")
    assert {item.lang for item in drawn} == set(LANGS)
    assert all(item.expected.strip() and item.messages[-1]["role"] in ("user", "tool") for item in drawn)
    assert len({item.messages[-1]["content"] for item in drawn}) > 10


@pytest.mark.parametrize("task", TASKS)
def test_train_and_test_items_have_no_key_in_common(task: str) -> None:
    learnt, tested = ({item.key for item in items(task, split)} for split in ("train", "test"))
    assert not learnt & tested
    assert all(map(is_test_key, tested)) and not any(map(is_test_key, learnt))


def test_what_the_documentation_shows_is_never_learnt() -> None:
    assert all(map(is_test_key, PINNED_TO_TEST))
    assert {"17 + 25", "reverse casa"} <= PINNED_TO_TEST


def test_about_a_tenth_of_all_keys_is_held_out() -> None:
    share = sum(is_test_key(str(number)) for number in range(5000)) / 5000
    assert 0.08 < share < 0.12


def test_whole_conversations_learn_no_held_out_key() -> None:
    rng = Random(1)
    keys = {key for _ in range(400) for key in sample_conversation(rng).keys}
    assert len(keys) > 300 and not any(map(is_test_key, keys))


def test_dressing_keeps_the_question_and_the_answer() -> None:
    rng = Random(2)
    bare = Item("echo", "en", "k", (user("Repeat: sun"),), assistant("sun"))
    for _ in range(200):
        dressed = dress(bare, rng)
        assert dressed.expected == "sun"
        assert dressed.messages[-1]["content"].endswith("Repeat: sun")
        assert [m["role"] for m in dressed.messages] in (["user"], ["system", "user"])


def test_a_sum_without_tools_is_never_dressed_with_the_calculator() -> None:
    rng = Random(3)
    for _ in range(300):
        item = dress(draw(TASKS["small_sum"].generate, rng, "en", "train"), rng)
        assert "calculator" not in {tool["function"]["name"] for tool in item.tools}


def test_a_conversation_marks_every_assistant_turn_and_opens_with_the_system() -> None:
    rng = Random(4)
    for _ in range(500):
        conversation = sample_conversation(rng)
        roles = [message["role"] for message in conversation.messages]
        assert roles.count("assistant") == len(conversation.learnt) and conversation.learnt[-1]
        assert roles[-1] == "assistant" and "system" not in roles[1:]


def test_bad_answers_before_a_retry_are_not_learnt() -> None:
    for item in items("retry", "train"):
        assert not item.learn_history
        assert item.messages[-1]["role"] == "user" and item.messages[-2]["role"] == "assistant"


def test_lessons_begin_with_copies_and_end_with_everything() -> None:
    assert lesson_at(0) == Lesson(copying=1.0, bare=1.0)
    assert lesson_at(1) == FULL
    assert lesson_at(0.2).copying == 0 < lesson_at(0.2).bare


def test_an_answer_is_accepted_exactly_or_not_at_all() -> None:
    item = Item("capital", "en", "k", (user("?"),), assistant("The capital of Peru is Lima."))
    assert item.accepts(" The capital of Peru is Lima.\n")
    assert not item.accepts("the capital of Peru is Lima.")


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("capital", "The capital of"),
        ("code", "```python\ndef "),
        ("calculator_call", '<tool_call>{"name": "calculator"'),
    ],
)
def test_answers_have_the_promised_form(task: str, wanted: str) -> None:
    assert all(item.expected.startswith(wanted) for item in items(task, "train") if item.lang == "en")


def test_generated_code_runs() -> None:
    for item in items("code", "train"):
        source = item.expected.removeprefix("```python\n").removesuffix("\n```")
        compile(source, "answer", "exec")
