"""Which models leave."""

import pytest

from llm.eviction import to_evict
from state.errors import NoMemory
from state.resources import Resident


def model(name: str, size: int, used: float, leases: int = 0) -> Resident:
    return Resident(name=name, strategy="standard", size_bytes=size, leases=leases, last_used=used)


@pytest.mark.parametrize(
    ("residents", "wanted", "free", "leaving"),
    [
        ([], 5, 5, []),
        ([model("a", 4, 1)], 5, 5, []),
        ([model("a", 4, 1)], 6, 5, ["a"]),
        ([model("new", 4, 9), model("old", 4, 1), model("mid", 4, 5)], 10, 3, ["old", "mid"]),
        ([model("busy", 4, 0, leases=1), model("idle", 4, 5)], 6, 2, ["idle"]),
        ([model("a", 4, 1)], 0, -3, ["a"]),
    ],
)
def test_idle_models_leave_least_recently_used_first(
    residents: list[Resident], wanted: int, free: int, leaving: list[str]
) -> None:
    assert [gone.name for gone in to_evict(residents, wanted=wanted, free=free)] == leaving


def test_the_error_says_the_numbers() -> None:
    with pytest.raises(NoMemory, match=r"needs 9\.0 GiB, only 4\.0 GiB can be freed"):
        to_evict([model("a", 2 * 2**30, 1), model("b", 2**30, 1, leases=1)], wanted=9 * 2**30, free=2 * 2**30)
