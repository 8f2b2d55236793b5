"""Date and time: today, the weekday of a date, a date so many days or months on, the days between two dates."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo

from langchain_core.tools import BaseTool, ToolException, tool

Clock = Callable[[tzinfo | None], datetime]
"""The time now in a zone, or in the machine's own for None."""

MAX_CHARS = 60
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DIAS = ("lunes", "martes", "miercoles", "jueves", "viernes", "sabado", "domingo")
_MESES = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
_MONTHS = "january february march april may june july august september october november december".split()
_NEAR = {
    -2: ("day before yesterday", "anteayer", "antes de ayer"),
    -1: ("yesterday", "ayer"),
    0: ("", "today", "now", "hoy", "ahora"),
    1: ("tomorrow", "manana"),
    2: ("day after tomorrow", "pasado manana"),
}
_NOW = ("now", "ahora")
_OFFSETS = {word: days for days, words in _NEAR.items() for word in words}
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[t ].*)?")
_FIGURES = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|o)?(?: of| de)? ([a-z]{3,10})\.?,?(?:(?: of| del| de)? (\d{4}))?")
_MONTH_DAY = re.compile(r"([a-z]{3,10})\.? (\d{1,2})(?:st|nd|rd|th)?,?(?: (\d{4}))?")
_WITH_WEEKDAY = re.compile(rf"^(?:{'|'.join((*WEEKDAYS, *_DIAS)).lower()}),? (?:the |el )?(?=\d|[a-z]{{3,10}}\.? \d)")
"""Before a date it adds nothing: this is how `say_day` writes one."""
_SPAN = re.compile(r"([+-]?) ?(\d{1,6}) (day|dia|week|semana|month|mes|year|ano)(?:s|es)?\b")
_BACK = re.compile(r"\b(ago|before|earlier|antes|hace|atras)\b")
_FILLER = frozenset("ago before earlier antes hace atras in en dentro de from after later and y , + -".split())


def read_date(text: str, today: date, start: date | None = None) -> date:
    """The day that a text says in English or Spanish: `2024-05-01`, `1 May 2024`, `1 de mayo`, `tomorrow`, `viernes`.

    A weekday is the next one after today; a day without a year is of this year. Where days are counted from `start` on,
    both are the next after it. Raises ToolException; figures that may be day or month, such as 03/04/2024, are refused
    rather than guessed.
    """
    if len(text) > MAX_CHARS:
        raise _unreadable(text)
    plain = _plain(text)
    if plain in _OFFSETS:
        return today + timedelta(days=_OFFSETS[plain])
    name = re.sub(r"^(?:the |el |next |this |on |proximo |este )+", "", plain)
    for names in (tuple(day.lower() for day in WEEKDAYS), _DIAS):
        if name in names:
            first = start or today
            return first + timedelta(days=(names.index(name) - first.weekday() - 1) % 7 + 1)
    name = _WITH_WEEKDAY.sub("", name)
    if found := _ISO.fullmatch(plain):
        return _day(*map(int, found.groups()), text=text)
    if found := _FIGURES.fullmatch(plain):
        return _from_figures(*map(int, found.groups()), text=text)
    if found := _DAY_MONTH.fullmatch(name):
        return _in_year(found[3], _month(found[2], text), int(found[1]), today, start, text)
    if found := _MONTH_DAY.fullmatch(name):
        return _in_year(found[3], _month(found[1], text), int(found[2]), today, start, text)
    raise _unreadable(text)


def add_span(day: date, span: str) -> date:
    """The day a span later, or earlier: `10 days`, `-3 weeks`, `2 meses`, `1 year ago`. Raises ToolException.

    Months keep the day, or take the month's last: a month after 31 January is the end of February.
    """
    plain = _plain(span)
    parts = _SPAN.findall(plain)
    # A longer span is cut by then, its `ago` perhaps with it.
    if len(span) > MAX_CHARS or not parts or not _FILLER.issuperset(_SPAN.sub(" ", plain).split()):
        raise ToolException(f"'{span[:MAX_CHARS]}' is no span; write for example 10 days, -3 weeks, 2 months")
    back = bool(_BACK.search(plain))
    try:
        for sign, number, unit in parts:
            count = -int(number) if back or sign == "-" else int(number)
            day = _add(day, count, unit)
    except (OverflowError, ValueError) as error:
        raise ToolException("dates are known from the year 1 to 9999; give a shorter span") from error
    return day


