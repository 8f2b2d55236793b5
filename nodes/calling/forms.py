"""What a retry with `stricter_format` asks for: a line of the system prompt and, for JSON, a form. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nodes.checks.data import wanted_keys
from state.models import ModelCard, Provider
from state.tasks import Reason

_JSON = {"en": "Write valid JSON and nothing else.", "es": "Escribe JSON válido y nada más."}
_CODE = {
    "en": "Write one complete fenced code block with valid syntax and the names asked for.",
    "es": "Escribe un solo bloque de código completo, con sintaxis válida y los nombres pedidos.",
}
_FORM = {"en": "Keep exactly to the form that the request asks for.", "es": "Respeta exactamente la forma pedida."}
STRICTER: dict[str, dict[str, str]] = {
    "malformed_json": _JSON,
    "missing_keys": {
        "en": "Write valid JSON with every key asked for and nothing else.",
        "es": "Escribe JSON válido con todas las claves pedidas y nada más.",
    },
    "no_code": _CODE,
    "malformed_code": _CODE,
    "missing_name": _CODE,
    "long_summary": {
        "en": "Write far fewer words than the text has.",
        "es": "Escribe muchas menos palabras que el texto.",
    },
    "untranslated": {"en": "Translate every sentence.", "es": "Traduce todas las frases."},
}
"""What `stricter_format` adds to the system prompt, by reason; `_FORM` for others."""
ONLY_IN: dict[str, str] = {
    "en": "Answer only in English.",
    "es": "Responde solo en español.",
    "fr": "Réponds uniquement en français.",
    "de": "Antworte nur auf Deutsch.",
    "it": "Rispondi solo in italiano.",
    "pt": "Responde apenas em português.",
    "ca": "Respon només en català.",
}

FOR = frozenset({"malformed_json", "missing_keys"})
"""Reasons that a form helps against."""
TAKE_FORMS: frozenset[Provider] = frozenset({"local", "openai", "openai_compatible"})
_LIST = re.compile(r"\b(?:list|array|lista|arreglo)\b", re.IGNORECASE)
_SCANNED = 8_000


def stricter_lines(reasons: Sequence[Reason], language: str) -> tuple[str, ...]:
    """What a retry with `stricter_format` asks for because of these reasons, in the language of the request."""
    lines = []
    for reason in reasons:
        if reason.name == "wrong_language":
            lines.append(ONLY_IN.get(language, "Answer in the language of the request."))
        else:
            words = STRICTER.get(reason.name, _FORM)
            lines.append(words.get(language, words["en"]))
    return tuple(dict.fromkeys(lines))


def json_form(card: ModelCard, prompt: str, reasons: Sequence[Reason]) -> dict[str, Any] | None:
    """A `response_format` where the last answers were no usable JSON and the model's provider takes one; else None.

    A request that speaks of a list may want one, which OpenAI's JSON mode cannot write.
    """
    if card.provider not in TAKE_FORMS or not any(reason.name in FOR for reason in reasons):
        return None
    listed = _LIST.search(prompt[:_SCANNED]) is not None
    if card.provider != "local":
        return None if listed else {"type": "json_object"}
    schema = {"anyOf": [{"type": "array"}, {"type": "object"}]} if listed else _object(prompt, reasons)
    # The system prompt asks for JSON already; the grammar alone is new.
    body = {"name": "answer", "schema": schema, "strict": True, "told": False}
    return {"type": "json_schema", "json_schema": body}


def _object(prompt: str, reasons: Sequence[Reason]) -> dict[str, Any]:
    """An object, with the keys that the request names where some were missing."""
    keys = wanted_keys(prompt) if any(reason.name == "missing_keys" for reason in reasons) else []
    return {"type": "object", "properties": {key: {} for key in keys}, "required": keys} if keys else {"type": "object"}
