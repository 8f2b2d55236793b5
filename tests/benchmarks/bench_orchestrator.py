"""Does the orchestrator earn its place? Right answers of the demo model, through the orchestrator and by a direct call.

    python -m tests.benchmarks.bench_orchestrator [--items 10] [--show 20]

Items are drawn from the held-out split of the demo model's tasks (llm/demo), plain requests without a system prompt or
tools of their own; `--items` of each task in each language. Both graphs answer each item once, with default settings
(greedy at first), in turn, without memory. An answer is right when it is the expected one byte for byte but for outer
white space; where the expected answer is a number at its end ("17 + 25 = 42"), when the last number is that number. Our
validator has no say in it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random

from graphs.services import Services, lab_tools
from llm.demo.item import LANGS, Item, Lang, draw
from llm.demo.tasks import TASKS
from llm.models import open_models
from nodes.tools.calculator import evaluate, render
from server.experiments.compare import Answered, Pair, compare, wilson
from server.experiments.inputs import Item as Asked
from server.experiments.inputs import read_configuration
from server.experiments.run import Experiment
from tests.benchmarks.rounds import Mark, print_marks, print_table

OTHERS = {"calculator_result", "tool_call", "tool_answer", "memory", "system_rule", "retry"}
"""Tasks that are a tool's call or result, or need turns and system prompts: not one plain request."""
NUMERIC = {"calculator_call", "small_sum", "count"}
SEED = 20_261_121
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class Question:
    task: str
    lang: Lang
    prompt: str
    expected: str

    def is_right(self, output: str) -> bool:
        if self.task in NUMERIC:
            said = _NUMBER.findall(output)
            return bool(said) and _value(said[-1]) == _value(_NUMBER.findall(self.expected)[-1])
        return output.strip() == self.expected.strip()


def questions(per_task: int) -> list[Question]:
    """The same on every machine; no prompt twice."""
    found: dict[str, Question] = {}
    for task in TASKS:
        for lang in LANGS if task not in OTHERS else ():
            rng, before = Random(f"{SEED} {task} {lang}"), len(found)
            for _ in range(per_task * 50):
                if len(found) == before + per_task:
                    break
                item = draw(TASKS[task].generate, rng, lang, "test")
                if len(item.messages) == 1 and (expected := _expected(item)) is not None:
                    prompt = str(item.messages[0]["content"])
                    found.setdefault(prompt, Question(task, lang, prompt, expected))
    return list(found.values())


def _expected(item: Item) -> str | None:
    """The answer of a person; what a calculator is asked for is worked out. None where that has no value."""
    if item.task != "calculator_call":
        return item.expected
    expression = item.answer["tool_calls"][0]["function"]["arguments"]["expression"]
    try:
        return render(evaluate(expression))
    except ValueError:
        return None


def _value(number: str) -> float:
    return round(float(number.replace(",", "")), 6)


async def answered(asked: Sequence[Question]) -> list[Pair]:
    pairs: list[Pair] = []
    with open_models() as models:
        services = Services(models, tools=lab_tools(models))
        experiment = Experiment(read_configuration("graph=direct"), read_configuration("graph=orchestrator"), services)
        async with aclosing(experiment.run([Asked(prompt=question.prompt) for question in asked])) as coming:
            async for pair in coming:
                question = asked[pair.index]
                pairs.append(pair.model_copy(update={"a": _judged(question, pair.a), "b": _judged(question, pair.b)}))
    return pairs


def _judged(question: Question, answer: Answered) -> Answered:
    return answer.model_copy(update={"right": question.is_right(answer.output)})


def print_tasks(asked: Sequence[Question], pairs: Sequence[Pair]) -> None:
    rows = [("task", "items", "direct", "orchestrator", "attempts")]
    for task in dict.fromkeys(question.task for question in asked):
        mine = [pair for question, pair in zip(asked, pairs, strict=True) if question.task == task]
        figures = compare(mine)
        rows.append(
            (task, str(len(mine)), f"{figures.a.right:.2f}", f"{figures.b.right:.2f}", f"{figures.b.attempts:.2f}")
        )
    print_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10, help="of each task, in each language")
    parser.add_argument("--show", type=int, default=0, help="answers that only one of the two got right")
    chosen = parser.parse_args()
    asked = questions(chosen.items)
    pairs = asyncio.run(answered(asked))
    print_tasks(asked, pairs)
    figures = compare(pairs)
    assert figures.a.right is not None and figures.b.right is not None, "every item has an expected answer"
    for name, side in (("direct", figures.a), ("orchestrator", figures.b)):
        low, high = wilson(round((side.right or 0) * len(pairs)), len(pairs))
        print(f"\n{name}: {side.right:.3f} of {len(pairs)} items right (95 % interval {low:.3f} to {high:.3f})", end="")
    print(f"\nonly direct right: {figures.wins_a}, only the orchestrator: {figures.wins_b}, p = {figures.p_value:.2g}")
    print(f"seconds p50: direct {figures.a.seconds_p50:.3f}, orchestrator {figures.b.seconds_p50:.3f}")
    shown = [(q, p) for q, p in zip(asked, pairs, strict=True) if p.a.right != p.b.right][: chosen.show]
    for question, pair in shown:
        print(f"\n{question.task}: {question.prompt!r}\n  wanted {question.expected!r}")
        print(f"  direct {pair.a.output!r}\n  orchestrator {pair.b.output!r} ({pair.b.attempts} attempts)")
    print_marks(
        [Mark("orchestrator's right answers, beside direct's", figures.b.right / figures.a.right, "least", 1.05)]
    )


if __name__ == "__main__":
    main()
