"""Refusals: the assistant says that it will not, cannot or does not know."""

from __future__ import annotations

import re

from nodes.checks.reading import words
from state.tasks import Analysis, Kind, Reason

_WITHOUT_VOICE: frozenset[Kind] = frozenset(
    {"translation", "rewriting", "creative_writing", "extraction", "summarization"}
)
"""Kinds whose answers speak for somebody else, so that only an assistant's own refusal counts."""
_REQUEST_EN = (
    r"(?:(?:help|assist|support|aid)(?: you)?(?: with| in| on)?|compl(?:y|ete)|fulfil+|provide|write|generate|create"
    r"|answer"
    r"|respond|do (?:that|this|it|so)|offer|translate|summari[sz]e|process|engage|share|give|produce|discuss|perform"
    r"|access"
    r"|continue|proceed|make|tell|solve|classify|determine|extract|rewrite|browse|open|view|see|understand|find"
    r"|carry|talk"
    r"|predict|identify|fix)"
)
_NOT_EN = (
    r"(?:can(?:'|’)?t|can ?not|could(?:n't|n’t| not)|am (?:unable|not able)(?: to)?|(?:'|’)m (?:unable"
    r"|not able)(?: to)?"
    r"|won(?:'|’)t(?: be able to)?|will not(?: be able to)?|wouldn(?:'|’)t be able to|would not be able to"
    r"|(?:am|(?:'|’)m) not (?:going|allowed|permitted|programmed|designed|authori[sz]ed|comfortable|equipped) (?:to"
    r"|with)"
    r"|do(?:n't|n’t| not) (?:feel comfortable|have (?:the )?(?:ability|capability|permission|authority) to)"
    r"|have to (?:decline|refuse)|must (?:decline|refuse)|decline to|refuse to)"
)
_REQUEST_ES = (
    r"(?:ayudar(?:te|le|los|la|lo)?|asistir(?:te|le)?|cumplir|proporcionar\w*|escribir\w*|generar\w*|crear\w*"
    r"|responder\w*"
    r"|contestar\w*|hacer(?:lo)?|ofrecer\w*|traducir\w*|resumir\w*|procesar\w*|participar|compartir\w*|dar(?:te|le)?"
    r"|producir\w*"
    r"|realizar\w*|acceder|continuar|completar\w*|atender|brindar\w*|elaborar\w*|decir\w*|resolver\w*|clasificar\w*"
    r"|determinar\w*|extraer\w*|reescribir\w*|abrir\w*|ver|entender\w*|encontrar\w*|seguir|hablar|facilitar\w*)"
)
_NOT_ES = (
    r"no (?:me es posible|me resulta posible|puedo|podr[eé]|podr[ií]a|soy capaz de|estoy (?:en condiciones de"
    r"|autorizad[oa] (?:a|para)"
    r"|capacitad[oa] para|programad[oa] para|diseñad[oa] para|habilitad[oa] para)|tengo (?:la )?(?:capacidad|permiso"
    r"|posibilidad|autorizaci[oó]n)"
    r" (?:de|para)|me est[aá] permitido|quiero|voy a(?: poder)?|pienso|debo|deber[ií]a)"
)
_OWN = re.compile(
    rf"\bI\s*(?:(?:really|just|simply|also|currently|therefore|regretfully)\s+)?{_NOT_EN}\s*(?:(?:directly|really"
    rf"|in good conscience|to)\s+)?{_REQUEST_EN}\b"
    r"|\bas an? (?:ai|artificial intelligence|large language model|language model|virtual assistant|text-based"
    r"|responsible ai)\b[^.\n]{0,80}"
    r"\b(?:can(?:'|’)?t|can ?not|unable|not able|do(?:n't|n’t| not) (?:have|possess)|not (?:capable|allowed"
    r"|programmed|designed)|must decline)"
    r"|\b(?:my (?:programming|guidelines)|(?:against|violates?|outside) (?:my|the|our"
    r"|openai\S*) (?:\w+ )?(?:guidelines|policy|policies|programming|capabilit\w+|scope))"
    r"|\b(?:this|your|that|the) request (?:goes against|violates|is (?:outside|beyond|inappropriate|harmful)"
    r"|cannot be|can't be|could not be)"
    r"|\bI(?:'|’)?(?:m| am)? (?:must|have to|need to|going to have to)? ?(?:politely |respectfully )?(?:decline"
    r"|refuse)\b"
    r"|\b(?:unable|not able) to (?:fulfil+|comply|assist|help you|help with|complete) ?(?:with )?(?:this|that|your"
    r"|the)\b"
    r"|\b(?:can(?:'|’)?t|cannot|can not) (?:assist|help|comply)(?: you)? with (?:that|this|your)\b"
    rf"|\b{_NOT_ES}\s+(?:directamente\s+)?{_REQUEST_ES}\b"
    r"|\bcomo (?:un |una )?(?:modelo de (?:lenguaje|ia)|ia|inteligencia artificial|asistente(?: virtual"
    r"| de ia)?)\b[^.\n]{0,80}\bno (?:puedo|tengo|soy|estoy|me)\b"
    r"|\b(?:va en contra de|infringe|incumple|viola) (?:mis|las|nuestras) (?:pautas|directrices|pol[ií]ticas|normas"
    r"|principios)"
    r"|\bno (?:me )?(?:es|resulta) posible (?:ayudar|atender|cumplir|responder|proporcionar|completar|realizar"
    r"|procesar)\w*"
    r"|\b(?:debo|tengo que) (?:rechazar|negarme|declinar|rehusar|abstenerme)|\bme niego\b|\bprefiero no (?:responder"
    r"|contestar|hacer|ayudar)\w*"
    r"|\b(?:prefer[ií]r[ií]a|prefiero|mejor) no (?:escribir|hablar|responder|opinar|hacer|entrar|tratar|comentar)\w*"
    r"|\bno (?:tengo permitido|se me permite|estoy autorizad[oa])"
    r"|\b(?:beyond|outside|not within) (?:of )?(?:my|the scope of my) (?:capabilit\w+|abilit\w+|scope|knowledge"
    r"|training)"
    r"|\bno (?:escribir|har|responder|contestar|ayudar|crear|generar|dar|traducir|resumir|participar)[eé]\b"
    r"|\b(?:me )?(?:es|resulta) imposible (?:ayudar|hacer|escribir|responder|dar|crear|generar)\w*"
    r"|\bI (?:should not|shouldn't|refuse to|will not be|won't be) (?:writ\w+|help\w*|provid\w+|answer\w*|creat\w+"
    r"|do\w*|giv\w+|generat\w+)"
    r"|\b(?:fuera|m[aá]s all[aá]) de (?:mis|mi) (?:capacidad\w*|alcance|conocimiento\w*|posibilidad\w*|funci[oó]n\w*)"
    r"|\b(?:it|that|this) (?:would be|is) (?:inappropriate|unethical) (?:for me )?to\b"
    r"|\b(?:it|that|this) (?:would not be|isn't|is not|wouldn't be) (?:appropriate|ethical) (?:for me )?to\b"
    r"|\b(?:beyond|outside|outside of|not) what I(?:'m| am| was| can|'ve been| have been) ?(?:able|allowed"
    r"|built|designed"
    r"|made|programmed|trained|meant|supposed|permitted|do\b|help\b|offer\b|provide\b)"
    r"|\b(?:no es|fuera de|m[aá]s all[aá] de) (?:algo|lo) (?:para lo )?que (?:yo )?(?:pueda|puedo|se me permite"
    r"|fui (?:diseñad[oa]"
    r"|cread[oa]|entrenad[oa]|programad[oa]))"
    r"|\b(?:exceeds?|surpass\w*) my (?:capabilit\w+|abilit\w+|scope|knowledge)|\b(?:isn't|is not"
    r"|not) something (?:that )?I"
    r"(?: can|'m| am| could|'d be| would)\b|\b(?:excede|supera|sobrepasa)n? mis (?:capacidad\w*|posibilidad\w*"
    r"|funcion\w*)"
    r"|\bviolate (?:my|the|our) (?:\w+ )?(?:guidelines|policy|policies|terms)"
    r"|\bsomething (?:that )?I(?:'m| am)? (?:can't|cannot|won't|not able to|unable to)"
    r"|\b(?:not|never) (?:trained|designed|built|programmed) to (?:help|answer|do|write|provide|discuss|assist"
    r"|handle|talk)"
    r"|\blet's (?:talk about|discuss|change|move on to) (?:something else|another|a different|the subject|the topic)"
    r"|\b(?:hablemos|cambiemos) de (?:otr[ao]|tema)|\b(?:ask|try) (?:me )?(?:about )?(?:something|anything) else"
    r"|\bpreg[uú]ntame (?:por )?(?:otra|algo)"
    r"|\bnot comfortable (?:with|writing|answering|discussing|giving|helping)|\bno me siento c[oó]mod[oa]"
    r"|\bnot in a position to|\bno estoy en (?:posici[oó]n|disposici[oó]n) de"
    r"|\bI(?:'|’)?d (?:rather|prefer) not\b|\bI (?:do(?:n't|n’t| not)) (?:feel )?(?:comfortable|think I can)\b",
    re.IGNORECASE,
)
_LACKS = re.compile(
    r"\bI (?:do(?:n't|n’t| not)|have no) (?:\w+ )?(?:have |currently have )?(?:access|enough (?:information|context"
    r"|data)|sufficient|any information"
    r"|information|the (?:information|ability|text)|real-?time|personal (?:opinions|beliefs))"
    r"|\bI(?:'|’)?(?:m| am) (?:just |only )?an? (?:ai|language model|artificial|text-based)[^.\n]{0,60}\b(?:can(?:'"
    r"|’)?t|cannot|unable|not able|don(?:'|’)t)"
    r"|\b(?:please|could you|can you) (?:provide|share|give|paste|send|clarify|specify)\b[^.\n]{0,60}\b(?:text|more"
    r"|details|information|context|passage|code|article|sentence|email|question)\b"
    r"|\bno (?:tengo|dispongo de|cuento con) (?:acceso|suficiente|informaci[oó]n|datos|la (?:informaci[oó]n"
    r"|capacidad)|opiniones)"
    r"|\b(?:por favor|podr[ií]as|puedes|puede),? (?:me )?(?:proporcion\w+|compart\w+|d[aeé]\w*|env[ií]\w+|aclar\w+"
    r"|especific\w+|indic\w+)\b[^.\n]{0,60}\b(?:texto|m[aá]s|detalles|informaci[oó]n|contexto|pasaje|c[oó]digo"
    r"|art[ií]culo|pregunta)\b",
    re.IGNORECASE,
)
_UNKNOWING = re.compile(
    r"\A\W*(?:(?:sorry|lo siento|perd[oó]n|i(?:'|’)?m sorry|i am sorry|unfortunately|lamentablemente"
    r"|desafortunadamente)\b[\s,.;:]*(?:but |pero )?)?"
    r"(?:i (?:really |honestly )?(?:do(?:n't|n’t| not)|can(?:'|’)?t|cannot) (?:know|say|tell|understand|answer|do"
    r"|help|really)|i have no idea|not sure|no idea"
    r"|i(?:'|’)?m not sure|i am not sure|no (?:lo )?sé\b|no lo se\b|no (?:lo |le |te )?(?:entiendo|comprendo|puedo)"
    r"|ni idea|no tengo idea|no estoy segur[oa])",
    re.IGNORECASE,
)
_SORRY = re.compile(
    r"\A\W*(?:i(?:'|’)?m (?:very |so |really )?sorry|i am sorry|sorry|my apologies|i apologi[sz]e|unfortunately"
    r"|lo siento(?: mucho)?|lo lamento"
    r"|perd[oó]n|disculpa\w*|mis disculpas|me disculpo|lamentablemente|desafortunadamente|por desgracia)\b"
    r"(?!\s+(?:to hear|that you|for your|about|for the (?:loss|delay|inconvenience)|que (?:est[eé]s|hayas|te)"
    r"|por (?:tu|su|la|las)|o[ií]r|escuchar))",
    re.IGNORECASE,
)
_UNWILLING = re.compile(
    rf"\W*(?:[^.!?\n]{{0,60}}?[\s,;:(])??(?:I\s*{_NOT_EN}|(?:me temo que |lo siento,? (?:pero )?"
    rf"|lamentablemente,? )?{_NOT_ES})\s+\w+",
    re.IGNORECASE,
)
_OF_SERVICE = re.compile(
    r"assist|help|comply|polic|exceed|surpass|excede|supera|sobrepasa|fulfil|provide|generate|request|guideline"
    r"|as an? |como |declin|refus|produce|create|access"
    r"|translat|summar|rather|prefer|appropriate|ethical|capabil|ayud"
    r"|proporcion|genera|cumpl|rechaz|niego|atender|traduc|resum|acced|capacidad|alcance|permit|write|escrib"
    r"|something|able to do|do (?:that|this|it)|comfortable|c[oó]mod[oa]",
    re.IGNORECASE,
)
"""What an assistant says of its own work, and a poem's or a letter's first person hardly."""
_OF_THE_REQUEST = re.compile(
    rf"\bI\s*{_NOT_EN} (?:assist|help|comply|fulfil+)(?: you)? ?(?:with)? (?:that|this|your) (?:request|kind|type"
    rf"|topic|task)|\bas an ai (?:language )?model\b[^.\n]{{0,60}}\b(?:can't|cannot|unable|not able)"
    rf"|\b{_NOT_ES} (?:ayudar\w*|cumplir|atender|procesar|completar|realizar) (?:con )?(?:esa|esta|tu"
    rf"|su) (?:solicitud|petici[oó]n|tarea|consulta)"
    r"|\bcomo modelo de lenguaje\b[^.\n]{0,60}\bno (?:puedo|me)",
    re.IGNORECASE,
)
_SPEAKING: frozenset[Kind] = frozenset(
    {"creative_writing", "rewriting", "conversation", "reasoning", "question_answering"}
)
"""Kinds whose good answers may say "I can't" of something."""
_ONLY_SORRY_WORDS = 25
_REFUSAL_ASKED = re.compile(
    r"\b(refus\w+|declin\w+|apolog\w+|sorry|regret|rechaz\w+|disculp\w+|lo siento|negativa|can(?:'|’)?t|cannot"
    r"|no puedo|unable|say no|decir que no)\b",
    re.IGNORECASE,
)
_LETTER_ASKED = re.compile(r"\b(e-?mails?|letters?|messages?|correos?|cartas?|mensajes?|whatsapp)\b", re.IGNORECASE)
_HEAD_CHARS = 700


