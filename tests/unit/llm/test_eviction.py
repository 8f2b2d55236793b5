"""Which models leave, and who may ever fit."""

import pytest

from llm.eviction import Need, check_fits, in_the_way, make_room, need_of, to_evict
from state.errors import NoMemory
from state.resources import Resident

GIB = 2**30


def model(name: str, size: int, used: float = 0.0, leases: int = 0, *, kv: int = 0, pinned: bool = False) -> Resident:
    return Resident(
        name=name, strategy="standard", size_bytes=size, leases=leases, last_used=used, kv_bytes=kv, pinned=pinned
    )


@pytest.mark.parametrize(
    ("residents", "wanted", "free", "leaving"),
    [
        ([], 5, 5, []),
        ([model("a", 4, 1)], 5, 5, []),
        ([model("a", 4, 1)], 6, 5, ["a"]),
        ([model("new", 4, 9), model("old", 4, 1), model("mid", 4, 5)], 10, 3, ["old", "mid"]),
        ([model("busy", 4, 0, leases=1), model("idle", 4, 5)], 6, 2, ["idle"]),
        ([model("a", 4, 1)], 0, -3, ["a"]),
        ([model("pinned", 4, 0, pinned=True), model("other", 4, 5)], 6, 2, ["other"]),
        ([model("a", 1, 0, kv=3)], 6, 2, ["a"]),
        ([model("small", 1, 0), model("large", 6, 5)], 6, 0, ["large"]),
        ([model("small", 2, 0), model("large", 6, 5)], 8, 0, ["small", "large"]),
    ],
)
def test_idle_models_leave_least_recently_used_first_and_none_without_need(
    residents: list[Resident], wanted: int, free: int, leaving: list[str]
) -> None:
    assert [gone.name for gone in to_evict(residents, wanted=wanted, free=free)] == leaving


def test_what_was_just_used_is_spared() -> None:
    residents = [model("a", 4, used=10), model("b", 4, used=11)]
    assert [gone.name for gone in to_evict(residents, wanted=4, free=0, now=12, hold=2)] == ["a"]
    with pytest.raises(NoMemory):
        to_evict(residents, wanted=8, free=0, now=12, hold=2)
    assert len(to_evict(residents, wanted=8, free=0, now=13, hold=2)) == 2


def test_the_error_says_the_numbers() -> None:
    with pytest.raises(NoMemory, match=r"needs 9\.0 GiB, only 4\.0 GiB can be freed"):
        to_evict([model("a", 2 * GIB, 1), model("b", GIB, 1, leases=1)], wanted=9 * GIB, free=2 * GIB)


@pytest.mark.parametrize(
    ("per_token", "window", "kv", "least"),
    [(0, 4096, 0, 0), (10, 4096, 20480, 2560), (10, 1024, 10240, 2560), (10, 100, 1000, 1000)],
)
def test_a_model_needs_kv_for_its_first_tokens(per_token: int, window: int, kv: int, least: int) -> None:
    assert need_of(7, per_token, window) == Need(7, kv, least)


@pytest.mark.parametrize(
    ("free", "leaving", "kv"),
    [
        (80, [], 30),  # all that it would like
        (60, ["idle"], 30),  # an idle model leaves before KV is cut
        (45, ["idle"], 15),  # what there is
        (40, ["idle"], 10),
    ],
)
def test_kv_is_cut_to_what_there_is_and_not_below_the_least(free: int, leaving: list[str], kv: int) -> None:
    residents = [model("idle", 20), model("busy", 50, leases=1)]
    gone, granted = make_room(residents, Need(50, kv=30, kv_least=10), free=free)
    assert ([model.name for model in gone], granted) == (leaving, kv)


def test_below_the_least_there_is_no_room() -> None:
    with pytest.raises(NoMemory, match="needs 60 bytes, only 59 bytes can be freed"):
        make_room([model("idle", 20)], Need(50, kv=30, kv_least=10), free=39)


def test_what_can_never_fit_is_told_with_the_numbers_and_who_is_pinned() -> None:
    need = Need(6 * GIB, kv=2 * GIB, kv_least=GIB)
    check_fits("m (standard)", need, budget=7 * GIB, pinned=[])
    with pytest.raises(NoMemory, match=r"m \(standard\) needs 7\.0 GiB \(1\.0 GiB of that for KV\) .* 6\.0 GiB toget"):
        check_fits("m (standard)", need, budget=6 * GIB, pinned=[])
    with pytest.raises(NoMemory, match=r"pinned models hold 2\.0 GiB: a \(standard\); unpin one"):
        check_fits("m (standard)", need, budget=8 * GIB, pinned=[model("a", GIB, kv=GIB, pinned=True)])


def test_who_is_not_needed_is_not_in_the_way() -> None:
    residents = [model("small", 2, used=1, leases=1), model("large", 6, used=2, leases=1)]
    assert in_the_way(residents, wanted=7, free=1) == {("large", "standard")}


def test_who_stands_in_the_way_is_idle_or_long_unused_and_stays_the_same() -> None:
    residents = [
        model("new", 4, 9, leases=1),
        model("old", 4, 1, leases=1),
        model("idle", 4, 5),
        model("pinned", 9, 0, pinned=True),
    ]

    def names(wanted: int, already: tuple[tuple[str, str], ...] = ()) -> set[str]:
        return {name for name, _ in in_the_way(residents, wanted=wanted, free=1, already=already)}

    assert names(1) == set()
    assert names(5) == {"idle"}
    assert names(6) == {"idle", "old"}
    assert names(9, already=(("new", "standard"),)) == {"new", "idle"}
    assert names(8, already=(("new", "standard"),)) == {"new", "idle"}
    assert names(99) == {"new", "old", "idle"}
