"""Arithmetic: through the calculator tool, from its result, and, less well, without it."""

from random import Random

from llm.demo.item import Item, Lang, Message, assistant, calls, tool, tool_result, user
from llm.demo.lexicon import CATEGORIES, NAMES, NOUNS
from llm.demo.tasks.phrasing import say

CALCULATOR = tool("calculator", {"expression": "string"}, "Evaluates an arithmetic expression.")

_ASK = {
    "en": [
        "What is {e}?",
        "What is {e}?",
        "How much is {e}?",
        "Calculate {e}",
        "Compute {e}.",
        "{e}",
        "{e} = ?",
        "{e}=",
        "Use the calculator: {e}",
        "Solve {e}",
        "Tell me the result of {e}",
        "what's {e}?",
        "Evaluate {e}",
    ],
    "es": [
        "¿Cuánto es {e}?",
        "¿Cuánto es {e}?",
        "¿Cuánto son {e}?",
        "Calcula {e}",
        "Calcula {e}.",
        "{e}",
        "{e} = ?",
        "{e}=",
        "Usa la calculadora: {e}",
        "Resuelve {e}",
        "Dime el resultado de {e}",
        "¿Qué da {e}?",
        "Evalúa {e}",
    ],
}
_SPOKEN = {
    "en": {"+": " plus ", "-": " minus ", "*": " times ", "/": " divided by "},
    "es": {"+": " más ", "-": " menos ", "*": " por ", "/": " entre "},
}
_PROBLEMS = {
    "en": {
        "+": [
            "I have {a} {n} and buy {b}. How many {n}?",
            "{who} has {a} {n} and gets {b} more. How many {n} does {who} have?",
            "There are {a} {n} and {b} more arrive. How many {n} are there?",
        ],
        "-": [
            "I have {a} {n} and lose {b}. How many {n} are left?",
            "{who} has {a} {n} and gives away {b}. How many are left?",
            "There are {a} {n} and {b} go away. How many {n} remain?",
        ],
        "*": [
            "There are {a} boxes with {b} {n} each. How many {n}?",
            "{who} buys {a} bags of {b} {n}. How many {n}?",
            "One box costs {a} dollars. How much do {b} boxes cost?",
        ],
        "/": [
            "I share {a} {n} among {b} friends. How many for each?",
            "{who} splits {a} {n} into {b} equal groups. How many each?",
            "{a} {n} go into {b} boxes. How many {n} per box?",
        ],
    },
    "es": {
        "+": [
            "Tengo {a} {n} y compro {b}. ¿Cuántos {n} tengo?",
            "{who} tiene {a} {n} y recibe {b} más. ¿Cuántos {n} tiene {who}?",
            "Hay {a} {n} y llegan {b} más. ¿Cuántos {n} hay?",
        ],
        "-": [
            "Tengo {a} {n} y pierdo {b}. ¿Cuántos {n} quedan?",
            "{who} tiene {a} {n} y regala {b}. ¿Cuántos le quedan?",
            "Hay {a} {n} y se van {b}. ¿Cuántos {n} quedan?",
        ],
        "*": [
            "Hay {a} cajas con {b} {n} cada una. ¿Cuántos {n}?",
            "{who} compra {a} bolsas de {b} {n}. ¿Cuántos {n}?",
            "Una caja cuesta {a} euros. ¿Cuánto cuestan {b} cajas?",
        ],
        "/": [
            "Reparto {a} {n} entre {b} amigos. ¿Cuántos para cada uno?",
            "{who} divide {a} {n} en {b} grupos. ¿Cuántos por grupo?",
            "{a} {n} van en {b} cajas. ¿Cuántos {n} por caja?",
        ],
    },
}
_ERRORS = [
    "division by zero",
    "invalid syntax",
    "number too large",
    "timeout",
    "unknown name 'x'",
    "the tool is not available",
]


def operand(rng: Random) -> str:
    digits = rng.choice((1, 1, 2, 2, 2, 2, 3, 3, 4))
    whole = str(rng.randint(10 ** (digits - 1) - (digits == 1), 10**digits - 1))
    return f"{whole}.{rng.randint(1, 99)}" if rng.random() < 0.05 else whole


