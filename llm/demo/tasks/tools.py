"""Tools with names and arguments that the model has never seen: when to call them, and what to say of their result."""

from random import Random

from llm.demo.item import Item, Lang, Tool, assistant, calls, listed, tool, tool_result, user
from llm.demo.lexicon import CITIES, NAMES, NOUNS, any_word, invented_word
from llm.demo.tasks.numbers import CALCULATOR
from llm.demo.tasks.phrasing import say

_VERBS = listed("get find search read fetch look check show lookup make send convert")
_ARGUMENTS = listed("query city name text value key word location input topic item place id title")
_NUMBERS = listed("number count x n value amount size input days")
_SUBJECTS = {
    "en": listed("weather time price population temperature color size news date distance height owner status age"),
    "es": listed(
        "tiempo hora precio población temperatura color tamaño fecha distancia altura dueño estado edad saldo"
    ),
}
_BY_NAME = {
    "en": [
        "Use the tool {t} for {v}",
        "Use the tool {t} with {v}",
        "Call {t} with {v}",
        "Call the tool {t} with {v}.",
        "Use {t} for {v}",
        "Run {t} on {v}",
        "What is the value of {t}({v})?",
        "What does {t} return for {v}?",
        "Use {t} with {a} {v}",
        "Call {t} with {a}={v}",
    ],
    "es": [
        "Usa la herramienta {t} para {v}",
        "Usa la herramienta {t} con {v}",
        "Llama a {t} con {v}",
        "Llama a la herramienta {t} con {v}.",
        "Usa {t} para {v}",
        "Ejecuta {t} con {v}",
        "¿Cuál es el valor de {t}({v})?",
        "¿Qué devuelve {t} para {v}?",
        "Usa {t} con {a} {v}",
        "Llama a {t} con {a}={v}",
    ],
}
_TWO = {
    "en": [
        "Use {t} with {a} {v} and {b} {w}",
        "Call {t} with {a}={v} and {b}={w}",
        "Use the tool {t} with {a} {v}, {b} {w}",
    ],
    "es": [
        "Usa {t} con {a} {v} y {b} {w}",
        "Llama a {t} con {a}={v} y {b}={w}",
        "Usa la herramienta {t} con {a} {v}, {b} {w}",
    ],
}
_NONE = {
    "en": [
        "Use the tool {t}",
        "Call {t}",
        "Call the tool {t}.",
        "Run {t}",
        "What does {t} return?",
        "What is the value of {t}()?",
    ],
    "es": [
        "Usa la herramienta {t}",
        "Llama a {t}",
        "Llama a la herramienta {t}.",
        "Ejecuta {t}",
        "¿Qué devuelve {t}?",
        "¿Cuál es el valor de {t}()?",
    ],
}
_BY_SUBJECT = {
    "en": [
        "What is the {s} in {v}?",
        "What is the {s} of {v}?",
        "Tell me the {s} of {v}",
        "What's the {s} for {v}?",
        "{s} of {v}?",
        "Give me the {s} in {v}.",
    ],
    "es": [
        "¿Cuál es el {s} de {v}?",
        "¿Qué {s} hay en {v}?",
        "Dime el {s} de {v}",
        "¿Cuál es la {s} de {v}?",
        "¿{s} de {v}?",
        "Dame la {s} en {v}.",
    ],
}
_KNOWN_TOOLS = {
    "tiempo": "weather",
    "hora": "time",
    "precio": "price",
    "población": "population",
    "temperatura": "temperature",
    "fecha": "date",
    "altura": "height",
    "edad": "age",
    "tamaño": "size",
    "estado": "status",
}
_MISSING = {
    "en": ["Use the tool {t} for {v}", "Call the tool {t} with {v}", "Call the tool {t}", "Use the tool {t}"],
    "es": [
        "Usa la herramienta {t} para {v}",
        "Llama a la herramienta {t} con {v}",
        "Llama a la herramienta {t}",
        "Usa la herramienta {t}",
    ],
}
_REPLIES = [
    "sunny, {n} C",
    "cloudy and {n} degrees",
    "{n}",
    "{n}.{m}",
    "{w}",
    "{w} {n}",
    "ok",
    "{n} euros",
    "{n} km",
    "{w}, {w2}",
    "12:{m}",
    "rain",
    "{n} %",
    "true",
    "false",
    "{w} is {n}",
    "no results",
    "soleado, {n} C",
    '{{"result": {n}}}',
]
_FAILURES = [
    "timeout",
    "not found",
    "no connection",
    "permission denied",
    "unknown city",
    "bad argument",
    "service unavailable",
]


def _word(rng: Random, lang: Lang) -> str:
    """One value that a person would hand to a tool."""
    return rng.choice((rng.choice(CITIES), rng.choice(NAMES), any_word(rng, lang), any_word(rng, "en")))


