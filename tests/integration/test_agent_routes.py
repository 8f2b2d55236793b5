"""`/agents` over real Postgres, without a process: the routes, the error handlers and a registry."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from nodes.agents.kinds import Kinds
from server.agents.opening import open_agents
from server.db.agents import Agents
from server.db.pool import Database
from server.db.worker import Worker
from server.errors import install_error_handlers
from server.routes import agents
from server.settings import Settings
from state.agent_ports import AgentNeeds
from state.agents import NewAgent
from tests.fakes import FakeModels

KEY = "k3y-that-nobody-sees"


CARD = {
    "name": "Remote writer", "description": "Writes elsewhere.", "version": "1", "capabilities": {},
    "supportedInterfaces": [{"url": "http://127.0.0.1:1/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
    "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "prose", "name": "Prose", "description": "", "tags": ["writing"]}],
}  # fmt: skip


class Agent:
    """What stands at an agent's address: how it answers, and what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[str] = []

    def client(self, timeout: float) -> httpx.AsyncClient:
        def answer(request: httpx.Request) -> httpx.Response:
            self.asked.append(str(request.url))
            return httpx.Response(self.status, json=CARD if request.url.path.endswith("agent-card.json") else None)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer), timeout=timeout)


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
async def client(
    database: Database, worker: Worker, settings: Settings, agent: Agent
) -> AsyncIterator[httpx.AsyncClient]:
    settings = settings.model_copy(update={"allowed_networks": (ip_network("127.0.0.0/8"),)})
    built_in = NewAgent(agent_id="writer", agent_class="ChatAgent", capabilities=("writing",))
    async with open_agents(
        database, worker, settings, "default", http=agent.client, builtin=[(built_in, "builtin")], works=False
    ) as opened:
        app = FastAPI()
        install_error_handlers(app)
        app.include_router(agents.router)
        needs = AgentNeeds(FakeModels(), kinds=Kinds(), http=agent.client)
        app.state.lab = SimpleNamespace(agents=opened, needs=needs, settings=settings)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield http


async def test_an_agent_is_registered_shown_changed_and_deregistered(client: httpx.AsyncClient, agent: Agent) -> None:
    body = {
        "agent_id": "zoe", "name": "Zoe Assistant", "description": "Conversational assistant",
        "endpoint": "http://LOCALHOST:9001/zoe/", "capabilities": ["conversation", "information_gathering"],
        "agent_type": "input", "agent_class": "http", "api_key": KEY, "metadata": {"team": "a"},
    }  # fmt: skip
    made = await client.post("/agents", json=body)
    assert made.status_code == 201 and made.headers["location"] == "/agents/zoe"
    shown = (await client.get("/agents/zoe")).json()
    assert shown == made.json()
    assert shown["endpoint"] == "http://localhost:9001/zoe" and shown["agent_class"] == "HttpAgent"
    assert (shown["status"], shown["active"], shown["message_count"], shown["has_api_key"]) == ("idle", True, 0, True)
    assert shown["breaker"] == {"state": "closed", "failures": 0, "open_until": None}
    assert (await client.post("/agents/", json={**body, "name": "Zoe"})).status_code == 200

    changed = await client.patch("/agents/zoe", json={"description": "new", "capabilities": ["chat"], "enabled": False})
    assert (changed.json()["status"], changed.json()["capabilities"]) == ("inactive", ["chat"])
    assert (changed.json()["name"], changed.json()["has_api_key"]) == ("Zoe", True)
    without = await client.patch("/agents/zoe/", json={"api_key": None, "active": True})
    assert (without.json()["has_api_key"], without.json()["status"]) == (False, "idle")
    assert (await client.patch("/agents/zoe", json={"api_key": KEY})).json()["has_api_key"]
    moved = await client.patch("/agents/zoe", json={"endpoint": "http://127.0.0.2/"})
    assert (moved.json()["endpoint"], moved.json()["has_api_key"]) == ("http://127.0.0.2", False)

    replaced = await client.put("/agents/zoe", json={"endpoint": "http://127.0.0.2", "api_key": KEY, "enabled": False})
    assert (replaced.status_code, replaced.json()["name"], replaced.json()["active"]) == (200, "zoe", False)
    untyped = await client.put("/agents/other", content=b'{"endpoint": "http://127.0.0.3"}')
    assert untyped.status_code == 201, "a content type may be left out"
    nowhere = await client.patch("/agents/other", json={"endpoint": None})
    assert nowhere.status_code == 422 and "endpoint: an agent of class HttpAgent needs one" in nowhere.json()["detail"]
    assert KEY not in json.dumps([one.json() for one in (made, changed, moved, replaced)])

    assert (await client.delete("/agents/zoe")).status_code == 204
    gone = await client.get("/agents/zoe")
    assert gone.status_code == 404 and gone.headers["content-type"] == "application/problem+json"
    assert "there is no agent 'zoe'" in gone.json()["detail"] and "writer" in gone.json()["detail"]
    for method in ("PATCH", "DELETE", "POST"):
        path = "/agents/zoe/heartbeat" if method == "POST" else "/agents/zoe"
        assert (await client.request(method, path, json={} if method == "PATCH" else None)).status_code == 404


