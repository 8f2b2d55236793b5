"""What `lab flows run` and `lab crews run` show: a line as each step begins and ends, its tokens, the answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from server.cli.terminal import shorten, shown

MARKS: Mapping[str, str] = {
    "completed": "[green]✓[/]",
    "fallback": "[yellow]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[dim]·[/]",
    "retrying": "[yellow]↻[/]",
}
LIVE_CHARS = 2_000
"""Of each answer that is being written, the end."""


class TeamView:
    """Shows the events of one job. On a terminal the steps at work and their tokens are live; in a pipe, lines only."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, refresh_per_second=12) if console.is_terminal else None
        self._working: dict[str, str] = {}
        """Step → what it has said so far."""
        self._agents: dict[str, str] = {}

    def __enter__(self) -> TeamView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, name: str, data: Mapping[str, Any]) -> None:
        """One event of `server.following`, in their order."""
        match name:
            case "agent":
                self._turn(data)
            case "token":
                step = str(data["step"])
                self._working[step] = (self._working.get(step, "") + shown(str(data["text"])))[-LIVE_CHARS:]
            case "attempt":
                self._working.clear()
        if self._live is not None:
            self._live.update(Group(*(self._at_work(step) for step in self._working)))

    def end(self, job: Mapping[str, Any]) -> None:
        """The answer and what it took; of a job that has none, nothing. `job`: as `execution_view` shows it."""
        told = job.get("output_data")
        if told is None:
            return
        self._console.print()
        self._console.print(Text(shown(str(told.get("output") or "")) or "(no answer)"))
        self._console.print(f"\n[dim]{escape(cost_line(job))}[/]")

    def _turn(self, data: Mapping[str, Any]) -> None:
        step, status = str(data["step"]), str(data["status"])
        agent = str(data.get("agent_id") or "")
        if status == "started":
            self._working[step], self._agents[step] = "", agent
            if self._live is None:
                whose = f" ({agent})" if agent != step else ""
                self._console.print(f"[dim]▶ {escape(shown(step + whose))}[/]")
            return
        self._working.pop(step, None)
        took = f"{data['seconds']:7.2f} s" if isinstance(data.get("seconds"), int | float) else " " * 9
        whose = f"{agent} for {data['tried'][0]['agent_id']}: " if data.get("tried") else ""
        note = escape(whose + shorten(str(data.get("error") or data.get("text") or ""), 100))
        self._console.print(f"{MARKS.get(status, ' ')} {escape(step):<18} [dim]{took}[/]  {note}")

    def _at_work(self, step: str) -> Group:
        spinner = Spinner("dots", text=Text(f" {step} · {self._agents.get(step, '')}"))
        return Group(spinner, Text(self._working[step], style="cyan"))


def cost_line(job: Mapping[str, Any]) -> str:
    """How many steps answered, tokens and time, in one line."""
    agents = job["agents"]
    done = sum(agent["status"] == "completed" for agent in agents)
    tokens = sum(agent["input_tokens"] + agent["output_tokens"] for agent in agents)
    failed = [f"{agent['step']}: {agent['error']}" for agent in agents if agent["status"] != "completed"]
    seconds = f" · {job['execution_time']:.2f} s" if job["execution_time"] is not None else ""
    notes = f" · {shorten('; '.join(failed), 300)}" if failed else ""
    return f"{done} of {len(agents)} steps · {tokens} tokens{seconds} · execution {job['execution_id']}{notes}"