def check_refusal(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The assistant says that it will not, cannot or does not know.

    Honest ignorance is better than an invention, so it weighs less than a wrong answer, but it is tried again.
    """
    head = answer.replace("’", "'")[:_HEAD_CHARS]
    count = len(words(answer))
    if count <= 40 and (plainly := _OF_THE_REQUEST.search(head)):
        return _refusal(plainly.group(), 0.6)
    letter = _is_letter(answer) and (analysis.kind in _WITHOUT_VOICE or _LETTER_ASKED.search(prompt[:2_000]))
    if letter or (analysis.kind in _WITHOUT_VOICE and _REFUSAL_ASKED.search(prompt)):
        return None
    own = _OWN.search(head)
    if own and _is_own_voice(head, own, prompt, count, analysis):
        return _refusal(own.group(), 0.6)
    if count <= 60 and (unwilling := _UNWILLING.match(head)) and (analysis.kind not in _SPEAKING or _SORRY.match(head)):
        return _refusal(unwilling.group(), 0.55)
    if analysis.kind in _WITHOUT_VOICE and count > 15:
        return None
    if analysis.kind not in _WITHOUT_VOICE and (unknowing := _UNKNOWING.search(head)) and count <= 40:
        return _refusal(unknowing.group(), 0.5)
    if (lacks := _LACKS.search(head)) and count <= 80 and not _says_something(answer, lacks.start(), analysis):
        return _refusal(lacks.group(), 0.5)
    sorry = _SORRY.search(head)
    if sorry and count <= _ONLY_SORRY_WORDS and analysis.kind not in (*_WITHOUT_VOICE, "conversation"):
        return _refusal(sorry.group(), 0.5)
    return None


def _is_own_voice(head: str, own: re.Match[str], prompt: str, count: int, analysis: Analysis) -> bool:
    """Not a quotation, not a fragment of a long answer that goes on to answer."""
    before = head[: own.start()]
    if before.count('"') % 2 or before.count("“") > before.count("”") or before.count("«") > before.count("»"):
        return False
    opening = len(words(before))
    if analysis.kind == "conversation" and count > 40:
        return opening <= 6 and bool(_SORRY.search(head))
    if analysis.kind in _WITHOUT_VOICE and not _SORRY.search(head) and not _OF_SERVICE.search(own.group()):
        return False
    if analysis.kind in _WITHOUT_VOICE:
        return opening <= 15 and (count <= 120 or bool(_SORRY.search(head)) or opening <= 3)
    # "I can't tell you which is best, but …" and a page of advice is an answer.
    turned = re.search(r"\b(but|however|pero|sin embargo|no obstante|aunque|although)\b", head[own.end() :], re.I)
    return opening <= 30 and (count <= 70 or not turned or (opening <= 8 and count <= 110))


def _says_something(answer: str, start: int, analysis: Analysis) -> bool:
    """What comes before the plea for more is an answer of its own."""
    return len(words(answer[:start])) > 25 or (analysis.kind == "conversation" and len(words(answer[:start])) >= 3)


def _is_letter(answer: str) -> bool:
    return bool(re.match(r"\W*(?:dear|hi|hello|subject|estimad[oa]s?|querid[oa]s?|hola|asunto)\b", answer, re.I))


def _refusal(text: str, weight: float) -> Reason:
    return Reason(name="refusal", evidence=f"'{' '.join(text.split())[:80]}…'", weight=weight)
