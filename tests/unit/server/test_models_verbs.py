"""`lab models`: what its verbs decide, without a process, a server or a model."""

from __future__ import annotations

import pytest
from rich.console import Console

from llm.added import ADDABLE
from server.cli.models.bench import read_plan
from server.cli.models.client import error_of, read_events
from server.cli.models.fit import Machine, fit_cards, read_machine
from server.cli.models.listing import GIVEN_UP, human_count, make_table
from server.cli.models.measure import Plan
from server.cli.models.options import read_body, read_strategy
from server.wire.models import LoadRequest, ModelInfo, NewModel
from state.errors import BadRequest, Broken, Conflict, ContextOverflow, LabError, NotFound, TimedOut, Unavailable
from state.models import ModelCard

GB = 1_000_000_000


def test_the_api_takes_what_a_request_may_say_of_a_model_and_no_more() -> None:
    assert set(NewModel.model_fields) | {"name"} == ADDABLE
    assert set(NewModel.model_fields) < set(ModelCard.model_fields)


def test_a_new_model_has_the_defaults_of_a_card() -> None:
    said = {"repo": "a/b", "revision": "0" * 40, "context_length": 10, "parameters": 10}
    assert ModelCard(name="x", **NewModel(**said).model_dump()) == ModelCard(name="x", **said)


@pytest.mark.parametrize(
    ("option", "text", "device", "budget"),
    [
        ("--ram", "8GB", "cpu", 4_800_000_000),
        ("--ram", "8", "cpu", 4_800_000_000),
        ("--vram", "500MB", "cuda", 450_000_000),
        ("--vram", "1GiB", "cuda", int(2**30 * 0.9)),
    ],
)
def test_a_machine_leaves_a_share_of_its_memory_to_the_rest(option: str, text: str, device: str, budget: int) -> None:
    machine = read_machine(option, text)
    assert (machine.device, machine.budget_bytes) == (device, budget)


@pytest.mark.parametrize("text", ["", "lots", "-8GB", "0", "nan", "inf", "1e400"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=r"--vram: .* is not a size"):
        read_machine("--vram", text)


def test_a_gpu_takes_half_the_bytes_a_weight_of_a_cpu() -> None:
    cards = [
        ModelCard(name="seven", path="x", context_length=10, parameters=7 * GB, embedding_parameters=GB // 2),
        ModelCard(name="far", provider="openai", model_id="far", context_length=10),
    ]
    (cpu,) = fit_cards(cards, Machine("", "cpu", 16 * GB))
    (gpu,) = fit_cards(cards, Machine("", "cuda", 16 * GB))
    assert cpu.bytes_needed["standard"] == 2 * gpu.bytes_needed["standard"] == 28 * GB
    assert cpu.fits == ["optimized", "streaming"] and gpu.fits == ["standard", "optimized", "streaming"]
    assert 4 * GB < gpu.bytes_needed["optimized"] < 6 * GB


def test_a_plan_is_read_from_the_options() -> None:
    assert read_plan("1, 4,16", 64, 32, 3) == Plan((1, 4, 16), 64, 32, 3)


@pytest.mark.parametrize(
    ("callers", "tokens", "prompt_tokens", "rounds", "said"),
    [
        ("", 1, 1, 1, "--callers"),
        ("1,,2", 1, 1, 1, "--callers"),
        ("0", 1, 1, 1, "1 to 64"),
        ("65", 1, 1, 1, "1 to 64"),
        ("1", 0, 1, 1, "--tokens"),
        ("1", 1, 0, 1, "--prompt-tokens"),
        ("1", 1, 1, -1, "--rounds"),
    ],
)
def test_a_bad_plan_names_its_option(callers: str, tokens: int, prompt_tokens: int, rounds: int, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        read_plan(callers, tokens, prompt_tokens, rounds)


@pytest.mark.parametrize("kind", [BadRequest, NotFound, Conflict, ContextOverflow, Unavailable, TimedOut, Broken])
def test_an_error_of_the_server_is_the_same_error_here(kind: type[LabError]) -> None:
    error = error_of(kind.status, "what was wrong")
    assert type(error) is kind and "what was wrong" in str(error)


def test_events_are_read_past_comments_and_ids() -> None:
    lines = [": ping - 1", "", "id: 1", "event: progress", 'data: {"done_bytes": 1}', "", "event: result", "data: {}"]
    assert list(read_events(iter(lines))) == [("progress", {"done_bytes": 1}), ("result", {})]


def test_options_are_told_by_their_own_names_and_left_out_when_not_given() -> None:
    assert read_body(LoadRequest, {}, strategy="streaming", pin=None, keep_alive=None) == {"strategy": "streaming"}
    with pytest.raises(BadRequest, match=r"^--keep-alive: .*greater"):
        read_body(LoadRequest, {"keep_alive": "--keep-alive"}, keep_alive=-2)
    with pytest.raises(BadRequest, match="standard, optimized, streaming"):
        read_strategy("fast")


@pytest.mark.parametrize(("count", "text"), [(0, ""), (999_000_000, "999 M"), (7_615_616_512, "7.6 B")])
def test_numbers_of_weights_are_short(count: int, text: str) -> None:
    assert human_count(count) == text


@pytest.mark.parametrize(("width", "missing"), [(200, []), (90, ["can"]), (60, ["can", "context"]), (5, GIVEN_UP)])
def test_a_narrow_terminal_goes_without_columns_and_cuts_no_name(width: int, missing: list[str]) -> None:
    sizes = {"standard": 2**34, "optimized": 2**32, "streaming": 2**31}
    card = {"name": "qwen2.5-coder-1.5b", "path": "x", "context_length": 32768, "parameters": 1_500_000_000}
    state = {"here": True, "remote": False, "added": False, "loaded": ["standard"], "residents": [], "fits": []}
    info = ModelInfo(**card, **state, bytes_needed=sizes, kv_bytes_per_token=0)
    table = make_table([info], Console(width=width), server=True)
    shown = {column.header for column in table.columns}
    assert set(missing) <= set(GIVEN_UP) - shown
    assert {"model", "standard", "optimized", "files", "loaded"} <= shown
    assert missing or shown >= set(GIVEN_UP)
