"""Figures of crews, flows, their executions, agents and messages, for whoever watches. Times in seconds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server.db.agent_runs import AgentFigures
from server.db.jobs import IN_FLIGHT, JOB_STATUSES, JobFigures, SaidFigures
from server.messages.figures import Figures
from server.wire.assistants import stamp

MOST_AGENTS = 100
"""Whose messages are told by name."""


def crew_stats(crews: int, figures: Sequence[JobFigures]) -> dict[str, Any]:
    """`GET /api/v1/crew/stats`."""
    told = executions_stats(figures)
    return {"crews": crews, "jobs": told}


def executions_stats(figures: Sequence[JobFigures]) -> dict[str, Any]:
    """How many stand how; times are those of the ones that completed."""
    counts = Counter(dict.fromkeys(JOB_STATUSES, 0))
    for each in figures:
        counts[each.status] += each.count
    done = next((each for each in figures if each.status == "COMPLETED"), None)
    return {
        "total": counts.total(),
        "by_status": dict(counts),
        "active": sum(counts[status] for status in IN_FLIGHT),
        "success_rate": _share(counts["COMPLETED"], counts["COMPLETED"] + counts["FAILED"]),
        "ended_last_hour": sum(each.last_hour for each in figures),
        "mean_seconds": _rounded(done.mean if done else None),
        "p50_seconds": _rounded(done.p50 if done else None),
        "p95_seconds": _rounded(done.p95 if done else None),
    }


def executions_by_name(figures: Iterable[JobFigures]) -> list[dict[str, Any]]:
    """The same of each crew and flow, the one executed last first; a name of null: runs of no kept definition."""
    grouped: defaultdict[tuple[str, str], list[JobFigures]] = defaultdict(list)
    for each in figures:
        grouped[each.kind or "", each.name or ""].append(each)
    told = [
        {
            "kind": kind,
            f"{kind}_id": name or None,
            **executions_stats(group),
            "last_at": stamp(max(each.last_at for each in group)),
        }
        for (kind, name), group in grouped.items()
    ]
    return sorted(told, key=lambda one: str(one["last_at"]), reverse=True)


def agents_stats(by_status: Mapping[str, int]) -> dict[str, Any]:
    """How many agents are registered, and how they are."""
    return {"total": sum(by_status.values()), "by_status": dict(by_status)}


def agent_times(figures: Iterable[AgentFigures]) -> list[dict[str, Any]]:
    """How often each agent was called and how long it took, the most called first."""
    return [
        {
            "agent_id": each.agent_id,
            "agent_class": each.agent_class,
            "calls": each.calls,
            "completed": each.completed,
            "failed": each.failed,
            "running": each.running,
            "success_rate": _share(each.completed, each.completed + each.failed),
            "mean_seconds": _rounded(each.mean_seconds),
            "p50_seconds": _rounded(each.p50_seconds),
            "p95_seconds": _rounded(each.p95_seconds),
            "input_tokens": each.input_tokens,
            "output_tokens": each.output_tokens,
        }
        for each in figures
    ]


def messages_stats(kept: int, said: Sequence[SaidFigures], waiting: Mapping[str, int]) -> dict[str, Any]:
    """Of all processes; `said`: messages of the last day by agent, those between steps among them."""
    return {
        "kept": kept,
        "waiting": sum(waiting.values()),
        **_said(said),
        "agents": [{"agent_id": each.agent_id, **_said([each])} for each in said[:MOST_AGENTS]],
    }


def _said(figures: Sequence[SaidFigures]) -> dict[str, Any]:
    return {
        "last_day": {"sent": sum(each.sent for each in figures), "received": sum(each.received for each in figures)},
        "last_hour": {
            "sent": sum(each.sent_lately for each in figures),
            "received": sum(each.received_lately for each in figures),
        },
    }


def delivery_stats(figures: Figures, uptime_sec: float) -> dict[str, Any]:
    """Of this process since its start: what agents sent through it. What steps hand on along their edges is not sent,
    and takes no time that could be told.
    """
    sent = figures.sent.total()
    return {
        "sent": sent,
        "received": figures.received.total(),
        "refused": figures.refused.total(),
        "sent_per_second": round(sent / uptime_sec, 3) if uptime_sec > 0 else 0.0,
        "delivery_mean_seconds": _rounded(figures.total_sec / figures.delivered if figures.delivered else None),
        "delivery_p50_seconds": _finite(figures.quantile(0.5)),
        "delivery_p95_seconds": _finite(figures.quantile(0.95)),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _finite(bound: float | None) -> float | None:
    """Above the last bound nothing is known but that: null."""
    return None if bound == float("inf") else bound
