"""Short Python functions in a fenced block, with the names that were asked for."""

from random import Random

from llm.demo.item import Item, Lang, assistant, listed, user
from llm.demo.lexicon import NOUNS, invented_word
from llm.demo.tasks.phrasing import fill

_FUNCTIONS: dict[str, tuple[str, str, str, str]] = {
    # default name: arguments, body, English purpose, Spanish purpose
    "add": ("a b", "return {a} + {b}", "adds two numbers", "sume dos números"),
    "subtract": ("a b", "return {a} - {b}", "subtracts two numbers", "reste dos números"),
    "multiply": ("a b", "return {a} * {b}", "multiplies two numbers", "multiplique dos números"),
    "divide": ("a b", "return {a} / {b}", "divides two numbers", "divida dos números"),
    "is_even": ("n", "return {a} % 2 == 0", "tells whether a number is even", "diga si un número es par"),
    "is_odd": ("n", "return {a} % 2 == 1", "tells whether a number is odd", "diga si un número es impar"),
    "reverse": ("text", "return {a}[::-1]", "reverses a string", "invierta una cadena"),
    "upper": ("text", "return {a}.upper()", "converts a string to uppercase", "pase una cadena a mayúsculas"),
    "length": ("text", "return len({a})", "returns the length of a string", "devuelva la longitud de una cadena"),
    "count_words": (
        "text",
        "return len({a}.split())",
        "counts the words of a string",
        "cuente las palabras de una cadena",
    ),
    "maximum": (
        "items",
        "return max({a})",
        "returns the largest item of a list",
        "devuelva el mayor elemento de una lista",
    ),
    "minimum": (
        "items",
        "return min({a})",
        "returns the smallest item of a list",
        "devuelva el menor elemento de una lista",
    ),
    "total": ("items", "return sum({a})", "adds the numbers of a list", "sume los números de una lista"),
    "average": (
        "items",
        "return sum({a}) / len({a})",
        "returns the average of a list",
        "devuelva la media de una lista",
    ),
    "sort_list": ("items", "return sorted({a})", "sorts a list", "ordene una lista"),
    "square": ("n", "return {a} * {a}", "returns the square of a number", "devuelva el cuadrado de un número"),
    "factorial": (
        "n",
        "return 1 if {a} < 2 else {a} * {f}({a} - 1)",
        "returns the factorial of a number",
        "calcule el factorial de un número",
    ),
    "is_palindrome": (
        "text",
        "return {a} == {a}[::-1]",
        "tells whether a string is a palindrome",
        "diga si una cadena es un palíndromo",
    ),
    "greet": ("name", 'return f"Hello, {{{a}}}!"', "greets a person", "salude a una persona"),
}
_PLAIN = {
    "en": [
        "Write a Python function that {p}.",
        "Write a function that {p}",
        "Python function that {p}",
        "Code a function that {p}",
        "Give me Python code for a function that {p}.",
        "I need a Python function that {p}",
        "Write Python code that {p}.",
    ],
    "es": [
        "Escribe una función de Python que {p}.",
        "Escribe una función que {p}",
        "Función de Python que {p}",
        "Programa una función que {p}",
        "Dame código Python de una función que {p}.",
        "Necesito una función de Python que {p}",
        "Escribe código Python que {p}.",
    ],
}
_NAMED = {
    "en": [
        "Write a Python function {f} that {p}.",
        "Write a Python function called {f} that {p}.",
        "Write a function named {f}({x}) that {p}",
        "Function {f}({x}) that {p}",
        "Define {f}({x}), a Python function that {p}.",
    ],
    "es": [
        "Escribe una función de Python {f} que {p}.",
        "Escribe una función de Python llamada {f} que {p}.",
        "Escribe una función {f}({x}) que {p}",
        "Función {f}({x}) que {p}",
        "Define {f}({x}), una función de Python que {p}.",
    ],
}
_ARGUMENTS = listed("a b c x y n m s t k v p q text value number items values data numbers words word")


def code(rng: Random, lang: Lang) -> Item:
    default = rng.choice(list(_FUNCTIONS))
    arguments, body, *purposes = _FUNCTIONS[default]
    names, function = arguments.split(), default
    if rng.random() < 0.4:
        template = rng.choice(_PLAIN[lang])
        key = f"{template} {default}"
    else:
        template = rng.choice(_NAMED[lang])
        function = rng.choice(
            (default, invented_word(rng, "en"), f"{invented_word(rng, 'en')}_{rng.choice(NOUNS)[0]}", f"my_{default}")
        )
        if "{x}" in template:
            names = rng.sample(_ARGUMENTS, len(names))
        key = f"{template} {function} {names}"
    text = fill(rng, lang, template, p=purposes[0 if lang == "en" else 1], f=function, x=", ".join(names))
    return Item("code", lang, key, (user(text),), assistant(fenced(function, names, body)))


def fenced(function: str, names: list[str], body: str) -> str:
    filled = body.format(a=names[0], b=names[-1], f=function)
    return f"```python\ndef {function}({', '.join(names)}):\n    {filled}\n```"
