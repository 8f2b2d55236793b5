"""Streams of runs: headers, frames, ids, joining late, joining again, heartbeats, clients that leave."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.acceptance.protocol.talking import MISSING, Said, Talk, said, until

RESUMABLE: dict[str, Any] = {"stream_resumable": True, "stream_mode": ["values", "updates", "custom"]}


@pytest.fixture(scope="module")
def streamed(talk: Talk) -> httpx.Response:
    """A run of three steps, heard from its start."""
    return talk.ask(talk.thread(), "steps", "/stream", input={"note": "x"})


@pytest.fixture(scope="module")
def resumable(talk: Talk) -> httpx.Response:
    """A run with three custom events, whose events have ids."""
    return talk.ask(talk.thread(), "works", "/stream", input={"ticks": 3}, **RESUMABLE)


def ids_of(answer: httpx.Response) -> tuple[str, str]:
    """Thread and run of a stream."""
    found = re.fullmatch(r"/threads/([^/]+)/runs/([^/]+)", answer.headers["content-location"])
    assert found is not None
    return found[1], found[2]


# --- headers and frames ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-store"),
        ("connection", "keep-alive"),
        ("x-accel-buffering", "no"),
    ],
)
def test_a_stream_has_these_headers(streamed: httpx.Response, name: str, value: str) -> None:
    assert streamed.headers[name] == value


def test_a_stream_says_where_it_can_be_heard_again(streamed: httpx.Response) -> None:
    thread, run_id = ids_of(streamed)
    assert streamed.headers["location"] == f"/threads/{thread}/runs/{run_id}/stream"


def test_a_stateless_stream_is_found_by_its_run_alone(talk: Talk) -> None:
    answer = talk.ask(None, "steps", "/stream", input={})
    run_id = said(answer.text)[0].data["run_id"]
    assert answer.headers["location"] == f"/runs/{run_id}/stream"
    assert answer.headers["content-location"] == f"/runs/{run_id}"


def test_frames_are_lines_ended_as_on_the_wire(streamed: httpx.Response) -> None:
    _, run_id = ids_of(streamed)
    first, second, *_ = streamed.content.split(b"\r\n\r\n")
    assert first == b'event: metadata\r\ndata: {"run_id":"%b","attempt":1}' % run_id.encode()
    assert second == b'event: values\r\ndata: {"trail":[],"note":"x"}'


def test_a_resumable_frame_ends_with_its_id(resumable: httpx.Response) -> None:
    for block in resumable.text.split("\r\n\r\n"):
        assert not block or re.fullmatch(r"event: \S+\r\ndata: [^\r\n]+\r\nid: \S+", block)


def test_the_first_event_names_the_run(streamed: httpx.Response) -> None:
    assert said(streamed.text)[0] == Said("metadata", {"run_id": ids_of(streamed)[1], "attempt": 1})


def test_values_come_after_each_step_and_end_the_stream(streamed: httpx.Response) -> None:
    trails = [event.data["trail"] for event in said(streamed.text)[1:]]
    assert trails == [[], ["a"], ["a", "b"], ["a", "b", "c"]]
    assert [event.event for event in said(streamed.text)] == ["metadata"] + ["values"] * 4


def test_events_have_no_ids_unless_resumable(streamed: httpx.Response) -> None:
    assert {event.id for event in said(streamed.text)} == {""}


def test_every_event_of_a_resumable_stream_has_an_id(resumable: httpx.Response) -> None:
    assert all(event.id for event in said(resumable.text))


@pytest.mark.ours_only("events of one millisecond share an id there, and are lost when it is resumed")
def test_no_two_events_of_a_stream_share_an_id(resumable: httpx.Response) -> None:
    ids = [event.id for event in said(resumable.text)]
    assert len(set(ids)) == len(ids)


def test_modes_come_together_in_order(resumable: httpx.Response) -> None:
    told = [event.event if event.event != "custom" else f"tick {event.data['tick']}" for event in said(resumable.text)]
    steps = ["updates", "values"]
    assert told == ["metadata", "values", *steps, "tick 0", "tick 1", "tick 2", *steps, *steps]


def test_an_error_is_the_last_event(talk: Talk) -> None:
    *_, last = talk.stream(talk.thread(), "works", input={"fail": "boom"})
    assert last == Said("error", {"error": "ValueError", "message": "boom"})


def test_an_error_of_a_resumable_stream_has_an_id(talk: Talk) -> None:
    *_, last = talk.stream(talk.thread(), "works", input={"fail": "boom"}, stream_resumable=True)
    assert last.event == "error"
    assert last.id


def test_no_stream_mode_is_values(talk: Talk) -> None:
    told = talk.stream(talk.thread(), "steps", input={}, stream_mode=[])
    assert {event.event for event in told} == {"metadata", "values"}


def test_one_stream_mode_is_named_alone(talk: Talk) -> None:
    told = talk.stream(talk.thread(), "steps", input={}, stream_mode="updates")
    assert [event.event for event in told] == ["metadata", "updates", "updates", "updates"]


def test_a_stream_shows_the_run_as_running(talk: Talk) -> None:
    thread = talk.thread()
    body = {"assistant_id": "works", "input": {"ticks": 20}, "stream_mode": "custom"}
    with talk.http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        run_id = ids_of(answer)[1]
        until(lambda: talk.status(thread, run_id) == "running")
        assert talk.shown(thread)["status"] == "busy"
        for _ in answer.iter_lines():
            pass
    assert talk.has_ended(thread, run_id) == "success"


def test_when_a_stream_ends_thread_and_run_show_the_end(talk: Talk) -> None:
    for _ in range(3):
        answer = talk.ask(talk.thread(), "steps", "/stream", input={})
        thread, run_id = ids_of(answer)
        assert talk.status(thread, run_id) == "success"
        assert talk.shown(thread)["values"]["trail"] == ["a", "b", "c"]
        assert talk.shown(thread)["status"] == "idle"
        assert talk.history(thread)[0]["next"] == []


# --- joining ---------------------------------------------------------------------------------------------------------


def test_a_run_that_waits_is_heard_whole(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "steps", input={"note": "j"}, after_seconds=1)["run_id"]
    told = talk.joined(thread, run_id)
    assert [event.event for event in told] == ["metadata"] + ["values"] * 4
    assert told[-1].data == {"trail": ["a", "b", "c"], "note": "j"}


def test_a_run_joined_as_soon_as_it_is_made_is_heard_whole(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "steps", input={"note": "j"})["run_id"]
    assert [event.event for event in talk.joined(thread, run_id)] == ["metadata"] + ["values"] * 4


def test_a_joined_stream_has_the_headers_of_the_first(talk: Talk, resumable: httpx.Response) -> None:
    again = talk.http.get(resumable.headers["location"])
    for name in ("location", "content-location", "content-type", "cache-control", "x-accel-buffering"):
        assert again.headers[name] == resumable.headers[name]


def test_a_run_joined_late_is_heard_from_there_on(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "works", input={"ticks": 250}, stream_mode=["custom", "values"])["run_id"]
    talk.has_begun(thread, run_id)
    until(lambda: len(talk.runs(thread)) == 1, 1)
    with talk.http.stream("GET", f"/threads/{thread}/runs/{run_id}/stream") as answer:
        early = [line for line, _ in zip(answer.iter_lines(), range(200), strict=False) if line.startswith("data")]
    assert early
    late = talk.joined(thread, run_id)
    ticks = [event.data["tick"] for event in late if event.event == "custom"]
    assert ticks == list(range(ticks[0], 250))
    assert late[-1].data["trail"] == ["start", "work", "stop"]


@pytest.mark.parametrize("last", [None, "", "bad"])
def test_a_run_that_is_over_says_nothing_more(talk: Talk, resumable: httpx.Response, last: str | None) -> None:
    assert talk.joined(*ids_of(resumable), last) == []


def test_minus_one_gives_everything_again(talk: Talk, resumable: httpx.Response) -> None:
    assert talk.joined(*ids_of(resumable), "-1") == said(resumable.text)


SHARED = pytest.mark.ours_only("events of one millisecond share an id there, and are lost when it is resumed")


@pytest.mark.parametrize("place", [pytest.param(1, marks=SHARED), pytest.param(-2, marks=SHARED), 5, 6])
def test_an_id_gives_what_came_after_it(talk: Talk, resumable: httpx.Response, place: int) -> None:
    told = said(resumable.text)
    assert talk.joined(*ids_of(resumable), told[place].id) == told[place:][1:]


def test_the_last_id_gives_nothing_more(talk: Talk, resumable: httpx.Response) -> None:
    assert talk.joined(*ids_of(resumable), said(resumable.text)[-1].id) == []


def test_what_is_not_resumable_is_not_told_again(talk: Talk, streamed: httpx.Response) -> None:
    assert talk.joined(*ids_of(streamed), "-1") == []


@pytest.mark.parametrize("mode", ["values", "updates", "custom"])
def test_one_mode_alone_can_be_joined(talk: Talk, resumable: httpx.Response, mode: str) -> None:
    told = talk.joined(*ids_of(resumable), "-1", stream_mode=mode)
    assert told == [event for event in said(resumable.text) if event.event == mode]


def test_a_mode_that_the_run_has_not_is_silent(talk: Talk, resumable: httpx.Response) -> None:
    assert talk.joined(*ids_of(resumable), "-1", stream_mode="debug") == []


@pytest.mark.ours_only("of several stream modes it hears the last one alone")
def test_several_modes_can_be_joined(talk: Talk, resumable: httpx.Response) -> None:
    told = talk.joined(*ids_of(resumable), "-1", stream_mode=["values", "custom"])
    assert told == [event for event in said(resumable.text) if event.event in ("values", "custom")]


def test_a_run_that_is_not_there_is_an_error_event(talk: Talk) -> None:
    told = talk.joined(talk.thread(), MISSING)
    assert told == [Said("error", {"error": "HTTPException", "message": "404: Run not found"})]


def test_many_hear_the_same(talk: Talk) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "works", input={"ticks": 50}, after_seconds=1, **RESUMABLE)["run_id"]
    with ThreadPoolExecutor(5) as readers:
        heard = list(readers.map(lambda _: talk.joined(thread, run_id), range(5)))
    assert len(heard[0]) == 58
    assert all(told == heard[0] for told in heard)


def test_a_slow_reader_does_not_slow_the_run(talk: Talk) -> None:
    thread = talk.thread()
    body = {"assistant_id": "works", "input": {"ticks": 100}, "stream_mode": "custom"}
    with talk.http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert talk.has_ended(thread, ids_of(answer)[1]) == "success"
        assert sum(line.startswith('data: {"tick"') for line in lines) == 100


def test_a_stream_cut_by_its_client_can_be_heard_on_without_gap(talk: Talk) -> None:
    thread = talk.thread()
    body = {"assistant_id": "works", "input": {"ticks": 60}, **RESUMABLE}
    first: list[Said] = []
    with talk.http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        run_id, text = ids_of(answer)[1], ""
        for piece in answer.iter_text():
            text += piece
            if text.count("\r\n\r\n") >= 20:
                break
    first = said(text.rpartition("\r\n\r\n")[0])
    rest = talk.joined(thread, run_id, first[-1].id)
    ticks = [event.data["tick"] for event in first + rest if event.event == "custom"]
    assert ticks == list(range(60))


# --- clients that leave ----------------------------------------------------------------------------------------------


def _leave(talk: Talk, thread: str, how: str, **body: Any) -> str:
    """Listen to a long run until it has begun, then leave; gives the run's id."""
    body |= {"assistant_id": "works", "input": {"seconds": 3}}
    with talk.http.stream("POST", f"/threads/{thread}/runs/{how}", json=body) as answer:
        run_id = ids_of(answer)[1]
        talk.has_begun(thread, run_id)
    return run_id


