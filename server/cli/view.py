"""What `lab ask` shows: a line a node, the tokens as they come, the answer and what it cost."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from server.cli.questions import call_text, question_text
from server.cli.terminal import shown
from server.streaming.events import Event


class RunView:
    """Shows the events of one run. On a terminal the running node and its tokens are live; in a pipe, lines only."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, refresh_per_second=12) if console.is_terminal else None
        self._text = ""
        self._label = ""
        self.thread_id: str | None = None

    def __enter__(self) -> RunView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: Event) -> None:
        """Show one event, in the order of the run."""
        data = event.data
        match event.name:
            case "run":
                self.thread_id = data["thread_id"]
                resumed = f", continuing at {', '.join(data['next'])}" if data["next"] else ""
                self._line(f"[dim]{data['graph']} · thread {data['thread_id']}{resumed}[/]")
            case "node_start":
                self._label, self._text = data["node"], ""
                if self._live is None:
                    self._line(f"[dim]▶ {data['node']}[/]")
            case "model":
                state = "in memory" if data["loaded"] else "loading"
                self._label = f"execute · {data['model']}/{data['strategy']} ({state})"
            case "token":
                self._text += shown(data["text"])
            case "node_end":
                mark = "[red]✗[/]" if data["error"] else "[green]✓[/]"
                note = escape(_one_line(data["error"] or describe(data["node"], data["update"])))
                self._line(f"{mark} {data['node']:<18} [dim]{data['seconds']:7.2f} s[/]  {note}")
            case "interrupt":
                self._line(question_text(data["value"]))
            case "result":
                self._label = ""
                self._line("")
                self._console.print(Text(shown(data["output"]) or "(no answer)"))
                self._line(f"\n[dim]{escape(cost_line(data))}[/]")
        if self._live is not None:
            spinner = Spinner("dots", text=Text(f" {self._label}"))
            self._live.update(Group(spinner, Text(self._text, style="cyan")) if self._label else Text(""))

    def _line(self, markup: str) -> None:
        self._console.print(markup)


def describe(node: str, update: dict[str, Any]) -> str:
    """What a node did, from the channels it wrote."""
    if task := update.get("task"):
        related = f", related runs: {len(task['related'])}" if task.get("related") else ""
        return f"{len(task['history'])} earlier turns{related}" if node == "read_history" else ""
    if analysis := update.get("analysis"):
        needs = f", needs {', '.join(analysis['needs'])}" if analysis["needs"] else ""
        return f"{analysis['kind']}, {analysis['language']}, {analysis['complexity']}{needs}"
    if plan := update.get("plan"):
        notes = f" · {'; '.join(plan['notes'])}" if plan["notes"] else ""
        return f"attempt {plan['attempt']}: {plan['model']}/{plan['strategy']}{notes}"
    if attempts := update.get("attempts"):
        return _shorten(attempts[-1]["answer"])
    if verdicts := update.get("verdicts"):
        reasons = "; ".join(f"{reason['name']}: {reason['evidence']}" for reason in verdicts[-1]["reasons"])
        return f"score {verdicts[-1]['score']:.2f}{' · ' + reasons if reasons else ''}"
    if decision := update.get("decision"):
        return str(decision["decision"])
    if loads := update.get("loads"):
        return f"{loads[-1]['decision']} {loads[-1]['model']}"
    if scratch := update.get("scratch"):
        last = scratch[-1]
        calls = ", ".join(call_text(call) for call in last.get("tool_calls") or [])
        return f"calls {calls}" if calls else _shorten(str(last.get("content", "")))
    return ""


def cost_line(result: dict[str, Any]) -> str:
    """Score, attempts and metrics in one line."""
    metrics = result["metrics"]
    score = f"score {result['score']:.2f} · " if result["score"] is not None else ""
    attempts = f"{result['attempts']} attempt{'s' if result['attempts'] != 1 else ''}"
    cache = "cache hit" if metrics["cache_hit"] else f"cache miss (loaded in {metrics['load_time_sec']:.2f} s)"
    first = metrics["time_to_first_token_sec"]
    first_token = f" · first token {first:.2f} s" if first is not None else ""
    return (
        f"{score}{attempts} · {metrics['model_name']}/{metrics['strategy']} · {cache} · "
        f"{metrics['tokens_generated']} tokens, {metrics['tokens_per_sec']:.0f}/s{first_token} · "
        f"{metrics['total_time_sec']:.2f} s"
    )


def _shorten(text: str, limit: int = 100) -> str:
    folded = _one_line(text)
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def _one_line(text: str) -> str:
    return shown(" ".join(text.split()))
