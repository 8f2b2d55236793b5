"""Bodies as a client would send them, for /openapi.json; of agents, those that come with the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Example = Mapping[str, Any]

AGENT: Example = {
    "agent_id": "summariser",
    "name": "Summariser",
    "endpoint": "http://127.0.0.1:9001",
    "agent_type": "agent",
    "capabilities": ["summarise"],
}
AGENT_PUT: Example = {name: value for name, value in AGENT.items() if name != "agent_id"}
AGENT_CHANGE: Example = {"enabled": False}
CREW: Example = {
    "crew_id": "research",
    "name": "Research",
    "execution_mode": "sequential",
    "agents": [
        {"agent_id": "finder", "agent_class": "ChatAgent", "system_prompt": "List what is known."},
        {"agent_id": "writer", "agent_class": "ChatAgent", "system_prompt": "Write it up in one paragraph."},
    ],
}
FLOW: Example = {
    "flow_id": "summarise",
    "name": "Summarise",
    "nodes": [
        {"id": "read", "type": "agent", "agent_id": "researcher"},
        {"id": "write", "type": "agent", "agent_id": "writer", "depends_on": ["read"]},
    ],
    "entry_point": "read",
    "exit_points": ["write"],
}
FLOW_YAML = """\
flow_id: summarise
name: Summarise
entry_point: read
exit_points: [write]
nodes:
  - {id: read, type: agent, agent_id: researcher}
  - {id: write, type: agent, agent_id: writer, depends_on: [read]}
"""
EXECUTE_CREW: Example = {"crew_id": "research", "query": "What is a lease?", "context": {"max_tokens": 64}}
EXECUTE_FLOW: Example = {
    "flow_id": "summarise",
    "input_data": {"text": "A long story."},
    "context": {"max_tokens": 64},
    "wait": True,
}
ANSWER: Example = {"answer": "accept"}
CLEAN_UP: Example = {"older_than_hours": 24, "dry_run": True}
