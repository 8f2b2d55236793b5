"""Gibberish: random letters, broken encodings, several scripts at once, words in no order."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from itertools import pairwise

from nodes.checks.fluency import is_known, letter_score, longest_run, order_scores, tables, was_seen
from nodes.checks.languages import NAMED
from nodes.checks.reading import FENCE, plain, prose, words
from nodes.language import detect
from state.tasks import Analysis, Reason

MAX_CHARS = 6_000
_MOJIBAKE = re.compile(r"Ã[\u0080-\u00bf©±³­¡¢¤-»‰“œ]|Â[\u0080-\u00bf¿¡]|â€[™œ\u009d“”¦˜]|ï¿½|\ufffd")
_LOWER_AFTER_STOP = re.compile(r"[a-záéíóúñ]{2}[.!?] +[a-záéíóúñ]")
_STOPS = re.compile(r"[a-záéíóúñ]{2}[.!?](?= +\S)")
_KEYBOARD = re.compile(r"asdf|sdfg|dfgh|fghj|ghjk|hjkl|zxcv|xcvb|qwert|jkl;|lkjh|fdsa|poiu|ñlkj", re.IGNORECASE)
_MIXED = re.compile(
    r"[a-z]{1,20}\d{1,9}[a-z]{1,20}\w*|[a-z]{1,20}[A-Z]{1,20}[a-z]{1,20}[A-Z]\w*"
    r"|\w{0,20}[#$%^&*@~]\w{1,20}[#$%^&*@~]\w*"
)
_STREWN = re.compile(r"(?<=\s)[-+*/×÷=] [*/×÷=+](?=\s)")
"""Two operators with nothing between."""
_NAMED_A = re.compile(r"\b[A-Z]\b")
"""Things called A, B and C stand where no table expects them."""
_ROMAN = re.compile(r"[IVXLCDM]{1,20}")
_JOINTS = frozenset("-–+'’/_.()[]:,\"“”")
_LONGEST_WORD = 40
LONGEST_RUN = 9
"""Words without a function word: real sentences of either language have at most 7."""
_ADDRESS = re.compile(r"(?:https?:|www\.|[\w.]{1,60}@)\S*")
_KNOWN_LANGUAGES = ("en", "es", "und")
_SURE = {"de", "fr", "it", "pt", "ca", "nl"}
_MAY_LOOK_SO = re.compile(
    r"\b(random|aleatori[oa]|password|contraseña|cipher|cifr\w+|encrypt\w*|decrypt\w*|decod\w+|encod\w+|base64|hash"
    r"|anagram\w*"
    r"|scramble\w*|shuffle\w*|reverse\w*|backwards?|vuelta|al rev[eé]s|inviert\w*|invent\w+|nonsense|gibberish|ascii"
    r"|morse|palindrom\w*"
    r"|pal[ií]ndrom\w*|rot13|caesar|pronunciation|pronunciaci[oó]n|phonetic\w*|fon[eé]tic\w*|ipa|notation"
    r"|notaci[oó]n|alternat\w*|every other letter|formulas?|f[oó]rmulas?|regex|old english|hashtags?|keywords?"
    r"|hex\w*|c[eé]sar|acronym\w*|sigla\w*|latin)\b",
    re.IGNORECASE,
)


def check_gibberish(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Text that no one can read. Code and what the request itself asks to be unreadable are left alone."""
    text = _ADDRESS.sub(" ", prose(answer)[:MAX_CHARS])
    if FENCE.search(answer) and len(text.split()) < 12:
        return None
    if (broken := _MOJIBAKE.findall(text)) and len(broken) >= 2 and _MOJIBAKE.search(prompt) is None:
        return _gibberish(f"'{broken[0]}' is a broken encoding", 0.7)
    if _MAY_LOOK_SO.search(prompt[:2_000]) or (analysis.kind == "code" and re.search(r"[(){};=<>\\`]", answer)):
        return None
    return (
        _scripts(prompt, text) or _letters(prompt, text) or _symbols(text, analysis) or _order(text, prompt, analysis)
    )