async def test_agents_are_listed_by_what_they_can(client: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        made = await client.post("/agents", json={
            "agent_id": name, "agent_type": "react", "capabilities": ["chat", name], "endpoint": "http://127.0.0.1:1",
        })  # fmt: skip
        assert made.status_code == 201
    page = await client.get("/agents", params={"capability": "chat", "limit": 2, "offset": 1})
    assert [one["agent_id"] for one in page.json()] == ["b", "c"] and page.headers["x-pagination-total"] == "3"
    for wanted, ids in (
        ({"agent_type": "react"}, "a b c"), ({"status": "inactive"}, ""), ({"capability": "writing"}, "writer"),
        ({"origin": "builtin", "status": "active"}, "writer"),
    ):  # fmt: skip
        assert " ".join(one["agent_id"] for one in (await client.get("/agents/", params=wanted)).json()) == ids
    assert (await client.get("/agents/capabilities")).json()[-1] == {"capability": "writing", "agents": ["writer"]}
    told = (await client.get("/agents/types")).json()
    assert told["types"] == [{"agent_type": "agent", "count": 1}, {"agent_type": "react", "count": 3}]
    assert "ChatAgent" in [one["agent_class"] for one in told["classes"]]


async def test_an_agent_that_comes_with_the_server_is_switched_off_not_changed(client: httpx.AsyncClient) -> None:
    refused = await client.delete("/agents/writer")
    assert refused.status_code == 409 and '{"enabled": false}' in refused.json()["detail"]
    assert (await client.patch("/agents/writer", json={"name": "x"})).status_code == 409
    assert (await client.put("/agents/writer", json={"agent_class": "ChatAgent"})).status_code == 409
    assert (await client.patch("/agents/writer", json={"enabled": False})).json()["status"] == "inactive"
    assert (await client.get("/agents/capabilities")).json() == []
    for query, ids in (("", []), ("&status=inactive", ["writer"])):
        able = (await client.get(f"/agents?capability=writing{query}")).json()
        assert [one["agent_id"] for one in able] == ids, "who asks for a capability wants to call"


async def test_an_agent_whose_address_is_not_to_be_had_today_can_be_changed(
    client: httpx.AsyncClient, database: Database
) -> None:
    far = NewAgent(agent_id="far", endpoint="http://10.0.0.1/far", api_key=SecretStr(KEY))
    await Agents(database.pool, database.dsn).register("default", far)
    changed = await client.patch("/agents/far", json={"description": "Elsewhere."})
    assert (changed.status_code, changed.json()["has_api_key"]) == (200, True)
    assert (await client.patch("/agents/far", json={"endpoint": "http://10.0.0.1/far"})).status_code == 422


async def test_health_is_looked_at_whenever_it_is_asked_for(client: httpx.AsyncClient, agent: Agent) -> None:
    await client.post("/agents", json={"agent_id": "a", "endpoint": "http://127.0.0.1:1/x"})
    first = (await client.get("/agents/a/health")).json()
    assert (first["status"], first["healthy"], first["error"]) == ("idle", True, None) and first["checked_at"]
    assert agent.asked == ["http://127.0.0.1:1/x/health"]
    agent.status = 500
    for method in ("GET", "POST"):
        looked = (await client.request(method, "/agents/a/health")).json()
        assert (looked["status"], looked["healthy"]) == ("offline", False) and "answered 500" in looked["error"]
    assert (await client.get("/agents/a")).json()["status"] == "offline"
    beaten = await client.post("/agents/a/heartbeat")
    assert beaten.status_code == 200
    assert (await client.get("/agents/a")).json()["last_heartbeat"] == beaten.json()["last_heartbeat"]
    assert (await client.get("/agents/writer/health")).json()["health"] == "unknown"
    assert len(agent.asked) == 3
    await client.patch("/agents/a", json={"endpoint": "http://127.0.0.1:1/moved"})
    agent.status = 200
    moved = (await client.get("/agents/a/health")).json()
    assert moved["healthy"] and agent.asked[3:] == ["http://127.0.0.1:1/moved/health"]


async def test_an_a2a_agent_is_described_by_its_card_where_nothing_else_is_said(
    client: httpx.AsyncClient, agent: Agent
) -> None:
    body = {"agent_id": "far", "agent_class": "a2a", "endpoint": "http://127.0.0.1:1", "description": "Mine."}
    made = (await client.post("/agents", json=body)).json()
    assert (made["name"], made["description"], made["capabilities"]) == ("Remote writer", "Mine.", ["prose", "writing"])
    assert made["agent_class"] == "A2AAgent"
    agent.status = 500
    refused = await client.post("/agents", json={**body, "agent_id": "dead"})
    assert refused.status_code == 503 and (await client.get("/agents/dead")).status_code == 404
    whole = {"name": "Told", "capabilities": ["chat"]}
    assert (await client.put("/agents/far", json={**body, **whole})).json()["name"] == "Told", "no card is needed then"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no id": ({}, "agent_id"),
    "an id with a slash": ({"agent_id": "a/b"}, "agent_id"),
    "an id of a route": ({"agent_id": "types"}, "agent_id"),
    "an unknown field": (
        {"agent_id": "a", "colour": "red"},
        "colour: this key is not known; known are: agent_id, name, description,",
    ),
    "a class that is called, and no address": ({"agent_id": "a", "agent_class": "http"}, "endpoint: an agent of class"),
    "an unknown class": ({"agent_id": "a", "agent_class": "os.system"}, "choose one of: A2AAgent, ChatAgent"),
    "a private address": ({"agent_id": "a", "endpoint": "http://10.0.0.1"}, "LAB_ALLOWED_NETWORKS"),
    "a metadata address": ({"agent_id": "a", "endpoint": "http://0xa9fea9fe/"}, "blocked"),
    "a password": ({"agent_id": "a", "endpoint": "http://u:p@127.0.0.1"}, "endpoint"),
    "a file": ({"agent_id": "a", "endpoint": "file:///etc/passwd"}, "endpoint"),
    "a card without an address": ({"agent_id": "a", "agent_class": "a2a"}, "endpoint"),
    "a blank capability": ({"agent_id": "a", "capabilities": [" "]}, "capabilities"),
    "a key in two lines": ({"agent_id": "a", "api_key": "a\nb"}, "api_key"),
    "a config that is a list": ({"agent_id": "a", "config": []}, "config"),
    "half a pair": ({"agent_id": "a", "config": {"x": "\ud800"}}, "Invalid JSON"),
    "a name that is not one": ({"agent_id": "a", "endpoint": "http://xn--/"}, "A-label"),
    "a config that is too large": (
        {"agent_id": "a", "config": {"x": "y" * 70_000}},
        "70015 bytes of JSON, at most 65536",
    ),
    "a key that is too long": ({"agent_id": "a", "api_key": "k" * 5_000}, "api_key has 5000 characters, at most 4096"),
    "too deep": ({"agent_id": "a", "config": json.loads('{"a":' * 150 + "1" + "}" * 150)}, "nested"),
    "a number beyond all": ({"agent_id": "a", "config": {"x": float("inf")}}, "Invalid JSON"),
    "a wrong timeout": ({"agent_id": "a", "endpoint": "http://127.0.0.1", "config": {"timeout": "soon"}}, "timeout"),
}


