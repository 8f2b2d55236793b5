"""Who holds a model: what the manager knows of it and how it is told."""

from __future__ import annotations

import asyncio
import threading

import pytest

from llm.leasing.holders import Cached, holder_of, name_holders
from llm.manager import ModelManager
from state.errors import InUse
from state.resources import Held, Holder
from tests.unit.llm.fakes import FakeLoader, manager

RUN = Holder(run_id="r", thread_id="t", graph="g", node="n")


def holders(models: ModelManager) -> dict[str, list[str]]:
    return {one.resident.name: sorted(str(held.holder) for held in one.held) for one in models.cached()}


async def test_each_lease_is_told_with_its_holder_for_as_long_as_it_lasts() -> None:
    models = manager(FakeLoader(a=10, b=10), budget=100)
    async with models.lease("a", holder=RUN):
        assert holders(models) == {"a": ["run r (graph g, node n, thread t)"]}
        async with models.lease("a"), models.lease("b", holder=Holder("bench")):
            assert holders(models) == {
                "a": ["a model call", "run r (graph g, node n, thread t)"],
                "b": ["bench"],
            }
        with models.lease_sync("b", holder=RUN):
            assert holders(models)["b"] == [str(RUN)]
    assert holders(models) == {"a": [], "b": []}
    assert {one.resident.name: one.hits for one in models.cached()} == {"a": 1, "b": 1}
    models.close()


async def test_who_waited_for_the_load_holds_it_from_the_load_on_and_a_caller_who_left_does_not() -> None:
    loader = FakeLoader(a=10)
    loader.gate.clear()
    models = manager(loader, budget=100)
    done = asyncio.Event()

    async def use(holder: Holder) -> None:
        async with models.lease("a", holder=holder):
            await done.wait()

    stays, leaves = (asyncio.create_task(use(holder)) for holder in (RUN, Holder("left")))
    async with asyncio.timeout(10):
        while models.get_memory_stats().waiting < 2 or not loader.started.is_set():
            await asyncio.sleep(0.002)
    assert [(one.phase.value, one.held, one.stays) for one in models.cached()] == [
        ("loading", (), "it is being loaded")
    ]
    leaves.cancel()
    await asyncio.wait([leaves])
    loader.gate.set()
    async with asyncio.timeout(10):
        while holders(models) != {"a": [str(RUN)]}:
            await asyncio.sleep(0.002)
    done.set()
    await stays
    assert holders(models) == {"a": []}
    models.close()


async def test_a_model_in_use_is_refused_with_its_holders() -> None:
    models = manager(FakeLoader(a=10), budget=100)
    async with models.lease("a", holder=RUN):
        with pytest.raises(
            InUse, match=r"a \(standard\) answers 1 calls now, of run r \(.*\) for .* s; unload"
        ) as refused:
            models.unload("a")
    assert [held.holder for held in refused.value.held] == [RUN]
    assert [(one.resident.name, one.held) for one in models.unload("a")] == [("a", ())]
    assert models.unload("a") == ()
    models.close()


async def test_clearing_tells_what_left_and_why_the_others_stay() -> None:
    models = manager(FakeLoader(idle=10, pinned=10, used=10), budget=100)
    models.load_model("idle")
    models.pin("pinned")
    async with models.lease("used", holder=Holder("bench")):
        cleared = await asyncio.to_thread(models.clear)

    def told(some: tuple[Cached, ...]) -> dict[str, str | None]:
        return {one.resident.name: one.stays for one in some}

    assert [*told(cleared.gone)] == ["idle"]
    kept = told(cleared.kept)
    assert kept["pinned"] == "pinned" and (kept["used"] or "").startswith("in use by bench for ")
    assert models.cleanup_all() == 1
    models.close()


def test_leases_of_many_threads_leave_no_holder_behind() -> None:
    models = manager(FakeLoader(a=10), budget=100)

    def use() -> None:
        for _ in range(50):
            with models.lease_sync("a", holder=RUN):
                pass

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert holders(models) == {"a": []}
    models.check_integrity()
    models.close()


@pytest.mark.parametrize(
    ("metadata", "holder"),
    [
        pytest.param(None, Holder(), id="outside of a graph"),
        pytest.param({"thread_id": "", "ls_provider": "local"}, Holder(), id="no ids"),
        pytest.param({"run_id": 7, "langgraph_node": "n"}, Holder(run_id="7", node="n"), id="some"),
        pytest.param({"run_id": "r", "thread_id": "t", "graph_id": "g", "langgraph_node": "n"}, RUN, id="all"),
    ],
)
def test_a_holder_is_read_from_a_calls_metadata(metadata: dict[str, object] | None, holder: Holder) -> None:
    assert holder_of(metadata) == holder


def test_a_sentence_names_those_who_have_held_longest_and_counts_the_others() -> None:
    held = [Held(Holder(f"call {number}"), float(number)) for number in range(5)]
    assert name_holders(held) == "call 4 for 4.0 s, call 3 for 3.0 s, call 2 for 2.0 s and 2 more"