@pytest.mark.parametrize("how", ["stream", "wait"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, "success"),
        ({"on_disconnect": "continue"}, "success"),
        ({"on_disconnect": "cancel"}, "interrupted"),
        ({"on_disconnect": "cancel", "stream_resumable": True}, "interrupted"),
    ],
)
def test_a_client_that_leaves(talk: Talk, how: str, body: dict[str, Any], status: str) -> None:
    thread = talk.thread()
    assert talk.has_ended(thread, _leave(talk, thread, how, **body)) == status


@pytest.mark.parametrize("how", ["stream", "join"])
@pytest.mark.parametrize(("query", "status"), [("?cancel_on_disconnect=true", "interrupted"), ("", "success")])
def test_one_who_joined_leaves(talk: Talk, how: str, query: str, status: str) -> None:
    thread = talk.thread()
    run_id = talk.start(thread, "works", input={"seconds": 3})["run_id"]
    with talk.http.stream("GET", f"/threads/{thread}/runs/{run_id}/{how}{query}"):
        talk.has_begun(thread, run_id)
    assert talk.has_ended(thread, run_id) == status


def test_leaving_after_the_end_cancels_nothing(talk: Talk) -> None:
    answer = talk.ask(talk.thread(), "steps", "/stream", input={}, on_disconnect="cancel")
    assert talk.status(*ids_of(answer)) == "success"


