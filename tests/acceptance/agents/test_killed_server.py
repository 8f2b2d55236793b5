"""SIGKILL of the server in the middle of a crew: the job is finished after the restart, nobody is called in vain."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.acceptance.agents.agents import http_agents, registered, until
from tests.acceptance.agents.conftest import Place

RELATIONS = [
    {"source": "start", "target": ["done", "caught"]},
    {"source": ["done", "caught"], "target": "last"},
]


def test_a_job_outlives_its_server_and_agents_that_had_answered_are_not_called_again(
    place: Place, tmp_path: Path
) -> None:
    with http_agents(tmp_path, "start", "done", "caught", "close") as agents:
        with place.serve() as (client, process):
            for agent in agents.values():
                client.register(agent, f"be {agent.name}")
            crew = [registered("start"), registered("done"), registered("caught"), registered("last", "close")]
            client.save("outliving", *crew, execution_mode="flow", flow_relations=RELATIONS)
            agents["caught"].be(hold=True)
            job_id = client.begin("outliving", "go")
            waiting = client.begin("outliving", "wait")
            # `done` has answered in both and is recorded beside `caught`, which is in its call.
            until(lambda: len(agents["caught"].calls()) == 2)
            until(lambda: _recorded(place, b"done(start(") == 2)
            process.popen.kill()
            process.popen.wait()
        agents["caught"].be()
        with place.serve() as (client, _):
            jobs = [client.ended(job_id), client.ended(waiting)]
            assert [job["status"] for job in jobs] == ["COMPLETED", "COMPLETED"]
            assert jobs[0]["result"]["output"] == "close(done(start(go))\n\ncaught(start(go)))"
            counts = {name: len(agent.calls()) for name, agent in agents.items()}
            assert counts == {"start": 2, "done": 2, "caught": 4, "close": 2}
            keys = [call["idempotency"] for call in agents["caught"].calls()]
            assert len(set(keys)) == 2, "a call that is made again says so"

            told = client.messages(job_id)
            assert sorted(told) == sorted(
                [
                    ("client", "start"),
                    ("start", "done"),
                    ("start", "caught"),
                    ("done", "close"),
                    ("caught", "close"),
                    ("close", "client"),
                ]
            ), "each message once, from both lives of the server"


def _recorded(place: Place, said: bytes) -> int:
    """On how many threads a step's outcome with these words is committed, and the checkpoint that it belongs to."""
    with psycopg.connect(place.database_url) as connection:
        query = """
            SELECT count(DISTINCT thread_id)
            FROM checkpoint_writes JOIN checkpoints USING (thread_id, checkpoint_ns, checkpoint_id)
            WHERE channel = 'outcomes' AND position(%s IN blob) > 0
        """
        row = connection.execute(query, [said]).fetchone()
    return int(row[0]) if row else 0
