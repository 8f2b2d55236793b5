"""`lab history` end to end: the list, one run whole, a search by meaning; misuse."""

from __future__ import annotations

import json

from tests.acceptance.processes import Lab


def test_runs_are_listed_shown_and_found(lab: Lab) -> None:
    first = lab.events("Invierte la palabra casa")[-1]["data"]
    second = lab.events("What is 17 + 25?")[-1]["data"]

    listed = json.loads(lab.run("history", "--json").stdout)
    assert [run["run_id"] for run in listed] == [second["run_id"], first["run_id"]]
    assert listed[1]["input"]["prompt"] == "Invierte la palabra casa" and listed[1]["result"]["output"] == "asac"
    table = lab.run("history", "--limit", "1").stdout
    assert second["run_id"] in table and first["run_id"] not in table and "What is 17 + 25?" in table
    of_thread = json.loads(lab.run("history", "--thread", first["thread_id"], "--json").stdout)
    assert [run["run_id"] for run in of_thread] == [first["run_id"]]

    shown = lab.run("history", second["run_id"]).stdout
    for line in (*second["summary"], "What is 17 + 25?", second["output"]):
        assert line in shown
    assert any(line.startswith("attempt 1: demo/standard, calculator → 42") for line in second["summary"])

    found = json.loads(lab.run("history", "--search", "how much is 17 + 25?", "--json").stdout)
    assert found[0]["run_id"] == second["run_id"] and found[0]["similarity"] > found[1]["similarity"]


def test_misuse_is_told_in_one_line(lab: Lab) -> None:
    assert lab.run_here("history", "not-an-id") == (
        2,
        "error: run: 'not-an-id' is not a UUID; `lab history` lists them",
    )
    code, said = lab.run_here("history", "x", "--search", "y")
    assert code == 2 and "exclude each other" in said
    code, said = lab.run_here("history", "6f0c0000-0000-4000-8000-000000000000")
    assert code == 2 and "no run 6f0c0000" in said
