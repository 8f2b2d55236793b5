"""What is wrong at first sight: nothing said, control tokens shown."""

from __future__ import annotations

import re
import unicodedata

from nodes.checks.reading import FENCE, read_request
from state.tasks import Analysis, Kind, Reason

_NOTHING = re.compile(
    r"\W*(?:n/?a|null|none|nil|undefined|nan|todo|tbd|no (?:response|answer|output)|sin respuesta|empty|vac[ií]o|"
    r"(?:your|insert) (?:answer|response|text)(?: here)?|(?:tu|su) respuesta(?: aqu[ií])?|placeholder|"
    r"(?:the )?(?:answer|response|output|assistant|respuesta|salida)(?: is| es)?\s*:?)\W*",
    re.IGNORECASE,
)
_MAY_BE_NOTHING: frozenset[Kind] = frozenset({"extraction", "classification"})
_TOKENS = re.compile(
    r"<[|｜][\w▁ -]{2,40}[|｜]>|\[/?INST\]|<</?SYS>>|</?(?:tool_call|tool_response|think|thinking|scratchpad)>"
    r"|<(?:start|end)_of_(?:turn|text|image)>|<(?:bos|eos|pad|unk|sep|mask|cls)>|\[(?:CLS|SEP|PAD|MASK|UNK|EOS|BOS)\]"
    r"|<unused\d+>|<extra_id_\d+>|<0x[0-9A-F]{2}>|</s>|\|(?:im_start|im_end|endoftext|eot_id)\|?|\bim_(?:start|end)\b"
    r"|[ĠĊ](?=\w)|▁(?=\w)|\{\{\s*(?:messages?|prompt|content|system_prompt|input|user_input|response)\b[^}\n]{0,40}\}\}"
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
_DIALOGUE = re.compile(
    r"\b(dialog\w*|conversation|transcript|script|interview|chat\w*|roles?|role-?play|screenplay|prompts?|template"
    r"|di[aá]logo|conversaci[oó]n|gui[oó]n|entrevista|plantilla|user|usuario|assistant|asistente|human|jinja)\b",
    re.IGNORECASE,
)


def check_empty(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """No word and no number, or a word that stands for none."""
    if not any(char.isalnum() for char in answer):
        if _is_symbol(answer) and analysis.kind in ("conversation", "classification", "question_answering", "other"):
            return None
        return Reason(name="empty", evidence="the answer has no word or number", weight=1.0)
    if len(answer) < 60 and _NOTHING.fullmatch(answer) and not _may_be_nothing(prompt, answer, analysis):
        return Reason(name="empty", evidence=f"'{answer.strip()}' stands for no answer", weight=0.8)
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
    role = _ROLES.search(prose) or _BARE_ROLE.search(prose)
    if role and role.groupdict().get("heading") and len(_HEADING.findall(prose)) > len(_ROLES.findall(prose)):
        return None  # one heading of a text with headings
    if role and role.group().strip() not in prompt:
        return Reason(name="template_leak", evidence=f"'{role.group().strip()}' marks a turn", weight=0.7)
    return None


def _is_symbol(answer: str) -> bool:
    """A lone sign or emoji, which can answer a question."""
    text = answer.strip()
    return 0 < len(text) <= 8 and any(unicodedata.category(char) in ("So", "Sm", "Sc") for char in text)
