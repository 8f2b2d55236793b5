"""Comparing and sorting numbers and words."""

from random import Random

from llm.demo.item import Item, Lang, assistant, user
from llm.demo.lexicon import any_word
from llm.demo.tasks.phrasing import say

_COMPARE = {
    "en": ["Is {a} greater than {b}?", "Is {a} bigger than {b}?", "Is {a} less than {b}?", "Is {a} smaller than {b}?"],
    "es": [
        "¿Es {a} mayor que {b}?",
        "¿Es {a} más grande que {b}?",
        "¿Es {a} menor que {b}?",
        "¿Es {a} más pequeño que {b}?",
    ],
}
_SORT = {
    "en": [
        "Sort these numbers: {w}",
        "Sort the numbers {w}",
        "Order from smallest to largest: {w}",
        "Sort in ascending order: {w}",
        "Sort: {w}",
    ],
    "es": [
        "Ordena estos números: {w}",
        "Ordena los números {w}",
        "Ordena de menor a mayor: {w}",
        "Ordena en orden ascendente: {w}",
        "Ordena: {w}",
    ],
}
_SORT_DOWN = {
    "en": [
        "Order from largest to smallest: {w}",
        "Sort in descending order: {w}",
        "Sort these numbers from high to low: {w}",
    ],
    "es": [
        "Ordena de mayor a menor: {w}",
        "Ordena en orden descendente: {w}",
        "Ordena estos números de mayor a menor: {w}",
    ],
}
_SORT_WORDS = {
    "en": [
        "Sort these words: {w}",
        "Sort alphabetically: {w}",
        "Put these words in alphabetical order: {w}",
        "Order the words {w} alphabetically",
        "Sort the words: {w}",
    ],
    "es": [
        "Ordena estas palabras: {w}",
        "Ordena alfabéticamente: {w}",
        "Pon estas palabras en orden alfabético: {w}",
        "Ordena las palabras {w} alfabéticamente",
        "Ordena las palabras: {w}",
    ],
}


def compare(rng: Random, lang: Lang) -> Item:
    top = rng.choice((10, 100, 100, 1000))
    a, b = rng.randint(0, top), rng.randint(0, top)
    which = rng.randrange(4)
    text = say(rng, lang, [_COMPARE[lang][which]], a=a, b=b)
    true = a > b if which < 2 else a < b
    answer = {"en": "Yes" if true else "No", "es": "Sí" if true else "No"}[lang]
    return Item("compare", lang, f"{a} ? {b}", (user(text),), assistant(answer))


def sort_numbers(rng: Random, lang: Lang) -> Item:
    numbers = rng.sample(range(rng.choice((10, 100, 100))), rng.choice((3, 3, 4, 4, 5, 6)))
    down = rng.random() < 0.25
    text = say(rng, lang, (_SORT_DOWN if down else _SORT)[lang], w=", ".join(map(str, numbers)))
    answer = ", ".join(map(str, sorted(numbers, reverse=down)))
    return Item("sort_numbers", lang, f"sort {sorted(numbers)}", (user(text),), assistant(answer))


def sort_words(rng: Random, lang: Lang) -> Item:
    words = sorted({any_word(rng, lang)[:10] for _ in range(rng.choice((3, 3, 4, 4, 5)))})
    answer = ", ".join(words)
    rng.shuffle(words)
    text = say(rng, lang, _SORT_WORDS[lang], w=", ".join(words))
    return Item("sort_words", lang, answer, (user(text),), assistant(answer))
