"""How the tests of checks judge a case."""

from nodes.analyze import analyze
from nodes.validate import validate
from state.tasks import Kind, Verdict

Case = tuple[Kind, str, str]
"""Kind, prompt, answer."""


def judged(kind: Kind, prompt: str, answer: str) -> Verdict:
    """The verdict on an answer whose request is of this kind."""
    return validate(prompt, answer, analyze(prompt).model_copy(update={"kind": kind}))


def reasons(kind: Kind, prompt: str, answer: str) -> list[str]:
    """Names of what was found."""
    return [reason.name for reason in judged(kind, prompt, answer).reasons]
