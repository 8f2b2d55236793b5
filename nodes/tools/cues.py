"""Words and figures by which a request calls for a tool, in English and Spanish, one predicate a tool.

Requests are read in small letters and without accents (`choose.plain`); every repetition is bounded, so a search takes
time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from nodes.tools.units import Unit, find_unit
from state.tasks import Analysis

Predicate = Callable[[str, Analysis], bool]
"""Whether a request calls for the tool."""

_DATE = re.compile(
    r"\b(?:what|which) (?:day|date|weekday|month)\b|\bwhat time is it\b|\bwhat year (?:is it|are we)\b"
    r"|\b(?:today'?s|the current) (?:date|time|weekday)\b|\bday of the week\b"
    r"|\b(?:what is|what's|tell me|give me|have|know|say) the (?:date|time)\b(?! (?:complexity|limit|zone))"
    r"|\bhow (?:many (?:days|weeks|months|years)|long) .{0,20}\b(?:until|till|since|between|from now)\b"
    r"|\b(?:\d{1,5}|a|one|two|three|ten) (?:days?|weeks?|months?|years?) (?:from|after|before|ago|later)\b"
    r"|\bque (?:dia|fecha|hora|mes|ano) (?:es|sera|fue|era|cae|estamos|hay|tenemos)\b|\ba que (?:dia|fecha) estamos\b"
    r"|\ben que (?:dia|fecha|mes|ano) (?:estamos|cae|cayo|caera)\b|\bque dia de la semana\b"
    r"|\b(?:fecha|hora) (?:de hoy|actual)\b"
    r"|\bcuant[oa]s (?:dias|semanas|meses|anos) (?:faltan|quedan|hay|han|pasaron|van)\b"
    r"|\bcuanto (?:falta|queda) para\b"
    r"|\b(?:dentro de|hace) (?:\d{1,5}|un|una|dos|tres|diez) (?:dias?|semanas?|mes|meses|anos?)\b"
)
_SHARE = re.compile(r"\d *(?:%|percent|per cent|por ciento) *(?:of|de)\b")
_CONVERSION = re.compile(
    r"\b(?:conver(?:t\w{0,3}|sion)|conviert\w{1,4}|convertir\w{0,2}|pasa(?:r|me)?|expresa?\w{0,2})\b"
)
_HOW_MANY = re.compile(r"\b(?:how (?:many|much|far|long|tall|heavy)|what (?:is|are|'s)|cuant[oa]s?)\b")
_UNIT = r"°?[^\W\d]{1,20}[23]?(?:/[^\W\d]{1,3}|\^[23])?"
_QUANTITY = re.compile(rf"(?<![\w.])\d[\d.,]{{0,20}}\s?(?:degrees |grados )?({_UNIT})")
_TARGET = re.compile(rf"\b(?:to|in|into|en|a|as) (?:degrees |grados )?({_UNIT})")
_WORD = re.compile(r"[^\W\d]{3,25}")
_STATISTICS = re.compile(
    r"\b(?:how many|count|number of|total)\b.{0,40}\b(?:letters?|words?|characters?|sentences?|lines?|vowels?|"
    r"consonants?|times|occurrences)\b|\bhow many [a-z]'?s\b|\bhow long is (?:the|this) (?:word|text|sentence)\b"
    r"|\b(?:longest word|word count|character count|reading time)\b"
    r"|\b(?:cuant[oa]s|cuenta|contar|numero de|total de)\b.{0,40}\b(?:letras?|palabras?|caracteres|frases|oraciones|"
    r"lineas|vocales|consonantes|veces)\b|\bpalabra mas larga\b|\btiempo de lectura\b"
)
_OPERATION = re.compile(
    # Not `invertir en bolsa`, which is to invest, nor `sort of`.
    r"\b(?:revers\w{1,3}|backwards?|(?:invert\w{0,3}|invierte\w{0,3})(?! (?:en|mi|mis|tu|su|\d))|"
    r"al reves|dale la vuelta|sort(?:ed|ing)?(?! (?:of|out)\b)|alphabetic\w{0,5}|alphabetize|"
    r"(?:ascending|descending) order|order (?:the|these|from|them)|ordena\w{0,4}|alfabetic\w{1,6}|"
    r"upper ?-?case|lower ?-?case|capital letters?|small letters|all caps|mayusculas?|minusculas?|"
    r"duplicates?|duplicad[oa]s?)\b"
)
_HISTORY = re.compile(
    r"\b(?:earlier|previous|past|last) (?:conversations?|chats?|runs?|answers?|sessions?|requests?)\b"
    r"|\bwe (?:talked|spoke|discussed)\b"
    r"|\b(?:did|have|had) (?:i|we) (?:ever )?(?:ask|tell|told|discuss|talk|say|said)\w{0,3}\b|\b(?:my|our) history\b"
    r"|\b(?:conversacion|conversaciones|respuestas?|preguntas?|peticion(?:es)?|sesion(?:es)?)"
    r" (?:anterior|anteriores|pasadas?)\b"
    r"|\b(?:hablamos|te (?:pregunte|dije|conte)|habiamos hablado|mi historial|nuestro historial|el historial)\b"
)
_STATUS = re.compile(
    r"\b(?:loaded models?|models? (?:are |is )?(?:loaded|resident|in memory)|free (?:memory|ram|vram)|gpu memory|vram|"
    r"status of (?:the|this) (?:lab|system|server)|(?:lab|system|server)(?:'s)? status|"
    r"memory (?:is )?(?:free|left|available))\b"
    r"|\b(?:modelos? (?:hay |estan |esta )?cargados?|memoria (?:libre|disponible|queda)"
    r"|estado del (?:laboratorio|sistema|servidor))\b"
)
_NAMED_FILE = r"[\w-]{1,40}\.(?:txt|md|csv|json|html|py)\b"
_SAVE = re.compile(
    r"\b(?:save|store|export|write|guarda\w{0,4}|exporta\w{0,2}|escribe\w{0,2})\b.{0,80}"
    r"\b(?:(?:to|in|into|as|on|en|como|a (?=un|el|fichero|archivo|disco)) ?(?:\w{1,8} ){0,2}"
    r"(?:files?|disk|ficheros?|archivos?|disco)\b"
    rf"|{_NAMED_FILE})",
    re.DOTALL,
)
_SAVE_CODE = re.compile(
    r"\b(?:(?:save|store|export) (?:it|this|that|them|the \w{1,12})|guardal[oa]s?"
    r"|(?:guarda|exporta) (?:est[eoa]|el|la) ?\w{0,12})\b"
    rf".{{0,60}}\b(?:files?|disk|ficheros?|archivos?|disco|{_NAMED_FILE})",
    re.DOTALL,
)
"""In a request for code `write … that reads a file` speaks of what the code does."""


def _wants_calculator(text: str, analysis: Analysis) -> bool:
    return "math" in (analysis.kind, analysis.second_kind) or bool(_SHARE.search(text))


def _wants_convert(text: str, analysis: Analysis) -> bool:
    """Two units of one kind, and a word or a place that makes the second the wanted one: `5 km in miles`."""
    counted, targets = _units(_QUANTITY, text), _units(_TARGET, text)
    named = counted | targets | _units(_WORD, text)
    if _CONVERSION.search(text) or (_HOW_MANY.search(text) and any(char.isdigit() for char in text)):
        return _same_kind(named, named)
    return _same_kind(counted, targets)


def _units(pattern: re.Pattern[str], text: str) -> set[Unit]:
    return {unit for name in pattern.findall(text) if (unit := find_unit(name))}


def _same_kind(some: set[Unit], others: set[Unit]) -> bool:
    return any(one != other and one.dimension == other.dimension for one in some for other in others)


def _wants_operation(text: str, analysis: Analysis) -> bool:
    """Code that sorts is written, not sorted."""
    return analysis.kind != "code" and bool(_OPERATION.search(text))


def _wants_statistics(text: str, analysis: Analysis) -> bool:
    return analysis.kind != "code" and bool(_STATISTICS.search(text))


def _wants_saving(text: str, analysis: Analysis) -> bool:
    return bool((_SAVE_CODE if analysis.kind == "code" else _SAVE).search(text))


def _found(pattern: re.Pattern[str]) -> Predicate:
    return lambda text, analysis: bool(pattern.search(text))


CALLED_FOR: Mapping[str, Predicate] = MappingProxyType(
    {
        "calculator": _wants_calculator,
        "date_time": _found(_DATE),
        "convert": _wants_convert,
        "text_statistics": _wants_statistics,
        "text_operation": _wants_operation,
        "history_search": _found(_HISTORY),
        "lab_status": _found(_STATUS),
        "save_output": _wants_saving,
    }
)
