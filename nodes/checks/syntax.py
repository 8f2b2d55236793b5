"""Whether a piece of code parses, by language. Parsed, never run."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

MAX_SOURCE = 20_000
_BRACED = frozenset(
    "javascript js typescript ts jsx tsx node java c cpp c++ csharp c# cs go golang rust rs php swift kotlin kt scala "
    "dart css scss".split()
)
_NOTEBOOK_LINE = re.compile(r"^[ \t]*[!%].*$", re.MULTILINE)
_PROMPT_LINE = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)
_STATEMENT = re.compile(
    r"\s*\(?\s*(?:select|insert|update|delete|create|alter|drop|with|merge|grant|revoke|explain|use|set|begin"
    r"|declare|truncate|show|call|exec|commit|rollback|start)\b",
    re.I,
)
_PAIRED_TAGS = (
    "html",
    "head",
    "body",
    "div",
    "span",
    "table",
    "ul",
    "ol",
    "script",
    "style",
    "a",
    "button",
    "form",
    "section",
    "h1",
    "h2",
)
_STRINGS = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|/(?:\\."
    r"|[^/\\\n])+/[gimsuy]*(?=\s*[.,;)])",
    re.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


def fault_in(tag: str, source: str, prompt: str = "") -> str | None:
    """What is wrong with a piece of code in the language of this fence tag, or None. `prompt` may hold its head."""
    if tag == "python":
        return parse_python(source, prompt)
    if tag in ("bash", "sh", "shell", "zsh"):
        return _shell_fault(source)
    if tag in ("sql", "html"):
        return _sql_fault(source) if tag == "sql" else _html_fault(source)
    if tag in _BRACED or (tag in ("", "text") and re.search(r"[{};][ \t]*$", source, re.MULTILINE)):
        return unbalanced(source)
    return None


def parse_python(source: str, prompt: str = "") -> str | None:
    """The syntax error of a piece of Python, or None. A body without its head, notebook and prompt lines pass."""
    text = _NOTEBOOK_LINE.sub("", source)
    if ">>>" in text:
        lines = [line for line in text.splitlines() if _PROMPT_LINE.match(line.lstrip())]
        text = "\n".join(_PROMPT_LINE.sub("", line.lstrip()) for line in lines)
    error = _syntax_error(text)
    if error is None or _syntax_error(textwrap.dedent(text)) is None:
        return None
    if _syntax_error("def _():\n" + textwrap.indent(textwrap.dedent(text), "    ")) is None:
        return None
    if "def " in prompt and _syntax_error(prompt[:MAX_SOURCE].rstrip() + "\n" + text) is None:
        return None
    return error


def _syntax_error(source: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody's string is not ours to report
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(error)[:120] or type(error).__name__
    return None


def unbalanced(source: str) -> str | None:
    """The first bracket of a language with braces that is not opened or closed, or None."""
    opened: list[str] = []
    bare = _STRINGS.sub("", source)
    if '"' in bare:
        return "a string is not closed"
    for char in bare:
        if char in "([{":
            opened.append(char)
        elif char in _PAIRS and (not opened or opened.pop() != _PAIRS[char]):
            return f"'{char}' closes nothing"
    return f"'{opened[-1]}' is not closed" if opened else None


def _sql_fault(source: str) -> str | None:
    text = re.sub(r"--[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
    if not _STATEMENT.match(text):
        return f"'{text.strip()[:30]}' begins no statement"
    if (
        re.match(r"\s*select\b", text, re.I)
        and re.search(r"\bform\b", text, re.I)
        and not re.search(r"\bfrom\b", text, re.I)
    ):
        return "FORM stands for FROM"
    text = re.sub(r"'(?:''|[^'])*'", "", text)
    return "a string is not closed" if "'" in text else unbalanced(text)


def _shell_fault(source: str) -> str | None:
    """Loops and conditions that do not end; quotes in a shell nest in too many ways."""
    text = re.sub(r"#[^\n]*|'[^']*'|\"(?:\\.|[^\"\\])*\"", "", source)
    for opens, closes in (("do", "done"), ("if", "fi"), ("case", "esac")):
        opened, closed = (len(re.findall(rf"(?:^|[;\n])\s*{word}\b", text)) for word in (opens, closes))
        if opened != closed and not (opens == "do" and "; do" in text and opened == closed):
            return f"{opens} stands {opened} times, {closes} {closed} times"
    return None


def _html_fault(source: str) -> str | None:
    for tag in _PAIRED_TAGS:
        opened, closed = (
            len(re.findall(rf"<{tag}(?=[\s>])", source, re.I)),
            len(re.findall(rf"</{tag}\s*>", source, re.I)),
        )
        if opened != closed:
            return f"<{tag}> is opened {opened} times and closed {closed} times"
    return None
