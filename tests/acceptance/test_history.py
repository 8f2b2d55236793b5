"""`lab history` end to end: the list, one run whole, found by words and by meaning, deleted; misuse."""

from __future__ import annotations

import json

from tests.acceptance.processes import Lab


def test_runs_are_listed_shown_found_and_deleted(lab: Lab) -> None:
    first = lab.events("Invierte la palabra casa")[-1]["data"]
    second = lab.events("What is 17 + 25?")[-1]["data"]

    listed = json.loads(lab.run("history", "--json").stdout)
    assert [run["run_id"] for run in listed] == [second["run_id"], first["run_id"]]
    assert (listed[1]["prompt"], listed[1]["output"]) == ("Invierte la palabra casa", "asac")
    assert listed[0]["score"] == second["score"] and listed[0]["metrics"]["model_name"] == "demo"
    wanted = ("--thread", first["thread_id"], "--text", "palabra or number", "--status", "completed")
    of_thread = json.loads(lab.run("history", *wanted, "--json").stdout)
    assert [run["run_id"] for run in of_thread] == [first["run_id"]]

    shown = lab.run("history", second["run_id"]).stdout
    for line in (*second["summary"], "What is 17 + 25?", second["output"]):
        assert line in shown
    assert any(line.startswith("attempt 1: demo/standard, calculator → 42") for line in second["summary"])
    assert any(line.split()[:2] == ["execute", "completed"] for line in shown.splitlines())

    found = json.loads(lab.run("history", "--search", "how much is 17 + 25?", "--json").stdout)
    assert found[0]["run_id"] == second["run_id"] and found[0]["similarity"] > found[1]["similarity"]

    assert lab.run_here("history", first["run_id"], "--delete", "--yes") == (0, "")
    code, said = lab.run_here("history", first["run_id"])
    assert code == 2 and f"no execution {first['run_id']}" in said


def test_misuse_is_told_in_one_line(lab: Lab) -> None:
    assert lab.run_here("history", "not-an-id") == (
        2,
        "error: run: 'not-an-id' is not a UUID; `lab history` lists them",
    )
    for wrong in (("x", "--search", "y"), ("--text", "x", "--search", "y"), ("x", "--status", "failed")):
        code, said = lab.run_here("history", *wrong)
        assert code == 2 and "exclude each other" in said
    code, said = lab.run_here("history", "--status", "done")
    assert code == 2 and "choose one of" in said
    code, said = lab.run_here("history", "6f0c0000-0000-4000-8000-000000000000", "--delete", "--yes")
    assert code == 2 and "no execution 6f0c0000" in said
