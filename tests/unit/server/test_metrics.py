"""Figures as JSON and as text; names are bounded; the user's routes and ours described together."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fastapi import FastAPI
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from server.application.mounted import merged
from server.db.telemetry import InFlight, Standing
from server.messages.figures import MOST_AGENTS, OTHERS, Figures
from server.openapi import Described
from server.telemetry.cpu import CpuShare
from server.telemetry.exposition import exposition
from server.telemetry.figures import executions, seed_metrics, short_form
from server.telemetry.meters import Telemetry, new_telemetry
from server.telemetry.names import Names, Pairs
from server.telemetry.readings import Disk, Machine, Process, Readings, Stored
from server.telemetry.requests import Counting, Requests
from server.telemetry.scraping import slots_of
from server.wire.preferences import preferred
from state.resources import Reading, Resident

MACHINE = Machine(
    models=Reading(
        device="cuda",
        ram_total_bytes=100,
        ram_free_bytes=40,
        vram_total_bytes=3_000_000_000,
        vram_free_bytes=1_000_000_000,
        budget_bytes=50,
        hits=3,
        loads=1,
        load_sec=0.5,
        resident=(Resident(name="demo", strategy="standard", size_bytes=7, leases=2, last_used=0.0, kv_bytes=5),),
    ),
    disk=Disk(total=10, free=5),
    process=Process(resident=1, virtual=2, cpu_seconds=3.0, started_at=4.0, threads=5, open_files=6),
    cpus=2,
    load=(0.5, 0.4, 0.3),
)
STORED = Stored(
    in_flight=InFlight(running=2, pending=3, delayed=1, claimable=2, longest=9.0, longest_claimable=8.0, median=4.0),
    workers=2,
    agents={"idle": 2, "offline": 1},
    waiting_messages={"b": 3},
    seconds=0.01,
    newest=(
        Standing("success", False, 3, 2.0, 0.5),
        Standing("success", True, 1, 9.0, 0.5),
        Standing("error", False, 1, 1.0, 1.5),
        Standing("running", False, 1, None, 0.5),
        Standing("pending", False, 1, None, None),
    ),
)


def _telemetry() -> Telemetry:
    telemetry = new_telemetry()
    telemetry.requests.add("GET", "/a/{id}", 200, 5.0)
    telemetry.requests.add("GET", "/a/{id}", 200, 50.0)
    telemetry.requests.add("GET", "/a/{id}", 404, 5_000_000.0)
    return telemetry


def _lines(telemetry: Telemetry, stored: Stored | None = STORED) -> list[str]:
    told = exposition(telemetry, Readings(MACHINE, stored, {"pool_size": 3}), _messages(), slots_of(1, 2))
    return told.decode().splitlines()


def test_requests_are_counted_by_route_and_status() -> None:
    told = short_form(_telemetry().requests, STORED.in_flight, slots_of(1, 2))
    assert told["api"]["http_requests_total"] == [
        {"method": "GET", "path": "/a/{id}", "status": 200, "count": 2},
        {"method": "GET", "path": "/a/{id}", "status": 404, "count": 1},
    ]
    assert told["queue"] == {
        "n_pending": 4,
        "pending_runs_wait_time_max_secs": 9.0,
        "pending_runs_wait_time_med_secs": 4.0,
        "pending_unblocked_runs_wait_time_max_secs": 8.0,
        "n_running": 2,
    }
    assert told["workers"] == {"max": 100, "active": 2, "available": 98}


def test_more_runs_than_our_slots_are_at_work_elsewhere() -> None:
    slots = slots_of(1, 150)
    assert (slots.most, slots.active) == (100, 100)


def test_a_word_that_is_no_method_is_counted_as_another() -> None:
    requests = Requests()
    for number in range(50):
        requests.add(f"WORD{number}", "", 405, 1.0)
    assert requests.answered == {("OTHER", "", 405): 50}


def test_the_histogram_adds_up() -> None:
    lines = _lines(_telemetry())
    labels = 'method="GET",path="/a/{id}"'
    assert f'lg_api_http_requests_latency_bucket{{le="10.0",{labels}}} 1.0' in lines
    assert f'lg_api_http_requests_latency_bucket{{le="100.0",{labels}}} 2.0' in lines
    assert f'lg_api_http_requests_latency_bucket{{le="+Inf",{labels}}} 3.0' in lines
    assert f"lg_api_http_requests_latency_count{{{labels}}} 3.0" in lines
    assert f"lg_api_http_requests_latency_sum{{{labels}}} 5.000055e+06" in lines


def _messages() -> Figures:
    figures = Figures()
    figures.count(figures.sent, "a")
    for seconds in (-1.0, 0.0005, 0.002, 1_000.0):
        figures.deliver("b", seconds)
    return figures


def test_messages_are_counted_by_agent_and_by_the_time_they_took() -> None:
    lines = _lines(new_telemetry())
    assert 'lab_messages_sent_total{agent="a"} 1.0' in lines
    assert 'lab_messages_received_total{agent="b"} 4.0' in lines
    assert 'lab_messages_waiting{agent="b"} 3.0' in lines
    for bound, count in (("0.0005", 2), ("0.001", 2), ("0.0025", 3), ("600.0", 3), ("+Inf", 4)):
        assert f'lab_messages_delivery_seconds_bucket{{le="{bound}"}} {count}.0' in lines
    assert "lab_messages_delivery_seconds_count 4.0" in lines
    assert "lab_messages_delivery_seconds_sum 1000.0025" in lines


def test_without_the_database_the_rest_is_told() -> None:
    told, without = _lines(_telemetry()), _lines(_telemetry(), stored=None)
    assert "lab_database_up 1.0" in told
    assert "lab_database_up 0.0" in without
    assert 'lab_runs{state="running"} 2.0' in told
    assert not any(line.startswith(("lab_runs{", "lab_agents", "lg_api_num")) for line in without)
    assert 'lab_model_bytes{model="demo",part="kv",strategy="standard"} 5.0' in without
    body = seed_metrics(_telemetry(), Readings(MACHINE, None), _messages())
    assert (body.database.up, body.executions, body.agents) == (False, None, None)


def test_figures_as_json_have_the_names_of_the_seed() -> None:
    body = seed_metrics(_telemetry(), Readings(MACHINE, STORED), _messages())
    assert body.system.gpu_memory_used_gb == 2.0
    assert body.system.memory.percent == 60.0
    assert (body.cache.hits, body.cache.misses, body.cache.hit_rate, body.cache.load_time_sec) == (3, 1, 0.75, 0.5)
    assert [(one.model_name, one.strategy, one.leases) for one in body.cache.resident] == [("demo", "standard", 2)]
    assert body.requests.total == 3
    assert body.agents is not None and body.agents.total == 3
    assert body.messages.received == 4


def test_executions_are_those_of_the_newest_by_how_they_stand() -> None:
    told = executions(STORED.newest, STORED.in_flight)
    assert {status: count for status, count in told.by_status.items() if count} == {
        "COMPLETED": 3, "INTERRUPTED": 1, "FAILED": 1, "RUNNING": 1, "PENDING": 1,
    }  # fmt: skip
    assert (told.total, told.active, told.success_rate) == (7, 2, 0.75)
    assert told.mean_seconds == 2.0
    assert told.mean_wait_seconds == pytest.approx((3 * 0.5 + 0.5 + 1.5 + 0.5) / 6, abs=1e-6)
    assert executions((), InFlight()).success_rate is None


def test_names_are_counted_up_to_a_limit() -> None:
    figures = Figures()
    for number in range(MOST_AGENTS + 5):
        figures.count(figures.sent, str(number))
    figures.count(figures.sent, "0")
    assert len(figures.sent) == MOST_AGENTS + 1
    assert (figures.sent["0"], figures.sent[OTHERS]) == (2, 5)


def test_the_first_names_are_labels_and_all_others_one() -> None:
    names = Names(2)
    assert [names(name) for name in ("a", "b" * 500, "c", "a")] == ["a", "b" * 100, OTHERS, "a"]
    assert Names(1)("\ud800") == "?"


def test_a_graph_with_many_nodes_leaves_room_for_others() -> None:
    pairs = Pairs(4, 2)
    assert [pairs("flow", name) for name in ("a", "b", "c", "a")] == ["a", "b", OTHERS, "a"]
    assert [pairs("own", name) for name in ("c", "d")] == ["c", "d"]
    assert pairs("third", "a") == OTHERS


def test_whatever_users_call_things_a_scrape_is_bounded_and_readable() -> None:
    telemetry = new_telemetry()
    for number in range(1_000):
        run = telemetry.runs.begin(f'graph {number} \n"\\\ud800', attempt=1, waited_sec=0.0)
        run.task({"id": "1", "name": f"node {number}", "input": {}})
        run.task({"id": "1", "name": f"node {number}", "error": None, "result": {}, "interrupts": []})
        run.end("success")
        telemetry.models.failed(f"model {number}", f"strategy {number}", "failed")
        telemetry.agents.ended(f"agent {number}", "completed", 0.1)
    lines = _lines(telemetry)
    assert len(lines) < 6_000
    families = {family.name: family for family in text_string_to_metric_families("\n".join(lines))}
    ended = {sample.labels["graph"]: sample.value for sample in families["lab_runs_ended"].samples}
    assert len(ended) == 51 and ended[OTHERS] == 950
    assert {sample.labels["strategy"] for sample in families["lab_model_calls"].samples} == {"other"}


def test_a_run_counts_its_nodes_scores_and_end() -> None:
    telemetry = new_telemetry()

    class Verdict:
        score, passed = 0.75, True

    run = telemetry.runs.begin("orchestrator", attempt=1, waited_sec=2.0)
    for name, end in (
        ("judged", {"error": None, "interrupts": [], "result": {"verdicts": [Verdict()]}}),
        ("asked", {"error": None, "interrupts": [{"id": "1", "value": "?"}], "result": {}}),
        ("broken", {"error": ValueError("no"), "interrupts": [], "result": {}}),
        ("late", None),
    ):
        run.task({"id": name, "name": name, "input": {}})
        if end is not None:
            run.task({"id": name, "name": name, **end})
    run.task({"id": "judged", "name": "judged", "error": None, "interrupts": [], "result": {}})  # told again
    run.end("success")
    telemetry.runs.begin("orchestrator", attempt=2, waited_sec=9.0).end(None)
    told = telemetry.registry.get_sample_value
    for node, outcome in (("judged", "completed"), ("asked", "interrupted"), ("broken", "failed"), ("late", "cut")):
        labels = {"graph": "orchestrator", "node": node, "outcome": outcome}
        assert told("lab_node_seconds_count", labels) == 1.0, node
    assert told("lab_validator_score_sum", {"graph": "orchestrator", "passed": "true"}) == 0.75
    assert told("lab_runs_ended_total", {"graph": "orchestrator", "status": "success"}) == 1.0
    assert (told("lab_run_queue_wait_seconds_count"), told("lab_run_queue_wait_seconds_sum")) == (1.0, 2.0)
    assert told("lab_run_takeovers_total") == 1.0


OURS = {
    "model_name": "demo",
    "strategy": "standard",
    "inference_time_sec": 0.5,
    "time_to_first_token_sec": 0.1,
    "prompt_tokens": 10,
    "prompt_tokens_reused": 4,
    "tokens_generated": 3,
}
THEIRS = AIMessage(
    "hello", usage_metadata={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}, response_metadata={}
)


@pytest.mark.parametrize(
    ("message", "model", "strategy", "outcome", "tokens", "seconds"),
    [
        (AIMessage("hello", response_metadata=OURS), "demo", "standard", "completed", (10, 4, 3), 0.5),
        (THEIRS, "theirs", "other", "completed", (5, 0, 2), 2.0),
        (AIMessage("hello", response_metadata={"prompt_tokens": "many", "inference_time_sec": float("nan")}),
         "theirs", "other", "completed", (0, 0, 0), 0.0),
    ],
    ids=["ours", "an application's own", "nonsense"],
)  # fmt: skip
def test_a_model_call_is_told_as_its_answer_says_it(
    message: AIMessage, model: str, strategy: str, outcome: str, tokens: tuple[int, int, int], seconds: float
) -> None:
    telemetry, call = new_telemetry(), uuid4()
    clock = iter((1.0, 2.0, 3.0))
    watch = type(telemetry.models.watch())(telemetry.models, lambda: next(clock))
    watch.on_chat_model_start({}, [], run_id=call, metadata={"ls_model_name": "theirs"})
    watch.on_llm_new_token("hel", run_id=call)
    watch.on_llm_new_token("lo", run_id=call)
    watch.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=call)
    watch.on_llm_end(LLMResult(generations=[[]]), run_id=call)  # nobody's
    told = telemetry.registry.get_sample_value
    labels = {"model": model, "strategy": strategy}
    assert told("lab_model_calls_total", {**labels, "outcome": outcome}) == 1.0
    assert told("lab_model_inference_seconds_sum", labels) == seconds
    for kind, count in zip(("prompt", "reused", "generated"), tokens, strict=True):
        assert told("lab_model_tokens_total", {"model": model, "kind": kind}) == count, kind
    first = told("lab_model_first_token_seconds_sum", {"model": model})
    assert first == {"ours": 0.1}.get("ours" if model == "demo" else "", None if seconds == 0.0 else 1.0)


def test_a_remembered_answer_costs_nothing_and_a_failed_call_is_told() -> None:
    telemetry = new_telemetry()
    watch = telemetry.models.watch()
    remembered, failed, left = uuid4(), uuid4(), uuid4()
    for call in (remembered, failed, left):
        watch.on_chat_model_start({}, [], run_id=call, metadata={"ls_model_name": "demo"})
    message = AIMessage("hello", response_metadata={**OURS, "response_cache": True})
    watch.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=remembered)
    watch.on_llm_error(ValueError("no"), run_id=failed)
    watch.on_llm_error(GeneratorExit(), run_id=left)
    told = telemetry.registry.get_sample_value
    assert told("lab_model_calls_total", {"model": "demo", "strategy": "standard", "outcome": "remembered"}) == 1.0
    for outcome in ("failed", "cancelled"):
        assert told("lab_model_calls_total", {"model": "demo", "strategy": "other", "outcome": outcome}) == 1.0
    assert telemetry.models.totals.generated_tokens == 0


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("INSERT INTO checkpoint_writes (thread_id) VALUES (%s)", "checkpoints"),
        (b"INSERT INTO run_events (run_id) VALUES (%s)", "events"),
        ("SELECT 1", "other"),
        (["no", "statement"], "other"),
    ],
    ids=["checkpoints", "events", "other", "odd"],
)
def test_a_statement_is_told_by_what_it_is_about(statement: object, part: str) -> None:
    telemetry = new_telemetry()
    telemetry.database(["BEGIN", statement], 0.01, True)
    assert telemetry.registry.get_sample_value("lab_database_seconds_count", {"part": part}) == 1.0
    assert telemetry.registry.get_sample_value("lab_database_errors_total", {"part": part}) == 1.0


def test_processors_are_as_busy_as_they_were_since_the_last_look() -> None:
    times = iter(((0.0, 0.0), (1.0, 4.0), (1.0, 4.0), (5.0, 8.0)))
    share = CpuShare(lambda: next(times))
    assert [share.percent() for _ in range(3)] == [25.0, 0.0, 100.0]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/plain, application/json", "text/plain"),
        ("text/plain;q=0.5, application/json;q=0.9", "application/json"),
        ("application/json;q=0", "text/plain"),
        ("application/json;q=nonsense", "application/json"),
        ("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain"),
        (";;,,=;q=", "text/plain"),
    ],
)
def test_the_form_is_the_one_that_a_client_names_first(accept: str, form: str) -> None:
    assert preferred(accept, ("text/plain", "application/json")) == form


@pytest.mark.parametrize(("share", "bound"), [(0.0, 0.0005), (0.5, 0.0005), (0.75, 0.0025), (1.0, float("inf"))])
def test_a_quantile_is_the_bound_below_which_that_share_lies(share: float, bound: float) -> None:
    assert _messages().quantile(share) == bound
    assert Figures().quantile(share) is None


def test_every_name_is_declared_once_before_its_values() -> None:
    telemetry = _telemetry()
    telemetry.runs.begin("direct", attempt=1, waited_sec=0.0).end("success")
    lines = _lines(telemetry)
    declared = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(declared) == len(set(declared))
    for line in lines:
        if not line.startswith("#"):
            name = line.split("{")[0].split()[0]
            assert any(name in (one, f"{one}_bucket", f"{one}_count", f"{one}_sum") for one in declared), line
            assert not name.endswith("_created"), line


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
