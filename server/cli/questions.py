"""Questions of a run on the terminal: what is shown, what is asked, and the answer that options spell."""

from __future__ import annotations

import json
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.prompt import DefaultType, Prompt
from rich.text import Text

from llm.sizing import human_bytes
from nodes.humans.decisions import LOAD, SCORE, TOOLS
from server.cli.terminal import shown
from server.resuming import choices_of
from state.errors import BadRequest

WORDS = tuple(dict.fromkeys((*SCORE, *LOAD, *TOOLS)))


def decision_of(
    word: str | None,
    *,
    answer: str | None = None,
    args: str | None = None,
    hint: str | None = None,
    model: str | None = None,
    strategy: str | None = None,
) -> object:
    """The answer that the options of `lab ask --resume` spell; `word` may be a whole answer as JSON, which a plugin's
    own question may want to be no object. Raises BadRequest.

    What the waiting run asks is not known here; only what no run would take is refused.
    """
    given = {"answer": answer, "args": _object("--args", args), "hint": hint}
    stray = next((name for name, value in given.items() if value is not None), None)
    if word is None:
        if stray is not None:
            raise BadRequest(f"--{stray} belongs to a decision: add --decision")
        return None
    whole = _object("--decision", word) if word.lstrip().startswith("{") else _any_json(word)
    if whole != word:
        if stray is not None:
            raise BadRequest(f"--{stray}: --decision is a whole answer as JSON already; put it in there")
        return whole
    word = word.strip().lower()
    if word not in WORDS:
        raise BadRequest(f"--decision: '{word}' is not one of {', '.join(WORDS)}")
    if word == "edit" and answer is None and args is None:
        given |= {"model": model, "strategy": strategy}
        if model is None and strategy is None:
            raise BadRequest("--decision edit needs what is edited: --answer, --args, or --model and --strategy")
    return {"decision": word, **{name: value for name, value in given.items() if value is not None}}


def question_text(value: Any) -> str:
    """What a human is asked, as markup."""
    if not isinstance(value, dict) or "question" not in value:
        return f"\n[bold yellow]The run asks:[/] {escape(json.dumps(value, ensure_ascii=False))}"
    lines = [f"\n[bold yellow]{escape(shown(str(value['question'])))}[/]"]
    match value.get("about"):
        case "score":
            reasons = ", ".join(reason["name"] for reason in value["reasons"])
            lines += [f"  answer: {escape(shown(value['answer']))}", f"  score {value['score']}: {escape(reasons)}"]
        case "load":
            memory = value["memory"]
            if memory is not None:
                free = memory["vram_free_bytes"] or memory["ram_free_bytes"]
                lines.append(f"  free {human_bytes(free)}, budget {human_bytes(memory['budget_bytes'])}")
            lines += [f"  {escape(note)}" for note in value["notes"]]
        case "tools":
            lines += [f"  {escape(call_text(request))}" for request in value["action_requests"]]
    if "error" in value:
        lines.append(f"  [red]{escape(visible(str(value['error'])))}[/]")
    return "\n".join(lines)


def call_text(request: dict[str, Any]) -> str:
    """A tool call in one line, with every character that would not show, such as an escape sequence, spelt out."""
    args = ", ".join(f"{name}={each}" for name, each in request["args"].items())
    return visible(f"{request['name']}({args})")


def visible(text: str) -> str:
    """The text without characters that move the cursor, hide others or turn the direction of writing."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class _Prompt(Prompt):
    """Shows a default with what would not show in it spelt out; taken, it is the default as it is."""

    def render_default(self, default: DefaultType) -> Text:
        return Text(f"({visible(str(default))})", "prompt.default")


class Asker:
    """Asks on the terminal. Blocks; run it in a thread. `stream` is read instead of the keyboard.

    Raises EOFError when nothing more is typed.
    """

    def __init__(self, console: Console, stream: TextIO | None = None) -> None:
        self._console = console
        self._stream = stream

    def decide(self, value: Any) -> object:
        """An answer to what a run asks, as JSON."""
        about = value.get("about") if isinstance(value, dict) else None
        if about == "tools":
            return {"decisions": [self._call(request) for request in value["action_requests"]]}
        if about == "step":
            return self._ask("Answer", choices=choices_of(value) or None)
        if about not in ("score", "load"):
            return _any_json(self._ask("Answer (JSON or text)"))
        choice = self._ask("Decision", choices=choices_of(value))
        said: dict[str, object] = {"decision": choice}
        if choice == "edit" and about == "score":
            said["answer"] = self._ask("The corrected answer")
        elif choice == "edit":
            said["model"] = self._ask("Model", default=value["model"])
            said["strategy"] = self._ask("Strategy", default=value["strategy"])
        elif choice == "retry":
            said["hint"] = self._ask("What to do better (optional)", default="")
        return said

    def _call(self, request: dict[str, Any]) -> dict[str, object]:
        choice = self._ask(escape(call_text(request)), choices=list(TOOLS))
        if choice == "edit":
            args = {name: self._argument(name, value) for name, value in request["args"].items()}
            return {"type": "edit", "edited_action": {"name": request["name"], "args": args}}
        if choice == "respond":
            return {"type": "respond", "message": self._ask("  What the tool answers")}
        if choice == "reject":
            return {"type": "reject", "message": self._ask("  Why (optional)", default="")}
        return {"type": "approve"}

    def _argument(self, name: str, value: object) -> object:
        if isinstance(value, str):
            return self._ask(f"  {escape(visible(name))}", default=value)
        return _any_json(self._ask(f"  {escape(visible(name))}", default=json.dumps(value, ensure_ascii=False)))

    def _ask(self, text: str, *, choices: list[str] | None = None, default: str | None = None) -> str:
        """The first of `choices` is the default; without a default, something has to be typed."""
        default = choices[0] if choices else default
        while True:
            said = _Prompt.ask(text, choices=choices, default=default, console=self._console, stream=self._stream)
            if said is not None and (said.strip() or default is not None):
                return said


def _object(option: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{option}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadRequest(f'{option}: give a JSON object, such as {{"expression": "6 * 7"}}')
    return value


def _any_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
