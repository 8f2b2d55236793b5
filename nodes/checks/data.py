"""JSON in an answer: it parses, and has the keys that the request names."""

from __future__ import annotations

import json
import re

from nodes.checks.reading import FENCE, plain
from state.tasks import Analysis, Reason

_WANTED = re.compile(
    r"\b(?:in|as|into|to|with|using|return\w*|output|give me|give|produce|generate|create|write|respond|answer"
    r"|provide|valid|format\w*"
    r"|en|como|a|formato|devuelve\w*|devu[eé]lve\w*|da(?:me)?|genera|crea|escribe|responde\w*|proporciona|objeto"
    r"|lista|array|v[aá]lido)"
    r"\s+(?:(?:a|an|the|un|una|el|valid|single|only|solo|s[oó]lo|formato|format|objeto|array|object|list|lista"
    r"|arreglo|in|with|en|de|con"
    r"|following|simple|compact|strict|nested|one|plain|as|como|your|me)\s+){0,5}json\b"
    r"|\bjson\b\s*(?:only|object|array|list|format|output|with|solo|con|that has|de|:|\Z|\.)|\b(?:objeto|lista"
    r"|formato|array) json\b",
    re.IGNORECASE,
)
_NOT_WANTED = re.compile(
    r"\b(?:what is|what's|explain|qu[eé] es|explica|difference|diferencia|parse|parsear|read a|lee un"
    r"|convert (?:this|the following) json"
    r"|from (?:this |the )?json|this json|the following json|este json|el siguiente json|json (?:to|into|a) (?:csv"
    r"|xml|yaml|python|a table|text))\b",
    re.IGNORECASE,
)
_KEY = r"[\"'`“«]?[^\W\d][\w-]{0,39}[\"'`”»]?(?:\s?\([^()\n]{1,60}\))?"
_ARTICLE = r"(?:an? |una? )?"
_LIST = rf"{_ARTICLE}{_KEY}(?:\s*[,/|]\s*{_ARTICLE}{_KEY}){{0,14}}(?:\s*,)?(?:\s+(?:and|y|e|&)\s+{_ARTICLE}{_KEY})?"
_CALLED = r"keys?|fields?|properties|attributes|columns|claves?|campos?|propiedades|atributos|llaves"
_END = (
    r"\s*(?=[.:;\n{]|\Z|\s(?:for|from|of|para|de|del|based|about|sobre|only|solo|and nothing|y nada|in this|en este)\b)"
)
_KEYS = (
    re.compile(
        rf"\b(?:{_CALLED})\b\s*(?:named |called |are |should be |must be |deben ser |llamad[oa]s |son |exactly |: ?"
        rf"|, |\()*({_LIST})",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:with|con|has|have|of|de|the|los|las|containing|include|incluye)\s+(?:the |los |las |a "
        rf"|an )?({_LIST})\s+(?:{_CALLED})\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\bjson\b(?: objects?| objetos?| válido| valid| array| list| of objects| de objetos|,| each| cada uno"
        rf"| format)*\s*"
        rf"(?:with|con|containing|contains|that has|that contains|que contenga|que tenga|having"
        rf"|including)\s+(?:exactly |only |the |los |las |el |la ){{0,6}}({_LIST}){_END}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:extract|extrae|get|give me|dame|return|devuelve|list)\s+(?:the |el |la |los |las |their |its "
        rf"|su ){{0,6}}({_LIST})\s+(?:as|in|como|en)\s+(?:a |un )?(?:valid )?json\b",
        re.IGNORECASE,
    ),
)
"""Where the names of keys are listed, the surest place first."""
_ONE_KEY = re.compile(rf"\b(?:an?|una?|the|la|el)\s+({_KEY})\s+(?:key|field|property|array|list)\b", re.IGNORECASE)
_BULLETED = re.compile(rf"\b(?:{_CALLED})\b[^\n]{{0,40}}:\s*\n((?:\s*[-*•]\s*{_KEY}[^\n]{{0,80}}\n?)+)", re.IGNORECASE)
_SCHEMA_KEY = re.compile(r"[\"“]([\w-]{1,40})[\"”]\s*:")
_BLANK = re.compile(
    r"[\"“]([\w-]{1,40})[\"”]\s*:\s*(?=[\"“]?(?:\.\.\.|…|<|string\b|str\b|text\b|texto\b|number\b|n[uú]mero\b|int\b"
    r"|integer\b|float\b|bool|null|true/false|0[ -]|1-|[\"”]|\[|lista?\b|\w+\s*\|))",
    re.IGNORECASE,
)
_BRACED = re.compile(
    r"\{\s*([^\W\d][\w-]{0,39}(?:\s*,\s*[^\W\d][\w-]{0,39}){1,12})\s*\}|\{\s*([^\W\d][\w-]{0,39}\s*:[^{}\"]{1,200})\}"
)
_NAME = re.compile(r"[^\W\d][\w-]{0,39}")
_JOINTS = frozenset(
    "and y e with con for para of de in the a an each cada exactly only solo as is are son are json object objeto "
    "following siguiente siguientes these estas estos two three four five dos tres cuatro cinco key keys value values "
    "valor valores no all any your tu".split()
)
_LIKE = re.compile(
    r"\b(?:format|like|schema|structure|example|following|this form|formato|como|esquema|estructura|siguiente"
    r"|ejemplo|forma)\b",
    re.IGNORECASE,
)
_ONLY = re.compile(
    r"\b(?:only|just|nothing else|solo|s[oó]lo|únicamente|solamente|nada m[aá]s|no (?:other )?text|sin texto)\b", re.I
)
_START = re.compile(r"[\[{]")


