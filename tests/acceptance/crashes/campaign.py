"""Every case, many runs each, as a table: `python -m tests.acceptance.crashes.campaign --runs 100`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import quantiles

from tests.acceptance.crashes.cases import CASES, Case, postgres_restarted
from tests.acceptance.crashes.evidence import Figures
from tests.acceptance.crashes.field import Field, open_field
from tests.acceptance.crashes.own_postgres import own_postgres
from tests.acceptance.crashes.two_and_two import two_and_two

HEADS = (
    *(
        "case",
        "runs",
        "gone on with",
        "runs lost",
        "nodes repeated",
        "steps twice",
        "ends ≠ 1",
        "stream gaps",
        "duplicates",
        "untold",
    ),
    *("takeover p50 s", "p95 s", "seconds"),
)
TWO_AND_TWO = "two_and_two"
RESTART = "postgres"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="of each case [100]")
    parser.add_argument("--together", type=int, default=25, help="runs that share one kill [25]")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments [0]")
    parser.add_argument("--crowd", type=int, default=500, help=f"runs of {TWO_AND_TWO}, over 20 threads [500]")
    parser.add_argument("cases", nargs="*", metavar="case", help=f"{', '.join((*CASES, RESTART, TWO_AND_TWO))} [all]")
    given = parser.parse_args()
    with _folder() as folder:
        wrong = asyncio.run(_campaign(folder, given))
    raise SystemExit(1 if wrong else 0)


async def _campaign(folder: Path, given: argparse.Namespace) -> int:
    """How much was wrong."""
    wrong = 0
    print(" | ".join(HEADS), flush=True)
    async with own_postgres(folder / "server") as (conninfo, restart):
        cases: dict[str, Case] = {**CASES, RESTART: postgres_restarted(restart)}
        for number, name in enumerate(given.cases or (*cases, TWO_AND_TWO)):
            ours = folder / name
            ours.mkdir()
            started = time.monotonic()
            # Processes of their own: leases differ, and what one case leaves behind must not help another.
            async with open_field(conninfo, ours) as field:
                ask = (
                    partial(two_and_two, field, given.crowd)
                    if name == TWO_AND_TWO
                    else _rounds(cases[name], field, given)
                )
                found = await ask(Random(f"{given.seed} {number}"))
            print(_row(found, time.monotonic() - started), flush=True)
            for note in found.notes[:20]:
                print(f"    {note}", flush=True)
            wrong += found.wrong
    return wrong


def _rounds(case: Case, field: Field, given: argparse.Namespace) -> Callable[[Random], Awaitable[Figures]]:
    async def rounds(dice: Random) -> Figures:
        found = await case(field, min(given.together, given.runs), dice)
        while found.runs < given.runs:
            found.add(await case(field, min(given.together, given.runs - found.runs), dice))
        return found

    return rounds


def _row(found: Figures, seconds: float) -> str:
    counted = (
        found.runs,
        found.continued,
        found.lost,
        found.repeated,
        found.twice,
        found.ends,
        found.gaps,
        found.duplicates,
        found.untold,
    )
    taken = quantiles(found.takeovers, n=20, method="inclusive") if len(found.takeovers) > 1 else None
    times = ("–", "–") if taken is None else (f"{taken[9]:.2f}", f"{taken[18]:.2f}")
    return " | ".join((found.case, *map(str, counted), *times, f"{seconds:.0f}"))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lab-crashes-") as name:
        folder = Path(name)
        # Postgres does not run as root: its user must come through.
        folder.chmod(0o755)
        yield folder


if __name__ == "__main__":
    main()
