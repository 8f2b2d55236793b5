"""The shipped demo model does what its card says, on items it never saw. About half a minute of one core."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from llm.demo.conversation import SYSTEM_PROMPTS
from llm.demo.evaluate import CARD, WEIGHTS, Demo, ask, held_out_items
from llm.demo.item import LANGS, Item, Lang, assistant, calls, system, tool_result, user
from llm.demo.tasks import TASKS
from llm.demo.tasks.numbers import CALCULATOR

PER_LANGUAGE = 4
MARGIN_OF_A_TASK, MARGIN_OF_THE_MEAN = 0.4, 0.07
"""Eight items a task are few: one task may fall far by chance, all of them together may not."""

PROMPTS = ["", *SYSTEM_PROMPTS[:4]]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model only waits for its other threads
    yield Demo()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def card() -> dict[str, float]:
    """Accuracy per task as the card prints it."""
    rows = [line.split("|") for line in CARD.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {row[1].strip(): float(row[4]) for row in rows if row[1].strip() in TASKS}


def asked(prompt: str, item: Item) -> Item:
    messages = (system(prompt), *item.messages) if prompt else item.messages
    return Item(item.task, item.lang, item.key, messages, item.answer, item.tools)


def question(text: str, answer: str, lang: Lang = "en") -> Item:
    return Item("", lang, text, (user(text),), assistant(answer))


SUM = Item("", "en", "", (user("What is 17 + 25?"),), calls("calculator", {"expression": "17 + 25"}), (CALCULATOR,))
SUM_DONE = Item("", "en", "", (*SUM.messages, SUM.answer, tool_result("42")), assistant("17 + 25 = 42"), (CALCULATOR,))


def test_the_card_has_a_figure_for_every_task(card: dict[str, float]) -> None:
    assert set(card) == set(TASKS)


def test_held_out_items_are_answered_about_as_well_as_the_card_says(demo: Demo, card: dict[str, float]) -> None:
    items = [item for task in TASKS for lang in LANGS for item in held_out_items(task, lang, PER_LANGUAGE)]
    right: dict[str, list[bool]] = defaultdict(list)
    for item, reply in ask(demo, items, batch=40):
        right[item.task].append(item.accepts(reply))
    measured = {task: sum(marks) / len(marks) for task, marks in right.items()}
    low = {task: (score, card[task]) for task, score in measured.items() if score < card[task] - MARGIN_OF_A_TASK}
    assert not low
    assert sum(measured.values()) / len(measured) > sum(card.values()) / len(card) - MARGIN_OF_THE_MEAN


@pytest.mark.parametrize(
    "item", [SUM, SUM_DONE, question("Invierte la palabra casa", "asac", "es")], ids=lambda i: i.expected[:20]
)
def test_what_the_documentation_shows_works_under_every_system_prompt(demo: Demo, item: Item) -> None:
    variants = [asked(prompt, item) for prompt in PROMPTS]
    assert demo.answer(variants) == [item.expected] * len(PROMPTS)


@pytest.mark.parametrize("bad", ["", "42", "I do not know."])
def test_a_rejected_answer_is_answered_again(demo: Demo, bad: str) -> None:
    rejection = user("Your last answer was rejected: no tool was called. Answer the request again.")
    again = Item("", "en", "", (*SUM.messages, assistant(bad), rejection), SUM.answer, SUM.tools)
    assert demo.answer([again]) == [SUM.expected]


def test_it_says_what_it_is(demo: Demo) -> None:
    english, spanish = demo.answer([question("Who are you?", ""), question("¿Quién eres?", "", "es")])
    assert "demo model" in english and "often wrong" in english
    assert "modelo de demostración" in spanish and "me equivoco a menudo" in spanish


def test_a_batch_answers_like_one_by_one(demo: Demo) -> None:
    items = held_out_items("upper_lower", "en", 4)
    assert demo.answer(items) == [demo.answer([item])[0] for item in items]


def test_the_folder_is_small_and_holds_no_code() -> None:
    files = {path.name: path.stat().st_size for path in Path(WEIGHTS).iterdir()}
    assert sum(files.values()) <= 12 * 2**20
    assert {Path(name).suffix for name in files} <= {".json", ".safetensors", ".jinja"}
    assert 1_000_000 <= Demo().model.num_parameters() <= 5_000_000
