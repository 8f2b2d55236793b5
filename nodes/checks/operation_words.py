"""How people ask for operations on a piece of text, in English and Spanish."""

from __future__ import annotations

import re

POLITE = re.compile(
    r"^\W*(?:(?:please|por favor|could you|can you|would you|puedes|podr[ií]as|now|ahora)\b[\s,]*)+|[\s,]*(?:please"
    r"|por favor)\W*$",
    re.I,
)
# The words between an operation and its material.
_OBJECT = (
    r"(?:(?:the|this|these|following|la|el|las|los|esta|este|estas|estos|siguientes?|of|in|de|del|en|to|a|letters?"
    r"|letras?|words?|palabras?"
    r"|text|texto|string|cadena|sentence|frase|phrase|term|t[eé]rmino|order of|orden de|characters?"
    r"|caracteres)(?:\s+|\s*(?=:))){0,6}"
)
_M = r"\s*[:\-]?\s*(?P<m>\S.*)$"


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in patterns)


REVERSE = _compiled(
    rf"^(?:reverse|invert|spell out backwards|invierte|revierte|dale la vuelta a|da la vuelta a"
    rf"|voltea)\s+{_OBJECT}{_M}",
    rf"^(?:reverse|invierte)(?: it)?\s*:{_M}",
    rf"^(?:spell|write|say|escribe|pon|deletrea|di|type)\s+{_OBJECT}(?P<m>\S+"
    rf"|[\"'“«][^\"'”»]+[\"'”»])\s+(?:backwards?|in reverse(?: order)?|reversed|al rev[eé]s|hacia atr[aá]s"
    rf"|invertid[oa])\W*$",
    rf"^(?:pon|escribe|di) al rev[eé]s\s+{_OBJECT}{_M}",
    rf"^(?:what is|what's|how do you (?:spell|write)|c[oó]mo se escribe|cu[aá]l es)\s+{_OBJECT}(?P<m>\S+"
    rf"|[\"'“«][^\"'”»]+[\"'”»])\s+(?:spelled |written )?(?:backwards?|in reverse|reversed|al rev[eé]s)\W*$",
)


def _cased(case: str, verb: str) -> tuple[re.Pattern[str], ...]:
    """Requests to write something in this case. `verb`: what says it in a word."""
    write = r"(?:write|put|convert|make|type|turn|change|escribe|pon|convierte|pasa|transforma|cambia)"
    return _compiled(
        rf"^{write}\s+{_OBJECT}(?P<m>.+?)\s+(?:all )?(?:in|to|into|en|a)\s+(?:all )?(?:{case})(?: letters)?\W*$",
        rf"^(?:{write}\s+(?:this\s+|esto\s+)?(?:in|to|into|en|a)?\s*)?(?:{case})(?: letters)?\s*:{_M}",
        rf"^(?:{verb})\s+{_OBJECT}{_M}",
    )


