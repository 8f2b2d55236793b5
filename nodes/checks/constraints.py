"""The form that a request asks for: a table of demands, each read from its instruction and held against the answer."""

from __future__ import annotations

from collections.abc import Callable

from nodes.checks.forms.demands import read_demands
from nodes.checks.forms.items import check_items, check_label, check_order
from nodes.checks.forms.layout import check_dates, check_layout
from nodes.checks.forms.lengths import check_length
from nodes.checks.forms.shortness import check_shortness
from nodes.checks.forms.signs import check_signs
from nodes.checks.forms.wording import check_case, check_edges, check_vocabulary
from state.tasks import Analysis, Reason

Form = Callable[[str, str, Analysis], str | None]
"""`(demands, answer, analysis)`: what was asked and is not so, in a few words, or None."""

FORMS: tuple[Form, ...] = (
    check_shortness,
    check_length,
    check_items,
    check_order,
    check_case,
    check_edges,
    check_vocabulary,
    check_layout,
    check_dates,
    check_signs,
    check_label,
)


def check_constraints(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The first demand that the answer does not keep."""
    text = answer.strip()
    if not text:
        return None
    demands = read_demands(prompt)
    for check in FORMS:
        if evidence := check(demands, text, analysis):
            return Reason(name="broken_constraint", evidence=evidence, weight=0.5)
    return None