def answer(now: datetime, start: str = "", plus: str = "", until: str = "") -> str:
    """The day of `start` (empty: today), the day `plus` so much, or the days from it until another. Short to copy."""
    day = read_date(start, now.date())
    if until.strip():
        return _between(day, read_date(until, now.date(), day))
    if plus.strip():
        return say_day(add_span(day, plus))
    return f"{now:%H:%M}, {say_day(day)}" if _plain(start) in _NOW else say_day(day)


def say_day(day: date) -> str:
    """`Wednesday, 1 May 2024`, whatever the language of the machine."""
    return f"{WEEKDAYS[day.weekday()]}, {day.day} {_MONTHS[day.month - 1].capitalize()} {day.year}"


def local_now(zone: tzinfo | None) -> datetime:
    """The machine's clock."""
    return datetime.now(zone).astimezone(zone)


def date_time(clock: Clock = local_now, zone: tzinfo | None = None) -> BaseTool:
    """The tool that models see: `date_time(date, plus, until)`. `zone`: None takes the machine's own."""

    @tool("date_time")
    def run(date: str = "", plus: str = "", until: str = "") -> str:
        """The day of `date` (`today`, `now` with the time); `plus` (`10 days`) a later one; days `until` another."""
        return answer(clock(zone), date, plus, until)

    return run


def _between(first: date, last: date) -> str:
    days = (last - first).days
    weeks, rest = divmod(abs(days), 7)
    in_weeks = _count(weeks, "week") + (f" and {_count(rest, 'day')}" if rest else "")
    return _count(days, "day") + (f" ({in_weeks})" if weeks else "")


def _add(day: date, count: int, unit: str) -> date:
    if unit in ("day", "dia"):
        return day + timedelta(days=count)
    if unit in ("week", "semana"):
        return day + timedelta(weeks=count)
    months = day.year * 12 + day.month - 1 + (count if unit in ("month", "mes") else 12 * count)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _from_figures(first: int, second: int, year: int, *, text: str) -> date:
    if first > 12 or first == second:
        return _day(year, second, first, text=text)
    if second > 12:
        return _day(year, first, second, text=text)
    raise ToolException(f"'{text.strip()}' may be two days; write {year}-{second:02}-{first:02} with the month first")


def _in_year(year: str | None, month: int, day: int, today: date, start: date | None, text: str) -> date:
    """A day of that year; without one of this year, or of the year in which it is next after `start`."""
    if year is not None or start is None:
        return _day(int(year or today.year), month, day, text=text)
    this = _day(start.year, month, day, text=text)
    return this if this >= start else _day(start.year + 1, month, day, text=text)


def _day(year: int, month: int, day: int, *, text: str) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise ToolException(f"there is no day {text.strip()[:MAX_CHARS]}: {error}") from error


def _month(name: str, text: str) -> int:
    """January is 1. Names may be cut to three letters or more; Spanish has `setiembre` too."""
    for months in (_MONTHS, _MESES):
        for number, month in enumerate(months, start=1):
            if month.startswith(name.replace("setiembre", "septiembre")):
                return number
    raise _unreadable(text)


def _unreadable(text: str) -> ToolException:
    return ToolException(f"'{' '.join(text[:MAX_CHARS].split())}' is no date; write it as 2024-12-31, or today")


def _plain(text: str) -> str:
    """In small letters without accents, spaces single."""
    split = unicodedata.normalize("NFKD", text[: MAX_CHARS + 1]).casefold()
    kept = "".join(char for char in split if not unicodedata.combining(char))
    return " ".join(kept.split()).rstrip(".?! ")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if abs(number) == 1 else 's'}"
