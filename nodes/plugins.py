"""Plugins: nodes of the user's own that answer some requests themselves, without a model.

    from nodes.plugins import plugin

    @plugin(kinds=("math",), pattern=r"roman numeral")
    async def roman(task, analysis):
        \"\"\"Roman numerals.\"\"\"
        return "XLII"

A plugin is tried once, before any model. It may decline by returning None; what it answers is validated like any
answer, and when it fails or is rejected, the run goes on with a model.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from langgraph.errors import NodeError
from langgraph.types import Command

from nodes.costs import metrics_of_plugin
from state.errors import BadRequest
from state.run import RunState
from state.tasks import Analysis, Attempt, Kind, PluginUse, Task

Answer = Callable[[Task, Analysis], Awaitable[str | None]]

log = logging.getLogger(__name__)

MAX_CHARS = 8_000
"""Of a prompt, searched for a plugin's pattern."""


@dataclass(frozen=True)
class Plugin:
    """A node that answers. `kinds` empty: any kind; `pattern` None: any text; both have to fit."""

    name: str
    answer: Answer
    kinds: tuple[Kind, ...] = ()
    pattern: re.Pattern[str] | None = None
    description: str = ""

    def handles(self, task: Task, analysis: Analysis) -> bool:
        """Whether this request is for it."""
        fits = not self.kinds or analysis.kind in self.kinds
        return fits and (self.pattern is None or self.pattern.search(task.prompt[:MAX_CHARS]) is not None)


def plugin(
    *, kinds: Sequence[Kind] = (), pattern: str | None = None, name: str | None = None
) -> Callable[[Callable[[Task, Analysis], object]], Plugin]:
    """Make a function `(task, analysis) -> str | None` a plugin; one that is not async runs in a thread.

    `pattern` is a regular expression searched in the prompt, whatever its case. Raises BadRequest for an unknown kind
    and for a pattern that cannot be read.
    """
    unknown = [kind for kind in kinds if kind not in get_args(Kind)]
    if unknown:
        raise BadRequest(f"there is no kind '{unknown[0]}'; choose from: {', '.join(get_args(Kind))}")
    try:
        compiled = re.compile(pattern, re.IGNORECASE) if pattern is not None else None
    except re.error as error:
        raise BadRequest(f"the plugin's pattern '{pattern}' cannot be read: {error}") from error

    def made(function: Callable[[Task, Analysis], object]) -> Plugin:
        said = (inspect.getdoc(function) or "").partition("\n")[0]
        return Plugin(name or function.__name__, _as_async(function), tuple(kinds), compiled, said)

    return made


def chosen(plugins: Sequence[Plugin], task: Task, analysis: Analysis) -> Plugin | None:
    """The first that handles the request."""
    return next((each for each in plugins if each.handles(task, analysis)), None)


async def work(state: RunState, *, plugin: Plugin) -> dict[str, object]:
    """Ask the plugin. Reads `task`, `analysis`; writes `plugin` and, unless it declines, appends to `attempts`."""
    assert state.task is not None and state.analysis is not None, "analyze_task runs first"
    started = time.perf_counter()
    answer = await plugin.answer(state.task, state.analysis)
    if answer is None:
        return {"plugin": PluginUse(name=plugin.name, outcome="declined")}
    if not isinstance(answer, str):
        raise TypeError(f"the plugin returned {type(answer).__name__}, not a text or None")
    attempt = Attempt(
        number=1,
        model=plugin.name,
        answer=answer,
        metrics=metrics_of_plugin(plugin.name, time.perf_counter() - started),
    )
    return {"plugin": PluginUse(name=plugin.name, outcome="answered"), "attempts": [attempt]}


async def work_failed(state: RunState, error: NodeError) -> Command[str]:
    """After a plugin's retries are spent: say so in `plugin` and go on with a model."""
    log.warning("the plugin %s failed; a model is asked", error.node, exc_info=error.error)
    use = PluginUse(name=error.node, outcome="failed", error=f"{type(error.error).__name__}: {error.error}"[:500])
    return Command(update={"plugin": use}, goto="monitor_resources")


def _as_async(function: Callable[[Task, Analysis], object]) -> Answer:
    if inspect.iscoroutinefunction(function):
        return function

    async def in_a_thread(task: Task, analysis: Analysis) -> str | None:
        return await asyncio.to_thread(function, task, analysis)  # type: ignore[arg-type]  # checked in `work`

    return in_a_thread