# --- keeping alive ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet(talk: Talk) -> tuple[bytes, bytes]:
    """What a stream and a waiting client get from a run that says nothing for seven seconds."""
    thread = talk.thread()
    run_id = talk.start(thread, "works", input={"seconds": 7}, after_seconds=0.5)["run_id"]
    with ThreadPoolExecutor(2) as readers:
        heard = readers.submit(talk.http.get, f"/threads/{thread}/runs/{run_id}/stream")
        waited = readers.submit(talk.http.get, f"/threads/{thread}/runs/{run_id}/join")
        return heard.result().content, waited.result().content


def test_a_quiet_stream_has_a_heartbeat(quiet: tuple[bytes, bytes]) -> None:
    assert quiet[0].count(b": heartbeat\r\n\r\n") == 1


def test_a_heartbeat_comes_between_events(quiet: tuple[bytes, bytes]) -> None:
    before, _, after = quiet[0].partition(b": heartbeat\r\n\r\n")
    assert before.endswith(b'{"trail":["start"],"seconds":7}\r\n\r\n')
    assert after.startswith(b'event: values\r\ndata: {"trail":["start","work"]')


def test_a_waiting_client_gets_a_line_end(quiet: tuple[bytes, bytes]) -> None:
    assert quiet[1] == b'\n{"trail":["start","work","stop"],"seconds":7}'


