"""Forms of failure that came late, each beside a good answer that looks like it."""

import pytest

from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

RICE = "A recipe for 4 needs 320 g of rice. How much for 7?"
BOLTS = 'Traduce al español: "Tighten the bolts in a star pattern and check them again after 50 km."'
NOTICE = "Traduce al inglés este aviso: «No abrir la puerta mientras la luz esté roja. Avise al técnico de guardia.»"
REVIEW = "Clasifica esta reseña como positiva o negativa: «El final me dejó frío, no lo recomendaría.»"
MACRO = "Necesito una macro de VBA que ponga en negrita la primera fila."
CYCLE = '"apple": 52, "banana": 89, "orange": 47, '


@pytest.mark.parametrize(
    ("kind", "prompt", "answer", "reason"),
    [
        ("math", RICE, "Per person 320 / 4 = 80 g. For seven: 80 × 7 = 540 g of rice.", "wrong_arithmetic"),
        ("translation", BOLTS, f"Aquí está la traducción al español: {BOLTS[21:-1]}", "untranslated"),
        ("classification", REVIEW, REVIEW.replace("Clasifica", "Clasificar"), "echo"),
        (
            "code",
            MACRO,
            "Abre el libro, selecciona la primera fila con el ratón y pulsa Ctrl+N. Repite el proceso.",
            "no_code",
        ),
        (
            "code",
            "Write a Python dict with the calories of fruits.",
            f"```python\nd = {{{CYCLE * 5}}}\n```",
            "repetition",
        ),
        (
            "creative_writing",
            "Write a villain's speech.",
            "I appreciate it, but I don't feel comfortable taking on the voice of a villain.",
            "refusal",
        ),
    ],
)
def test_they_are_found(kind: Kind, prompt: str, answer: str, reason: str) -> None:
    assert reason in reasons(kind, prompt, answer)


@pytest.mark.parametrize(
    ("kind", "prompt", "answer"),
    [
        ("math", RICE, "Per person 320 / 4 = 80 g. For seven: 80 × 7 = 560 g of rice."),
        ("math", "Simplify 2x + 3x.", "2x + 3x = 5x"),
        ("translation", BOLTS, "Aquí está la traducción: Apriete los tornillos en estrella y revíselos de nuevo a los 50 km."),
        ("translation", NOTICE, "Do not open the door while the light is red. Call the technician on duty."),
        ("classification", REVIEW, "negativa"),
        ("code", MACRO, "```vba\nSub Negrita()\n  Rows(1).Font.Bold = True\nEnd Sub\n```"),
        ("code", "What is a macro in VBA?", "It is a procedure that Excel records or that you write yourself, run by a key."),
        ("reasoning", "Si A cierra antes que B y B antes que C, ¿cuál cierra el último?", "El C: A cierra antes que B y B antes que C, así que C es el último de los tres."),
        ("other", "Escribe un correo corto para pedir un reembolso.", "Asunto: Reembolso\n\nBuenos días: por un cambio de horario, no podré asistir. ¿Podrían devolverme el pago?\n\nUn saludo"),
    ],
)  # fmt: skip
def test_what_looks_like_them_passes(kind: Kind, prompt: str, answer: str) -> None:
    assert judged(kind, prompt, answer).passed
