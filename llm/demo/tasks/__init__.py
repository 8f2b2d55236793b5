"""The table of tasks: each with the function that draws its items and its share of the training data."""

from typing import NamedTuple

from llm.demo.item import Generator
from llm.demo.tasks import (
    beyond,
    code,
    facts,
    letters,
    memory,
    numbers,
    order,
    retry,
    rules,
    structure,
    talk,
    tools,
    writing,
)


class Task(NamedTuple):
    """`weight` is relative: the hard tasks are drawn more often."""

    generate: Generator
    weight: float
    held_out: str
    """What the test items keep from training, for the card."""


TASKS: dict[str, Task] = {
    "calculator_call": Task(numbers.calculator_call, 1.6, "expression"),
    "calculator_result": Task(numbers.calculator_result, 1.2, "expression"),
    "small_sum": Task(numbers.small_sum, 1.0, "operands"),
    "compare": Task(order.compare, 1.2, "pair of numbers"),
    "sort_numbers": Task(order.sort_numbers, 1.6, "set of numbers"),
    "tool_call": Task(tools.tool_call, 2.4, "tool and arguments"),
    "tool_answer": Task(tools.tool_answer, 0.9, "tool and arguments"),
    "tool_missing": Task(tools.tool_missing, 0.5, "tool name"),
    "reverse": Task(letters.reverse, 1.7, "word"),
    "upper_lower": Task(letters.upper_lower, 1.0, "words"),
    "echo": Task(letters.echo, 1.0, "text"),
    "count": Task(letters.count, 1.6, "word or text"),
    "first_last": Task(letters.first_last, 0.9, "word or text"),
    "sort_words": Task(order.sort_words, 2.0, "set of words"),
    "json_answer": Task(structure.json_answer, 1.2, "person"),
    "list_extraction": Task(structure.list_extraction, 1.0, "things or numbers"),
    "label": Task(structure.label, 1.2, "word and labels"),
    "routing": Task(rules.routing, 0.9, "request"),
    "capital": Task(facts.capital, 1.6, "phrasing of a known fact"),
    "unit": Task(facts.unit, 0.8, "phrasing of a known fact"),
    "translation": Task(facts.translation, 4.0, "phrasing, or pair of known words"),
    "code": Task(code.code, 1.6, "names, or phrasing"),
    "rewriting": Task(writing.rewriting, 1.0, "sentence"),
    "summary": Task(writing.summary, 0.7, "story"),
    "memory": Task(memory.memory, 1.0, "facts told"),
    "greeting": Task(talk.greeting, 0.5, "wording"),
    "identity": Task(talk.identity, 0.6, "wording"),
    "unknown": Task(beyond.unknown, 0.8, "question"),
    "system_rule": Task(rules.system_rule, 1.6, "rule and request"),
    "retry": Task(retry.retry, 1.5, "as the task retried"),
}