# --- a thread's stream -----------------------------------------------------------------------------------------------


def _heard_on_thread(talk: Talk, query: str, wanted: int, **headers: str) -> tuple[httpx.Response, list[Said]]:
    """What a listener to a thread hears of two runs, one after the other: `wanted` events."""
    thread = talk.thread()
    with talk.http.stream("GET", f"/threads/{thread}/stream{query}", headers=headers) as answer:
        with ThreadPoolExecutor(1) as other:
            done = other.submit(lambda: [talk.wait(thread, "steps", input={"note": "n"}) for _ in range(2)])
            text = ""
            for piece in answer.iter_text():
                text += piece
                if len(said(text.rpartition("\r\n\r\n")[0])) >= wanted:
                    break
            done.result()
        return answer, said(text)


@pytest.fixture(scope="module")
def heard_on_thread(talk: Talk) -> tuple[httpx.Response, list[Said]]:
    return _heard_on_thread(talk, "", 12)


def test_a_threads_stream_tells_its_runs_one_after_the_other(
    heard_on_thread: tuple[httpx.Response, list[Said]],
) -> None:
    told = [event.event for event in heard_on_thread[1]]
    assert told == (["metadata"] + ["values"] * 4 + ["metadata"] + ["values"] * 4 + ["metadata"])[
        : len(told)
    ] or told == [
        "metadata",
        *["values"] * 4,
        "metadata",
        "metadata",
        *["values"] * 4,
        "metadata",
    ]
    assert len(told) == 12


def test_a_threads_stream_tells_when_a_run_is_done(heard_on_thread: tuple[httpx.Response, list[Said]]) -> None:
    told = heard_on_thread[1]
    runs = [event.data["run_id"] for event in told if event.event == "metadata" and "attempt" in event.data]
    done = [event.data for event in told if event.event == "metadata" and "status" in event.data]
    assert done == [{"status": "run_done", "run_id": run_id} for run_id in runs]


def test_events_of_a_threads_stream_have_ids(heard_on_thread: tuple[httpx.Response, list[Said]]) -> None:
    ids = [event.id for event in heard_on_thread[1]]
    assert all(re.fullmatch(r"\d+-\d+", each) for each in ids)
    assert len(set(ids)) == 12


def test_a_threads_stream_has_these_headers(heard_on_thread: tuple[httpx.Response, list[Said]]) -> None:
    headers = heard_on_thread[0].headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert "location" not in headers


def test_a_threads_stream_can_tell_starts_and_ends_alone(talk: Talk) -> None:
    _, told = _heard_on_thread(talk, "?stream_modes=lifecycle", 4)
    assert [event.event for event in told] == ["metadata"] * 4
    assert ["status" in event.data for event in told] == [False, True, False, True]


