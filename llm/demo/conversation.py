"""Puts items into conversations as in use: system prompts, idle tools, long contexts, several turns."""

from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from llm.demo.item import LANGS, Item, Lang, Message, Tool, draw, system, user
from llm.demo.lexicon import JOBS, phrase
from llm.demo.tasks import TASKS
from llm.demo.tasks.numbers import CALCULATOR
from llm.demo.tasks.tools import other_tools

SYSTEM_PROMPTS = [
    "You are a careful assistant. Answer in the language of the request.",
    "Use the calculator tool for arithmetic.",
    "Answer with code in one fenced block.",
    "Answer with JSON only.",
    "You are a helpful assistant.",
    "You are a careful assistant.",
    "Answer in the language of the request.",
    "Be brief.",
    "Answer briefly and exactly.",
    "You are Agent Lab's assistant.",
    "Answer with the label only.",
    "Translate exactly.",
    "You write short Python functions.",
    "You are a researcher. Collect the facts.",
    "You are a writer. Write clearly.",
    "You review the work of others.",
    "Use a tool when one fits the request.",
    "Answer directly.",
    "Think step by step.",
    "Do not explain.",
    "If you do not know, say so.",
    "Eres un asistente cuidadoso. Responde en el idioma de la petición.",
    "Eres un asistente útil.",
    "Usa la calculadora para la aritmética.",
    "Responde solo con JSON.",
    "Responde con código en un bloque.",
    "Sé breve.",
    "Si no lo sabes, dilo.",
]
"""None of them changes the answer; those that do belong to the task `system_rule`."""

_ROLES: dict[Lang, list[str]] = {
    "en": ["You are a {j}. {s}.", "Role: {j}. Goal: {s}.", "You work as a {j}.", "{s}."],
    "es": ["Eres {j}. {s}.", "Papel: {j}. Objetivo: {s}.", "Trabajas como {j}.", "{s}."],
}
_LABELS: dict[Lang, list[str]] = {
    "en": ["Request: ", "Task: ", "Question: ", "User: ", "Input: "],
    "es": ["Petición: ", "Tarea: ", "Pregunta: ", "Usuario: ", "Entrada: "],
}
_NEVER_WITH_CALCULATOR = {"small_sum", "retry", "tool_missing"}
_CONTEXT: dict[Lang, list[tuple[str, str]]] = {
    "en": [
        ("Context:\n", "\n\nRequest: "),
        ("Conversation so far:\n", "\n\nRequest: "),
        ("Notes: ", "\n\n"),
        ("", "\n\nTask: "),
    ],
    "es": [
        ("Contexto:\n", "\n\nPetición: "),
        ("Conversación hasta ahora:\n", "\n\nPetición: "),
        ("Notas: ", "\n\n"),
        ("", "\n\nTarea: "),
    ],
}


class Lesson(NamedTuple):
    """What the share of easy conversations is at some point of the training, 0 to 1 each.

    Copying, which most tasks need, is learnt late from the full mixture and within minutes from copies alone.
    """

    copying: float
    bare: float


FULL = Lesson(copying=0.0, bare=0.0)


def lesson_at(progress: float) -> Lesson:
    """First copies, then bare items, then all circumstances; `progress` runs from 0 to 1."""
    return Lesson(copying=max(0.0, 1 - progress / 0.12), bare=max(0.0, 1 - progress / 0.5))


