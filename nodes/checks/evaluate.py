"""How good the validator is on labelled answers: what it finds, what it rejects wrongly, how well its score ranks."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from nodes.analyze import analyze
from nodes.labelled import read_rows
from nodes.validate import validate
from state.errors import BadRequest
from state.tasks import Kind, Verdict

HELD_OUT = Path(__file__).parents[1] / "heldout" / "answers.jsonl"
"""The shipped split, written by people who saw no check; `heldout/README.md` says what was looked at."""
FIRST = HELD_OUT.with_name("answers_first.jsonl")
"""An earlier split, which was looked at too often to be unseen."""
GOOD = "good"
KINDS = frozenset(get_args(Kind))

SURFACE = frozenset(
    "empty blank truncated cut cut_off repetition repetition_loop loop repeated wrong_language language refusal "
    "refused echo prompt_echo template_leak template leak leaked_tokens gibberish noise word_salad malformed_code "
    "broken_code code_error no_code missing_name malformed_json broken_json invalid_json missing_keys "
    "wrong_arithmetic long_summary untranslated unfinished_list broken_constraint constraint format".split()
)
"""Labels of failures that can be seen without knowing what is true, under their usual names."""
SEMANTIC = frozenset(
    "off_topic wrong_fact wrong_answer wrong_label wrong_translation bad_extraction bad_summary hallucination wrong "
    "factual_error wrong_result incorrect unfaithful semantic irrelevant".split()
)


class Line(NamedTuple):
    """One labelled answer."""

    prompt: str
    answer: str
    task: Kind
    label: str
    lang: str


class Judged(NamedTuple):
    """A line with the validator's verdict on it."""

    line: Line
    verdict: Verdict
    millis: float

    @property
    def is_good(self) -> bool:
        return self.line.label == GOOD

    @property
    def rejected(self) -> bool:
        return not self.verdict.passed


class Figures(NamedTuple):
    """What is reported of a set of answers. Shares are 0..1, or None where there is nothing to share."""

    lines: int
    good: int
    good_rejected: float | None
    surface_recall: float | None
    semantic_recall: float | None
    other_recall: float | None
    auc: float | None
    """That a good answer scores above a bad one; equal scores count half."""
    p50_millis: float


class LabelRow(NamedTuple):
    """One label's line of the table: how many answers were rejected, and which reasons stood first."""

    label: str
    kind: str
    lines: int
    rejected: float
    reasons: str


def read_lines(path: Path) -> list[Line]:
    """The labelled answers of a JSON-lines file. Raises BadRequest with file, line and what is wrong."""
    return [_line(row, where) for where, row in read_rows(path, '{"prompt", "answer", "task", "label"}')]


def _line(row: dict[str, Any], where: str) -> Line:
    for field in ("prompt", "answer", "task", "label"):
        if not isinstance(row.get(field), str):
            raise BadRequest(f'{where}: "{field}" must be a string')
    if row["task"] not in KINDS:
        raise BadRequest(f"{where}: task '{row['task']}' is unknown; choose one of: {', '.join(get_args(Kind))}")
    return Line(row["prompt"], row["answer"], row["task"], row["label"], str(row.get("lang", "")))


def judge(lines: Iterable[Line]) -> list[Judged]:
    """The verdict on each line; the analysis is that of its prompt, with the line's own kind."""
    judged = []
    for line in lines:
        analysis = analyze(line.prompt).model_copy(update={"kind": line.task})
        began = time.perf_counter()
        verdict = validate(line.prompt, line.answer, analysis)
        judged.append(Judged(line, verdict, (time.perf_counter() - began) * 1e3))
    return judged


def measure(judged: Sequence[Judged]) -> Figures:
    """The figures of all lines, or of a part such as one language."""
    good = [one for one in judged if one.is_good]
    bad = [one for one in judged if not one.is_good]
    kinds = {name: [one for one in bad if kind_of(one.line.label) == name] for name in ("surface", "semantic", "other")}
    times = sorted(one.millis for one in judged)
    return Figures(
        lines=len(judged),
        good=len(good),
        good_rejected=_share(good),
        surface_recall=_share(kinds["surface"]),
        semantic_recall=_share(kinds["semantic"]),
        other_recall=_share(kinds["other"]),
        auc=auc([one.verdict.score for one in good], [one.verdict.score for one in bad]),
        p50_millis=times[len(times) // 2] if times else math.nan,
    )


def kind_of(label: str) -> str:
    """`good`, `surface`, `semantic`, or `other` for a label that is in no table."""
    name = label.strip().lower().replace(" ", "_").replace("-", "_")
    if name == GOOD:
        return GOOD
    return "surface" if name in SURFACE else "semantic" if name in SEMANTIC else "other"


def label_rows(judged: Sequence[Judged]) -> list[LabelRow]:
    """A row a label, the good first, then by kind and name."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        groups[one.line.label].append(one)
    order = (GOOD, "surface", "semantic", "other")
    rows = [
        LabelRow(label, kind_of(label), len(group), _share(group) or 0.0, _top_reasons(group))
        for label, group in groups.items()
    ]
    return sorted(rows, key=lambda row: (order.index(row.kind), row.label))


def languages(judged: Sequence[Judged]) -> dict[str, Figures]:
    """The figures of each language that lines name."""
    names = sorted({one.line.lang for one in judged if one.line.lang})
    return {name: measure([one for one in judged if one.line.lang == name]) for name in names}


def errors(judged: Sequence[Judged]) -> list[Judged]:
    """Good answers that were rejected, then surface failures that passed."""
    rejected = [one for one in judged if one.is_good and one.rejected]
    passed = [one for one in judged if not one.is_good and not one.rejected and kind_of(one.line.label) == "surface"]
    return rejected + passed


def auc(good: Sequence[float], bad: Sequence[float]) -> float | None:
    """The area under the ROC curve by ranks (Mann and Whitney); None without both kinds."""
    if not good or not bad:
        return None
    ranks: dict[float, list[int]] = defaultdict(list)
    for rank, score in enumerate(sorted([*good, *bad]), 1):
        ranks[score].append(rank)
    mean = {score: sum(places) / len(places) for score, places in ranks.items()}
    return (sum(mean[score] for score in good) - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad))


def _share(judged: Sequence[Judged]) -> float | None:
    return sum(one.rejected for one in judged) / len(judged) if judged else None


def _top_reasons(judged: Sequence[Judged]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for one in judged:
        for reason in one.verdict.reasons:
            counts[reason.name] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ranked[:3])
