"""An answer beside its text: too long, not translated, about something else."""

from collections.abc import Sequence

import pytest

from nodes.analyze import analyze
from nodes.validate import validate
from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

STORY = (
    "The old lighthouse on the northern cape was closed in 1962. Since then its keeper's house has been a small museum "
    "that tells how storms were watched, how the lamp was cleaned and how supplies came by boat twice a month."
)
LONG = STORY + " " + STORY.replace("old", "very old and famous") + " It is loved by all visitors of the coast."
BAD: list[tuple[str, Kind, str, str]] = [
    ("untranslated", "translation", "Translate to French: The house is on the hill and it is very old.", "La casa está en la colina y es muy vieja."),
    ("long_summary", "summarization", "Summarise briefly: The concert was moved to Friday because of the storm.", "The text speaks of a concert that could not take place on the day it had been planned for, and the reason for this is that there was a storm, so the concert was moved to another day, which is Friday."),
    ("untranslated", "translation", "Translate to French: The house is on the hill and it is very old.", "La casa está en la colina y es muy vieja."),
    ("long_summary", "summarization", "Summarise briefly: The concert was moved to Friday because of the storm.", "The text speaks of a concert that could not take place on the day it had been planned for, and the reason for this is that there was a storm, so the concert was moved to another day, which is Friday."),
    ("untranslated", "translation", "Translate to French: The house is on the hill and it is very old.", "La casa está en la colina y es muy vieja."),
    ("long_summary", "summarization", "Summarise briefly: The concert was moved to Friday because of the storm.", "The text speaks of a concert that could not take place on the day it had been planned for, and the reason for this is that there was a storm, so the concert was moved to another day, which is Friday."),
    ("long_summary", "summarization", f"Summarise the following text:\n\n{STORY}", LONG),
    ("long_summary", "summarization", f"Resume el texto:\n\n{STORY}", STORY + " " + STORY),
    ("untranslated", "translation", "Translate to Spanish: The house is on the hill", "The house is on the hill"),
    ("untranslated", "translation", "Translate to Spanish: The house is on the hill", "The house stands on a hill over there."),
    ("untranslated", "translation", "Traduce al inglés: El perro duerme en la casa de Ana", "El perro duerme en casa de Ana."),
    ("off_topic", "summarization", f"Summarise the following text:\n\n{STORY}", "Bananas are yellow fruit rich in potassium and grow in warm countries."),
]  # fmt: skip
FINE: list[tuple[Kind, str, str]] = [
    ("translation", "How do you say \"thank you\" in Greek?", "You can say **ευχαριστώ**, which is said like \"efharisto\" and is used in all situations."),
    ("translation", "How do you say \"good night\" in French?", "The usual phrase is \"bonne nuit\", which you would say just before going to bed."),
    ("translation", "How do you say \"thank you\" in Greek?", "You can say **ευχαριστώ**, which is said like \"efharisto\" and is used in all situations."),
    ("translation", "How do you say \"good night\" in French?", "The usual phrase is \"bonne nuit\", which you would say just before going to bed."),
    ("translation", "How do you say \"thank you\" in Greek?", "You can say **ευχαριστώ**, which is said like \"efharisto\" and is used in all situations."),
    ("translation", "How do you say \"good night\" in French?", "The usual phrase is \"bonne nuit\", which you would say just before going to bed."),
    ("summarization", f"Summarise the following text:\n\n{STORY}", "A lighthouse closed in 1962 is now a museum of its keepers' work."),
    ("summarization", f"Resume en español:\n\n{STORY}", "Un faro cerrado en 1962 es hoy un museo."),
    ("translation", "Translate to Spanish: The house is on the hill", "La casa está en la colina."),
    ("translation", "Translate to Spanish: radio, hotel, taxi", "radio, hotel, taxi"),
    ("translation", "How do you say thank you in French?", "Merci"),
    ("question_answering", f"{STORY}\n\nWhen was it closed?", "In 1962."),
    ("creative_writing", "Write about autumn", "Leaves drift across the quiet lane while chimneys breathe their blue smoke."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "prompt", "answer"), BAD)
def test_an_answer_that_misses_its_text_is_named(name: str, kind: Kind, prompt: str, answer: str) -> None:
    verdict = judged(kind, prompt, answer)
    assert name in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", FINE)
def test_an_answer_near_its_text_passes(case: tuple[Kind, str, str]) -> None:
    assert judged(*case).passed and "untranslated" not in reasons(*case)


def about(texts: list[str]) -> Sequence[Sequence[float]]:
    """A semantic embedder of two subjects."""
    return [[1.0, 0.0] if "garden" in text or "roses" in text else [0.0, 1.0] for text in texts]


def test_with_an_embedder_an_answer_on_another_subject_is_found() -> None:
    prompt = "How do I care for the garden in May?"
    analysis = analyze(prompt).model_copy(update={"kind": "question_answering"})
    astray = "The engine of the bus needs new oil and a filter before the long trip."
    assert not validate(prompt, astray, analysis, embed=about).passed
    assert validate(prompt, "Water the roses early and cut what has faded in spring.", analysis, embed=about).passed
