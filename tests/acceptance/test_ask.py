"""`lab ask` end to end: real processes, real Postgres, the demo model; killed, stopped, resumed, misused."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from server.db.embedded import open_embedded
from tests.acceptance.processes import Lab

SUM = "What is 17 + 25?"


def names(events: list[dict], kind: str) -> list[str]:
    return [event["data"]["node"] for event in events if event["event"] == kind]


def rows(database_url: str, query: str, *values: object) -> list[tuple]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query, values).fetchall()


def test_a_sum_goes_through_the_calculator(lab: Lab, database_url: str) -> None:
    events = lab.events(SUM)
    result = events[-1]["data"]
    assert "42" in result["output"] and result["score"] == 1.0
    assert "call_tools" in names(events, "node_end")
    assert names(events, "node_start") == names(events, "node_end")
    assert result["metrics"]["cache_hit"] is False and result["metrics"]["load_time_sec"] > 0
    assert any(event["event"] == "token" for event in events)

    # The checkpoints are in Postgres, one a step, and the last one holds the answer.
    thread = result["thread_id"]
    steps = rows(database_url, "SELECT metadata->>'step' FROM checkpoints WHERE thread_id = %s", thread)
    assert sorted(int(step) for (step,) in steps) == list(range(-1, len(names(events, "node_end")) + 1))
    assert rows(database_url, "SELECT status, result->>'output' FROM runs") == [("success", result["output"])]


def test_spanish_is_answered_in_kind(lab: Lab) -> None:
    assert lab.events("Invierte la palabra casa")[-1]["data"]["output"] == "asac"


def test_the_terminal_shows_nodes_answer_and_cost(lab: Lab) -> None:
    done = lab.run("ask", SUM)
    assert done.returncode == 0 and done.stderr == ""
    for part in ("✓ read_history", "✓ execute", "calls calculator(expression=17 + 25)", "score 1.00", "cache miss"):
        assert part in done.stdout


def test_a_thread_remembers(lab: Lab) -> None:
    thread = str(uuid4())
    lab.events("--thread", thread, "My name is Ana.")
    events = lab.events("--thread", thread, "Hello again!")
    history = next(event for event in events if event["event"] == "node_end")["data"]["update"]["task"]["history"]
    assert [turn["request"] for turn in history] == ["My name is Ana."]


def test_direct_is_one_call(lab: Lab) -> None:
    events = lab.events("--graph", "direct", "Invierte la palabra casa")
    assert names(events, "node_end") == ["answer"] and events[-1]["data"]["score"] is None


def test_a_killed_run_continues_at_the_node_that_was_cut(lab: Lab, database_url: str) -> None:
    with lab.start(
        "ask", "--json", "--model", "slow", "--max-attempts", "1", "--max-tokens", "1000", "Hello"
    ) as process:
        thread = process.event("run")["data"]["thread_id"]
        process.event("token", node="execute")
        process.popen.send_signal(signal.SIGKILL)
        process.popen.wait()
    before = rows(database_url, "SELECT checkpoint_id FROM checkpoints WHERE thread_id = %s", thread)
    assert rows(database_url, "SELECT status FROM runs") == [("running",)]

    events = lab.events("--resume")
    assert events[0]["data"]["thread_id"] == thread and events[0]["data"]["next"] == ["execute"]
    assert names(events, "node_start") == ["execute", "validate_answer", "summarise"]
    assert events[-1]["data"]["metrics"]["tokens_generated"] == 1000, "it goes on with the settings it was started with"
    assert rows(database_url, "SELECT status FROM runs ORDER BY created_at") == [("error",), ("success",)]
    after = rows(database_url, "SELECT checkpoint_id FROM checkpoints WHERE thread_id = %s", thread)
    assert set(before) < set(after)


def test_ctrl_c_stops_the_model_and_leaves_the_thread_resumable(lab: Lab, database_url: str) -> None:
    with lab.start("ask", "--json", "--model", "slow", "Hello") as process:
        thread = process.event("run")["data"]["thread_id"]
        process.event("token")
        process.popen.send_signal(signal.SIGINT)
        process.drain()
        assert process.popen.wait(timeout=60) == 130
        assert "Traceback" not in "".join(process.errors)
    assert rows(database_url, "SELECT status FROM runs") == [("interrupted",)]
    with lab.start("ask", "--json", "--resume", "--thread", thread) as process:
        assert process.event("run")["data"]["next"] == ["execute"]
        assert process.event("node_start")["data"]["node"] == "execute"
        process.event("token", node="execute")


def test_a_human_decides_in_another_process(lab: Lab) -> None:
    asked = lab.run(
        "ask", "--model", "slow", "--max-tokens", "20", "--max-attempts", "1", "--min-score", "1", "--approve", SUM
    )
    assert asked.returncode == 3, asked.stderr
    thread = asked.stdout.split("--thread ")[1].split()[0]

    undecided = lab.run("ask", "--resume", "--thread", thread)
    assert undecided.returncode == 2 and "waits for a human" in undecided.stderr
    events = lab.events("--resume", "--thread", thread, "--decision", "edit", "--answer", "It is 42.")
    assert events[-1]["data"]["output"] == "It is 42." and events[-1]["data"]["decided_by"] == "human"

    over = lab.run("ask", "--resume", "--thread", thread)
    assert over.returncode == 2 and "nothing to resume" in over.stderr


def test_two_processes_never_run_on_one_thread(lab: Lab) -> None:
    thread = str(uuid4())
    with lab.start("ask", "--json", "--model", "slow", "--thread", thread, "Hello") as process:
        process.event("token")
        second = lab.run("ask", "--thread", thread, "Hello?")
        assert second.returncode == 2 and "busy" in second.stderr


BAD_INPUT = [
    (["ask", "--model", "gpt-9", "hi"], {}, ["gpt-9", "demo"]),
    (["ask", ""], {}, ["empty"]),
    (["ask", "  "], {}, ["empty"]),
    (["ask"], {}, ["empty"]),
    (["ask", "--model", "demo", "word " * 400], {}, ["1,024", "shorten"]),
    (["ask", "--graph", "nope", "hi"], {}, ["nope", "orchestrator"]),
    (["ask", "--thread", "7", "hi"], {}, ["UUID"]),
    (["ask", "--max-attempts", "0", "hi"], {}, ["max_attempts"]),
    (["ask", "--strategy", "fast", "hi"], {}, ["standard"]),
    (["ask", "--resume", "hi"], {}, ["--resume"]),
    (["ask", "--resume"], {}, ["no unfinished run"]),
    (["ask", "--resume", "--thread", str(uuid4())], {}, ["no thread"]),
    (["ask", "--decision", "accept"], {}, ["--resume"]),
    (["ask", "hi"], {"LAB_MAX_VRAM_USAGE": "1KB"}, ["1,000 bytes", "LAB_MAX_VRAM_USAGE"]),
    (["ask", "hi"], {"LAB_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/lab"}, ["127.0.0.1", "LAB_DATABASE_URL"]),
    (["ask", "hi"], {"LAB_MODELS_FILE": "/does/not/exist.yaml"}, ["/does/not/exist.yaml"]),
    (["ask", "hi"], {"LAB_PORT": "x"}, ["LAB_PORT"]),
    (["serve", "--host", "0.0.0.0"], {}, ["loopback"]),
]


@pytest.mark.parametrize(("arguments", "settings", "said"), BAD_INPUT, ids=range(len(BAD_INPUT)))
def test_bad_input_is_one_line_and_exit_code_2(lab: Lab, arguments: list, settings: dict, said: list) -> None:
    lab.settings.update(settings)
    code, line = lab.run_here(*arguments)
    assert code == 2, line
    assert line.startswith("error: ") and "\n" not in line and "secret" not in line
    for part in said:
        assert part in line


@pytest.mark.parametrize("arguments", [["--model", "gpt-9", "hi"], [""]])
def test_a_refused_request_writes_nothing(lab: Lab, database_url: str, arguments: list) -> None:
    assert lab.run_here("ask", *arguments)[0] == 2
    assert rows(database_url, "SELECT count(*) FROM threads") == [(0,)]


def test_a_model_that_cannot_be_fetched_is_told(lab: Lab) -> None:
    lab.settings.update({"HF_ENDPOINT": "http://127.0.0.1:1", "LAB_OFFLINE": "false", "LAB_MAX_VRAM_USAGE": "8"})
    done = lab.run("ask", "--model", "qwen2.5-0.5b", "hi")
    assert done.returncode == 2, done.stderr
    assert (
        "fetching Qwen/Qwen2.5-0.5B-Instruct from http://127.0.0.1:1 failed: no connection" in done.stderr
        and "\n" not in done.stderr.strip()
    )


def test_json_tells_errors_as_events(lab: Lab) -> None:
    done = lab.run("ask", "--json", "--model", "gpt-9", "hi")
    assert done.returncode == 2
    assert json.loads(done.stdout)["data"]["status"] == 404


def test_the_embedded_database_keeps_everything_between_processes(lab: Lab, tmp_path: Path) -> None:
    del lab.settings["LAB_DATABASE_URL"]
    thread = lab.events("--model", "slow", "--max-tokens", "5", "--max-attempts", "1", "Hello")[-1]["data"]["thread_id"]
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists(), "the last process out stops Postgres"
    events = lab.events("--thread", thread, "--model", "slow", "--max-tokens", "5", "--max-attempts", "1", "Again")
    history = next(event for event in events if event["event"] == "node_end")["data"]["update"]["task"]["history"]
    assert [turn["request"] for turn in history] == ["Hello"]

    async def read_after_a_restart() -> list[tuple]:
        async with open_embedded(tmp_path / "data" / "postgres") as conninfo:
            return rows(conninfo, "SELECT count(*), max((metadata->>'step')::int) FROM checkpoints")

    # Each run of six nodes leaves its input, its start and a checkpoint a node.
    assert asyncio.run(read_after_a_restart()) == [(16, 14)]


def test_a_data_directory_that_cannot_be_used_is_told(lab: Lab, tmp_path: Path) -> None:
    del lab.settings["LAB_DATABASE_URL"]
    lab.settings["LAB_DATA_DIR"] = str(tmp_path / "file")
    (tmp_path / "file").write_text("in the way")
    done = lab.run("ask", "hi")
    assert done.returncode == 2 and str(tmp_path / "file") in done.stderr and "LAB_DATA_DIR" in done.stderr


def test_the_prompt_may_come_from_standard_input(lab: Lab) -> None:
    done = lab.run("ask", "--model", "slow", "--max-tokens", "5", "--graph", "direct", "-", stdin="Hello")
    assert done.returncode == 0
