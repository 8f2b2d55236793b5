"""Which language a text is in: function words and letters of English and Spanish, scripts for others."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

UNDETERMINED = "und"

_WORD = re.compile(r"[^\W\d_]+")
_FUNCTION_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        "a an and are as at be but by can do does for from have he her his how i if in is it its me my not of on or "
        "please she so that the their them there these they this to was we what when where which who why will with "
        "would you your write give tell make word words into than then hello hi hey thanks good morning".split()
    ),
    "es": frozenset(
        "a al como con cual cuál cuando cuándo cuanto cuánto cuántos cuántas de del donde dónde el ella en entre es "
        "esa ese eso esta está este esto estos fue ha hay la las le lo los me mi muy más no nos o para pero por porque "
        "qué que quién se según ser si sí sin sobre son su sus también te tiene todo tu un una y ya yo palabra escribe "
        "dime haz dame hola gracias hoy cuenta invierte repite traduce ordena".split()
    ),
}
_SPANISH_LETTERS = re.compile(r"[ñ¿¡áéíóúü]", re.IGNORECASE)
_SCRIPTS = {
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "he",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "DEVANAGARI": "hi",
    "THAI": "th",
}
MAX_CHARS = 4_000
"""Only the start of a text is looked at: enough to tell, and a huge prompt stays cheap."""


def detect(text: str) -> tuple[str, float]:
    """The language of a text and how sure that is, 0..1; `und` with 0.0 when nothing tells."""
    text = text[:MAX_CHARS]
    script = _dominant_script(text)
    if script is not None:
        return script, 0.9
    words = [word.lower() for word in _WORD.findall(text)]
    scores = {language: sum(word in known for word in words) for language, known in _FUNCTION_WORDS.items()}
    scores["es"] += 2 * len(_SPANISH_LETTERS.findall(text))
    best, second = sorted(scores, key=lambda language: -scores[language])[:2]
    if scores[best] == scores[second]:
        return UNDETERMINED, 0.0
    return best, (scores[best] - scores[second]) / (scores[best] + scores[second])


def _dominant_script(text: str) -> str | None:
    letters = [char for char in text if char.isalpha() and char > "\u02ff"]
    if len(letters) * 2 <= sum(char.isalpha() for char in text):
        return None
    names = Counter(unicodedata.name(char, "?").split()[0].split("-")[0] for char in letters)
    # Japanese mixes Chinese characters with kana; any kana settles it.
    if names.keys() & {"HIRAGANA", "KATAKANA"}:
        return "ja"
    return _SCRIPTS.get(names.most_common(1)[0][0])
