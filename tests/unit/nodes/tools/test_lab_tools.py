"""Tools that look at the lab itself: its memory, its history; how failures are told; which tools there are."""

from pathlib import Path

import pytest
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.store.base import IndexConfig
from langgraph.store.memory import InMemoryStore

from graphs.services import lab_tools
from llm.embeddings import HASHING_DIMS, HashingEmbeddings
from nodes.memory import Memory, remember, runs_of
from nodes.tools.cues import CALLED_FOR
from nodes.tools.failures import MAX_CHARS, tell_failure
from nodes.tools.history_search import history_search
from nodes.tools.lab_status import describe_reading, lab_status
from state.resources import Reading, Resident
from tests.fakes import FakeModels
from tests.unit.nodes.tools.calls import call


async def test_earlier_runs_are_found_by_meaning_and_told_in_lines() -> None:
    store = InMemoryStore(index=IndexConfig(embed=HashingEmbeddings(), dims=HASHING_DIMS))
    for key, request, answer in (
        ("1", "What is the capital\nof France?", "Paris"),
        ("2", "Reverse the word house", "esuoh"),
        ("3", "capital of Spain " * 100, ""),
    ):
        await remember(store, runs_of(None), key, Memory(request=request, answer=answer))
    told = await call([history_search()], "history_search", store, query="capital of France")
    lines = told.text.splitlines()
    assert lines[0].endswith(" What is the capital of France? -> Paris") and lines[0][:2] == "20"
    assert len(lines) == 3 and all(len(line) < 450 for line in lines)
    assert any(line.endswith("… -> (no answer)") for line in lines)


async def test_an_empty_history_and_none_at_all_are_told_apart() -> None:
    told = await call([history_search()], "history_search", InMemoryStore(), query="anything")
    assert (told.status, told.text) == ("success", "nothing found in earlier conversations")
    told = await call([history_search()], "history_search", query="anything")
    assert (told.status, told.text) == ("error", "Error: there is no history here: answer without it")
    told = await call([history_search()], "history_search", InMemoryStore(), query=" ")
    assert told.text == "Error: say what to look for, such as 'invoice of May'"


async def test_a_model_cannot_hand_in_its_own_store() -> None:
    told = await call([history_search()], "history_search", query="x", runtime={"store": "mine"})
    assert told.text == "Error: there is no history here: answer without it"


def test_the_status_tells_memory_models_and_who_waits() -> None:
    resident = Resident(
        name="demo", strategy="standard", size_bytes=4_000_000, kv_bytes=1_000_000, leases=2, last_used=0
    )
    reading = Reading(
        device="cuda",
        ram_total_bytes=16 * 2**30,
        ram_free_bytes=8 * 2**30,
        vram_total_bytes=80 * 2**30,
        vram_free_bytes=60 * 2**30,
        budget_bytes=70 * 2**30,
        resident=(resident, resident.model_copy(update={"name": "other", "leases": 0})),
        waiting=3,
    )
    assert describe_reading(reading).splitlines() == [
        "device: cuda, RAM 8.0 GiB free of 16.0 GiB, VRAM 60.0 GiB free of 80.0 GiB",
        "budget for models: 9.5 MiB used of 70.0 GiB",
        "loaded models: demo (standard, 4.8 MiB, in use by 2); other (standard, 4.8 MiB, idle)",
        "waiting callers: 3",
    ]


async def test_models_ask_for_the_status_without_arguments() -> None:
    told = await call([lab_status(FakeModels())], "lab_status")
    assert told.text.startswith("device: cpu, RAM 3.7 GiB free") and "loaded models: none" in told.text


def test_the_lab_has_the_tools_it_can_serve(tmp_path: Path) -> None:
    everything = [each.name for each in lab_tools(FakeModels(), tmp_path)]
    assert everything == list(CALLED_FOR)
    assert [each.name for each in lab_tools()] == everything[:6]


@pytest.mark.parametrize("each", lab_tools(FakeModels(), Path("unused")), ids=lambda each: each.name)
def test_every_tool_is_short_enough_for_a_small_window(each: BaseTool) -> None:
    assert 20 < len(each.description) <= 120 and "\n" not in each.description
    assert len(each.tool_call_schema.model_json_schema().get("properties", {})) <= 3  # type: ignore[union-attr]


@tool("chatty")
def chatty(text: str) -> str:
    """Fails at length."""
    raise ValueError(text) if text else ToolException("no\ntext")


async def test_a_failure_is_one_short_line() -> None:
    assert (await call([chatty], "chatty", text="")).text == "Error: no text"
    long = await call([chatty], "chatty", text="x\n" * 100_000)
    assert len(long.text) == MAX_CHARS and "\n" not in long.text and long.status == "error"
    missing = await call([chatty], "chatty")
    assert missing.text == "Error: chatty takes other arguments: text: Field required"
    assert tell_failure(ValueError("why")) == "Error: why"
