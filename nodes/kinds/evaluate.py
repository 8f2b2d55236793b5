"""How good the analyzer is on labelled requests: accuracy, macro-F1, languages, second kinds, confidence, time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from nodes.analyze import analyze
from nodes.labelled import read_rows
from state.errors import BadRequest
from state.tasks import Analysis, Kind

HELD_OUT = Path(__file__).parents[1] / "heldout" / "prompts.jsonl"
"""The shipped split: written by somebody who has not seen the training data; training has not seen it."""
KINDS = frozenset(get_args(Kind))
MAIN_LANGUAGES = ("en", "es")


class Line(NamedTuple):
    """One labelled request; `lang` is empty where the file does not say."""

    prompt: str
    task: Kind
    lang: str


class Analysed(NamedTuple):
    """A line with what the analyzer said of it."""

    line: Line
    analysis: Analysis
    millis: float

    @property
    def right(self) -> bool:
        return self.analysis.kind == self.line.task


class KindRow(NamedTuple):
    """One kind's line of the table. Shares are 0..1."""

    kind: str
    lines: int
    recall: float
    precision: float
    f1: float
    taken_for: str
    """The kinds it was mostly taken for, with counts."""


class Figures(NamedTuple):
    """What is reported of a set of lines. Shares are 0..1, or None where no line can tell."""

    lines: int
    accuracy: float
    macro_f1: float
    """Mean over the kinds present in the file."""
    with_second: float
    """Share whose kind is the first or the second."""
    english: float | None
    spanish: float | None
    gap: float | None
    """How far the accuracies of English and Spanish lie apart."""
    language_accuracy: float | None
    mean_confidence: float
    p50_millis: float
    p95_millis: float


def read_lines(path: Path) -> list[Line]:
    """The labelled requests of a JSON-lines file. Raises BadRequest with file, line and what is wrong."""
    return [_line(row, where) for where, row in read_rows(path, '{"prompt": "…", "task": "…"}')]


def _line(row: dict[str, Any], where: str) -> Line:
    if not all(isinstance(row.get(key), str) for key in ("prompt", "task")):
        raise BadRequest(f'{where}: expected an object with the strings "prompt" and "task"')
    if row["task"] not in KINDS:
        raise BadRequest(f"{where}: task '{row['task'][:40]}' is unknown; choose one of: {', '.join(get_args(Kind))}")
    lang = row.get("lang") or ""
    if not isinstance(lang, str):
        raise BadRequest(f'{where}: "lang" must be a string such as "en"')
    return Line(row["prompt"], row["task"], lang)


def analyse_all(lines: Iterable[Line]) -> list[Analysed]:
    """What the analyzer says of each line, and how long it took."""
    analysed = []
    for line in lines:
        began = time.perf_counter()
        analysis = analyze(line.prompt)
        analysed.append(Analysed(line, analysis, (time.perf_counter() - began) * 1e3))
    return analysed


def measure(analysed: Sequence[Analysed]) -> Figures:
    """The figures of at least one line."""
    by_language = {lang: [one for one in analysed if one.line.lang == lang] for lang in MAIN_LANGUAGES}
    english, spanish = (_share([one.right for one in by_language[lang]]) for lang in MAIN_LANGUAGES)
    times = sorted(one.millis for one in analysed)
    rows = kind_rows(analysed)
    return Figures(
        lines=len(analysed),
        accuracy=_share([one.right for one in analysed]) or 0.0,
        macro_f1=sum(row.f1 for row in rows) / len(rows),
        with_second=_share([one.line.task in (one.analysis.kind, one.analysis.second_kind) for one in analysed]) or 0.0,
        english=english,
        spanish=spanish,
        gap=None if english is None or spanish is None else abs(english - spanish),
        language_accuracy=_share([one.analysis.language == one.line.lang for one in analysed if one.line.lang]),
        mean_confidence=sum(one.analysis.confidence for one in analysed) / len(analysed),
        p50_millis=times[len(times) // 2],
        p95_millis=times[len(times) * 95 // 100],
    )


def kind_rows(analysed: Sequence[Analysed]) -> list[KindRow]:
    """A row for each kind that the file has, in the order of `Kind`."""
    said = Counter(one.analysis.kind for one in analysed)
    rows = []
    for kind in get_args(Kind):
        mine = [one for one in analysed if one.line.task == kind]
        if not mine:
            continue
        right = sum(one.right for one in mine)
        wrong = Counter(one.analysis.kind for one in mine if not one.right)
        recall, precision = right / len(mine), right / said[kind] if said[kind] else 0.0
        f1 = 2 * recall * precision / (recall + precision) if right else 0.0
        taken_for = ", ".join(f"{name} {count}" for name, count in wrong.most_common(3))
        rows.append(KindRow(kind, len(mine), recall, precision, f1, taken_for))
    return rows


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None
