from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.run_queue.schedules import next_tick
from state.errors import BadRequest, Malformed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "timezone", "after", "expected"),
    [
        ("* * * * *", None, NOON, datetime(2026, 3, 1, 12, 1, tzinfo=UTC)),
        ("* * * * *", None, NOON.replace(second=59, microsecond=999), datetime(2026, 3, 1, 12, 1, tzinfo=UTC)),
        ("* * * * * *", None, NOON, datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)),
        ("@daily", "Asia/Tokyo", NOON, datetime(2026, 3, 1, 15, tzinfo=UTC)),
        ("0 9 * * *", "America/New_York", NOON, datetime(2026, 3, 1, 14, tzinfo=UTC)),
        # Clocks go forward on the 8th: nine o'clock comes an hour earlier in UTC.
        ("0 9 8 3 *", "America/New_York", NOON, datetime(2026, 3, 8, 13, tzinfo=UTC)),
        ("0 0 29 2 *", None, NOON, datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_tick_is_the_first_moment_after(
    schedule: str, timezone: str | None, after: datetime, expected: datetime
) -> None:
    assert next_tick(schedule, timezone, after) == expected


@pytest.mark.parametrize(
    "schedule", ["", "bad", "61 * * * *", "* * * *", "@reboot", "*/0 * * * *", "0 " * 10_000, "\0"]
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(BadRequest, match="Invalid cron schedule"):
        next_tick(schedule, None, NOON)


@pytest.mark.parametrize("timezone", ["Mars/X", "America", "utc ", "\0", "x" * 5000, "../../etc/passwd", ""])
def test_what_is_no_time_zone_is_refused(timezone: str) -> None:
    with pytest.raises(BadRequest):
        next_tick("* * * * *", timezone, NOON)


def test_a_date_that_never_comes_cannot_be_read() -> None:
    with pytest.raises(Malformed, match="failed to find next date"):
        next_tick("0 0 30 2 *", None, NOON)
