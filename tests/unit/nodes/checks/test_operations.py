"""Operations on the request's own text are worked out, in the many ways people ask for them."""

from random import Random

import pytest

from llm.demo.item import Generator
from llm.demo.tasks import letters, order
from nodes.checks.operations import check_result
from state.tasks import Analysis

REWRITING = Analysis(kind="rewriting", confidence=1.0, language="en")
GENERATORS: list[Generator] = [
    letters.reverse,
    letters.upper_lower,
    letters.count,
    letters.first_last,
    order.sort_numbers,
    order.sort_words,
]
WRONG = [
    ("Reverse the word house", "esuohh"),
    ("Invierte la palabra casa", "casa"),
    ("Could you spell lamp backwards?", "pmla"),
    ("Write hello world in capital letters", "Hello World"),
    ("Pasa a minúsculas: SOL Y MAR", "Sol y mar"),
    ("How many letters are in the word tree?", "The word has 5 letters."),
    ("How many r's are in strawberry?", "There are two."),
    ("¿Cuántas palabras hay aquí? uno más uno son dos", "4"),
    ("What is the first letter of moon?", "n"),
    ("¿Cuál es la última palabra de: pan con queso", "pan"),
    ("Sort these numbers: 9, 2, 5", "9, 5, 2"),
    ("Ordena de mayor a menor: 3, 10, 7", "3, 7, 10"),
    ("Sort alphabetically: pear, apple, fig", "apple, pear, fig"),
    ("Repeat: blue moon", "blue noon"),
]
RIGHT = [
    ("Escribe los días de la semana en mayúsculas", "LUNES, MARTES, MIÉRCOLES"),
    ("Write the colours of the flag in uppercase", "BLUE AND WHITE"),
    ("Escribe los días de la semana en mayúsculas", "LUNES, MARTES, MIÉRCOLES"),
    ("Write the colours of the flag in uppercase", "BLUE AND WHITE"),
    ("Escribe los días de la semana en mayúsculas", "LUNES, MARTES, MIÉRCOLES"),
    ("Write the colours of the flag in uppercase", "BLUE AND WHITE"),
    ("Reverse the word house", "The reversed word is 'esuoh'."),
    ("Reverse the word house", "e-s-u-o-h"),
    ("Write hello world in capital letters", '"HELLO WORLD"'),
    ("How many letters are in the word tree?", "There are four letters."),
    ("How many r's are in strawberry?", "Three"),
    ("Sort these numbers: 9, 2, 5", "1. 2\n2. 5\n3. 9"),
    ("Ordena alfabéticamente: ñu, nube, árbol", "árbol, nube, ñu"),
    ("Sort the words by length: pear, fig", "fig, pear"),
    ("Reverse the order of the steps in this recipe", "Bake, mix, wash."),
    ("How many words should a summary have?", "About fifty."),
    ("Reverse the sentence: the dog runs", "runs dog the"),
]


@pytest.mark.parametrize(("prompt", "answer"), WRONG)
def test_a_wrong_result_is_named(prompt: str, answer: str) -> None:
    reason = check_result(prompt, answer, REWRITING)
    assert reason is not None and reason.name == "wrong_result"


@pytest.mark.parametrize(("prompt", "answer"), RIGHT)
def test_a_right_or_unclear_result_passes(prompt: str, answer: str) -> None:
    assert check_result(prompt, answer, REWRITING) is None


@pytest.mark.parametrize("generate", GENERATORS)
def test_the_demo_models_tasks_are_understood(generate: Generator) -> None:
    rng = Random(11)
    for number in range(60):
        item = generate(rng, "en" if number % 2 else "es")
        prompt, answer = item.messages[-1]["content"], item.answer["content"]
        assert check_result(prompt, answer, REWRITING) is None, (prompt, answer)
        assert check_result(prompt, "nothing of it", REWRITING) is not None, prompt
