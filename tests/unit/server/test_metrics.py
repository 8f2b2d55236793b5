"""Figures as JSON and as text; the user's routes and ours described together."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from server.application.mounted import merged
from server.messages.figures import MOST_AGENTS, OTHERS, Figures
from server.metrics import Counting, Gauges, Requests, as_json, as_prometheus
from server.openapi import Described


def _requests() -> Requests:
    requests = Requests()
    requests.add("GET", "/a/{id}", 200, 5.0)
    requests.add("GET", "/a/{id}", 200, 50.0)
    requests.add("GET", "/a/{id}", 404, 5_000_000.0)
    return requests


def test_requests_are_counted_by_route_and_status() -> None:
    told = as_json(Gauges(3, 2, 100, _requests()))
    assert told["api"]["http_requests_total"] == [
        {"method": "GET", "path": "/a/{id}", "status": 200, "count": 2},
        {"method": "GET", "path": "/a/{id}", "status": 404, "count": 1},
    ]
    assert (told["queue"]["n_pending"], told["queue"]["n_running"]) == (3, 2)
    assert told["workers"] == {"max": 100, "active": 2, "available": 98}


def test_more_runs_than_our_slots_are_at_work_elsewhere() -> None:
    assert as_json(Gauges(0, 150, 100, Requests()))["workers"] == {"max": 100, "active": 100, "available": 0}


def test_the_histogram_adds_up() -> None:
    lines = as_prometheus(Gauges(0, 0, 0, _requests())).splitlines()
    labels = 'method="GET",path="/a/{id}"'
    assert f'lg_api_http_requests_latency_bucket{{{labels},le="10.0"}} 1.0' in lines
    assert f'lg_api_http_requests_latency_bucket{{{labels},le="100.0"}} 2.0' in lines
    assert f'lg_api_http_requests_latency_bucket{{{labels},le="+Inf"}} 3.0' in lines
    assert f"lg_api_http_requests_latency_count{{{labels}}} 3.0" in lines
    assert f"lg_api_http_requests_latency_sum{{{labels}}} 5000055.0" in lines


def _messages() -> Figures:
    figures = Figures()
    figures.count(figures.sent, "a")
    for seconds in (-1.0, 0.0005, 0.002, 1_000.0):
        figures.deliver("b", seconds)
    return figures


def test_messages_are_counted_by_agent_and_by_the_time_they_took() -> None:
    lines = as_prometheus(Gauges(0, 0, 0, Requests(), _messages(), {"b": 3})).splitlines()
    assert 'lab_messages_sent_total{agent="a"} 1.0' in lines
    assert 'lab_messages_received_total{agent="b"} 4.0' in lines
    assert 'lab_messages_waiting{agent="b"} 3.0' in lines
    for bound, count in (("0.0005", 2), ("0.001", 2), ("0.0025", 3), ("600.0", 3), ("+Inf", 4)):
        assert f'lab_messages_delivery_seconds_bucket{{le="{bound}"}} {count}.0' in lines
    assert "lab_messages_delivery_seconds_count 4.0" in lines
    assert "lab_messages_delivery_seconds_sum 1000.0025" in lines


def test_names_are_counted_up_to_a_limit() -> None:
    figures = Figures()
    for number in range(MOST_AGENTS + 5):
        figures.count(figures.sent, str(number))
    figures.count(figures.sent, "0")
    assert len(figures.sent) == MOST_AGENTS + 1
    assert (figures.sent["0"], figures.sent[OTHERS]) == (2, 5)


@pytest.mark.parametrize(("share", "bound"), [(0.0, 0.0005), (0.5, 0.0005), (0.75, 0.0025), (1.0, float("inf"))])
def test_a_quantile_is_the_bound_below_which_that_share_lies(share: float, bound: float) -> None:
    assert _messages().quantile(share) == bound
    assert Figures().quantile(share) is None


def test_every_name_is_declared_once_before_its_values() -> None:
    lines = as_prometheus(Gauges(1, 1, 1, _requests(), _messages(), {"b": 3})).splitlines()
    declared = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(declared) == len(set(declared))
    for line in lines:
        if not line.startswith("#"):
            name = line.split("{")[0].split()[0]
            assert any(name in (one, f"{one}_bucket", f"{one}_count", f"{one}_sum") for one in declared), line


async def test_a_request_that_fails_is_counted_as_500() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None: ...

    requests = Requests()
    with pytest.raises(RuntimeError):
        await Counting(failing, requests)({"type": "http", "method": "GET"}, receive, send)
    assert requests.answered == {("GET", "", 500): 1}


def test_the_description_has_both_and_what_monitoring_asks_stays_ours() -> None:
    ours, users = FastAPI(title="ours"), FastAPI(title="theirs")

    @ours.get("/ok", summary="ours")
    @ours.get("/threads")
    async def _ours() -> None: ...

    @users.get("/ok", summary="theirs")
    @users.get("/threads", summary="theirs")
    @users.get("/own")
    async def _users(number: int) -> None: ...

    together = merged(ours.openapi(), users.openapi())
    assert set(together["paths"]) == {"/ok", "/threads", "/own"}
    assert together["paths"]["/ok"]["get"]["summary"] == "ours"
    assert together["paths"]["/threads"]["get"]["summary"] == "theirs"
    assert together["info"]["title"] == "theirs"
    assert "HTTPValidationError" in together["components"]["schemas"]


def test_a_route_that_answers_head_as_well_is_described_once() -> None:
    app = Described()

    @app.api_route("/a/{number}", methods=["GET", "HEAD"])
    async def _both(number: int) -> None: ...

    (operations,) = app.openapi()["paths"].values()
    assert list(operations) == ["get"]
    assert operations["get"]["operationId"].endswith("_get")
