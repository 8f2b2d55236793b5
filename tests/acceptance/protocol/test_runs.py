"""Making, finding, waiting for and deleting runs, on a thread and without one."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.acceptance.protocol.talking import MISSING, Talk, until

RUN_KEYS = [
    "run_id",
    "thread_id",
    "assistant_id",
    "metadata",
    "status",
    "kwargs",
    "multitask_strategy",
    "created_at",
    "updated_at",
    "langsmith_session_name",
]
KWARGS_KEYS = [
    "input",
    "command",
    "config",
    "context",
    "stream_mode",
    "interrupt_before",
    "interrupt_after",
    "webhook",
    "feedback_keys",
    "temporary",
    "subgraphs",
    "resumable",
    "checkpoint_during",
    "durability",
]
ONE_GOES_ON = {"error": "HTTPException", "message": "404: Run not found"}


@pytest.fixture(scope="module")
def made(talk: Talk) -> dict[str, Any]:
    """A run as it is shown at its creation, with little said."""
    return talk.start(talk.thread(), "steps", input={"note": "x"})


@pytest.fixture(scope="module")
def made_with_all(talk: Talk) -> dict[str, Any]:
    """A run with every option."""
    return talk.start(
        talk.thread(metadata={"own": "thread"}),
        "steps",
        input={"note": "y"},
        metadata={"m": 1},
        config={
            "tags": ["t"],
            "configurable": {"color": "blue"},
            "recursion_limit": 9,
            "metadata": {"z": 1},
        },
        interrupt_before=["b"],
        interrupt_after="*",
        stream_mode="updates",
        stream_subgraphs=True,
        stream_resumable=True,
        feedback_keys=["k"],
        durability="sync",
        multitask_strategy="interrupt",
        after_seconds=0.5,
    )


def test_a_run_has_these_fields_in_this_order(made: dict[str, Any]) -> None:
    assert list(made) == RUN_KEYS


def test_kwargs_have_these_fields_in_this_order(made: dict[str, Any]) -> None:
    assert list(made["kwargs"]) == KWARGS_KEYS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input", {"note": "x"}),
        ("command", None),
        ("context", {}),
        ("stream_mode", ["values"]),
        ("interrupt_before", None),
        ("interrupt_after", None),
        ("webhook", None),
        ("feedback_keys", None),
        ("temporary", False),
        ("subgraphs", False),
        ("resumable", False),
        ("checkpoint_during", True),
        ("durability", "async"),
    ],
)
def test_what_is_not_said_has_a_default(made: dict[str, Any], name: str, value: object) -> None:
    assert made["kwargs"][name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input", {"note": "y"}),
        ("context", {"color": "blue"}),
        ("stream_mode", ["updates"]),
        ("interrupt_before", ["b"]),
        ("interrupt_after", "*"),
        ("feedback_keys", ["k"]),
        ("subgraphs", True),
        ("resumable", True),
        ("durability", "sync"),
    ],
)
def test_what_is_said_is_shown(made_with_all: dict[str, Any], name: str, value: object) -> None:
    assert made_with_all["kwargs"][name] == value


def test_ids_are_uuids(made: dict[str, Any]) -> None:
    assert {UUID(made[name]).version for name in ("run_id", "thread_id")} == {7}
    assert UUID(made["assistant_id"]).version == 5


def test_a_new_run_is_pending(made: dict[str, Any]) -> None:
    assert made["status"] == "pending"


def test_times_have_microseconds_and_a_zone(made: dict[str, Any]) -> None:
    for name in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", made[name])


def test_no_tracing_session_is_named(made: dict[str, Any]) -> None:
    assert made["langsmith_session_name"] is None


def test_runs_wait_in_line_unless_told_otherwise(made: dict[str, Any], made_with_all: dict[str, Any]) -> None:
    assert made["multitask_strategy"] == "enqueue"
    assert made_with_all["multitask_strategy"] == "interrupt"


def test_metadata_names_assistant_and_its_maker(made: dict[str, Any]) -> None:
    assert made["metadata"] == {
        "created_by": "system",
        "graph_id": "steps",
        "assistant_id": made["assistant_id"],
    }


def test_metadata_is_that_of_assistant_thread_config_and_run(made_with_all: dict[str, Any]) -> None:
    assert made_with_all["metadata"] == {
        "created_by": "system",
        "own": "thread",
        "graph_id": "steps",
        "assistant_id": made_with_all["assistant_id"],
        "z": 1,
        "m": 1,
    }


def test_the_configuration_carries_the_same_metadata(made_with_all: dict[str, Any]) -> None:
    assert made_with_all["kwargs"]["config"]["metadata"] == made_with_all["metadata"]


def test_the_configuration_names_run_thread_graph_and_assistant(made: dict[str, Any]) -> None:
    configurable = made["kwargs"]["config"]["configurable"]
    assert {name: configurable[name] for name in ("run_id", "thread_id", "graph_id", "assistant_id")} == {
        "run_id": made["run_id"],
        "thread_id": made["thread_id"],
        "graph_id": "steps",
        "assistant_id": made["assistant_id"],
    }


def test_the_configuration_says_that_nobody_is_signed_in(made: dict[str, Any]) -> None:
    configurable = made["kwargs"]["config"]["configurable"]
    assert configurable["langgraph_auth_user"] is None
    assert configurable["langgraph_auth_user_id"] == configurable["user_id"] == ""
    assert configurable["langgraph_auth_permissions"] == []


def test_the_configuration_names_the_request(made: dict[str, Any]) -> None:
    configurable = made["kwargs"]["config"]["configurable"]
    assert UUID(configurable["langgraph_request_id"]).version == 4
    assert isinstance(configurable["__request_start_time_ms__"], int)


def test_tags_and_recursion_limit_are_shown(made_with_all: dict[str, Any]) -> None:
    config = made_with_all["kwargs"]["config"]
    assert (config["tags"], config["recursion_limit"]) == (["t"], 9)


def test_a_delayed_run_shows_when_it_may_start(made_with_all: dict[str, Any]) -> None:
    created, updated = (datetime.fromisoformat(made_with_all[name]) for name in ("created_at", "updated_at"))
    assert 0.4 < (created - updated).total_seconds() < 0.6
    assert made_with_all["kwargs"]["config"]["configurable"]["__after_seconds__"] == 0.5
    assert made_with_all["status"] == "pending"


def test_creation_says_where_the_run_is(talk: Talk) -> None:
    thread = talk.thread()
    answer = talk.ask(thread, "steps", input={})
    assert answer.headers["content-location"] == f"/threads/{thread}/runs/{answer.json()['run_id']}"
    assert answer.headers["content-type"] == "application/json"
    assert "location" not in answer.headers


def test_an_assistant_is_named_by_graph_or_by_id(talk: Talk, made: dict[str, Any]) -> None:
    again = talk.start(talk.thread(), made["assistant_id"], input={})
    assert again["assistant_id"] == made["assistant_id"]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"checkpoint_during": False}, (False, "exit")),
        ({"checkpoint_during": True}, (True, "async")),
        ({"durability": "exit"}, (True, "exit")),
        ({"checkpoint_during": False, "durability": "sync"}, (False, "sync")),
    ],
)
def test_checkpoint_during_is_the_older_word_for_durability(
    talk: Talk, body: dict[str, Any], shown: tuple[bool, str]
) -> None:
    kwargs = talk.start(talk.thread(), "steps", input={}, **body)["kwargs"]
    assert (kwargs["checkpoint_during"], kwargs["durability"]) == shown


@pytest.mark.parametrize("modes", [["values", "updates"], ["messages-tuple"], ["debug", "events", "custom"]])
def test_several_stream_modes_are_kept_in_their_order(talk: Talk, modes: list[str]) -> None:
    assert talk.start(talk.thread(), "steps", input={}, stream_mode=modes)["kwargs"]["stream_mode"] == modes


def test_what_nobody_knows_is_ignored(talk: Talk) -> None:
    run = talk.start(talk.thread(), "steps", input={}, surprise=1)
    assert list(run["kwargs"]) == KWARGS_KEYS


# --- refusals --------------------------------------------------------------------------------------------------------

NOT_IN_ENUM = (
    '"{0}" is not one of {1}\n\nFailed validating "enum" in schema["properties"]["{2}"]\n\n'
    'On instance["{2}"]:\n    "{0}"'
)
NO_ANY_OF = (
    "{0} is not valid under any of the schemas listed in the 'anyOf' keyword\n\n"
    'Failed validating "anyOf" in schema["properties"]["{1}"]\n\nOn instance["{1}"]:\n    {0}'
)
WRONG_TYPE = (
    '{0} is not of type "{1}"\n\nFailed validating "type" in schema["properties"]{2}\n\nOn instance{2}:\n    {0}'
)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"multitask_strategy": "foo"},
            NOT_IN_ENUM.format("foo", '"reject", "rollback" or 2 other candidates', "multitask_strategy"),
        ),
        ({"durability": "foo"}, NOT_IN_ENUM.format("foo", '"sync", "async" or "exit"', "durability")),
        ({"if_not_exists": "foo"}, NOT_IN_ENUM.format("foo", '"create" or "reject"', "if_not_exists")),
        ({"stream_mode": "foo"}, NO_ANY_OF.format('"foo"', "stream_mode")),
        ({"stream_mode": ["values", "foo"]}, NO_ANY_OF.format('["values","foo"]', "stream_mode")),
        ({"stream_mode": None}, NO_ANY_OF.format("null", "stream_mode")),
        ({"interrupt_before": "a"}, NO_ANY_OF.format('"a"', "interrupt_before")),
        ({"interrupt_before": None}, NO_ANY_OF.format("null", "interrupt_before")),
        ({"interrupt_after": 3}, NO_ANY_OF.format("3", "interrupt_after")),
        ({"command": 3}, NO_ANY_OF.format("3", "command")),
        ({"command": {"goto": 3}}, NO_ANY_OF.format('{"goto":3}', "command")),
        ({"command": {"goto": {"node": "a"}}}, NO_ANY_OF.format('{"goto":{"node":"a"}}', "command")),
        ({"assistant_id": 3}, NO_ANY_OF.format("3", "assistant_id")),
        ({"metadata": 3}, WRONG_TYPE.format("3", "object", '["metadata"]')),
        ({"metadata": None}, WRONG_TYPE.format("null", "object", '["metadata"]')),
        ({"context": 3}, WRONG_TYPE.format("3", "object", '["context"]')),
        ({"config": None}, WRONG_TYPE.format("null", "object", '["config"]')),
        ({"after_seconds": "x"}, WRONG_TYPE.format('"x"', "number", '["after_seconds"]')),
        ({"feedback_keys": 3}, WRONG_TYPE.format("3", "array", '["feedback_keys"]')),
        ({"stream_subgraphs": "x"}, WRONG_TYPE.format('"x"', "boolean", '["stream_subgraphs"]')),
        ({"stream_resumable": 3}, WRONG_TYPE.format("3", "boolean", '["stream_resumable"]')),
        ({"checkpoint": 3}, WRONG_TYPE.format("3", "object", '["checkpoint"]')),
        ({"webhook": 3}, WRONG_TYPE.format("3", "string", '["webhook"]')),
    ],
)
def test_a_body_that_does_not_fit_is_told_where(talk: Talk, body: dict[str, Any], detail: str) -> None:
    answer = talk.ask(talk.thread(), body.pop("assistant_id", "steps"), input={}, **body)
    assert (answer.status_code, answer.json()) == (422, {"detail": detail})


@pytest.mark.parametrize(
    ("config", "place", "wanted", "value"),
    [
        ({"tags": 3}, "tags", "array", "3"),
        ({"recursion_limit": "x"}, "recursion_limit", "integer", '"x"'),
        ({"configurable": 3}, "configurable", "object", "3"),
    ],
)
def test_a_configuration_that_does_not_fit_is_told_where(
    talk: Talk, config: dict[str, Any], place: str, wanted: str, value: str
) -> None:
    answer = talk.ask(talk.thread(), "steps", config=config)
    where = f'["properties"]["config"]["properties"]["{place}"]'
    told = f'{value} is not of type "{wanted}"\n\nFailed validating "type" in schema{where}\n\n'
    assert answer.json() == {"detail": told + f'On instance["config"]["{place}"]:\n    {value}'}


def test_a_stream_names_the_shared_schema_in_its_refusals(talk: Talk) -> None:
    detail = talk.ask(talk.thread(), "steps", "/stream", metadata=3).json()["detail"]
    assert 'in schema["components"]["schemas"]["RunCreateStateful"]["properties"]["metadata"]' in detail


def test_on_disconnect_is_checked_where_a_client_listens(talk: Talk) -> None:
    thread = talk.thread()
    assert talk.ask(thread, "steps", on_disconnect="foo", input={}).status_code == 200
    detail = talk.ask(thread, "steps", "/stream", on_disconnect="foo").json()["detail"]
    assert detail.startswith(
        '"foo" is not one of "cancel" or "continue"\n\nFailed validating "enum" in schema["allOf"][1]'
    )


def test_a_run_needs_an_assistant(talk: Talk) -> None:
    answer = talk.http.post(f"/threads/{talk.thread()}/runs", json={"input": {}})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith('"assistant_id" is a required property\n\nFailed validating "required"')


@pytest.mark.parametrize("raw", ["{", "", "nonsense"])
def test_what_is_no_json_is_told_so(talk: Talk, raw: str) -> None:
    path = f"/threads/{talk.thread()}/runs"
    answer = talk.http.post(path, content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid JSON in request body"})


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
@pytest.mark.parametrize("with_thread", [True, False])
def test_an_unknown_graph_is_refused_with_the_known_ones(talk: Talk, how: str, with_thread: bool) -> None:
    answer = talk.ask(talk.thread() if with_thread else None, "nope", how)
    assert answer.status_code == 422
    start = "Invalid assistant: 'nope'. Must be either:\n- A valid assistant UUID, or\n- One of the registered graphs: "
    assert answer.json()["detail"].startswith(start)
    assert "steps, tokens, loop" in answer.json()["detail"]


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_an_assistant_that_is_not_there_is_404(talk: Talk, how: str) -> None:
    answer = talk.ask(talk.thread(), MISSING, how)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Thread or assistant not found."})


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_a_thread_that_is_not_there_is_404(talk: Talk, how: str) -> None:
    answer = talk.ask(str(uuid4()), "steps", how)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Thread or assistant not found."})


@pytest.mark.parametrize(
    ("how", "status", "detail"),
    [
        ("", 422, "Invalid thread ID"),
        ("/wait", 400, "badly formed hexadecimal UUID string"),
        ("/stream", 400, "badly formed hexadecimal UUID string"),
    ],
)
def test_a_thread_id_that_is_none_is_refused(talk: Talk, how: str, status: int, detail: str) -> None:
    answer = talk.ask("nope", "steps", how)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_context_and_configurable_at_once_are_refused(talk: Talk) -> None:
    answer = talk.ask(talk.thread(), "steps", context={"a": 1}, config={"configurable": {"b": 1}})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Cannot specify both configurable and context.")


@pytest.mark.parametrize("checkpoint_id", ["nope", "null", "1"])
def test_a_checkpoint_id_that_is_none_is_refused(talk: Talk, checkpoint_id: str) -> None:
    answer = talk.ask(talk.thread(), "steps", checkpoint_id=checkpoint_id)
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid checkpoint ID"})


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("http://127.0.0.1/x", "Webhook host blocked: loopback IP range"),
        ("/ok", "Loopback webhooks (relative URLs and localhost) are disabled by default."),
    ],
)
def test_a_webhook_into_this_machine_is_refused(talk: Talk, url: str, start: str) -> None:
    answer = talk.ask(talk.thread(), "steps", webhook=url)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(start)


@pytest.mark.ours_only("a value that its schema does not name ends in 500 there")
@pytest.mark.parametrize(
    "body",
    [{"config": {"metadata": 3}}, {"checkpoint_id": 3}, {"after_seconds": 1e300}, {"config": {"callbacks": [1]}}],
)
def test_odd_values_are_the_clients_fault(talk: Talk, body: dict[str, Any]) -> None:
    assert talk.ask(talk.thread(), "steps", input={}, **body).status_code == 422


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/threads/x/runs", "Invalid thread ID: must be a UUID"),
        (f"/threads/x/runs/{MISSING}", "Invalid thread ID: must be a UUID"),
        (f"/threads/{MISSING}/runs/x", "Invalid run ID: must be a UUID"),
        (f"/threads/{MISSING}/runs/x/join", "Invalid run ID: must be a UUID"),
        (f"/threads/x/runs/{MISSING}/join", "Invalid thread ID: must be a UUID"),
        (f"/threads/{MISSING}/runs/x/stream", "Invalid run ID: must be a UUID"),
        (f"/threads/x/runs/{MISSING}/stream", "Invalid thread ID: must be a UUID"),
    ],
)
def test_ids_in_urls_are_uuids(talk: Talk, path: str, detail: str) -> None:
    answer = talk.http.get(path)
    assert (answer.status_code, answer.json()) == (422, {"detail": detail})


# --- finding and deleting --------------------------------------------------------------------------------------------


def test_a_run_that_is_not_there_is_404(talk: Talk) -> None:
    answer = talk.http.get(f"/threads/{talk.thread()}/runs/{MISSING}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_a_run_of_no_thread_is_404(talk: Talk) -> None:
    thread = str(uuid4())
    answer = talk.http.get(f"/threads/{thread}/runs/{MISSING}")
    assert (answer.status_code, answer.json()) == (404, {"detail": f"Thread with ID {thread} not found"})


def test_a_run_of_another_thread_is_404(talk: Talk, made: dict[str, Any]) -> None:
    assert talk.http.get(f"/threads/{talk.thread()}/runs/{made['run_id']}").status_code == 404


def test_a_run_that_is_over_says_so(talk: Talk, made: dict[str, Any]) -> None:
    assert talk.has_ended(made["thread_id"], made["run_id"]) == "success"
    run = talk.run(made["thread_id"], made["run_id"])
    assert list(run) == RUN_KEYS
    assert run["kwargs"]["input"] == {"note": "x"}
    assert run["created_at"] == made["created_at"]
    assert run["updated_at"] > made["updated_at"]


@pytest.fixture(scope="module")
def listed(talk: Talk) -> tuple[str, list[str]]:
    """A thread with three runs that are over, oldest first."""
    thread = talk.thread()
    made = [talk.start(thread, "steps", input={"note": str(number)})["run_id"] for number in range(3)]
    for run_id in made:
        talk.has_ended(thread, run_id)
    return thread, made


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", [2, 1, 0]),
        ("?limit=2", [2, 1]),
        ("?limit=1&offset=1", [1]),
        ("?offset=3", []),
        ("?limit=0", []),
        ("?status=success", [2, 1, 0]),
        ("?status=error", []),
        ("?status=foo", []),
        ("?status=success&limit=1", [2]),
    ],
)
def test_runs_of_a_thread_are_listed_newest_first(
    talk: Talk, listed: tuple[str, list[str]], query: str, shown: list[int]
) -> None:
    thread, made = listed
    found = talk.http.get(f"/threads/{thread}/runs{query}").json()
    assert [run["run_id"] for run in found] == [made[number] for number in shown]


def test_listed_runs_are_shown_whole(talk: Talk, listed: tuple[str, list[str]]) -> None:
    assert all(list(run) == RUN_KEYS for run in talk.runs(listed[0]))


def test_select_leaves_out_the_rest(talk: Talk, listed: tuple[str, list[str]]) -> None:
    found = talk.http.get(f"/threads/{listed[0]}/runs?select=run_id&select=status").json()
    assert [set(run) for run in found] == [{"run_id", "status"}] * 3


def test_select_takes_known_fields_only(talk: Talk, listed: tuple[str, list[str]]) -> None:
    answer = talk.http.get(f"/threads/{listed[0]}/runs?select=foo")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("Invalid select columns: ['foo']. Expected: {")


def test_a_limit_that_is_no_number_is_refused(talk: Talk, listed: tuple[str, list[str]]) -> None:
    answer = talk.http.get(f"/threads/{listed[0]}/runs?limit=x")
    assert (answer.status_code, answer.json()) == (400, {"detail": "invalid literal for int() with base 10: 'x'"})


def test_a_thread_without_runs_lists_none(talk: Talk) -> None:
    assert talk.runs(talk.thread()) == []


def test_runs_of_no_thread_are_404(talk: Talk) -> None:
    thread = str(uuid4())
    answer = talk.http.get(f"/threads/{thread}/runs")
    assert (answer.status_code, answer.json()) == (404, {"detail": f"Thread with ID {thread} not found"})


def test_a_deleted_run_is_gone_and_what_it_did_stays(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"})
    run_id = talk.runs(thread)[0]["run_id"]
    deleted = talk.http.delete(f"/threads/{thread}/runs/{run_id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert talk.status(thread, run_id) is None
    assert talk.shown(thread)["values"]["trail"] == ["a", "b", "c"]


def test_deleting_what_is_not_there_is_404(talk: Talk) -> None:
    answer = talk.http.delete(f"/threads/{talk.thread()}/runs/{MISSING}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Run not found"})


def test_a_pending_run_can_be_deleted(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "steps", input={}, after_seconds=60)["run_id"]
    assert talk.http.delete(f"/threads/{thread}/runs/{run_id}").status_code == 204
    assert talk.runs(thread) == []


# --- waiting ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def waited(talk: Talk) -> httpx.Response:
    return talk.ask(talk.thread(), "steps", "/wait", input={"note": "w"})


def test_wait_gives_the_last_values(waited: httpx.Response) -> None:
    assert waited.json() == {"trail": ["a", "b", "c"], "note": "w"}


def test_wait_says_where_to_wait_again(waited: httpx.Response) -> None:
    home = waited.headers["content-location"]
    assert re.fullmatch(r"/threads/[0-9a-f-]{36}/runs/[0-9a-f-]{36}", home)
    assert waited.headers["location"] == f"{home}/join"


def test_wait_is_json(waited: httpx.Response) -> None:
    assert waited.headers["content-type"] == "application/json"


def test_waiting_for_a_run_that_is_over_answers_at_once(talk: Talk, waited: httpx.Response) -> None:
    joined = talk.http.get(waited.headers["location"])
    assert joined.json() == waited.json()
    assert joined.headers["location"] == waited.headers["location"]
    assert joined.headers["content-location"] == waited.headers["content-location"]


def test_waiting_for_no_run_tells_it_in_the_body(talk: Talk) -> None:
    joined = talk.http.get(f"/threads/{talk.thread()}/runs/{MISSING}/join")
    assert (joined.status_code, joined.json()) == (200, {"__error__": ONE_GOES_ON})


def test_wait_tells_an_error_of_a_node(talk: Talk) -> None:
    answer = talk.ask(talk.thread(), "works", "/wait", input={"fail": "boom"})
    assert (answer.status_code, answer.json()) == (200, {"__error__": {"error": "ValueError", "message": "boom"}})


def test_join_tells_the_error_of_a_run_that_is_over(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "works", input={"fail": "boom"})["run_id"]
    assert talk.has_ended(thread, run_id) == "error"
    joined = talk.http.get(f"/threads/{thread}/runs/{run_id}/join").json()
    assert joined == {"__error__": {"error": "ValueError", "message": "boom"}}


def test_an_error_is_the_threads_too(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "works", input={"fail": "boom"})
    shown = talk.shown(thread)
    assert (shown["status"], shown["error"]) == ("error", {"error": "ValueError", "message": "boom"})
    assert shown["values"]["trail"] == ["start"]


def test_a_thread_recovers_from_an_error(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "works", input={"fail": "boom"})
    talk.wait(thread, "works", input={"fail": ""})
    assert (talk.shown(thread)["status"], talk.shown(thread)["error"]) == ("idle", None)


def test_a_step_that_failed_is_tried_again_without_an_input(talk: Talk) -> None:
    thread = talk.thread()
    boom = {"error": "ValueError", "message": "boom"}
    talk.wait(thread, "works", input={"fail": "boom"})
    assert talk.wait(thread, "works") == {"__error__": boom}
    assert [said.data for said in talk.stream(thread, "works", stream_mode="debug") if said.event == "error"] == [boom]


def test_a_step_that_failed_goes_on_when_its_state_is_mended(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "works", input={"fail": "boom"})
    command = {"update": {"fail": ""}}
    assert talk.wait(thread, "works", command=command)["trail"] == ["start", "work", "stop"]
    assert talk.shown(thread)["status"] == "idle"


@pytest.mark.parametrize("given", [3, "text", [1]])
def test_an_input_that_the_graph_cannot_take_is_an_error_of_the_run(talk: Talk, given: object) -> None:
    error = talk.wait(talk.thread(), "steps", input=given)["__error__"]
    assert error["error"] == "InvalidUpdateError"
    assert error["message"].startswith("Expected dict, got ")


def test_no_input_on_an_empty_thread_is_an_error_of_the_run(talk: Talk) -> None:
    error = talk.wait(talk.thread(), "steps")["__error__"]
    assert error == {"error": "EmptyInputError", "message": "Received no input for __start__"}


def test_a_thread_that_failed_without_a_state_shows_its_error_alone(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps")
    shown = talk.shown(thread)
    assert (shown["status"], shown["values"], shown["error"]["error"]) == ("error", None, "EmptyInputError")
    assert "interrupts" not in shown


def test_a_recursion_limit_ends_a_loop(talk: Talk) -> None:
    error = talk.wait(talk.thread(), "loop", input={"count": 0}, config={"recursion_limit": 5})["__error__"]
    assert error["error"] == "GraphRecursionError"
    assert error["message"].startswith("Recursion limit of 5 reached without hitting a stop condition.")


def test_a_loop_within_its_limit_ends_well(talk: Talk) -> None:
    assert talk.wait(talk.thread(), "loop", input={"count": 0}, config={"recursion_limit": 30}) == {"count": 20}


def test_the_next_run_goes_on_where_the_thread_stands(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "one"})
    assert talk.wait(thread, "steps", input={"note": "two"})["trail"] == ["a", "b", "c"] * 2


def test_a_thread_is_named_after_its_last_graph(talk: Talk) -> None:
    thread = talk.thread(metadata={"own": 1})
    talk.wait(thread, "steps", input={})
    talk.wait(thread, "works", input={})
    metadata = talk.shown(thread)["metadata"]
    assert (metadata["graph_id"], metadata["own"]) == ("works", 1)
    assert metadata["assistant_id"] == talk.runs(thread)[0]["assistant_id"]


def test_if_not_exists_makes_the_thread(talk: Talk) -> None:
    thread = str(uuid4())
    assert talk.wait(thread, "steps", input={}, if_not_exists="create")["trail"] == ["a", "b", "c"]
    assert talk.shown(thread)["metadata"]["graph_id"] == "steps"


def test_a_thread_made_for_a_run_keeps_the_metadata_that_the_client_gave(talk: Talk) -> None:
    thread = str(uuid4())
    given = {"metadata": {"own": 1}, "config": {"metadata": {"kept": 2}}}
    talk.wait(thread, "steps", input={}, if_not_exists="create", **given)
    first = talk.shown(thread)["metadata"]
    talk.wait(thread, "steps", input={}, metadata={"late": 3})
    assert (first["own"], first["kept"], "created_by" in first) == (1, 2, False)
    assert talk.shown(thread)["metadata"] == first
    assert talk.runs(thread)[0]["metadata"]["own"] == 1


def test_a_thread_kept_after_a_stateless_run_has_its_metadata(talk: Talk) -> None:
    made = talk.start(None, "steps", input={}, metadata={"own": 1}, on_completion="keep")
    assert talk.has_ended(made["thread_id"], made["run_id"]) == "success"
    assert talk.shown(made["thread_id"])["metadata"]["own"] == 1


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_nothing_is_resumed_without_a_thread(talk: Talk, how: str) -> None:
    answer = talk.ask(None, "asks", how, command={"resume": "yes"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "You must provide a thread_id when resuming."})


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_a_stateless_run_too_refuses_a_checkpoint_id_that_is_none(talk: Talk, how: str) -> None:
    answer = talk.ask(None, "steps", how, checkpoint_id="x")
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid checkpoint ID"})


def test_waiting_for_a_run_that_was_stopped_before_it_began_gives_nothing(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "steps", input={}, after_seconds=60)["run_id"]
    talk.cancel(thread, run_id)
    assert talk.http.get(f"/threads/{thread}/runs/{run_id}/join").json() == {}


def test_if_not_exists_reject_is_the_default(talk: Talk) -> None:
    assert talk.ask(str(uuid4()), "steps", if_not_exists="reject").status_code == 404


def test_a_delayed_run_starts_in_its_time(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "steps", input={}, after_seconds=1)["run_id"]
    assert talk.status(thread, run_id) == "pending"
    assert talk.has_ended(thread, run_id) == "success"
    run = talk.run(thread, run_id)
    assert datetime.fromisoformat(run["updated_at"]) >= datetime.fromisoformat(run["created_at"])


def test_a_run_behind_a_delayed_one_does_not_wait_for_it(talk: Talk) -> None:
    thread = talk.thread()
    delayed = talk.start(thread, "steps", input={}, after_seconds=60)["run_id"]
    assert talk.wait(thread, "steps", input={})["trail"] == ["a", "b", "c"]
    assert talk.status(thread, delayed) == "pending"
    talk.cancel(thread, delayed)


# --- what reaches the graph ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(talk: Talk) -> dict[str, Any]:
    """What a node sees of a run with settings of its own."""
    run = talk.ask(
        talk.thread(),
        "tells",
        "/wait",
        input={},
        metadata={"who": "me"},
        config={"tags": ["t1", "t2"], "recursion_limit": 17, "configurable": {"color": "blue", "model": "m"}},
    )
    return {**run.json()["told"], "home": run.headers["content-location"]}


def test_configurable_reaches_the_node(told: dict[str, Any]) -> None:
    assert told["configurable"] == {"color": "blue", "model": "m"}


def test_configurable_is_context_too_as_far_as_its_schema_has_it(told: dict[str, Any]) -> None:
    assert told["context"] == {"model": "m"}


def test_tags_and_limit_reach_the_node(told: dict[str, Any]) -> None:
    assert (sorted(told["tags"]), told["recursion_limit"]) == (["t1", "t2"], 17)


def test_metadata_reaches_the_node(told: dict[str, Any]) -> None:
    assert told["metadata"]["who"] == "me"
    assert told["metadata"]["graph_id"] == "tells"


def test_ids_reach_the_node(told: dict[str, Any]) -> None:
    assert told["home"] == f"/threads/{told['thread_id']}/runs/{told['run_id']}"
    assert told["graph_id"] == "tells"


def test_context_reaches_the_node_and_is_configurable_too(talk: Talk) -> None:
    told = talk.wait(talk.thread(), "tells", input={}, context={"model": "c", "depth": 2})["told"]
    assert told["context"] == told["configurable"] == {"model": "c", "depth": 2}


@pytest.mark.parametrize("name", ["thread_id", "run_id", "assistant_id", "graph_id"])
def test_a_client_cannot_say_which_run_this_is(talk: Talk, name: str) -> None:
    thread = talk.thread()
    told = talk.wait(thread, "tells", input={}, config={"configurable": {name: MISSING}})["told"]
    assert told["thread_id"] == thread
    assert told[name] != MISSING


def test_an_assistants_settings_hold_where_the_run_has_none(talk: Talk) -> None:
    config = {"tags": ["at"], "recursion_limit": 11, "configurable": {"color": "green", "depth": 3}}
    body = {"graph_id": "tells", "config": config, "metadata": {"am": "assistant"}}
    assistant = talk.http.post("/assistants", json=body).json()["assistant_id"]
    told = talk.wait(talk.thread(), assistant, input={})["told"]
    assert told["configurable"] == {"color": "green", "depth": 3}
    assert (told["tags"], told["recursion_limit"], told["metadata"]["am"]) == (["at"], 11, "assistant")
    told = talk.wait(talk.thread(), assistant, input={}, config={"tags": ["rt"], "configurable": {"color": "red"}})[
        "told"
    ]
    assert told["configurable"] == {"color": "red", "depth": 3}
    assert (told["tags"], told["recursion_limit"]) == (["rt"], 11)


def test_an_assistants_context_holds_where_the_run_has_none(talk: Talk) -> None:
    body = {"graph_id": "tells", "context": {"model": "am", "depth": 4}}
    assistant = talk.http.post("/assistants", json=body).json()["assistant_id"]
    assert talk.wait(talk.thread(), assistant, input={}, context={"model": "run"})["told"]["context"] == {
        "model": "run",
        "depth": 4,
    }


# --- stateless -------------------------------------------------------------------------------------------------------


def test_a_stateless_run_has_a_thread_of_its_own(talk: Talk) -> None:
    answer = talk.ask(None, "steps", input={})
    run = answer.json()
    assert list(run) == RUN_KEYS
    assert answer.headers["content-location"] == f"/runs/{run['run_id']}"
    assert run["kwargs"]["temporary"] is True
    assert run["metadata"] == {"created_by": "system", "assistant_id": run["assistant_id"]}


def test_the_thread_of_a_stateless_run_goes_with_it(talk: Talk) -> None:
    run = talk.start(None, "steps", input={})
    until(lambda: talk.http.get(f"/threads/{run['thread_id']}").status_code == 404)
    answer = talk.http.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}")
    assert (answer.status_code, answer.json()) == (404, {"detail": f"Thread with ID {run['thread_id']} not found"})


def test_on_completion_keep_keeps_the_thread(talk: Talk) -> None:
    run = talk.start(None, "steps", input={}, on_completion="keep")
    assert run["kwargs"]["temporary"] is False
    assert talk.has_ended(run["thread_id"], run["run_id"]) == "success"
    assert talk.shown(run["thread_id"])["values"]["trail"] == ["a", "b", "c"]


def test_on_completion_is_checked(talk: Talk) -> None:
    answer = talk.ask(None, "steps", on_completion="foo")
    assert answer.json() == {"detail": NOT_IN_ENUM.format("foo", '"delete" or "keep"', "on_completion")}


def test_stateless_wait_gives_the_last_values(talk: Talk) -> None:
    answer = talk.ask(None, "steps", "/wait", input={"note": "s"})
    assert answer.json() == {"trail": ["a", "b", "c"], "note": "s"}
    home = answer.headers["content-location"]
    assert re.fullmatch(r"/threads/[0-9a-f-]{36}/runs/[0-9a-f-]{36}", home)
    assert answer.headers["location"] == f"{home}/join"


def test_stateless_wait_tells_an_error(talk: Talk) -> None:
    assert talk.wait(None, "works", input={"fail": "boom"}) == {"__error__": {"error": "ValueError", "message": "boom"}}


def test_a_batch_makes_all_its_runs(talk: Talk) -> None:
    bodies = [{"assistant_id": "steps", "input": {}}, {"assistant_id": "loop", "input": {"count": 1}}]
    answer = talk.http.post("/runs/batch", json=bodies)
    assert answer.status_code == 200
    runs = answer.json()
    assert [list(run) for run in runs] == [RUN_KEYS] * 2
    assert [run["kwargs"]["input"] for run in runs] == [{}, {"count": 1}]
    assert len({run["thread_id"] for run in runs}) == 2


@pytest.mark.parametrize(
    ("bodies", "start"),
    [
        ([], '[] has less than 1 item\n\nFailed validating "minItems" in schema\n\nOn instance:\n    []'),
        (
            [{"input": {}}],
            '"assistant_id" is a required property\n\nFailed validating "required" in '
            'schema["components"]["schemas"]["RunCreateStateless"]\n\nOn instance[0]:\n    {"input":{}}',
        ),
        ([{"assistant_id": "steps"}, {"assistant_id": "zzz"}], "Invalid assistant: 'zzz'. Must be either:"),
    ],
)
def test_a_batch_with_a_mistake_is_refused(talk: Talk, bodies: list[dict[str, Any]], start: str) -> None:
    answer = talk.http.post("/runs/batch", json=bodies)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(start)


@pytest.mark.ours_only("a stateless run cannot be joined by its id there")
def test_a_stateless_run_is_joined_by_its_id(talk: Talk) -> None:
    run = talk.start(None, "steps", input={"note": "j"})
    assert talk.http.get(f"/runs/{run['run_id']}/join").json() == {"trail": ["a", "b", "c"], "note": "j"}


# --- through the SDK -------------------------------------------------------------------------------------------------


async def test_the_client_makes_waits_and_lists(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    run = await client.runs.create(thread["thread_id"], "steps", input={"note": "sdk"}, metadata={"by": "sdk"})
    assert await client.runs.join(thread["thread_id"], run["run_id"]) == {"trail": ["a", "b", "c"], "note": "sdk"}
    found: Any = await client.runs.get(thread["thread_id"], run["run_id"])
    assert (found["status"], found["metadata"]["by"]) == ("success", "sdk")
    assert [each["run_id"] for each in await client.runs.list(thread["thread_id"])] == [run["run_id"]]
    await client.runs.delete(thread["thread_id"], run["run_id"])
    assert await client.runs.list(thread["thread_id"]) == []


def test_the_sync_client_makes_waits_and_lists(sync_client: SyncLangGraphClient) -> None:
    thread = sync_client.threads.create()
    run = sync_client.runs.create(thread["thread_id"], "steps", input={"note": "sync"})
    assert sync_client.runs.join(thread["thread_id"], run["run_id"]) == {"trail": ["a", "b", "c"], "note": "sync"}
    assert sync_client.runs.get(thread["thread_id"], run["run_id"])["status"] == "success"


async def test_the_client_hears_of_the_runs_id_on_creation(client: LangGraphClient) -> None:
    heard: list[Any] = []
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], "steps", input={}, on_run_created=heard.append)
    assert heard[0]["thread_id"] == thread["thread_id"]
    assert heard[0]["run_id"] == (await client.runs.list(thread["thread_id"]))[0]["run_id"]


async def test_the_client_waits_without_a_thread(client: LangGraphClient) -> None:
    assert await client.runs.wait(None, "steps", input={"note": "free"}) == {"trail": ["a", "b", "c"], "note": "free"}


async def test_the_client_raises_what_the_run_raised(client: LangGraphClient) -> None:
    with pytest.raises(Exception, match="ValueError: boom"):
        await client.runs.wait(None, "works", input={"fail": "boom"})


async def test_the_client_can_take_the_error_as_a_value(client: LangGraphClient) -> None:
    given = await client.runs.wait(None, "works", input={"fail": "boom"}, raise_error=False)
    assert given == {"__error__": {"error": "ValueError", "message": "boom"}}


async def test_the_client_makes_a_batch(client: LangGraphClient) -> None:
    payload: Any = {"assistant_id": "steps", "input": {}}
    runs: Any = await client.runs.create_batch([payload] * 3)
    assert len({run["run_id"] for run in runs}) == 3


async def test_the_client_is_told_of_a_missing_thread(client: LangGraphClient) -> None:
    with pytest.raises(NotFoundError):
        await client.runs.create(str(uuid4()), "steps", input={})


async def test_the_client_is_told_of_a_busy_thread(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    run = await client.runs.create(thread["thread_id"], "works", input={"seconds": 30})
    with pytest.raises(ConflictError):
        await client.runs.create(thread["thread_id"], "works", input={}, multitask_strategy="reject")
    await client.runs.cancel(thread["thread_id"], run["run_id"], wait=True)


@pytest.mark.parametrize("select", [["run_id"], ["status", "run_id"], ["kwargs"]])
async def test_the_client_selects_fields(client: LangGraphClient, select: list[Any]) -> None:
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], "steps", input={})
    found = await client.runs.list(thread["thread_id"], select=select)
    assert [set(run) for run in found] == [set(select)]


async def test_head_tells_what_get_would_without_a_body(http: httpx.AsyncClient) -> None:
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    run = (await http.post(f"/threads/{thread}/runs", json={"assistant_id": "steps", "input": {}})).json()["run_id"]
    paths = (f"/threads/{thread}/runs", f"/threads/{thread}/runs/{run}", f"/threads/{thread}/runs/{thread}")
    answers = [await http.head(path) for path in paths]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b""), (200, b""), (404, b"")]
