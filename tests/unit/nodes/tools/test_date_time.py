"""Date and time, from a clock that stands still."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest
from langchain_core.tools import ToolException

from nodes.tools.date_time import add_span, answer, date_time, read_date, say_day
from tests.unit.nodes.tools.calls import call
from tests.unit.nodes.tools.odd import ODD

TODAY = date(2026, 10, 15)
NOW = datetime(2026, 10, 15, 18, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("", "2026-10-15"),
        ("today", "2026-10-15"),
        ("Hoy", "2026-10-15"),
        ("tomorrow", "2026-10-16"),
        ("mañana", "2026-10-16"),
        ("pasado mañana", "2026-10-17"),
        ("yesterday", "2026-10-14"),
        ("anteayer", "2026-10-13"),
        ("2024-05-01", "2024-05-01"),
        ("2024/5/1", "2024-05-01"),
        ("2024-05-01T10:00:00Z", "2024-05-01"),
        ("25/12/2024", "2024-12-25"),
        ("12/25/2024", "2024-12-25"),
        ("05/05/2024", "2024-05-05"),
        ("1 May 2024", "2024-05-01"),
        ("May 1st, 2024", "2024-05-01"),
        ("December 25", "2026-12-25"),
        ("the 3rd of March 2025", "2025-03-03"),
        ("1 de mayo de 2024", "2024-05-01"),
        ("el 6 de enero", "2026-01-06"),
        ("11 setiembre 2001", "2001-09-11"),
        ("29 Feb 2024", "2024-02-29"),
        ("Friday", "2026-10-16"),
        ("next Thursday", "2026-10-22"),
        ("el próximo lunes", "2026-10-19"),
        ("sábado", "2026-10-17"),
    ],
)
def test_dates_are_read_in_two_languages(text: str, day: str) -> None:
    assert read_date(text, TODAY).isoformat() == day


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("03/04/2024", "may be two days; write 2024-04-03"),
        ("29 Feb 2023", "there is no day"),
        ("2024-13-01", "there is no day"),
        ("0000-01-01", "there is no day"),
        ("5 Floreal 2024", "no date"),
        ("someday", "no date"),
        ("20240501", "no date"),
    ],
)
def test_what_is_no_date_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ToolException, match=reason):
        read_date(text, TODAY)


@pytest.mark.parametrize(
    ("span", "day"),
    [
        ("10 days", "2024-02-10"),
        ("-1 day", "2024-01-30"),
        ("- 1 day", "2024-01-30"),
        ("2 weeks", "2024-02-14"),
        ("1 month", "2024-02-29"),
        ("13 months", "2025-02-28"),
        ("1 year", "2025-01-31"),
        ("4 years", "2028-01-31"),
        ("3 semanas", "2024-02-21"),
        ("2 meses", "2024-03-31"),
        ("1 año", "2025-01-31"),
        ("hace 2 días", "2024-01-29"),
        ("3 weeks ago", "2024-01-10"),
        ("1 month and 3 days", "2024-03-03"),
        ("in 10 days", "2024-02-10"),
    ],
)
def test_spans_are_added(span: str, day: str) -> None:
    assert add_span(date(2024, 1, 31), span).isoformat() == day


@pytest.mark.parametrize(
    "span",
    ["ten", "10", "10 fortnights", "1 day of joy", "999999 years", "-3000 years", f"5 days {' ' * 60} ago", *ODD[1:]],
)
def test_what_is_no_span_is_refused(span: str) -> None:
    with pytest.raises(ToolException):
        add_span(TODAY, span)


@pytest.mark.parametrize("text", ODD[2:])
def test_odd_text_is_no_date(text: str) -> None:
    with pytest.raises(ToolException) as told:
        read_date(text, TODAY)
    assert len(str(told.value)) < 200 and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Thursday, 15 October 2026"),
        ({"start": "hoy"}, "Thursday, 15 October 2026"),
        ({"start": "now"}, "18:31, Thursday, 15 October 2026"),
        ({"start": "2024-05-01"}, "Wednesday, 1 May 2024"),
        ({"start": "2024-05-01", "plus": "10 days"}, "Saturday, 11 May 2024"),
        ({"until": "2026-12-25"}, "71 days (10 weeks and 1 day)"),
        ({"start": "2024-02-28", "until": "2024-03-01"}, "2 days"),
        ({"until": "1 January"}, "78 days (11 weeks and 1 day)"),  # the next one, not this year's
        ({"until": "15 de octubre"}, "0 days"),
        ({"start": "friday", "until": "monday"}, "3 days"),
        ({"start": "Wednesday, 1 May 2024", "plus": "1 week"}, "Wednesday, 8 May 2024"),  # as this tool writes it
        ({"start": "viernes, 3 de mayo de 2024"}, "Friday, 3 May 2024"),
        ({"start": "2024-03-14", "until": "2024-02-29"}, "-14 days (2 weeks)"),
    ],
)
def test_one_line_answers(arguments: dict[str, str], said: str) -> None:
    assert answer(NOW, **arguments) == said


async def test_the_clock_is_asked_in_the_zone_that_was_handed_in() -> None:
    def clock(zone: tzinfo | None) -> datetime:
        return NOW.astimezone(zone)

    told = await call([date_time(clock, timezone(timedelta(hours=9), "JST"))], "date_time", date="now")
    assert told.text == "03:31, Friday, 16 October 2026"
    told = await call([date_time(clock, UTC)], "date_time", date="someday")
    assert told.text == "Error: 'someday' is no date; write it as 2024-12-31, or today"


async def test_without_a_clock_it_is_the_machines() -> None:
    before = datetime.now(UTC).date()
    told = await call([date_time(zone=UTC)], "date_time")
    assert told.text in {say_day(before), say_day(datetime.now(UTC).date())}
