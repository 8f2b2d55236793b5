"""What is wrong at first sight: nothing said, control tokens shown."""

from __future__ import annotations

import re
import unicodedata

from nodes.checks.reading import FENCE, read_request, words
from state.tasks import Analysis, Kind, Reason

_NOTHING = re.compile(
    r"\W*(?:n/?a|null|none|nil|undefined|nan|todo|tbd|no (?:response|answer|output)|sin respuesta|empty|vac[ií]o|"
    r"(?:your|insert) (?:answer|response|text)(?: here)?|(?:tu|su) respuesta(?: aqu[ií])?|placeholder|"
    r"(?:the )?(?:answer|response|output|assistant|respuesta|salida)(?: is| es)?\s*:?)\W*",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,60}>")
_COMMENT = re.compile(r"#(?!\s*(?:include|define|if|pragma|!|\w+\s*\{))|//|--(?!\w)|/\*|\*")
_LABEL_ONLY = re.compile(r"[\s*_#>\"']{0,10}[^\W\d_][^\n:]{0,40}:[\s*_\"'.…]{0,10}")
_MAY_BE_NOTHING: frozenset[Kind] = frozenset({"extraction", "classification"})
_TOKENS = re.compile(
    r"<[|｜][\w▁ -]{2,40}[|｜]>|\[/?INST\]|<</?SYS>>|</?(?:tool_call|tool_response|think|thinking|scratchpad)>"
    r"|<(?:start|end)_of_(?:turn|text|image)>|<(?:bos|eos|pad|unk|sep|mask|cls)>|\[(?:CLS|SEP|PAD|MASK|UNK|EOS|BOS)\]"
    r"|<unused\d+>|<extra_id_\d+>|<0x[0-9A-F]{2}>|</s>|\|(?:im_start|im_end|endoftext|eot_id)\|?|\bim_(?:start|end)\b"
    r"|(?-i:[ĠĊ])(?=\w)|▁(?=\w)|\{\{\s*(?:messages?|prompt|content|system_prompt|input|user_input"
    r"|response)\b[^}\n]{0,40}\}\}"
    r"|\{\s*['\"]role['\"]\s*:\s*['\"](?:assistant|user|system)['\"]"
    r"|\{%-?\s*(?:for|if|endfor|endif)\b",
    re.IGNORECASE,
)
_OPENING_S = re.compile(r"\A\s*<s>|<s>\s*(?=\[INST\]|\Z)")
_ROLES = re.compile(
    r"^[ \t>*]*(?:(?P<heading>#{2,4})\s*(?:instruction|response|input|output|human|assistant|user|system|instrucci[oó]n"
    r"|respuesta|entrada|salida|usuario|asistente|sistema)\s*:?\s*\**(?=\s|$)"
    r"|(?:human|user|assistant|usuario|asistente|system|humano|AI|chatbot|bot)\s*:\**(?=\s|$))",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(r"^#{1,5} ?\S", re.MULTILINE)
_BARE_ROLE = re.compile(r"\A\s*(?:assistant|user|system|model)\s*\n|^(?:assistant|user|model)[ \t]*\n\n?(?=\S)", re.M)
_SYSTEM = re.compile(
    r"\A\W*(?:system\s*:\s*)?(?:you are an? (?:\w+,? ){0,4}(?:assistant|chatbot|language model)\b"
    r"|eres un(?:a)? (?:asistente|modelo de lenguaje|chatbot)\b"
    r"|below is an instruction that|a chat between a (?:curious )?(?:user|human)"
    r"|a continuaci[oó]n hay una instrucci[oó]n)",
    re.IGNORECASE,
)
"""What the model was told before the request."""
_ASKS_AND_ANSWERS = re.compile(
    r"^[ \t>*#]{0,8}(?:question|pregunta|q)[ \t]*\d{0,3}[ \t]*[:.]\**(?=\s)[^\n]*\n\s*[>*# \t]{0,8}"
    r"(?:answer|respuesta|a)[ \t]*\d{0,3}[ \t]*[:.]",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_EXAMPLE = re.compile(
    r"^(?:text|texto|review|rese[nñ]a|sentence|frase|oraci[oó]n|input|entrada|tweet|message|mensaje|passage"
    r"|pasaje)[ \t]*\d{0,3}:"
    r"[ \t]*(\S[^\n]*)\n\s{0,8}(?:sentiment|sentimiento|label|etiqueta|category|categor[ií]a|class|clase|output"
    r"|salida|summary"
    r"|resumen|translation|traducci[oó]n|answer|respuesta|intent|intenci[oó]n)[ \t]*\d{0,3}:",
    re.IGNORECASE | re.MULTILINE,
)
"""Another text with its label, as in the examples of a prompt."""
_EXAMPLES = re.compile(r"\b(?:examples?|ejemplos?|problems?|problemas?|dataset|samples?|few-shot)\b", re.IGNORECASE)
_QUIZ = re.compile(
    r"\b(questions?|preguntas?|quiz\w*|trivia|faqs?|q ?& ?a|q/a|flash ?cards?|tarjetas?|interview\w*"
    r"|entrevista\w*|exam\w*"
    r"|test|examen|riddles?|adivinanzas?|answers?|respuestas?)\b",
    re.IGNORECASE,
)
_DIALOGUE = re.compile(
    r"\b(dialog\w*|conversation|transcript|script|interview|chat\w*|roles?|role-?play|screenplay|prompts?|template"
    r"|di[aá]logo|conversaci[oó]n|gui[oó]n|entrevista|plantilla|user|usuario|assistant|asistente|human|jinja)\b",
    re.IGNORECASE,
)


def check_empty(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """No word and no number, or a word that stands for none."""
    if not any(char.isalnum() for char in answer):
        if answer.strip() in ("[]", "{}") and (analysis.kind == "extraction" or "json" in analysis.needs):
            return None  # what was looked for is not there
        if _is_symbol(answer) and analysis.kind in ("conversation", "classification", "question_answering", "other"):
            return None
        return Reason(name="empty", evidence="the answer has no word or number", weight=1.0)
    if len(answer) < 60 and _NOTHING.fullmatch(answer) and not _may_be_nothing(prompt, answer, analysis):
        return Reason(name="empty", evidence=f"'{answer.strip()}' stands for no answer", weight=0.8)
    marked = analysis.kind != "code" and not any(map(str.isalnum, _TAG.sub("", answer[:400]) + answer[400:]))
    if marked and not re.search(r"\b(?:html|xml|tags?|etiquetas?)\b", prompt, re.IGNORECASE):
        return Reason(name="empty", evidence=f"'{answer.strip()[:40]}' is markup alone", weight=0.8)
    blocks = FENCE.findall(answer[:400]) if len(answer) < 400 else []
    if blocks and not any(map(str.isalnum, FENCE.sub("", answer) + "".join(source for _, source in blocks))):
        return Reason(name="empty", evidence="the code block is empty", weight=1.0)
    if blocks and analysis.kind == "code" and len(words(FENCE.sub("", answer))) <= 8 and all(map(_is_comment, blocks)):
        return Reason(name="empty", evidence="the code block holds nothing but comments", weight=0.7)
    if len(answer) < 60 and len(words(answer)) <= 3 and _LABEL_ONLY.fullmatch(answer) and answer.strip() not in prompt:
        return Reason(name="empty", evidence=f"nothing follows '{answer.strip()}'", weight=0.7)
    return None


def _may_be_nothing(prompt: str, answer: str, analysis: Analysis) -> bool:
    """ "None" of a text is an answer; so is a value that a language calls so."""
    if analysis.kind in _MAY_BE_NOTHING or (analysis.kind == "question_answering" and read_request(prompt).material):
        return "[" not in answer and ":" not in answer
    return analysis.kind == "code" and answer.strip(" `.") in ("None", "null", "nil", "undefined", "NaN")


def check_template_leak(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Control tokens of the model families, and turns of a conversation that nobody asked for."""
    prose = FENCE.sub("\n", answer)
    # In code a control token is a string like any other; elsewhere a fence does not excuse it.
    for pattern, text in ((_TOKENS, prose if analysis.kind == "code" else answer), (_OPENING_S, prose)):
        for leak in pattern.finditer(text):
            if leak.group() not in prompt:
                return Reason(name="template_leak", evidence=f"'{leak.group()}' is a control token", weight=0.8)
    if _DIALOGUE.search(prompt[:4_000]):
        return None
    if system := _SYSTEM.match(prose):
        return Reason(name="template_leak", evidence=f"'{system.group().strip()}' speaks to the model", weight=0.6)
    if not _QUIZ.search(prompt[:4_000]) and (asks := _ASKS_AND_ANSWERS.search(prose[:8_000])):
        evidence = f"'{' '.join(asks.group().split())[:60]}' was not asked"
        return Reason(name="template_leak", evidence=evidence, weight=0.6)
    for example in (
        () if analysis.kind == "code" or _EXAMPLES.search(prompt[:4_000]) else _NEXT_EXAMPLE.finditer(prose[:8_000])
    ):
        if not set(words(example.group(1))) <= set(words(prompt)):
            return Reason(name="template_leak", evidence=f"'{example.group(1)[:60]}' was not given", weight=0.6)
    role = _ROLES.search(prose) or _BARE_ROLE.search(prose)
    if role and role.groupdict().get("heading") and len(_HEADING.findall(prose)) > len(_ROLES.findall(prose)):
        return None  # one heading of a text with headings
    if role and role.group().strip() not in prompt:
        return Reason(name="template_leak", evidence=f"'{role.group().strip()}' marks a turn", weight=0.7)
    return None


def _is_comment(block: tuple[str, str]) -> bool:
    """Whether a block of code, with its tag, is comments alone."""
    tag, source = block
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return tag.lower() not in ("md", "markdown", "text", "txt") and all(map(_COMMENT.match, lines))


def _is_symbol(answer: str) -> bool:
    """A lone sign or emoji, which can answer a question."""
    text = answer.strip()
    return 0 < len(text) <= 8 and any(unicodedata.category(char) in ("So", "Sm", "Sc") for char in text)
