"""Training requests out of our own phrasings (`frames/*.yaml`): slots filled, texts attached in many places."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

FRAMES = Path(__file__).parent / "frames"
LANGUAGES = ("en", "es")
"""Those with slots; `more.yaml` has a few whole requests of others."""
ATTACHED_TIMES = 8
BARE_TIMES = 6
SEED = 20_25

_SLOT = re.compile(r"\{(\w+)\}")


class Example(NamedTuple):
    """A labelled request."""

    prompt: str
    task: str
    lang: str
    source: str


def generate(seed: int = SEED) -> list[Example]:
    """All of them, the same for the same seed."""
    made: list[Example] = []
    for lang in LANGUAGES:
        made += _Writer(lang, random.Random(f"{seed} {lang}")).write()
    for lang, tasks in _read("more").items():
        made += [Example(prompt, task, lang, f"ours/frames-{lang}") for task, some in tasks.items() for prompt in some]
    return made


def _read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FRAMES / f"{name}.yaml").read_text("utf-8")))


class _Writer:
    """One language's frames and the dice that fill them."""

    def __init__(self, lang: str, chance: random.Random) -> None:
        first, hard = _read(lang), _read(f"{lang}_hard")
        self.lang, self.chance = lang, chance
        self.frames = {part: _joined(first[part], hard[part]) for part in ("attached", "bare")}
        self.slots: dict[str, list[str]] = first["slots"] | hard["slots"]
        self.sentences: list[str] = first["sentences"]
        self.layouts: list[str] = first["layouts"]
        self.code_texts: list[str] = first["code_texts"]

    def write(self) -> Iterator[Example]:
        for task, asks in self.frames["attached"].items():
            for ask in asks:
                for _ in range(ATTACHED_TIMES):
                    yield self._example(self._attach(self._fill(ask), task), task)
        for task, wholes in self.frames["bare"].items():
            for whole in wholes:
                for _ in range(BARE_TIMES if _SLOT.search(whole) else 2):
                    yield self._example(self._fill(whole), task)

    def _example(self, prompt: str, task: str) -> Example:
        return Example(self._roughen(prompt), task, self.lang, f"ours/frames-{self.lang}")

    def _attach(self, ask: str, task: str) -> str:
        """The instruction with a text before it, after it or around it."""
        text = self.chance.choice(self.code_texts) if task == "code" else self._text()
        layout = self.chance.choice(self.layouts)
        if ask.endswith("?"):
            layout = layout.replace("{ask}.", "{ask}").replace("{ask}:", "{ask}")
        lower = ask[0].lower() + ask[1:]
        return layout.format(ask=ask.rstrip("."), lower=lower.rstrip("."), text=text)

    def _fill(self, frame: str) -> str:
        def pick(slot: re.Match[str]) -> str:
            name = slot[1]
            if name == "sentence":
                return self.chance.choice(self.sentences)
            return self._text() if name == "text" else self.chance.choice(self.slots[name])

        return _SLOT.sub(pick, frame).replace("{{", "{").replace("}}", "}")

    def _text(self) -> str:
        return " ".join(self.chance.sample(self.sentences, self.chance.choice((1, 1, 2, 3, 4, 5))))

    def _roughen(self, prompt: str) -> str:
        """Some people write without capitals or without marks at the end."""
        roll = self.chance.random()
        if roll < 0.15:
            return prompt.lower()
        return prompt.rstrip(".?! ").lstrip("¿¡") if roll < 0.25 else prompt


def _joined(first: dict[str, list[str]], second: dict[str, list[str]]) -> dict[str, list[str]]:
    """Task → frames of both, in the order of their first appearance."""
    return {
        task: first.get(task, []) + second.get(task, [])
        for task in [*first, *(task for task in second if task not in first)]
    }