@dataclass(frozen=True)
class Conversation:
    """Messages ending in an assistant's turn, and the keys of their items.

    `learnt` says of each assistant turn whether it is a good example.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    learnt: tuple[bool, ...]
    keys: tuple[str, ...]


def dress(item: Item, rng: Random) -> Item:
    """The item under one of the circumstances it may meet; the answer stays the same."""
    if item.messages[0]["role"] != "system":
        item = _with_context(item, rng) if rng.random() < 0.09 else item
        prompt = _system_prompt(rng)
        item = replace(item, messages=(system(prompt), *item.messages)) if prompt else item
    if not item.tools and rng.random() < 0.15:
        item = replace(item, tools=_idle_tools(item.task, rng))
    return item


def _system_prompt(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return ""
    if kind < 0.8:
        return rng.choice(SYSTEM_PROMPTS[:4] if kind < 0.58 else SYSTEM_PROMPTS)
    if kind < 0.9:
        lang = rng.choice(LANGS)
        return rng.choice(_ROLES[lang]).format(j=rng.choice(JOBS[lang]), s=phrase(rng, lang, 2, 8).capitalize())
    return rng.choice((" ", "\n")).join(rng.sample(SYSTEM_PROMPTS, rng.choice((2, 2, 3, 6))))


def _with_context(item: Item, rng: Random) -> Item:
    """The last request behind some text that has nothing to do with it."""
    last = max(number for number, message in enumerate(item.messages) if message["role"] == "user")
    before, after = rng.choice(_CONTEXT[item.lang])
    if rng.random() < 0.3:
        before, after = rng.choice(_LABELS[item.lang]), ""
    else:
        before += ". ".join(phrase(rng, item.lang, 3, 9).capitalize() for _ in range(rng.choice((1, 2, 4, 8)))) + "."
    request = user(f"{before}{after}{item.messages[last]['content']}")
    return replace(item, messages=(*item.messages[:last], request, *item.messages[last + 1 :]))


def _idle_tools(task: str, rng: Random) -> tuple[Tool, ...]:
    """Tools that do not fit the request: sums without a tool must not see the calculator."""
    tools = other_tools(rng, 3)
    if task not in _NEVER_WITH_CALCULATOR and rng.random() < 0.7:
        tools.append(CALCULATOR)
    rng.shuffle(tools)
    return tuple(tools)


def sample_item(rng: Random) -> Item:
    """A training item of a task drawn by weight."""
    task = rng.choices(list(TASKS.values()), [t.weight for t in TASKS.values()])[0]
    return draw(task.generate, rng, rng.choice(LANGS), "train")


def sample_conversation(rng: Random, lesson: Lesson = FULL) -> Conversation:
    """Training text: one item mostly, several in a row otherwise, so that every position is trained."""
    if rng.random() < lesson.copying:
        task = TASKS[rng.choice(("echo", "echo", "echo", "upper_lower", "reverse"))]
        return joined([draw(task.generate, rng, rng.choice(LANGS), "train")])
    first = sample_item(rng)
    if rng.random() < lesson.bare:
        return joined([first])
    first = dress(first, rng)
    if rng.random() < 0.8 or first.task == "system_rule":
        return joined([first])
    return joined([first, *_more_items(first, rng, rng.choice((1, 2, 2, 4, 9)))])


def _more_items(first: Item, rng: Random, count: int) -> list[Item]:
    """Items that may follow `first` under its tools: they have none of their own, or the same."""
    items = []
    for _ in range(count):
        sums = first.tools == (CALCULATOR,) and rng.random() < 0.3
        task = TASKS["calculator_result" if sums else rng.choice(list(TASKS))]
        item = draw(task.generate, rng, first.lang if rng.random() < 0.8 else rng.choice(LANGS), "train")
        clash = item.messages[0]["role"] == "system" or item.task == "memory"
        clash |= bool(item.tools) and item.tools != first.tools
        clash |= bool(item.answer.get("tool_calls"))
        clash |= item.task in _NEVER_WITH_CALCULATOR and bool(first.tools)
        if not clash:
            items.append(item)
    return items


def joined(items: list[Item]) -> Conversation:
    """One conversation of all items, under the system prompt and tools of the first.

    An item that ends in a tool call has no result to go on from, so it comes last.
    """
    opening = [message for message in items[0].messages if message["role"] == "system"]
    messages: list[Message] = [*opening]
    learnt: list[bool] = []
    for item in sorted(items, key=lambda item: bool(item.answer.get("tool_calls"))):
        turns = [message for message in item.messages if message["role"] != "system"]
        learnt += [item.learn_history for message in turns if message["role"] == "assistant"] + [True]
        messages += [*turns, item.answer]
    return Conversation(tuple(messages), items[0].tools, tuple(learnt), tuple(item.key for item in items))
