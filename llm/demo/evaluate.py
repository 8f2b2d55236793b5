"""Measures the shipped weights on items they never saw: `python -m llm.demo.evaluate [--write-card]`."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from transformers import AutoTokenizer, LlamaForCausalLM

from llm.demo.conversation import dress
from llm.demo.item import LANGS, Item, Lang, draw
from llm.demo.tasks import TASKS

HERE = Path(__file__).parent
WEIGHTS, CARD = HERE / "weights", HERE / "README.md"
BEGIN, END = "<!-- accuracy: written by the command -->", "<!-- end of accuracy -->"
SEED = 7
PROMPT_TOKENS = 900


@dataclass(frozen=True)
class Score:
    """Right answers of one task, out of how many, per language."""

    task: str
    right: dict[Lang, int]
    asked: dict[Lang, int]

    def accuracy(self, lang: Lang | None = None) -> float:
        chosen = [lang] if lang else LANGS
        return sum(self.right[c] for c in chosen) / sum(self.asked[c] for c in chosen)


class Demo:
    """The model and its tokenizer, answering greedily in left-padded batches."""

    def __init__(self, folder: Path = WEIGHTS):
        # Small matrices: on a busy machine two threads wait for each other and are 60 times slower than one.
        torch.set_num_threads(1)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def answer(self, items: Sequence[Item]) -> list[str]:
        """One reply per item, with its tool calls as text and without the end mark."""
        prompts = [self.prompt(item.messages, item.tools) for item in items]
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            output = self.model.generate(**inputs, max_new_tokens=200, do_sample=False)  # type: ignore[misc]
        replies: list[str] = self.tokenizer.batch_decode(
            output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return replies

    def prompt(self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                list(messages), tools=list(tools) or None, tokenize=False, add_generation_prompt=True
            )
        )


def held_out_items(task: str, lang: Lang, count: int, seed: int = SEED) -> list[Item]:
    """The same `count` different test items on every machine, dressed as in use."""
    rng = Random(f"{seed} {task} {lang}")
    items: dict[str, Item] = {}
    for _ in range(count * 20):
        item = dress(draw(TASKS[task].generate, rng, lang, "test"), rng)
        if len(str(item.messages)) < PROMPT_TOKENS:
            items.setdefault(str(item.messages), item)
        if len(items) == count:
            break
    return list(items.values())


def ask(demo: Demo, items: Sequence[Item], batch: int = 25) -> Iterator[tuple[Item, str]]:
    """Items with the model's replies, shortest first so that a batch holds little padding."""
    ordered = sorted(items, key=lambda item: len(str(item.messages)) + len(str(item.tools)))
    for start in range(0, len(ordered), batch):
        part = ordered[start : start + batch]
        yield from zip(part, demo.answer(part), strict=True)


def measure(demo: Demo, per_task: int, tasks: Sequence[str] = tuple(TASKS), show_errors: bool = False) -> list[Score]:
    """Exact-match accuracy per task, `per_task` items in each language."""
    scores = []
    for task in track(tasks, description="asking", console=Console(stderr=True), transient=True):
        right: dict[Lang, int] = dict.fromkeys(LANGS, 0)
        asked: dict[Lang, int] = dict.fromkeys(LANGS, 0)
        for lang in LANGS:
            for item, reply in ask(demo, held_out_items(task, lang, per_task)):
                asked[lang] += 1
                right[lang] += item.accepts(reply)
                if show_errors and not item.accepts(reply):
                    print(f"{task} {lang}: {item.messages[-1]['content']!r}")
                    print(f"  wanted {item.expected!r}\n  got    {reply!r}")
        scores.append(Score(task, right, asked))
    return scores


def as_table(scores: Sequence[Score]) -> str:
    """The Markdown table of the card."""
    lines = ["| Task | Held out by | Items | Accuracy | English | Spanish |", "|---|---|---:|---:|---:|---:|"]
    for score in scores:
        cells = [score.task, TASKS[score.task].held_out, str(sum(score.asked.values())), f"{score.accuracy():.2f}"]
        lines.append("| " + " | ".join([*cells, *(f"{score.accuracy(lang):.2f}" for lang in LANGS)]) + " |")
    means = [sum(s.accuracy(lang) for s in scores) / len(scores) for lang in (None, *LANGS)]
    total = sum(sum(score.asked.values()) for score in scores)
    lines.append(f"| **mean of tasks** | | {total} | " + " | ".join(f"**{mean:.2f}**" for mean in means) + " |")
    return "\n".join(lines)


def write_card(table: str, card: Path = CARD) -> None:
    """Put the table between the card's markers."""
    text = card.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    card.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items-per-task", type=int, default=100, help="in each language")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS), metavar="TASK")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--write-card", action="store_true", help="put the table into README.md")
    parser.add_argument("--show-errors", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # so small a model only waits for its other threads
    table = as_table(measure(Demo(chosen.weights), chosen.items_per_task, chosen.tasks, chosen.show_errors))
    print(table)
    if chosen.write_card:
        write_card(table)


if __name__ == "__main__":
    main()
