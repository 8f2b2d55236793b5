"""Calls that a request spells out whole, what they give, and requests that spell out none."""

from random import Random

import pytest

from graphs.services import lab_tools
from llm.demo.item import LANGS, draw
from llm.demo.tasks import TASKS
from nodes.tools.spelled import SpelledCall, spelled_call
from tests.unit.nodes.tools.odd import ODD

TOOLS = {each.name: each for each in lab_tools()}


def result(call: SpelledCall) -> str:
    return str(TOOLS[call.name].invoke(dict(call.arguments)))


@pytest.mark.parametrize(
    ("prompt", "given"),
    [
        ("How many letters are in 'banana'?", "6 letters"),
        ("¿Cuántas letras tiene la palabra cañón?", "5 letters"),
        ("Count the words: reverse sort uppercase", "3 words"),
        ("¿Cuántas palabras hay aquí? uno dos tres", "3 words"),
        ("Reverse the word house", "esuoh"),
        ("reverse reversed", None),
        ("Invierte la palabra «casa», por favor", "asac"),
        ("What is cow spelled backwards?", "woc"),
        ("Please write 'the cat' in capital letters.", "THE CAT"),
        ("Escribe en minúsculas: HOLA A TODOS", "hola a todos"),
        ("Sort these numbers from high to low: 57, 100, 63", "100, 63, 57"),
        ("Ordena alfabéticamente: pera, árbol, uva", "árbol, pera, uva"),
        ("Convert 5 km to miles", "3.106855961 mi"),
        ("¿Cuántos metros son 2.5 km?", "2500 m"),
        ("Convert 100 Mb to MB", "12.5 MB"),  # megabits
        ("Convert 5 mJ to J", "0.005 J"),
        ("What is 30 ºC in °F?", "86 °F"),
    ],
)
def test_the_call_gives_what_is_asked(prompt: str, given: str | None) -> None:
    call = spelled_call(prompt)
    assert (result(call) if call else None) == given


@pytest.mark.parametrize(
    ("prompt", "date"),
    [("¿Qué día es hoy?", "today"), ("What's the date?", "today"), ("What time is it?", "now"), ("Qué hora es", "now")],
)
def test_today_and_now(prompt: str, date: str) -> None:
    assert spelled_call(prompt) == ("date_time", {"date": date})


@pytest.mark.parametrize(
    "prompt",
    [
        "What is the capital of France?",
        "Write a function that converts a string to uppercase",
        "Route this request (data, text): Reverse 'house'",
        "Reverse the sentence the cat sat",  # by letters or by words?
        "Reverse 'house' and 'cat'",
        "Reverse and uppercase: house",
        "Sort by length: pear, fig",
        "Sort in reverse order: 1, 2",
        "Order pizza, beer",
        "Repeat: reverse the word casa",
        "Translate 'uppercase' to Spanish",
        "Convert 5 km to kg",
        "What is 5 km in Spanish?",
        "How many letters did Kafka write to Milena?",
        "How many eggs are in 1 dozen?",
        "Convert 5 km to km",
        "Convierte 1.000 km a millas",  # a thousand, or one?
        "How many letters are in the alphabet?",
        "Sort these numbers: 3,000, 20",
        "Ordena de mayor a menor: 10,5; 9,2",
        "Write in uppercase: hello. Then reverse it.",
        "Escribe en mayúsculas: hola. Luego tradúcelo.",
        "Reverse house.\n```x```",
        "uppercase: " + "x" * 700,
        *ODD,
    ],
)
def test_other_requests_spell_out_none(prompt: str) -> None:
    assert spelled_call(prompt) is None


def test_requests_for_operations_are_nearly_all_read_and_others_never() -> None:
    """The demo model's generator asks in some hundred ways."""
    asked = {"reverse", "count", "sort_numbers", "upper_lower"}
    read = wrong = 0
    for task, drawn in TASKS.items():
        for lang in LANGS:
            rng = Random(f"spelled {task} {lang}")
            for _ in range(25):
                item = draw(drawn.generate, rng, lang, "test")
                call = spelled_call(str(item.messages[-1]["content"]))
                if task in asked and call is not None:
                    read += 1
                    wrong += result(call).removesuffix("s").removesuffix(" letter").removesuffix(" word") not in (
                        item.expected,
                        item.expected.removesuffix("s"),
                    )
                elif task != "sort_words":  # its generator has an alphabet of its own: á after z
                    assert call is None or task in asked, item.messages[-1]["content"]
    assert read >= 0.97 * 50 * len(asked) and wrong <= 1