def _scripts(prompt: str, text: str) -> Reason | None:
    """Three scripts, or a second one sprinkled over words of the first."""
    seen = Counter(_script(char) for char in text[:3_000] if char.isalpha() and char > "\u02ff")
    foreign = {name: times for name, times in seen.items() if times >= 2 and name not in ("GREEK", "MICRO")}
    asked = {_script(char) for char in prompt[:4_000] if char.isalpha() and char > "\u02ff"}
    foreign = {name: times for name, times in foreign.items() if name not in asked}
    latin = sum(char.isalpha() and char <= "\u02ff" for char in text[:3_000])
    # Kana and Chinese characters are one language's.
    groups = {"CJK" if name in ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA") else name for name in foreign}
    if len(groups) >= 3 or (len(groups) == 2 and latin >= 20 and not _names_languages(prompt)):
        return _gibberish(f"mixes the scripts {', '.join(sorted(groups))}".lower(), 0.7)
    return None


def _script(char: str) -> str:
    return unicodedata.name(char, "?").split()[0]


def _names_languages(prompt: str) -> bool:
    return bool(
        re.search(r"\b(languages?|idiomas?|alphabets?|alfabetos?|translat\w+|traduc\w+|scripts?)\b", prompt, re.I)
    )


def _letters(prompt: str, text: str) -> Reason | None:
    """Words whose letters never follow one another so, or tokens that are no words."""
    known = {plain(word)[:6] for word in words(prompt[:MAX_CHARS])}
    tokens = text.split()
    plain_words = [
        word for word in re.findall(r"(?<![\w/.@#-])[^\W\d_]{4,}(?![\w/@])", text) if plain(word)[:6] not in known
    ]
    latin = [word for word in plain_words if word.isascii() or word[0] <= "\u02ff"]
    # Abbreviations in capitals have no vowels to speak of, and names come from anywhere.
    odd = [word for word in latin if not word.isupper() and _is_odd(word) and not was_seen(word)]
    lettered = [word for word in latin if not (word.isupper() and (len(word) <= 6 or _ROMAN.fullmatch(word)))]
    mixed = [token[:40] for token in tokens if _is_mixed(token.strip(".,;:!?()\"'"))]
    hits = len(odd) + len(mixed) + 2 * len(_KEYBOARD.findall(text))
    share = hits / max(1, len(latin) + len(mixed))
    language, sure = detect(text)
    bound = 0.6 if language not in _KNOWN_LANGUAGES and sure > 0.3 else 0.4
    if (len(latin) + len(mixed) >= 4 and share > bound) or (len(tokens) <= 3 and _mash(lettered, known)):
        sample = (odd or mixed or latin)[0]
        return _gibberish(f"'{sample[:40]}' is no word", 0.8)
    if hits >= 6 and share > 0.3:
        return _gibberish(f"{hits} of {len(tokens)} are no words", 0.5)
    if any(NAMED[code].search(prompt[:4_000]) for code in NAMED if code not in ("en", "es")):
        return None
    return _unknown([word for word in latin if word.islower()], language, sure)


def _unknown(latin: list[str], language: str, sure: float) -> Reason | None:
    """Too many words of neither language, and the text not plainly another's.

    Bounds by length: of 2,700 real answers, 98 in 100 have a smaller share.
    """
    if len(latin) < 3 or (language not in _KNOWN_LANGUAGES and sure >= 0.5):
        return None
    strange = [word for word in latin[:400] if not is_known(word)]
    bound = 0.38 if len(latin) >= 15 else 0.45 if len(latin) >= 8 else 0.42 if len(latin) >= 5 else 1.0
    if len(strange) < bound * len(latin[:400]) or (len(latin) < 5 and sum(map(_is_odd, latin)) * 2 < len(latin)):
        return None
    return _gibberish(f"'{strange[0]}' and {len(strange) - 1} more are unknown words", 0.6)


def _is_odd(word: str) -> bool:
    """Letters that do not follow one another so; of a name that is usual."""
    return letter_score(word) < (-3.8 if word[0].isupper() else -3.3) or re.search(r"(.)\1{3}", word) is not None


def _is_mixed(token: str) -> bool:
    """Letters, digits and capitals as no word or name has them, or a word without end."""
    if len(token) > _LONGEST_WORD:
        return token.isalnum()
    if "\\" in token or "|" in token or "*" in token or token.startswith("#"):
        return False  # a formula, a table, an emphasis, a tag or colour
    shown = [char for char in token if char not in _JOINTS]
    changes = sum(_sort(one) != _sort(other) for one, other in pairwise(shown))
    return _MIXED.fullmatch(token) is not None or (changes >= 3 and any(map(str.isalpha, token)) and len(token) >= 4)


def _sort(char: str) -> str:
    return "letter" if char.isalpha() else "digit" if char.isdigit() else "sign"


def _mash(latin: list[str], known: set[str]) -> bool:
    return bool(latin) and all(letter_score(word) < -4.2 and plain(word)[:6] not in known for word in latin)


def _symbols(text: str, analysis: Analysis) -> Reason | None:
    """Far more signs than letters, where neither numbers nor a drawing were asked for."""
    if analysis.kind != "code" and len(strewn := _STREWN.findall(text)) >= 3:
        return _gibberish(f"'{strewn[0].strip()}' and {len(strewn) - 1} more are signs in a row", 0.6)
    shown = [char for char in text if not char.isspace()]
    signs = sum(not char.isalnum() and unicodedata.category(char) not in ("So", "Mn", "Mc") for char in shown)
    if len(shown) >= 20 and signs > 0.5 * len(shown) and analysis.kind not in ("math", "extraction"):
        drawn = Counter(char for char in shown if not char.isalnum()).most_common(1)[0]
        if drawn[1] < 0.6 * signs:  # a table's or a rule's lines are one sign
            return _gibberish(f"{signs} of {len(shown)} characters are signs", 0.6)
    return None


def _order(text: str, prompt: str, analysis: Analysis) -> Reason | None:
    """Words in no order: function words stand where none can. Bounds by length, measured on real answers."""
    language, sure = detect(text)
    if language not in _KNOWN_LANGUAGES and sure > 0.2:
        return None
    bare = re.sub(r"[*_#>|]+", " ", text)
    scores = order_scores(bare)
    if len(scores) < 10 or len(re.findall(r"[=<>^]", text)) >= 2 or len(_NAMED_A.findall(text)) >= 3:
        return None
    # Two rare pairs are a phrase, not disorder.
    mean = float(scores.clip(min=-3.0).mean() if len(scores) < 16 else scores.mean())
    run = longest_run(bare)
    if run >= LONGEST_RUN and not _is_list(text, analysis):
        return _gibberish(f"{run} words in a row without one that joins them", 0.6)
    bound = -0.12 - 1.3 / math.sqrt(len(scores))
    if language == "es":
        bound += 0.15  # its sentences hold more function words, so that order shows more
    stops = len(_STOPS.findall(text))
    broken = len(_LOWER_AFTER_STOP.findall(text))
    if stops >= 2 and broken >= 0.6 * stops:
        bound += 0.15  # sentences that begin in lower case were taken apart
    if len(scores) < 60 and (_strange_capitals(bare) or _share_unknown(bare) >= 0.25):
        bound += 0.2
    if mean >= bound or _is_list(text, analysis):
        return None
    return _gibberish(f"words in no order ({mean:.2f}, usual is above {bound:.2f})", 0.6)


def _share_unknown(text: str) -> float:
    found = [word for word in re.findall(r"[^\W\d_]{4,}", text) if word.islower()]
    return sum(not is_known(word) for word in found) / len(found) if len(found) >= 5 else 0.0


def _strange_capitals(text: str) -> int:
    """Function words with a capital in mid-sentence, outside of titles: `in Apple allows The profiles`."""
    index = tables().places
    found = re.findall(r"(?<=[a-záéíóúñ] )([A-ZÁÉÍÓÚ][a-záéíóúñ]+)(?= [a-záéíóúñ])", text)
    return sum(word.lower() in index and len(word) > 1 for word in found)


def _is_list(text: str, analysis: Analysis) -> bool:
    """Names and labels one after another have no grammar to lose."""
    tokens = words(text)
    separated = text.count(",") + text.count("\n") + text.count(";") + text.count("|") + text.count(":")
    return separated * 4 >= len(tokens) or (analysis.kind in ("extraction", "math") and separated * 7 >= len(tokens))


def _gibberish(evidence: str, weight: float) -> Reason:
    return Reason(name="gibberish", evidence=evidence, weight=weight)