def wants_json(prompt: str) -> bool:
    """Whether the answer itself should be JSON."""
    text = prompt[:2_000] + "\n" + prompt[-1_000:]
    return _WANTED.search(text) is not None and _NOT_WANTED.search(text) is None


def check_json(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """JSON, fenced or bare; text around it is a fault only where the request says "only"."""
    spoken_of = "json" in prompt.lower() and _is_data(answer)
    if not (spoken_of or (analysis.kind != "code" and wants_json(prompt))):
        return _broken_fence(answer)
    fenced = next(
        (source for tag, source in FENCE.findall(answer) if tag.lower() in ("json", "json5", "jsonc", "")), None
    )
    text = (fenced if fenced is not None else answer).strip()
    value, error = _parse(text)
    around = False
    if error is not None and fenced is None:
        value, error, around = _embedded(text, error)
    if error is not None:
        return Reason(name="malformed_json", evidence=error, weight=0.7)
    if around and _ONLY.search(prompt):
        return Reason(name="malformed_json", evidence="there is text around the JSON", weight=0.45)
    missing = [key for key in wanted_keys(prompt) if not _has_key(value, key)]
    if missing and isinstance(value, dict | list):
        named = ", ".join(f"'{key}'" for key in missing[:4])
        return Reason(name="missing_keys", evidence=f"{named} missing", weight=0.6)
    return None


def wanted_keys(prompt: str) -> list[str]:
    """Keys that the request lists beside "keys", "fields" or "JSON with", or shows in a pattern (`{"name": …}`)."""
    text = prompt[:2_000] + ("\n" + prompt[-1_000:] if len(prompt) > 2_000 else "")
    if bulleted := _BULLETED.search(text):
        return [found.group() for line in bulleted.group(1).splitlines() if (found := _NAME.search(line))]
    singles = [name for found in _ONE_KEY.findall(text) for name in _members(found)]
    if len(singles) > 1:
        return list(dict.fromkeys(singles))
    for pattern in _KEYS:
        found = pattern.search(text)
        if found and len(names := _members(found.group(1))) > (0 if re.search(r"[\"'`“«]", found.group(1)) else 1):
            return names
    if singles:
        return singles
    if _BLANK.search(text):
        return list(dict.fromkeys(_SCHEMA_KEY.findall(text)))
    if braced := _BRACED.search(text):
        listed, pairs = braced.group(1) or "", re.sub(r":[^,}]*", "", braced.group(2) or "")
        return _members(listed) or list(dict.fromkeys(_NAME.findall(pairs)))
    if _LIKE.search(text) or len(_SCHEMA_KEY.findall(text)) <= 8:
        return list(dict.fromkeys(_SCHEMA_KEY.findall(text)))
    return []


def _members(listed: str) -> list[str]:
    """The names of a list written as prose; nothing where a joint shows that it is a sentence."""
    bare = re.sub(r"\([^()]*\)", "", listed)
    parts = re.split(r"\s*[,/|]\s*(?:and |y |e )?|\s+(?:and|y|e|&)\s+", bare)
    names = [part.strip(" \"'`“”«»") for part in parts]
    names = [re.sub(r"^(?:a|an|un|una|the|el|la)\s+", "", name) for name in names if name]
    return list(dict.fromkeys(name for name in names if name.lower() not in _JOINTS))


def _is_data(answer: str) -> bool:
    """An answer that is JSON itself, not a program that makes it or a text about it."""
    return answer.lstrip()[:1] in ("{", "[") or "```json" in answer


def _has_key(value: object, key: str, depth: int = 0) -> bool:
    """At any level, in each object of a list; spelled with or without accents and capitals."""
    if depth > 6:
        return True
    if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        return all(_has_key(inner, key, depth + 1) for inner in value[:200])
    if isinstance(value, dict):
        return any(plain(str(name)) == plain(key) for name in value) or any(
            _has_key(inner, key, depth + 1) for inner in list(value.values())[:50] if isinstance(inner, dict | list)
        )
    if isinstance(value, list):
        return any(_has_key(inner, key, depth + 1) for inner in value[:50] if isinstance(inner, dict | list))
    return False


def _parse(text: str) -> tuple[object, str | None]:
    try:
        return json.loads(text), None
    except (ValueError, RecursionError) as error:
        problem = str(error)[:120]
    lines = [line for line in text.splitlines() if line.strip()]
    if 1 < len(lines) <= 500 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines):
        try:
            return [json.loads(line) for line in lines], None
        except (ValueError, RecursionError):
            pass
    return None, problem


def _embedded(text: str, error: str) -> tuple[object, str | None, bool]:
    """The object or list that begins at the first bracket, with text before or after it."""
    start = _START.search(text)
    if start is None:
        return None, "there is no JSON in the answer", False
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start.start())
    except (ValueError, RecursionError):
        return None, error, False
    if isinstance(value, dict | list) and value:
        return value, None, True
    return None, error, False


def _broken_fence(answer: str) -> Reason | None:
    """A block that calls itself JSON and is not."""
    for tag, source in FENCE.findall(answer):
        if tag.lower() != "json" or re.search(r"//|\.\.\.|…|/\*|<\w+>", source):
            continue
        if (error := _parse(source.strip())[1]) is not None:
            return Reason(name="malformed_json", evidence=error, weight=0.5)
    return None
