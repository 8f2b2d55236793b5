"""What the made-up requests find on the server: one of each kind of thing, and new ones for those that delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from server.wire.models import NewModel

PROMPT = "What is 6*7?"
SHORT = {"max_tokens": 4, "max_attempts": 1}
"""So that no answer takes long."""
KINDS = (
    ("/models/", "name", "model"),
    ("/api/v1/history", "execution_id", "run_id"),
    # A thread belongs to the graph that ran on it first.
    ("/inference", "thread_id", "chat"),
    ("/orchestrate", "thread_id", "talk"),
    ("/api/v1/execute", "thread_id", "talk"),
    ("/api/v1/crew", "thread_id", ""),
    ("/flows", "thread_id", ""),
    ("/api/v1/crew/jobs/{job_id}/cancel", "job_id", "at_work"),
    ("/executions/{execution_id}/cancel", "execution_id", "at_work"),
)
"""What a parameter means that means another thing elsewhere: begin of the path, name, kind of seed."""


@dataclass
class Seeds:
    """Makes things on a server, and knows one of each kind."""

    http: httpx.Client
    numbers: count[int] = field(default_factory=count)
    known: dict[str, str] = field(default_factory=dict)

    def named(self, parameter: str, path: str, *, new: bool) -> str | None:
        """What a parameter of this name can stand for in this path; None: nothing is known of it.

        `new`: made now, to be deleted.
        """
        kind = next((kind for start, name, kind in KINDS if path.startswith(start) and name == parameter), parameter)
        make = self._makers.get(kind)
        if make is None:
            return None
        if new or kind == "at_work":
            return self._added() if kind == "model" else make()
        if kind not in self.known:
            self.known[kind] = make()
        return self.known[kind]

    @property
    def _makers(self) -> Mapping[str, Callable[[], str]]:
        return {
            "thread_id": lambda: self._made("POST", "/threads", {"metadata": {"seed": True}})["thread_id"],
            "run_id": self._run,
            "checkpoint_id": self._checkpoint,
            "assistant_id": lambda: self._made("POST", "/assistants", {"graph_id": "direct", "context": SHORT})[
                "assistant_id"
            ],
            "cron_id": lambda: self._made(
                "POST", "/runs/crons", {"assistant_id": "direct", "schedule": "0 0 1 1 *", "enabled": False}
            )["cron_id"],
            "agent_id": self._agent,
            "crew_id": self._crew,
            "flow_id": self._flow,
            "job_id": self._job,
            "execution_id": self._execution,
            "chat": lambda: self._made("POST", "/inference", {"prompt": PROMPT, "max_tokens": 4})["thread_id"],
            "talk": lambda: self._made("POST", "/orchestrate", {"prompt": PROMPT, **SHORT})["thread_id"],
            "at_work": self._at_work,
            "model": lambda: "demo",
            "model_key": lambda: "demo",
            "namespace": lambda: "memories",
            "key": self._item,
        }

    def _run(self) -> str:
        """On the thread that is known, so that paths of both are right."""
        thread = self.named("thread_id", "", new=False)
        # With an assistant, its threads may have gone.
        self._made("POST", "/threads", {"thread_id": thread, "if_exists": "do_nothing"})
        body = {"assistant_id": "direct", "input": {"messages": [{"role": "user", "content": PROMPT}]}}
        asked = {**body, "context": SHORT, "stream_resumable": True}
        run = self._made("POST", f"/threads/{thread}/runs", asked)
        self.http.get(f"/threads/{thread}/runs/{run['run_id']}/join")
        return str(run["run_id"])

    def _checkpoint(self) -> str:
        """Of the thread that is known, before anything else has run there."""
        self.named("run_id", "", new=False)
        return str(self._made("GET", f"/threads/{self.known['thread_id']}/state")["checkpoint_id"])

    def _added(self) -> str:
        """A model that can be removed again, as the description shows it."""
        name = f"model-{next(self.numbers)}"
        extra: Any = NewModel.model_config["json_schema_extra"]
        self._made("PUT", f"/models/{name}", extra["examples"][0])
        return name

    def _agent(self) -> str:
        agent = f"agent-{next(self.numbers)}"
        # Nobody listens there: calls and health checks fail at once.
        self._made("POST", "/agents", {"agent_id": agent, "endpoint": "http://127.0.0.1:9", "capabilities": ["seeing"]})
        return agent

    def _crew(self) -> str:
        crew = {"crew_id": f"crew-{next(self.numbers)}", "agents": [{"agent_id": "one", "agent_class": "Seen"}]}
        return str(self._made("PUT", "/api/v1/crew", crew)["crew_id"])

    def _flow(self) -> str:
        flow = f"flow-{next(self.numbers)}"
        nodes = [{"id": "one", "agent_id": "Seen"}]
        self._made("POST", "/flows", {"flow_id": flow, "nodes": nodes, "entry_point": "one", "exit_points": "one"})
        return flow

    def _job(self) -> str:
        crew = self.named("crew_id", "", new=False)
        return str(self._made("POST", "/api/v1/crew/execute", {"crew_id": crew, "query": "?", "wait": True})["job_id"])

    def _execution(self) -> str:
        flow = self.named("flow_id", "", new=False)
        return str(self._made("POST", "/flows/execute", {"flow_id": flow, "query": "?", "wait": True})["execution_id"])

    def _at_work(self) -> str:
        """A job that never ends: the file that its agent waits for is not made."""
        agents = [{"agent_id": "one", "agent_class": "Gate", "config": {"file": "never"}}]
        self._made("PUT", "/api/v1/crew", {"crew_id": "patient", "agents": agents})
        return str(self._made("POST", "/api/v1/crew/execute", {"crew_id": "patient", "query": "?"})["job_id"])

    def _item(self) -> str:
        self._made("PUT", "/store/items", {"namespace": ["memories"], "key": "language", "value": {"speaks": "es"}})
        return "language"

    def _made(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None