@pytest.mark.parametrize("last", ["-1", "nonsense"])
def test_a_threads_stream_refuses_an_id_that_is_none(talk: Talk, last: str) -> None:
    answer = talk.http.get(f"/threads/{talk.thread()}/stream", headers={"Last-Event-ID": last})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "Invalid last-event-id: must be a valid Redis stream ID"}


@pytest.mark.ours_only("it keeps such a stream open for ever")
def test_a_stream_of_no_thread_is_404(talk: Talk) -> None:
    answer = talk.http.get(f"/threads/{MISSING}/stream")
    assert (answer.status_code, answer.json()) == (404, {"detail": f"Thread with ID {MISSING} not found"})


# --- stateless -------------------------------------------------------------------------------------------------------


@pytest.mark.ours_only("a stateless run cannot be joined by its id there")
def test_a_stateless_stream_is_heard_again_by_its_location(talk: Talk) -> None:
    answer = talk.ask(None, "works", "/stream", input={"ticks": 3}, **RESUMABLE)
    again = talk.http.get(answer.headers["location"], headers={"Last-Event-ID": "-1"})
    assert said(again.text) == said(answer.text)


@pytest.mark.ours_only("a stateless run cannot be joined by its id there")
@pytest.mark.parametrize("how", ["stream", "join"])
def test_no_run_is_404_without_a_thread(talk: Talk, how: str) -> None:
    answer = talk.http.get(f"/runs/{MISSING}/{how}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(("kept", "told"), [("delete", False), ("keep", True)])
def test_a_run_whose_thread_goes_with_it_tells_no_checkpoints(talk: Talk, kept: str, told: bool) -> None:
    events = talk.stream(None, "steps", input={}, on_completion=kept, stream_mode=["checkpoints", "debug", "tasks"])
    assert ("checkpoints" in {event.event for event in events}) is told
    assert ("checkpoint" in {event.data.get("type") for event in events if event.event == "debug"}) is told


# --- through the SDK -------------------------------------------------------------------------------------------------


async def test_the_client_streams(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    parts = [part async for part in client.runs.stream(thread["thread_id"], "steps", input={}, stream_mode="updates")]
    assert [part.event for part in parts] == ["metadata", "updates", "updates", "updates"]
    assert parts[1].data == {"a": {"trail": ["a"]}}


def test_the_sync_client_streams(sync_client: SyncLangGraphClient) -> None:
    thread = sync_client.threads.create()
    parts = list(
        sync_client.runs.stream(thread["thread_id"], "steps", input={"note": "n"}, stream_mode=["values", "updates"])
    )
    assert [part.event for part in parts] == ["metadata", "values", *["updates", "values"] * 3]


async def test_the_client_streams_without_a_thread(client: LangGraphClient) -> None:
    parts = [part async for part in client.runs.stream(None, "steps", input={"note": "n"})]
    assert parts[-1].data == {"trail": ["a", "b", "c"], "note": "n"}


async def test_the_client_joins_a_stream(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    run = await client.runs.create(thread["thread_id"], "steps", input={"note": "n"}, stream_mode=["values", "updates"])
    parts = [part async for part in client.runs.join_stream(thread["thread_id"], run["run_id"])]
    assert [part.event for part in parts] == ["metadata", "values", *["updates", "values"] * 3]


async def test_the_client_hears_a_run_again(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    parts = [part async for part in client.runs.stream(thread, "steps", input={}, stream_resumable=True)]
    run_id = parts[0].data["run_id"]
    again = [part async for part in client.runs.join_stream(thread, run_id, last_event_id="-1")]
    assert [(part.event, part.data) for part in again] == [(part.event, part.data) for part in parts]
    rest = [part async for part in client.runs.join_stream(thread, run_id, last_event_id=parts[2].id)]
    assert [part.data for part in rest] == [part.data for part in parts[3:]]


async def test_the_client_hears_tokens(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    message: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
    stream = client.runs.stream(thread, "tokens", input=message, stream_mode="messages-tuple")
    parts = [part async for part in stream if part.event == "messages"]
    assert "".join(part.data[0]["content"] for part in parts) == " ".join(f"w{n}" for n in range(100))


async def test_the_client_streams_a_thread(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "steps", input={"note": "n"}, after_seconds=1)
    heard: list[str] = []
    async for part in await client.threads.join_stream(thread):
        heard.append(part.event)
        if isinstance(part.data, dict) and part.data.get("status") == "run_done":
            assert part.data["run_id"] == run["run_id"]
            break
    assert heard == ["metadata", *["values"] * 4, "metadata"]
