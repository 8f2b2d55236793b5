"""How the health of parts is judged, and that looking at one never takes longer than it may."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from server.db.telemetry import InFlight
from server.health import (
    Finding,
    Looked,
    Part,
    Status,
    judge_agents,
    judge_disk,
    judge_messages,
    judge_queue,
    judge_worker,
    look_at_all,
    overall,
)
from state.errors import NoDatabase

GB = 1_000_000_000


async def nothing() -> Finding:
    return Finding()


def looked(vital: Status, other: Status) -> list[Looked]:
    return [
        Looked(Part("v", nothing, vital=True), Finding(vital), 0.0),
        Looked(Part("o", nothing), Finding(other), 0.0),
    ]


@pytest.mark.parametrize(
    ("vital", "other", "told"),
    [
        ("ok", "ok", "ok"),
        ("ok", "degraded", "degraded"),
        ("ok", "down", "degraded"),
        ("degraded", "ok", "degraded"),
        ("down", "ok", "down"),
        ("down", "down", "down"),
    ],
)
def test_the_whole_is_down_only_where_a_vital_part_is(vital: Status, other: Status, told: Status) -> None:
    assert overall(looked(vital, other)) == told


async def test_parts_are_looked_at_all_at_once_and_each_within_its_bound() -> None:
    both = asyncio.Barrier(2)

    async def meets() -> Finding:
        await both.wait()
        return Finding(figures={"n": 1})

    async def hangs() -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    async def fails() -> Finding:
        raise NoDatabase("cannot reach it\nat all")

    checks = {"one": meets, "two": meets, "hangs": hangs, "fails": fails}
    found = {one.part.name: one for one in await look_at_all([Part(*each) for each in checks.items()], 0.05)}
    assert found["one"].finding == found["two"].finding == Finding(figures={"n": 1})
    assert found["hangs"].finding == Finding("down", "no answer within 0.05 s")
    assert found["fails"].finding.status == "down" and "\n" not in (found["fails"].finding.detail or "\n")
    assert found["hangs"].seconds >= 0.05


async def test_whoever_cancels_a_look_is_not_held_up() -> None:
    began = asyncio.Event()

    async def hangs() -> Finding:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(look_at_all([Part("hangs", hangs)], 60))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def waiting(seconds: float) -> InFlight:
    return InFlight(pending=1, claimable=1, longest=seconds, longest_claimable=seconds)


@pytest.mark.parametrize(
    ("finding", "status", "said"),
    [
        pytest.param(judge_queue(InFlight(), slots=100), "ok", None, id="an empty queue"),
        pytest.param(judge_queue(InFlight(pending=1, longest=90.0), slots=100), "ok", None, id="behind another run"),
        pytest.param(judge_queue(waiting(1.0), slots=100), "ok", None, id="a queue that moves"),
        pytest.param(judge_queue(waiting(61.0), slots=100), "degraded", "61 s", id="a queue that stands"),
        pytest.param(judge_worker(slots=100, free=0, stopping=False, processes=1), "ok", None, id="busy"),
        pytest.param(judge_worker(slots=100, free=0, stopping=True, processes=2), "degraded", "stopping", id="leaving"),
        pytest.param(judge_worker(slots=0, free=0, stopping=False, processes=2), "ok", None, id="others work"),
        pytest.param(judge_worker(slots=0, free=0, stopping=False, processes=1), "degraded", "no process", id="nobody"),
        pytest.param(judge_agents({}), "ok", None, id="no agents"),
        pytest.param(judge_agents({"idle": 2, "inactive": 1}), "ok", None, id="agents at rest"),
        pytest.param(judge_agents({"idle": 2, "offline": 1}), "degraded", "1 of 3", id="an agent is away"),
        pytest.param(judge_messages({}, most=5), "ok", None, id="no messages"),
        pytest.param(judge_messages({"a": 4}, most=5), "ok", None, id="messages wait"),
        pytest.param(judge_messages({"a": 1, "b": 5}, most=5), "degraded", "b is full", id="a full queue"),
        pytest.param(judge_disk(total=10 * GB, free=5 * GB), "ok", None, id="room"),
        pytest.param(judge_disk(total=5 * GB, free=GB // 2), "ok", None, id="a small disk with a share free"),
        pytest.param(judge_disk(total=1000 * GB, free=2 * GB), "ok", None, id="a large disk with bytes free"),
        pytest.param(judge_disk(total=1000 * GB, free=GB // 2), "degraded", "0.50 GB", id="a full disk"),
    ],
)
def test_a_part_is_judged_by_its_figures(finding: Finding, status: Status, said: str | None) -> None:
    assert finding.status == status
    assert finding.detail is None if said is None else said in (finding.detail or "")


def test_a_machine_without_a_gpu_is_described_without_touching_one() -> None:
    """In a process of its own: here torch is imported already, by tests of models."""
    asked = """
import sys
from llm.vram import DeviceMeter
from server.wire.device import device_info
class Machine:
    device = "cpu"
    read_memory = DeviceMeter("cpu").read
told = device_info(Machine())
assert told.kind == "cpu" and told.name and told.gpus == [] and not told.gpu_available, told
assert told.vram_total_bytes == told.gpu_memory_used_gb == 0 and told.ram_total_bytes > 0, told
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", asked], check=True, timeout=60)
