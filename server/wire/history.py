"""Executions so far on the wire: how they are asked for, listed, and shown whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from server.db import history_shapes as history
from server.histories import Whole
from server.run_queue.endings import CANCELLED
from server.wire.execute import ExecutionMetrics, ExecutionSummary
from server.wire.execution_view import TEAM, Execution, execution_view
from server.wire.executions import BY_A_CLIENT

SHORT = 500
"""Characters of a prompt and of an output in a list."""
_GRAPHS: Mapping[str, Sequence[str]] = {
    "simple": ("direct", "lab:direct"),
    # An execution whose client named agents is a crew of its own.
    "orchestrator": ("orchestrator", "lab:orchestrator", "crew"),
}
"""Graphs by what asks for their runs; of others the type is the graph's name."""
_OF_ONE = ("nodes", "flow_state")
"""Fields of an execution that lists leave out."""
_UNMEASURED: Mapping[str, Any] = {
    **dict.fromkeys(("model_name", "strategy", "cache_hit", "load_time_sec", "gpu_memory_used_gb")),
    "inference_time_sec": 0.0,
    "total_time_sec": 0.0,
    "tokens_generated": 0,
}


class HistoryPage(BaseModel):
    """The newest first, `prompt` and `output` cut at 500 characters. `next_cursor`, where there are more, is sent as
    `cursor` with the same filters."""

    items: list[ExecutionSummary]
    next_cursor: str | None


def of_type(execution_type: str | None) -> dict[str, Any]:
    """What of a HistoryFilter chooses executions of this type."""
    if execution_type is None:
        return {}
    graphs = _GRAPHS.get(execution_type, (execution_type,))
    return {"graphs": graphs, "team": TEAM, "of_team": execution_type == "orchestrator" if "crew" in graphs else None}


def listed_view(execution: history.Execution, now: datetime) -> dict[str, Any]:
    """An execution in a list, out of the figures that are kept with it."""
    agents = [{"agent_id": each} for each in execution.figures.get("agents") or ()]
    shown = execution_view(_of(execution, {**execution.figures, "agents": agents}, execution.answer), now)
    cut = {name: _cut(shown[name]) for name in ("prompt", "output")}
    return {name: value for name, value in {**_measured(shown), **cut}.items() if name not in _OF_ONE}


def whole_view(whole: Whole, now: datetime) -> dict[str, Any]:
    """An ExecutionResult. The output is whole where its graph leaves a result, else its first 50,000 characters."""
    execution = whole.execution
    done = execution.status == "COMPLETED"
    result = execution.result if done and isinstance(execution.result, Mapping) else {}
    output = None if isinstance(result.get("output"), str) else execution.answer
    shown = execution_view(
        _of(execution, result, output), now, nodes=whole.nodes, going_on_at=whole.next, interrupts=whole.interrupts
    )
    return _measured(shown)


def _of(execution: history.Execution, result: Mapping[str, Any], output: str | None) -> Execution:
    same = ("execution_id", "run_id", "thread_id", "graph_id", "status", "metadata")
    times = ("created_at", "started_at", "finished_at")
    return Execution(
        **{name: getattr(execution, name) for name in (*same, *times)},
        settings=_settings(execution.settings),
        prompt=execution.request,
        result=_measured(result),
        error=_error(execution),
        output=output,
    )


def _measured(told: Mapping[str, Any]) -> dict[str, Any]:
    """With the metrics that ours are; graphs of others may keep anything under that name."""
    if not isinstance(metrics := told.get("metrics"), Mapping):
        return {**told, "metrics": None}
    try:
        shown = ExecutionMetrics.model_validate({**_UNMEASURED, **metrics}).model_dump()
    except ValidationError:
        shown = None
    return {**told, "metrics": shown}


def _settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are shown. A client of the Agent Server may have sent anything under their names."""
    texts = {name: asked[name] for name in ("model", "strategy") if isinstance(asked.get(name), str)}
    tools = asked.get("tools")
    named = isinstance(tools, list) and all(isinstance(tool, str) for tool in tools)
    return {**texts, "tools": tools} if named else texts


def _error(execution: history.Execution) -> str | None:
    """Of one that failed or was stopped, in the words of jobs; one that waits or is done has none to tell."""
    told = execution.error
    if execution.status == "CANCELLED":
        return BY_A_CLIENT if told is None or CANCELLED in told else told.removeprefix("UserInterrupt: ")
    return told if execution.status == "FAILED" else None


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHORT else f"{text[: SHORT - 1]}…"