def _name(rng: Random, subject: str | None = None) -> str:
    subject = subject or rng.choice((rng.choice(NOUNS)[0], invented_word(rng, "en"), rng.choice(_SUBJECTS["en"])))
    verb = rng.choice((*_VERBS, invented_word(rng, "en")))
    return rng.choice(
        (f"{verb}_{subject}", f"{verb}_{subject}", f"{subject}_{verb}", subject, f"{subject}_tool", f"magic_{subject}")
    )


def random_tool(rng: Random, arguments: int | None = None, subject: str | None = None) -> tuple[Tool, dict[str, str]]:
    """A tool with a composed name, and the JSON type of each of its arguments."""
    number = rng.choice((0, 1, 1, 1, 2)) if arguments is None else arguments
    kinds: dict[str, str] = {}
    while len(kinds) < number:
        if rng.random() < 0.3:
            kinds[rng.choice(_NUMBERS)] = "integer"
        else:
            kinds[rng.choice((*_ARGUMENTS, invented_word(rng, "en")))] = "string"
    return tool(_name(rng, subject), kinds), kinds


def other_tools(rng: Random, most: int = 2) -> list[Tool]:
    """Tools that the request does not need."""
    return [random_tool(rng)[0] for _ in range(rng.randint(0, most))]


def _values(rng: Random, lang: Lang, kinds: dict[str, str]) -> dict[str, object]:
    return {
        name: rng.randint(0, rng.choice((9, 99, 999))) if kind == "integer" else _word(rng, lang)
        for name, kind in kinds.items()
    }


def _request(rng: Random, lang: Lang) -> tuple[str, Tool, dict[str, object]]:
    """A request that needs one tool, the tool, and the arguments of the call."""
    if rng.random() < 0.35:
        subject = rng.choice(_SUBJECTS[lang])
        named = _KNOWN_TOOLS.get(subject, subject) if rng.random() < 0.7 else subject
        chosen, kinds = random_tool(rng, 1, named.replace("ñ", "n").replace("ó", "o"))
        arguments = _values(rng, lang, kinds)
        return say(rng, lang, _BY_SUBJECT[lang], s=subject, v=next(iter(arguments.values()))), chosen, arguments
    chosen, kinds = random_tool(rng)
    name, arguments = chosen["function"]["name"], _values(rng, lang, kinds)
    pairs = list(arguments.items())
    if not pairs:
        return say(rng, lang, _NONE[lang], t=name), chosen, arguments
    if len(pairs) == 1:
        return say(rng, lang, _BY_NAME[lang], t=name, a=pairs[0][0], v=pairs[0][1]), chosen, arguments
    (a, v), (b, w) = pairs
    return say(rng, lang, _TWO[lang], t=name, a=a, v=v, b=b, w=w), chosen, arguments


def _offered(rng: Random, chosen: Tool) -> tuple[Tool, ...]:
    """The chosen tool among up to three others, one of them the calculator now and then."""
    tools = [chosen, *other_tools(rng, 2)]
    if rng.random() < 0.3:
        tools.append(CALCULATOR)
    rng.shuffle(tools)
    return tuple(tools)


def tool_call(rng: Random, lang: Lang) -> Item:
    text, chosen, arguments = _request(rng, lang)
    name = chosen["function"]["name"]
    return Item("tool_call", lang, f"{name} {arguments}", (user(text),), calls(name, arguments), _offered(rng, chosen))


def tool_answer(rng: Random, lang: Lang) -> Item:
    """What the tool said, told to the user; a failure is told as a failure."""
    text, chosen, arguments = _request(rng, lang)
    name = chosen["function"]["name"]
    number, word = rng.randint(0, rng.choice((9, 99, 999))), any_word(rng, lang)
    if rng.random() < 0.2:
        reason = rng.choice((*_FAILURES, f"{word} {rng.choice(_FAILURES)}"))
        output, answer = (
            f"Error: {reason}",
            {"en": f"The tool failed: {reason}.", "es": f"La herramienta falló: {reason}."}[lang],
        )
    else:
        shape = rng.choice(_REPLIES)
        output = shape.format(n=number, m=rng.randint(10, 59), w=word, w2=any_word(rng, lang))
        said = str(number) if "result" in shape else output
        answer = {"en": f"The result is: {said}", "es": f"El resultado es: {said}"}[lang]
    messages = (user(text), calls(name, arguments), tool_result(output))
    return Item("tool_answer", lang, f"{name} {arguments}", messages, assistant(answer), _offered(rng, chosen))


def tool_missing(rng: Random, lang: Lang) -> Item:
    """A tool is asked for by name, and it is not among those offered."""
    name = _name(rng)
    tools = tuple(t for t in [*other_tools(rng, 2), CALCULATOR] if t["function"]["name"] != name)
    text = say(rng, lang, _MISSING[lang], t=name, v=_word(rng, lang))
    answer = {"en": f"I do not have the tool {name}.", "es": f"No tengo la herramienta {name}."}[lang]
    return Item("tool_missing", lang, name, (user(text),), assistant(answer), tools)
