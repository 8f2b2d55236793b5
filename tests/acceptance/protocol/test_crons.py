"""`/runs/crons`: schedules of runs. The reference server keeps crons but never starts them; what starts is tested with
the scheduler itself, over Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

NOBODY = "7b1cf1ab-6a3f-4d3f-9a55-0c4a7d1e2f33"
"""An id that nothing has, the same in every process of a test run."""
CRONS = "/runs/crons"
YEARLY = "0 0 1 1 *"
FIELDS = [
    "cron_id", "assistant_id", "thread_id", "user_id", "end_time", "schedule", "timezone", "payload", "next_run_date",
    "metadata", "on_run_completed", "enabled", "created_at", "updated_at",
]  # fmt: skip
NO_SCHEDULE = (
    "Invalid cron schedule: '{}'. Reason: Invalid cron schedule. Ensure the schedule uses the standard cron format "
    "(minute hour day_of_month month day_of_week). Example: '*/5 * * * *' for every 5 minutes."
)
NO_ID = "Invalid {} ID: must be a UUID"


@pytest.fixture
async def mark(http: httpx.AsyncClient) -> AsyncIterator[str]:
    """A value of metadata that no other test uses; its crons are deleted afterwards."""
    value = uuid4().hex
    yield value
    found = await http.post(f"{CRONS}/search", json={"metadata": {"mark": value}, "limit": 1000})
    for cron in found.json():
        await http.delete(f"{CRONS}/{cron['cron_id']}")


async def create(http: httpx.AsyncClient, mark: str, **more: Any) -> dict[str, Any]:
    body = {"assistant_id": "steps", "schedule": YEARLY, "metadata": {"mark": mark}, **more}
    answer = await http.post(CRONS, json=body)
    assert answer.status_code == 200, answer.text
    cron: dict[str, Any] = answer.json()
    return cron


async def thread(http: httpx.AsyncClient) -> str:
    return str((await http.post("/threads", json={})).json()["thread_id"])


# --- create -------------------------------------------------------------------------------------------------------


async def test_a_new_cron_has_every_field_in_order(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    assert list(cron) == FIELDS
    year = datetime.now(UTC).year + 1
    assert {name: cron[name] for name in FIELDS if name not in {"cron_id", "assistant_id", "payload"}} == {
        "thread_id": None,
        "user_id": "",
        "end_time": None,
        "schedule": YEARLY,
        "timezone": None,
        "next_run_date": f"{year}-01-01T00:00:00+00:00",
        "metadata": {"mark": mark},
        "on_run_completed": "delete",
        "enabled": True,
        "created_at": cron["updated_at"],
        "updated_at": cron["updated_at"],
    }
    assert UUID(cron["cron_id"]).version == 7


async def test_the_payload_is_what_was_sent_with_the_ids_in_it(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark, input={"x": 1})
    assert cron["payload"] == {
        "assistant_id": cron["assistant_id"],
        "schedule": YEARLY,
        "metadata": {"mark": mark},
        "input": {"x": 1},
        "config": {"configurable": {"cron_id": cron["cron_id"]}},
    }
    assert list(cron["payload"]) == ["assistant_id", "schedule", "metadata", "input", "config"]


async def test_every_option_is_kept(http: httpx.AsyncClient, mark: str) -> None:
    options = {
        "input": [{"role": "user"}],
        "context": {"z": 1},
        "interrupt_before": ["a"],
        "interrupt_after": "*",
        "on_run_completed": "keep",
        "enabled": False,
        "stream_mode": ["values", "updates"],
        "stream_subgraphs": True,
        "stream_resumable": True,
        "durability": "sync",
        "timezone": "America/New_York",
        "end_time": "2040-01-01T00:00:00Z",
        "multitask_strategy": "reject",
        "unknown": "bar",
    }
    cron = await create(http, mark, **options)
    assert {name: cron["payload"][name] for name in options} == options
    for name in ("on_run_completed", "enabled", "timezone", "end_time"):
        assert cron[name] == options[name]
    assert cron["next_run_date"].endswith("-01-01T05:00:00+00:00")


async def test_a_given_config_is_kept_beside_the_id(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark, config={"configurable": {"a": 1, "cron_id": "mine"}, "tags": ["t"]})
    assert cron["payload"]["config"] == {"configurable": {"a": 1, "cron_id": cron["cron_id"]}, "tags": ["t"]}


async def test_a_graph_name_stands_for_its_assistant(
    client: LangGraphClient, http: httpx.AsyncClient, mark: str
) -> None:
    by_name = await create(http, mark)
    by_id = await create(http, mark, assistant_id=by_name["assistant_id"])
    assert by_id["assistant_id"] == by_id["payload"]["assistant_id"] == by_name["assistant_id"]


async def test_the_client_creates_and_deletes(client: LangGraphClient, mark: str) -> None:
    run = await client.crons.create(
        "steps", schedule=YEARLY, input={"x": 1}, metadata={"mark": mark}, end_time=datetime(2040, 1, 1, tzinfo=UTC)
    )
    (cron,) = await _by_mark(client, mark)
    assert (cron["payload"]["input"], cron["end_time"]) == (run["payload"]["input"], "2040-01-01T00:00:00+00:00")  # type: ignore[typeddict-item]
    await client.crons.delete(cron["cron_id"])
    assert await _by_mark(client, mark) == []


def test_the_synchronous_client_does_the_same(sync_client: SyncLangGraphClient) -> None:
    thread_id = sync_client.threads.create()["thread_id"]
    sync_client.crons.create_for_thread(thread_id, "steps", schedule=YEARLY, timezone="Europe/Paris")
    (cron,) = sync_client.crons.search(thread_id=thread_id)
    assert cron["thread_id"] == thread_id and cron["timezone"] == "Europe/Paris"
    assert sync_client.crons.count(thread_id=thread_id) == 1
    changed = sync_client.crons.update(cron["cron_id"], enabled=False)
    assert changed["enabled"] is False
    sync_client.crons.delete(cron["cron_id"])
    assert sync_client.crons.count(thread_id=thread_id) == 0


@pytest.mark.parametrize(
    "schedule",
    [
        "*/5 * * * *", "0 12 * * MON-FRI", "0 0 L * *", "0 0 * * 1#1", " 0 0 * * * ", "0-59/1 * * * *", "@daily",
        "@hourly", "@midnight", "@annually", "* * * * * *", "* * * * * * 2040",
    ],
)  # fmt: skip
async def test_a_schedule_is_taken_and_shown_as_it_came(http: httpx.AsyncClient, mark: str, schedule: str) -> None:
    before = datetime.now(UTC)
    cron = await create(http, mark, schedule=schedule, enabled=False)
    assert cron["schedule"] == schedule
    assert datetime.fromisoformat(cron["next_run_date"]) > before.replace(microsecond=0)


@pytest.mark.parametrize(
    "schedule",
    ["bad", "", "@reboot", "@every 5m", "61 * * * *", "* * * *", "H * * * *", "*/0 * * * *", "* " * 300, "'\""],
)
async def test_what_is_no_schedule_is_refused(http: httpx.AsyncClient, schedule: str) -> None:
    answer = await http.post(CRONS, json={"assistant_id": "steps", "schedule": schedule})
    assert (answer.status_code, answer.json()) == (422, {"detail": NO_SCHEDULE.format(schedule)})


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "0 0 31 4 *", "0 0 1 1 * 0 1970"])
async def test_a_date_that_never_comes_is_refused(http: httpx.AsyncClient, schedule: str) -> None:
    answer = await http.post(CRONS, json={"assistant_id": "steps", "schedule": schedule})
    assert (answer.status_code, answer.json()) == (400, {"detail": "failed to find next date"})


@pytest.mark.parametrize(
    ("timezone", "status", "detail"),
    [
        ("Mars/X", 422, "Invalid timezone: 'Mars/X'. Use IANA timezone format (e.g. 'America/New_York')."),
        ("+02:00", 422, "Invalid timezone: '+02:00'. Use IANA timezone format (e.g. 'America/New_York')."),
        ("", 400, "ZoneInfo keys must be normalized relative paths, got: "),
        ("../etc/passwd", 400, "ZoneInfo keys must refer to subdirectories of TZPATH, got: ../etc/passwd"),
        ("/etc/passwd", 400, "ZoneInfo keys may not be absolute paths, got: /etc/passwd"),
    ],
)
async def test_what_is_no_time_zone_is_refused(
    http: httpx.AsyncClient, timezone: str, status: int, detail: str
) -> None:
    body = {"assistant_id": "steps", "schedule": YEARLY, "timezone": timezone}
    answer = await http.post(CRONS, json=body)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.ours_only("it answers 500")
@pytest.mark.parametrize("timezone", ["America", "a" * 5000, "Europe/"])
async def test_odd_time_zones_are_refused_too(http: httpx.AsyncClient, timezone: str) -> None:
    answer = await http.post(CRONS, json={"assistant_id": "steps", "schedule": YEARLY, "timezone": timezone})
    assert answer.status_code in (400, 422)


@pytest.mark.ours_only("it keeps any text as the end")
@pytest.mark.parametrize("end_time", ["bad", "", "2030-99-01", "99999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00"])
async def test_what_is_no_time_is_refused(http: httpx.AsyncClient, end_time: str) -> None:
    answer = await http.post(CRONS, json={"assistant_id": "steps", "schedule": YEARLY, "end_time": end_time})
    assert answer.status_code == 422 and answer.json()["detail"].startswith(f"Invalid end time: '{end_time}'")


@pytest.mark.parametrize(
    "end_time", ["2040-01-01T00:00:00Z", "2040-01-01", "2040-01-01T00:00:00", "2040-01-01T00:00:00+02:00", "2020-01-01"]
)
async def test_an_end_is_shown_as_it_came(http: httpx.AsyncClient, mark: str, end_time: str) -> None:
    assert (await create(http, mark, end_time=end_time))["end_time"] == end_time


@pytest.mark.parametrize(("named", "schedule"), [("nope", YEARLY), ("nope", "bad"), (NOBODY, YEARLY)])
async def test_an_unknown_assistant_is_named_before_its_thread(
    http: httpx.AsyncClient, named: str, schedule: str
) -> None:
    for path in (CRONS, f"/threads/{uuid4()}/runs/crons"):
        answer = await http.post(path, json={"assistant_id": named, "schedule": schedule})
        assert (answer.status_code, answer.json()) == (404, {"detail": f"Assistant '{named}' not found"})


async def test_an_assistant_that_could_be_is_looked_for_after_the_schedule(http: httpx.AsyncClient) -> None:
    answer = await http.post(CRONS, json={"assistant_id": str(uuid4()), "schedule": "bad"})
    assert (answer.status_code, answer.json()) == (422, {"detail": NO_SCHEDULE.format("bad")})


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"schedule": 5}, '5 is not of type "string"'),
        ({"timezone": None}, 'null is not of type "string"'),
        ({"end_time": None}, 'null is not of type "string"'),
        ({"on_run_completed": "x"}, '"x" is not one of "delete" or "keep"'),
        ({"on_run_completed": None}, 'null is not of type "string"'),
        ({"enabled": "x"}, '"x" is not of type "boolean"'),
        ({"metadata": []}, '[] is not of type "object"'),
        ({"input": "x"}, "\"x\" is not valid under any of the schemas listed in the 'anyOf' keyword"),
        ({"input": None}, "null is not valid under any of the schemas listed in the 'anyOf' keyword"),
        ({"assistant_id": 5}, "5 is not valid under any of the schemas listed in the 'anyOf' keyword"),
        ({"config": {"recursion_limit": "x"}}, '"x" is not of type "integer"'),
        ({"webhook": ""}, '"" is shorter than 1 character'),
        ({"durability": "x"}, '"x" is not one of "sync", "async" or "exit"'),
        ({"stream_mode": "x"}, "\"x\" is not valid under any of the schemas listed in the 'anyOf' keyword"),
        ({"interrupt_before": 1}, "1 is not valid under any of the schemas listed in the 'anyOf' keyword"),
    ],
)
async def test_a_wrong_field_is_named(http: httpx.AsyncClient, more: dict[str, Any], wrong: str) -> None:
    answer = await http.post(CRONS, json={"assistant_id": "steps", "schedule": YEARLY, **more})
    assert answer.status_code == 422
    name = next(iter(more))
    assert answer.json()["detail"].startswith(f"{wrong}\n\nFailed validating ")
    assert f'in schema["properties"]["{name}"]' in answer.json()["detail"]


async def test_a_wrong_strategy_is_named_on_a_thread(http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "steps", "schedule": YEARLY, "multitask_strategy": "x"}
    answer = await http.post(f"/threads/{uuid4()}/runs/crons", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith('"x" is not one of "reject", "rollback" or 2 other candidates\n\n')


@pytest.mark.ours_only("it answers 500")
@pytest.mark.parametrize(
    ("body", "missing"), [({"assistant_id": "steps"}, "schedule"), ({"schedule": YEARLY}, "assistant_id")]
)
async def test_a_missing_field_is_named(http: httpx.AsyncClient, body: dict[str, Any], missing: str) -> None:
    answer = await http.post(CRONS, json=body)
    assert answer.status_code == 422 and answer.json()["detail"].startswith(f'"{missing}" is a required property')


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://127.8.8.8/x"])
async def test_a_webhook_to_this_machine_is_refused(http: httpx.AsyncClient, url: str) -> None:
    answer = await http.post(CRONS, json={"assistant_id": "nope", "schedule": "bad", "webhook": url})
    assert (answer.status_code, answer.json()) == (422, {"detail": "Webhook host blocked: loopback IP range"})


@pytest.mark.parametrize("raw", [b"", b"x", b'{"assistant_id": NaN}'])
@pytest.mark.parametrize("path", [CRONS, f"{CRONS}/search", f"{CRONS}/count", f"/threads/{NOBODY}/runs/crons"])
async def test_what_is_no_json_is_refused(http: httpx.AsyncClient, path: str, raw: bytes) -> None:
    answer = await http.post(path, content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid JSON in request body"})


# --- on a thread --------------------------------------------------------------------------------------------------


async def test_a_cron_on_a_thread_has_nothing_to_do_with_its_thread_afterwards(http: httpx.AsyncClient) -> None:
    thread_id = await thread(http)
    body = {"assistant_id": "steps", "schedule": YEARLY, "on_run_completed": "keep"}
    cron = (await http.post(f"/threads/{thread_id}/runs/crons", json=body)).json()
    assert list(cron) == FIELDS
    assert (cron["thread_id"], cron["on_run_completed"]) == (thread_id, None)
    assert cron["payload"]["on_run_completed"] == "keep"
    assert (await http.delete(f"{CRONS}/{cron['cron_id']}")).status_code == 204


async def test_an_unknown_thread_is_named(http: httpx.AsyncClient) -> None:
    thread_id = uuid4()
    answer = await http.post(f"/threads/{thread_id}/runs/crons", json={"assistant_id": "steps", "schedule": YEARLY})
    assert answer.status_code == 404
    assert answer.json() == {
        "detail": f"Thread with ID '{thread_id}' not found. Please verify the ID is correct and the thread hasn't been "
        "deleted or expired."
    }


async def test_a_thread_id_is_a_uuid(http: httpx.AsyncClient) -> None:
    answer = await http.post("/threads/bad/runs/crons", json={"assistant_id": "steps", "schedule": YEARLY})
    assert (answer.status_code, answer.json()) == (422, {"detail": NO_ID.format("thread")})


async def test_a_deleted_thread_takes_its_crons_with_it(http: httpx.AsyncClient) -> None:
    thread_id = await thread(http)
    answer = await http.post(f"/threads/{thread_id}/runs/crons", json={"assistant_id": "steps", "schedule": YEARLY})
    await http.delete(f"/threads/{thread_id}")
    assert (await http.get(f"{CRONS}/{answer.json()['cron_id']}")).status_code == 404


async def test_a_deleted_assistant_takes_its_crons_with_it(http: httpx.AsyncClient, mark: str) -> None:
    assistant = (await http.post("/assistants", json={"graph_id": "steps"})).json()["assistant_id"]
    cron = await create(http, mark, assistant_id=assistant)
    await http.delete(f"/assistants/{assistant}")
    assert (await http.get(f"{CRONS}/{cron['cron_id']}")).status_code == 404


async def test_a_thread_named_in_the_body_is_no_thread_of_the_cron(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark, thread_id=str(uuid4()), user_id="other", cron_id="mine")
    assert cron["thread_id"] is None and cron["user_id"] == "" and UUID(cron["cron_id"])


# --- get, delete --------------------------------------------------------------------------------------------------


async def test_a_cron_is_got_as_it_was_created(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    answer = await http.get(f"{CRONS}/{cron['cron_id']}")
    assert (answer.status_code, answer.json()) == (200, cron)
    assert (await http.head(f"{CRONS}/{cron['cron_id']}")).status_code == 200


async def test_a_deleted_cron_is_gone(http: httpx.AsyncClient, mark: str) -> None:
    path = f"{CRONS}/{(await create(http, mark))['cron_id']}"
    answer = await http.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    for method in ("GET", "DELETE"):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
@pytest.mark.parametrize("cron_id", ["bad", "search", "..", "%00"])
async def test_a_cron_id_is_a_uuid(http: httpx.AsyncClient, method: str, cron_id: str) -> None:
    if cron_id == "..":
        cron_id = "%2e%2e"
    answer = await http.request(method, f"{CRONS}/{cron_id}", json={"enabled": True} if method == "PATCH" else None)
    assert (answer.status_code, answer.json()) == (422, {"detail": NO_ID.format("cron")})


@pytest.mark.parametrize(
    ("method", "path"), [("GET", CRONS), ("PUT", CRONS), ("DELETE", CRONS), ("POST", f"{CRONS}/{NOBODY}")]
)
async def test_other_methods_are_not_allowed(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})


# --- change -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"schedule": "0 1 * * *"}, {"schedule": "0 1 * * *"}),
        ({"timezone": "Europe/Paris"}, {"timezone": "Europe/Paris"}),
        ({"end_time": "2041-01-01T00:00:00Z"}, {"end_time": "2041-01-01T00:00:00Z"}),
        ({"end_time": None}, {"end_time": None}),
        ({"on_run_completed": "keep"}, {"on_run_completed": "keep"}),
        ({"enabled": False}, {"enabled": False}),
        ({"input": {"y": 2}}, {}),
        ({"context": {"q": 1}}, {}),
        ({"interrupt_before": ["q"]}, {}),
        ({"interrupt_after": "*"}, {}),
        ({"stream_mode": "debug"}, {}),
        ({"stream_subgraphs": True}, {}),
        ({"stream_resumable": True}, {}),
        ({"durability": "exit"}, {}),
        ({"multitask_strategy": "reject"}, {}),
        ({"unknown": 1}, {}),
    ],
)
async def test_a_field_is_changed_and_no_other(
    http: httpx.AsyncClient, mark: str, change: dict[str, Any], shown: dict[str, Any]
) -> None:
    cron = await create(http, mark, end_time="2040-01-01T00:00:00Z")
    answer = await http.patch(f"{CRONS}/{cron['cron_id']}", json=change)
    assert answer.status_code == 200 and list(answer.json()) == FIELDS
    changed = answer.json()
    moved = {"schedule", "timezone"} & change.keys()
    assert (changed.pop("next_run_date") != cron.pop("next_run_date")) == bool(moved)
    assert changed.pop("updated_at") > cron.pop("updated_at")
    assert changed == {**cron, **shown, "payload": {**cron["payload"], **change}}


async def test_metadata_is_merged_and_the_payload_shows_the_last(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    changed = (await http.patch(f"{CRONS}/{cron['cron_id']}", json={"metadata": {"n": 2}})).json()
    assert changed["metadata"] == {"mark": mark, "n": 2}
    assert changed["payload"]["metadata"] == {"n": 2}


async def test_a_new_config_replaces_the_old_one_and_keeps_the_id(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark, config={"configurable": {"a": 1}, "tags": ["t"]})
    changed = (await http.patch(f"{CRONS}/{cron['cron_id']}", json={"config": {"configurable": {"b": 2}}})).json()
    assert changed["payload"]["config"] == {"configurable": {"b": 2, "cron_id": cron["cron_id"]}}


async def test_the_assistant_of_a_cron_stays(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    changed = (await http.patch(f"{CRONS}/{cron['cron_id']}", json={"assistant_id": "loop"})).json()
    assert changed["assistant_id"] == changed["payload"]["assistant_id"] == cron["assistant_id"]


async def test_the_next_run_date_follows_schedule_and_time_zone(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    body = {"schedule": "@daily", "timezone": "Asia/Tokyo"}
    changed = (await http.patch(f"{CRONS}/{cron['cron_id']}", json=body)).json()
    assert changed["next_run_date"].endswith("T15:00:00+00:00")


async def test_the_client_updates(client: LangGraphClient, http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    changed = await client.crons.update(cron["cron_id"], schedule="5 4 * * *", enabled=False)
    assert (changed["schedule"], changed["enabled"]) == ("5 4 * * *", False)


async def test_a_change_names_something(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    for cron_id in (cron["cron_id"], uuid4()):
        answer = await http.patch(f"{CRONS}/{cron_id}", json={})
        assert (answer.status_code, answer.json()) == (400, {"detail": "Request body cannot be empty"})


@pytest.mark.parametrize(
    ("change", "status", "wrong"),
    [
        ({"schedule": "bad"}, 422, NO_SCHEDULE.format("bad")),
        ({"timezone": "bad"}, 422, "Invalid timezone: 'bad'. Use IANA timezone format (e.g. 'America/New_York')."),
        ({"timezone": ""}, 400, "ZoneInfo keys must be normalized relative paths, got: "),
        ({"timezone": None}, 422, 'null is not of type "string"\n\n'),
        ({"schedule": None}, 422, 'null is not of type "string"\n\n'),
        ({"metadata": None}, 422, 'null is not of type "object"\n\n'),
        ({"enabled": None}, 422, 'null is not of type "boolean"\n\n'),
        ({"input": None}, 422, "null is not valid under any of the schemas listed in the 'anyOf' keyword\n\n"),
        ({"on_run_completed": "x"}, 422, '"x" is not one of "delete" or "keep"\n\n'),
        ({"webhook": "http://127.0.0.1/x"}, 422, "Webhook host blocked: loopback IP range"),
    ],
)
async def test_a_wrong_change_changes_nothing(
    http: httpx.AsyncClient, mark: str, change: dict[str, Any], status: int, wrong: str
) -> None:
    cron = await create(http, mark)
    answer = await http.patch(f"{CRONS}/{cron['cron_id']}", json=change)
    assert answer.status_code == status and answer.json()["detail"].startswith(wrong)
    assert (await http.get(f"{CRONS}/{cron['cron_id']}")).json() == cron


@pytest.mark.ours_only("it keeps the schedule that it has refused")
async def test_a_schedule_without_a_date_changes_nothing(http: httpx.AsyncClient, mark: str) -> None:
    cron = await create(http, mark)
    answer = await http.patch(f"{CRONS}/{cron['cron_id']}", json={"schedule": "0 0 30 2 *"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "failed to find next date"})
    assert (await http.get(f"{CRONS}/{cron['cron_id']}")).json() == cron


async def test_what_is_not_there_cannot_be_changed(http: httpx.AsyncClient) -> None:
    cron_id = uuid4()
    for change in ({"enabled": True}, {"schedule": "bad"}):
        answer = await http.patch(f"{CRONS}/{cron_id}", json=change)
        assert (answer.status_code, answer.json()) == (404, {"detail": f"Cron '{cron_id}' not found"})


# --- search, count ------------------------------------------------------------------------------------------------


@pytest.fixture
async def three(http: httpx.AsyncClient, mark: str) -> list[dict[str, Any]]:
    """Crons in the order in which they were created; the second is disabled and daily."""
    first = await create(http, mark)
    second = await create(http, mark, enabled=False, schedule="@daily")
    return [first, second, await create(http, mark, metadata={"mark": mark, "deep": {"a": [1]}})]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [2, 1, 0]),
        ({"sort_order": "asc"}, [2, 1, 0]),
        ({"sort_by": "created_at", "sort_order": "asc"}, [0, 1, 2]),
        ({"sort_by": "cron_id", "sort_order": "asc"}, [0, 1, 2]),
        ({"sort_by": "cron_id", "sort_order": "desc"}, [2, 1, 0]),
        ({"sort_by": "cron_id"}, [2, 1, 0]),
        ({"sort_by": "updated_at", "sort_order": "asc"}, [0, 1, 2]),
        ({"enabled": False}, [1]),
        ({"enabled": True}, [2, 0]),
        ({"limit": 2}, [2, 1]),
        ({"limit": 2, "offset": 2}, [0]),
        ({"offset": 9}, []),
        ({"unknown": 1}, [2, 1, 0]),
        ({"more": {"deep": {"a": [1]}}}, [2]),
        ({"more": {"none": 1}}, []),
    ],
)
async def test_search_finds_filters_and_sorts(
    http: httpx.AsyncClient, mark: str, three: list[dict[str, Any]], asked: dict[str, Any], expected: list[int]
) -> None:
    metadata = {"mark": mark, **asked.pop("more", {})}
    answer = await http.post(f"{CRONS}/search", json={"metadata": metadata, **asked})
    assert answer.status_code == 200
    assert answer.json() == [three[index] for index in expected]


async def test_the_soonest_comes_first_when_asked(
    http: httpx.AsyncClient, mark: str, three: list[dict[str, Any]]
) -> None:
    body = {"metadata": {"mark": mark}, "sort_by": "next_run_date", "sort_order": "asc", "limit": 1}
    answer = await http.post(f"{CRONS}/search", json=body)
    assert answer.json() == [three[1]]


@pytest.mark.parametrize(
    ("page", "total", "following"),
    [
        ({"limit": 2}, "3", "2"),
        ({"limit": 3}, "3", None),
        ({"limit": 1, "offset": 1}, "3", "2"),
        ({"offset": 9}, "9", None),
    ],
)
async def test_headers_tell_of_the_next_page(
    http: httpx.AsyncClient,
    mark: str,
    three: list[dict[str, Any]],
    page: dict[str, int],
    total: str,
    following: str | None,
) -> None:
    answer = await http.post(f"{CRONS}/search", json={"metadata": {"mark": mark}, **page})
    assert (answer.headers["x-pagination-total"], answer.headers.get("x-pagination-next")) == (total, following)


@pytest.mark.parametrize("select", [["cron_id"], ["metadata", "schedule"], ["timezone", "on_run_completed", "payload"]])
async def test_select_gives_these_fields(
    http: httpx.AsyncClient, mark: str, three: list[dict[str, Any]], select: list[str]
) -> None:
    answer = await http.post(f"{CRONS}/search", json={"metadata": {"mark": mark}, "select": select})
    assert answer.json() == [{name: cron[name] for name in select} for cron in reversed(three)]


async def test_an_empty_select_gives_all_fields(
    http: httpx.AsyncClient, mark: str, three: list[dict[str, Any]]
) -> None:
    answer = await http.post(f"{CRONS}/search", json={"metadata": {"mark": mark}, "select": [], "limit": 1})
    assert answer.json() == [three[2]]


async def test_search_and_count_take_a_thread(http: httpx.AsyncClient) -> None:
    thread_id = await thread(http)
    for _ in range(2):
        await http.post(f"/threads/{thread_id}/runs/crons", json={"assistant_id": "steps", "schedule": YEARLY})
    found = (await http.post(f"{CRONS}/search", json={"thread_id": thread_id})).json()
    assert [cron["thread_id"] for cron in found] == [thread_id, thread_id]
    assert (await http.post(f"{CRONS}/count", json={"thread_id": thread_id})).json() == 2
    assert (await http.post(f"{CRONS}/count", json={"thread_id": str(uuid4())})).json() == 0


async def test_search_and_count_take_an_assistant(
    http: httpx.AsyncClient, mark: str, three: list[dict[str, Any]]
) -> None:
    body = {"assistant_id": three[0]["assistant_id"], "metadata": {"mark": mark}}
    assert (await http.post(f"{CRONS}/count", json=body)).json() == 3
    assert len((await http.post(f"{CRONS}/search", json=body)).json()) == 3
    other = {**body, "assistant_id": str(uuid4())}
    assert (await http.post(f"{CRONS}/count", json=other)).json() == 0
    assert (await http.post(f"{CRONS}/search", json=other)).json() == []


@pytest.mark.parametrize("more", [{}, {"enabled": True}, {"limit": 1}])
async def test_a_count_leaves_enabled_and_limit_alone(
    http: httpx.AsyncClient, mark: str, three: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    answer = await http.post(f"{CRONS}/count", json={"metadata": {"mark": mark}, **more})
    assert (answer.status_code, answer.json()) == (200, 3)


@pytest.mark.parametrize("verb", ["search", "count"])
@pytest.mark.parametrize(("field", "value"), [("assistant_id", "steps"), ("assistant_id", "bad"), ("thread_id", "bad")])
async def test_ids_of_a_search_are_uuids(http: httpx.AsyncClient, verb: str, field: str, value: str) -> None:
    answer = await http.post(f"{CRONS}/{verb}", json={field: value})
    assert (answer.status_code, answer.json()) == (422, {"detail": NO_ID.format(field.removesuffix("_id"))})


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"limit": 0}, "0 is less than the minimum of 1"),
        ({"limit": -1}, "-1 is less than the minimum of 1"),
        ({"limit": 1001}, "1001 is greater than the maximum of 1000"),
        ({"limit": "x"}, '"x" is not of type "integer"'),
        ({"offset": -1}, "-1 is less than the minimum of 0"),
        ({"sort_by": "bad"}, '"bad" is not one of "cron_id", "assistant_id" or 5 other candidates'),
        ({"sort_order": "x"}, '"x" is not one of "asc" or "desc"'),
        ({"select": ["bad"]}, '"bad" is not one of "cron_id", "assistant_id" or 12 other candidates'),
        ({"enabled": "x"}, '"x" is not of type "boolean"'),
        ({"metadata": []}, '[] is not of type "object"'),
        ({"metadata": None}, 'null is not of type "object"'),
        ({"thread_id": None}, 'null is not of type "string"'),
    ],
)
async def test_a_wrong_field_of_a_search_is_named(http: httpx.AsyncClient, body: dict[str, Any], wrong: str) -> None:
    answer = await http.post(f"{CRONS}/search", json=body)
    assert answer.status_code == 422 and answer.json()["detail"].startswith(f"{wrong}\n\nFailed validating ")


@pytest.mark.ours_only("it answers 500 where one has no end")
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_crons_without_an_end_come_last(http: httpx.AsyncClient, mark: str, order: str) -> None:
    await create(http, mark)
    ends = await create(http, mark, end_time="2040-01-01T00:00:00Z")
    body = {"metadata": {"mark": mark}, "sort_by": "end_time", "sort_order": order}
    assert (await http.post(f"{CRONS}/search", json=body)).json()[0] == ends


@pytest.mark.ours_only("it keeps crons and never starts them")
async def test_a_cron_of_a_thread_runs_there_until_it_is_deleted(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    thread_id = await thread(http)
    body = {"assistant_id": "steps", "schedule": "* * * * * *", "input": {}, "metadata": {"by": "cron"}}
    cron = (await http.post(f"/threads/{thread_id}/runs/crons", json=body)).json()
    async with asyncio.timeout(30):
        while not (done := await client.runs.list(thread_id, status="success")):
            await asyncio.sleep(0.05)
    assert (await http.delete(f"{CRONS}/{cron['cron_id']}")).status_code == 204
    assert done[0]["metadata"]["by"] == "cron"  # type: ignore[index]
    assert done[0]["kwargs"]["config"]["configurable"]["cron_id"] == cron["cron_id"]  # type: ignore[typeddict-item]


async def _by_mark(client: LangGraphClient, mark: str) -> list[Any]:
    found = await client.http.post("/runs/crons/search", json={"metadata": {"mark": mark}})
    return list(found)