async def test_what_is_wrong_is_refused_with_its_name(client: httpx.AsyncClient) -> None:
    for what, (body, named) in REFUSED.items():
        answer = await client.post("/agents", content=json.dumps(body), headers={"content-type": "application/json"})
        assert answer.status_code == 422, f"{what}: {answer.text}"
        assert named in answer.json()["detail"], f"{what}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
    for raw in (b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"agent_id": 1' + b"0" * 5_000 + b"}"):
        answer = await client.post("/agents", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), raw[:20]
    wrong_type = {"content-type": "text/plain"}
    for method, path in (("POST", "/agents"), ("PUT", "/agents/a"), ("PATCH", "/agents/writer")):
        answer = await client.request(method, path, content=b"{}", headers=wrong_type)
        assert answer.status_code == 415 and "application/json" in answer.json()["detail"], method
        assert (await client.request(method, path, content=b"{")).json()["detail"] == "Invalid JSON in request body"
    known = (await client.patch("/agents/writer", json={"colour": "red"})).json()["detail"]
    assert known.startswith("colour: this key is not known; known are: name,") and "enabled, active" in known
    both = await client.patch("/agents/writer", json={"enabled": True, "active": False})
    assert both.status_code == 422 and "one switch" in both.json()["detail"]
    for path in ("/agents/a%20b", "/agents/..", "/agents/a/nothing", "/agents/%F0%9F%98%80", f"/agents/{'a' * 65}"):
        assert (await client.get(path)).status_code in (404, 422), path
    for query in ("limit=0", "limit=x", "offset=-1", "status=well", "limit=9999"):
        assert (await client.get(f"/agents?{query}")).status_code == 422, query
    mismatch = await client.put("/agents/a", json={"agent_id": "b", "endpoint": "http://127.0.0.1"})
    assert (mismatch.status_code, mismatch.json()["detail"]) == (422, "agent_id: the body says 'b', the path 'a'")
    for query in ("capability=%00", "agent_type=%00", "capability=%ED%A0%80", "capability="):
        assert (await client.get(f"/agents?{query}")).json() == [], query
    wrong = await client.patch("/agents/writer", json={"name": None})
    assert wrong.status_code == 422 and "name" in wrong.json()["detail"]
    assert [one["agent_id"] for one in (await client.get("/agents")).json()] == ["writer"]