UPPER = _cased(
    "upper ?case|capital letters|capitals|all caps|may[uú]sculas", "uppercase|capitalize all (?:the )?letters (?:of|in)"
)
LOWER = _cased("lower ?case|small letters|min[uú]sculas", "lowercase")
COUNT_LETTERS = _compiled(
    rf"^(?:how many (?:letters|characters)|cu[aá]nt[oa]s (?:letras|caracteres))\s+(?:does|do|are there in|are in"
    rf"|is in|has|tiene|hay en|contiene)\s+{_OBJECT}(?P<m>\S+?)(?:\s+(?:have|contain|has))?\W*$",
    rf"^(?:count|give me|tell me|cuenta|dime)?\s*(?:the |el |las )?(?:number of |n[uú]mero de )?(?:letters"
    rf"|letras)\s+(?:of|in|de|que tiene|en)\s+{_OBJECT}(?P<m>\S+)\W*$",
)
COUNT_LETTER = _compiled(
    r"^how many (?:times does the letter )?[\"'“«]?(?P<c>[a-zñ])[\"'”»]?(?:'?s)?\s+(?:are there in|are in|appear in"
    r"|does|occur in)\s+(?:the word |the name )?[\"'“«]?(?P<m>[^\W\d_]+)[\"'”»]?(?:\s+(?:have|contain))?\W*$",
    r"^cu[aá]ntas (?:veces aparece la |letras )?(?:letra )?[\"'“«]?(?P<c>[a-zñ])[\"'”»]?\s+(?:hay en|tiene"
    r"|en)\s+(?:la palabra |el nombre )?[\"'“«]?(?P<m>[^\W\d_]+)[\"'”»]?\W*$",
)
COUNT_WORDS = _compiled(
    r"^(?:how many words|cu[aá]ntas palabras)\s+(?:are there|are|is|does|hay|tiene|contiene)?\s*(?:in|here|en"
    r"|aqu[ií])?\s*(?:(?:this|the|following|este|esta|el|la|siguiente)\s+(?:sentence|text|phrase|frase|texto"
    r"|oraci[oó]n)?\s*)*(?:have|contain)?\s*[?:]\s*(?P<m>\S.*)$",
    r"^(?:count|cuenta)\s+(?:the |las )?(?:words|palabras)(?:\s+(?:in|of|de|en)(?:\s+(?:this|the|following|este|esta"
    r"|la|el|siguiente))*(?:\s+(?:text|sentence|phrase|texto|frase|oraci[oó]n))?)?\s*:\s*(?P<m>\S.*)$",
)
ENDS = _compiled(
    rf"^(?:what(?:'s| is)|cu[aá]l es|write|give me|tell me|escribe|dime|dame)?\s*(?:the |la )?(?P<e>first|last"
    rf"|primera|[uú]ltima)\s+(?P<u>letter|word|letra|palabra)\s+(?:of|in|de|en)\s*(?:(?:this|the|following|este|esta"
    rf"|la|el|siguiente)\s+){{0,6}}(?:(?:texto|text|sentence|word|phrase|frase|palabra|oraci[oó]n)\b\s*)?{_M}",
)
SORT = _compiled(
    r"^(?:sort|order|arrange|put|ordena|coloca|pon|organiza)\b(?P<how>[^:\d]*?(?:alphabetical\w*|alfab[eé]tic\w+"
    r"|ascending|descending|ascendente\w*|descendente\w*|numbers|n[uú]meros|words|palabras|smallest|largest|lowest"
    r"|highest|menor|mayor|order|orden|a to z|la a a la z)[^:\d]*?)\s*:\s*(?P<m>\S.*)$",
    r"^(?:sort|ordena)\s*(?P<how>):\s*(?P<m>\S.*)$",
    r"^(?:sort|order|ordena)\s+(?P<how>(?:the |these |los |las |estos |estas )?(?:numbers|words|n[uú]meros|palabras"
    r"|names|nombres)(?: from [^:\d]+?| de (?:menor|mayor) a (?:menor"
    r"|mayor))?)\s+(?P<m>[^:]+?)(?P<after>\s+(?:alphabetically|alfab[eé]ticamente|in \w+ order|en orden \w+"
    r"|de (?:menor|mayor) a (?:menor|mayor)))?\W*$",
)
REPEAT = re.compile(
    r"^(?:repeat|say exactly|write exactly|echo|repeat after me|repeat this|(?:reply|respond) (?:only |just "
    r"|exactly ){0,6}with|repite|di exactamente"
    r"|escribe exactamente|repite conmigo|repite esto|responde (?:s[oó]lo "
    r"|exactamente ){0,6}con)\s*(?::\s*(?P<m>[^\n]{1,200})|[\"“«](?P<q>[^\"”»\n]{1,200})[\"”»]\W*)$",
    re.IGNORECASE,
)
DOWN = re.compile(
    r"descend|largest to|highest to|high to low|biggest to|greatest to|mayor a menor|reverse|invers|z to a|z a la a",
    re.I,
)
OTHER_ORDER = re.compile(r"\b(by|length|according|date|por|longitud|seg[uú]n|importance|size|tamaño)\b", re.I)
