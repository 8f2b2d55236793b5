"""What can be wrong with an answer: a file per family of checks, and the table of them.

A check sees the prompt, the answer and the analysis, nothing else; it never runs what it reads. A new check is a
function and its line in CHECKS.
"""

from __future__ import annotations

from nodes.checks.code import check_code
from nodes.checks.comparisons import check_comparison
from nodes.checks.constraints import check_constraints
from nodes.checks.data import check_json
from nodes.checks.echo import check_echo
from nodes.checks.endings import check_truncated
from nodes.checks.languages import check_language
from nodes.checks.lists import check_unfinished_list
from nodes.checks.loops import check_repetition
from nodes.checks.noise import check_gibberish
from nodes.checks.numbers import check_arithmetic
from nodes.checks.operations import check_result
from nodes.checks.reading import MAX_CHARS, Check
from nodes.checks.refusals import check_refusal
from nodes.checks.surface import check_empty, check_template_leak
from nodes.checks.texts import check_resized, check_summary, check_topic, check_translation

CHECKS: tuple[Check, ...] = (
    check_empty,
    check_template_leak,
    check_echo,
    check_repetition,
    check_gibberish,
    check_truncated,
    check_unfinished_list,
    check_refusal,
    check_language,
    check_json,
    check_code,
    check_arithmetic,
    check_comparison,
    check_result,
    check_summary,
    check_resized,
    check_translation,
    check_topic,
    check_constraints,
)

__all__ = ["CHECKS", "MAX_CHARS", "Check"]