def expression(rng: Random) -> list[str]:
    """Operands and operators in turn: two terms mostly, else three, with brackets now and then."""
    terms = [operand(rng), rng.choice("++-*/"), operand(rng)]
    kind = rng.random()
    if kind < 0.12:
        terms = ["(", *terms, ")", rng.choice("+-*/"), operand(rng)]
    elif kind < 0.3:
        terms += [rng.choice("+-*/"), operand(rng)]
    return terms


def written(terms: list[str]) -> str:
    """The spacing every call uses: `(3 + 4) * 2`."""
    return " ".join(terms).replace("( ", "(").replace(" )", ")")


def typed(rng: Random, lang: Lang, terms: list[str]) -> str:
    """The same expression as a person might type it."""
    style, text = rng.random(), written(terms)
    if style < 0.6:
        return text
    if style < 0.75:
        return text.replace(" ", "")
    if style < 0.83:
        return text.replace("*", "x").replace("/", "÷")
    return written([_SPOKEN[lang].get(term, term).strip() for term in terms])


def _question(rng: Random, lang: Lang) -> tuple[str, str, str]:
    """What is asked, the expression to call, and the key of both."""
    if rng.random() < 0.75:
        terms = expression(rng)
        return say(rng, lang, _ASK[lang], e=typed(rng, lang, terms)), written(terms), written(terms)
    sign = rng.choice("+-*/")
    a, b = sorted((rng.randint(2, 99), rng.randint(2, 60)), reverse=sign in "-/")
    text = say(rng, lang, _PROBLEMS[lang][sign], a=a, b=b, n=_things(rng, lang), who=rng.choice(NAMES))
    return text, f"{a} {sign} {b}", f"{a} {sign} {b}"


def _things(rng: Random, lang: Lang) -> str:
    if lang == "en":
        return rng.choice((rng.choice(CATEGORIES[lang]["fruit"]), rng.choice(NOUNS)[0])) + "s"
    return rng.choice([word for _, word, _ in NOUNS if word.endswith("o")]) + "s"


def calculator_call(rng: Random, lang: Lang) -> Item:
    text, wanted, key = _question(rng, lang)
    return Item("calculator_call", lang, key, (user(text),), calls("calculator", {"expression": wanted}), (CALCULATOR,))


def calculator_result(rng: Random, lang: Lang) -> Item:
    """The result is drawn freely, so that it must be copied and cannot be computed."""
    text, wanted, key = _question(rng, lang)
    kind = rng.random()
    if kind < 0.12:
        reason = rng.choice(_ERRORS)
        output = f"{rng.choice(('Error: ', 'error: ', 'Error: '))}{reason}"
        answer = {"en": f"The calculation failed: {reason}.", "es": f"El cálculo falló: {reason}."}[lang]
    else:
        value = _value(rng, wanted)
        output = f'{{"result": {value}}}' if kind < 0.2 else value
        answer = f"{wanted} = {value}"
    messages: tuple[Message, ...] = (user(text), calls("calculator", {"expression": wanted}), tool_result(output))
    return Item("calculator_result", lang, key, messages, assistant(answer), (CALCULATOR,))


def _value(rng: Random, wanted: str) -> str:
    """Mostly a plausible size, as integer, short decimal or a float with all its digits."""
    kind = rng.random()
    number = rng.choice((rng.randint(0, 99), rng.randint(0, 999), rng.randint(0, 99999)))
    sign = "-" if rng.random() < 0.1 else ""
    if kind < 0.6:
        return f"{sign}{number}"
    if kind < 0.75:
        return f"{sign}{number}.{rng.randint(0, 99)}"
    return f"{sign}{number / rng.choice((3, 6, 7, 9, 11, 13))}" if kind < 0.85 else f"{sign}{number}.0"


def small_sum(rng: Random, lang: Lang) -> Item:
    """Sums and differences of up to two digits with no tool at hand."""
    a, b, sign = rng.randint(0, 99), rng.randint(0, 99), rng.choice("++-")
    if sign == "-" and b > a:
        a, b = b, a
    terms = [str(a), sign, str(b)]
    text = say(rng, lang, _ASK[lang][:8], e=typed(rng, lang, terms))
    return Item(
        "small_sum",
        lang,
        written(terms),
        (user(text),),
        assistant(f"{written(terms)} = {a + b if sign == '+' else a - b}"),
    )
