"""What an ExecutionRequest runs: a graph of the lab, or a crew of the agents it names. Decided from values alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.job_requests import Asked
from server.run_request import RunRequest
from server.wire.execute import ExecutionRequest
from server.wire.execution_view import OWN_MARKS, TEAM
from server.wire.lab import ModelSettings
from state.errors import BadRequest
from state.flows import AgentSpec, CrewSpec

WORKERS = (
    *("analyzer", "task_analyzer", "analyze_task", "monitor", "resource_monitor", "monitor_resources"),
    *("executor", "execution", "execution_worker", "execute", "validator", "output_validator", "validate_answer"),
    *("history", "history_reader", "read_history", "summarizer", "summary", "summarise"),
)
"""The orchestrator's own, by the names that its clients and its graph have for them."""
_WORKERS = frozenset(name.replace("_", "") for name in WORKERS)
_SIMPLE = "execution_type 'simple' is one call of one model"
_TEAM = frozenset(ModelSettings.model_fields)
"""The settings that agents take."""


@dataclass(frozen=True)
class TeamRequest:
    """Registered agents that are asked one after the other, each told what the one before said."""

    agents: tuple[str, ...]
    asked: Asked


def planned(body: ExecutionRequest) -> RunRequest | TeamRequest:
    """What is run. Raises BadRequest that names the field and the way out."""
    if body.execution_type == "simple":
        return _simple(body)
    agents = registered(body.agents)
    return _team(body, agents) if agents else body.asked()


def registered(names: Sequence[str]) -> tuple[str, ...]:
    """Of the agents that a client names those that are registered ones: all of them, or none.

    Raises BadRequest for a mixture, which no graph is, and for one that is named twice.
    """
    own = [name for name in names if is_worker(name)]
    others = tuple(name for name in names if not is_worker(name))
    if own and others:
        raise BadRequest(
            f"agents: '{own[0]}' is a worker of the orchestrator and '{others[0]}' is not; name registered agents "
            f"alone (GET /agents), or of its workers, which all take part: {', '.join(WORKERS)}"
        )
    if twice := next((name for name in others if others.count(name) > 1), None):
        raise BadRequest(f"agents: '{twice}' is named twice; name each once")
    return others


def is_worker(name: str) -> bool:
    """`TaskAnalyzer`, `task_analyzer` and `task_analyzer_node` are one."""
    return name.replace("_", "").replace("-", "").lower().removesuffix("node") in _WORKERS


def crew_of(agents: Sequence[str]) -> CrewSpec:
    """The crew that registered agents make. A step called HttpAgent stands for an agent of whatever class."""
    steps = tuple(AgentSpec(agent_id=one, agent_class="HttpAgent", config={"agent_id": one}) for one in agents)
    return CrewSpec(crew_id=TEAM, name=" → ".join(agents)[:200], agents=steps)


def _simple(body: ExecutionRequest) -> RunRequest:
    if body.agents:
        raise BadRequest(f"agents: {_SIMPLE}; ask with execution_type 'orchestrator', or leave agents out")
    if body.resume or body.decision is not None or body.interrupt_id is not None:
        raise BadRequest(f"resume: {_SIMPLE}, which has nothing to go on with; ask with execution_type 'orchestrator'")
    settings = {name: value for name, value in body.settings().items() if value != []}
    if others := [name for name in settings if name not in _TEAM]:
        raise BadRequest(f"{others[0]}: {_SIMPLE}; ask with execution_type 'orchestrator', or leave it out")
    return RunRequest("direct", settings, body.prompt, body.thread_id)


def _team(body: ExecutionRequest, agents: tuple[str, ...]) -> TeamRequest:
    if body.resume or body.decision is not None or body.interrupt_id is not None:
        raise BadRequest("resume: what agents ask is answered by POST /executions/{execution_id}/resume")
    settings = body.settings()
    if "tools" in settings:
        raise BadRequest("tools: registered agents have tools of their own (GET /agents); leave tools or agents out")
    if others := [name for name in settings if name not in _TEAM]:
        raise BadRequest(f"{others[0]}: agents take {', '.join(sorted(_TEAM))}; leave it, or agents, out")
    if not (body.prompt or "").strip():
        raise BadRequest("the prompt is empty; say what you want answered")
    asked = Asked(
        input={"query": body.prompt},
        settings=settings,
        metadata={name: value for name, value in body.metadata.items() if name not in OWN_MARKS},
        webhook=body.webhook_url,
        thread_id=body.thread_id,
    )
    return TeamRequest(agents, asked)
