"""When a cron starts next: from a schedule, a time zone and a moment, to a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, CroniterError, croniter

from state.errors import BadRequest, Malformed

MAX_LENGTH = 500
"""Characters of a schedule; the longest that says anything names every minute of an hour."""


def next_tick(schedule: str, timezone: str | None, after: datetime) -> datetime:
    """The first moment after `after` that `schedule` names in the time zone (None: UTC), in UTC.

    A schedule has five fields, or six with seconds last, or is a word such as @daily. Raises BadRequest (422: no such
    schedule or time zone) and Malformed (400: it never comes), in the reference server's words.
    """
    begun = after.astimezone(_zone(timezone))
    if len(schedule) > MAX_LENGTH or not croniter.is_valid(schedule):
        raise _bad(schedule)
    try:
        tick: datetime = croniter(schedule, begun).get_next(datetime)
    except CroniterBadDateError as error:
        raise Malformed(str(error)) from None
    except (CroniterError, ValueError, OverflowError):
        raise _bad(schedule) from None
    return tick.astimezone(UTC)


def _zone(name: str | None) -> ZoneInfo:
    if name is None:
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise BadRequest(f"Invalid timezone: '{name}'. Use IANA timezone format (e.g. 'America/New_York').") from None
    except ValueError as error:
        raise Malformed(str(error)) from None


def _bad(schedule: str) -> BadRequest:
    return BadRequest(
        f"Invalid cron schedule: '{schedule}'. Reason: Invalid cron schedule. Ensure the schedule uses the standard"
        " cron format (minute hour day_of_month month day_of_week). Example: '*/5 * * * *' for every 5 minutes."
    )
