"""Which of several forms a client wants: the Accept header."""

from __future__ import annotations

from collections.abc import Sequence


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The media type of `offered` that a client names and prefers; the first of them where it names none of them.

    Of equal weight the one that is named first. Ranges such as `*/*` name none.
    """
    named: dict[str, float] = {}
    for part in accept.split(","):
        media_type, *settings = (word.strip().lower() for word in part.split(";"))
        if media_type in offered:
            named.setdefault(media_type, _weight(settings))
    wanted = {media_type: weight for media_type, weight in named.items() if weight > 0}
    return max(wanted, key=lambda media_type: wanted[media_type]) if wanted else offered[0]


def _weight(settings: Sequence[str]) -> float:
    said = next((setting.removeprefix("q=") for setting in settings if setting.startswith("q=")), "1")
    try:
        weight = float(said)
    except ValueError:
        return 1.0
    return weight if 0.0 <= weight <= 1.0 else 1.0
