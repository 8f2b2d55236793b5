"""Runs of a database from before the history are told in it: migration 0004 over rows of every kind."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from server.db.history import History
from server.db.history_shapes import HistoryFilter
from server.db.migrate import migrate, read_migrations
from server.db.pool import open_pool
from state.errors import NoDatabase

ADD = b"""
INSERT INTO runs (run_id, tenant_id, thread_id, graph_id, status, worker_id, started_at, finished_at, input, result,
                  kwargs, output, max_attempts)
VALUES (%(run_id)s, 'default', %(thread)s, %(graph)s, %(status)s, 1, now(), now(), %(input)s, %(result)s, %(kwargs)s,
        %(output)s, %(max_attempts)s)
"""
RESULT = {"output": "42", "score": 0.9, "attempts": 1, "kind": "math", "metrics": {"model_name": "demo"}}


def add(
    connection: psycopg.Connection[Any], thread: Any = None, status: str = "success", graph: str = "g", **kept: Any
) -> str:
    """A run as earlier versions kept it; the queue's has `kwargs` and `output`, the terminal's `input` and `result`."""
    if thread is None:
        thread = uuid4()
        connection.execute("INSERT INTO threads (thread_id, tenant_id) VALUES (%s, 'default')", (thread,))
    named = {name: json.dumps(kept[name]) if name in kept else None for name in ("input", "result", "output")}
    run_id = uuid4()
    values = {"run_id": run_id, "thread": thread, "status": status, "graph": graph, **named}
    values |= {"kwargs": json.dumps(kept.get("kwargs", {})), "max_attempts": 3 if "kwargs" in kept else 1}
    connection.execute(ADD, values)
    return str(run_id)


def asked(given: Any, **more: Any) -> dict[str, Any]:
    return {"kwargs": {"input": given, **more}}


async def test_runs_from_before_are_told_with_what_they_were_asked_and_answered(empty_database_url: str) -> None:
    url = empty_database_url
    await migrate(url, read_migrations()[:3])
    chat = [{"type": "human", "content": "hello"}, {"type": "ai", "content": [{"type": "text", "text": "hi"}]}]
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        waiting, answered, other = uuid4(), uuid4(), uuid4()
        for thread, status in ((waiting, "interrupted"), (answered, "idle"), (other, "idle")):
            connection.execute(
                "INSERT INTO threads (thread_id, tenant_id, status) VALUES (%s, 'default', %s)", (thread, status)
            )
        names = {
            "terminal": add(connection, input={"prompt": "sum"}, result=RESULT),
            "crew": add(
                connection,
                **asked({"query": "plan"}),
                output={"result": {"output": "done", "agents": [{"agent_id": "a"}]}},
            ),
            "chat": add(
                connection, **asked({"messages": [{"role": "user", "content": "hello"}]}), output={"messages": chat}
            ),
            "odd": add(connection, **asked({"messages": [7, None, {"role": 3}], "query": 5}), output={"result": [1]}),
            "failed": add(connection, status="error", **asked({"prompt": "no"}), output={"result": RESULT}),
            "long": add(connection, **asked({"prompt": "x" * 60_000}), output={"result": {"output": "y" * 60_000}}),
            "waits": add(connection, waiting, **asked({"query": "may I?"}), output={"result": None}),
            "left": add(connection, other, graph="flow", **asked({"query": "or I?"}), output={"result": None}),
            "later": add(connection, other, graph="flow", **asked({"query": "else"}), output={"result": RESULT}),
            "asks": add(connection, answered, **asked({"query": "and I?"}), output={"result": None}),
        }
        again = add(
            connection, answered, **asked({"query": "and I?"}, command={"resume": "yes"}), output={"result": RESULT}
        )
        # What Postgres itself keeps as JSON and cannot turn into a text.
        broken = add(connection)
        connection.execute(
            "UPDATE runs SET output = %s WHERE run_id = %s", (r'{"result": {"output": "a\u0000b"}}', broken)
        )
    assert [migration.name for migration in await migrate(url)] == ["history"]
    async with open_pool(url) as pool:
        history = History(pool, url)
        found = {
            str(each.execution_id): each
            for each in (await history.search("default", HistoryFilter(), limit=99)).executions
        }
        told = {
            name: (found[run_id].status, found[run_id].request, found[run_id].answer) for name, run_id in names.items()
        }
        assert told == {
            "terminal": ("COMPLETED", "sum", "42"),
            "crew": ("COMPLETED", "plan", "done"),
            "chat": ("COMPLETED", "hello", "hi"),
            "odd": ("COMPLETED", None, None),
            "failed": ("FAILED", "no", None),
            "long": ("COMPLETED", "x" * 50_000, "y" * 50_000),
            "waits": ("INTERRUPTED", "may I?", None),
            "left": ("INTERRUPTED", "or I?", None),
            "later": ("COMPLETED", "else", "42"),
            "asks": ("COMPLETED", "and I?", "42"),
        }
        assert set(found) == {*names.values(), broken} and found[broken].answer is None
        assert str(found[names["asks"]].run_id) == again
        assert found[names["terminal"]].figures == {key: value for key, value in RESULT.items() if key != "output"}
        assert found[names["crew"]].figures == {"agents": ["a"]} and found[names["failed"]].figures == {}
        by_word = await history.search("default", HistoryFilter(words="plan done"), limit=9)
        assert [str(each.execution_id) for each in by_word.executions] == [names["crew"]]


async def test_an_absent_postgres_is_told(empty_database_url: str) -> None:
    async with open_pool(empty_database_url) as pool:
        history = History(pool, empty_database_url)
    with pytest.raises(NoDatabase):
        await history.search("default", HistoryFilter(), limit=1)
