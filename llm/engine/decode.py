"""Tokens to text, as a stream: no half character, nothing of a stop string. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

HALF = "\ufffd"
MOST_HALVES = 3
"""An unfinished UTF-8 character has at most three bytes; some decoders write one U+FFFD for each."""

LONGEST_WINDOW = 16
"""Tokens that are decoded together at most."""


def held_back(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of `text` could be the start of one of `stops`."""
    longest = min(len(text), max((len(stop) for stop in stops), default=1) - 1)
    for size in range(longest, 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return size
    return 0


class TextDecoder:
    """Token ids in, text out.

    Tokens are decoded together with those before them, since many tokenizers write a word differently at the start of a
    text than inside it. The window moves on when no half character is open, and when too long a row of them is.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        """`decode` gives the text of ids, with U+FFFD for half characters."""
        self._decode = decode
        self._window: list[int] = []
        self._settled = 0
        self._shown = ""

    def push(self, token: int) -> str:
        """The text that this token completes; often one word, sometimes nothing."""
        self._window.append(token)
        text = self._decode(self._window)
        halves = min(len(text) - len(text.rstrip(HALF)), MOST_HALVES)
        sure = text[: len(text) - halves]
        piece = sure[len(self._shown) :]
        if piece:
            self._shown = sure
        if halves and len(self._window) > LONGEST_WINDOW:
            # Bytes that are no text: every token would decode all of them again.
            self._window, self._settled = self._window[-LONGEST_WINDOW // 2 :], 0
            text = self._decode(self._window)
            self._shown = text[: len(text) - halves]
        if not halves:
            self._window = self._window[self._settled :]
            self._settled = len(self._window)
            self._shown = self._decode(self._window)
        return piece


class StopScanner:
    """Text in, text out up to the first stop string; what may be the start of one is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The text that is certain not to belong to a stop string. Nothing more after one was found."""
        if self.stopped:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            sure = min(found)
            piece, self._held = self._held[:sure], ""
            return piece
        sure = len(self._held) - held_back(self._held, self._stops)
        piece, self._held = self._held[:sure], self._held[sure:]
        return piece

    def finish(self) -> str:
        """What was held back when the answer ends without a stop string."""
        rest, self._held = self._held, ""
        return rest


class AnswerText:
    """Both of the above in a row: token ids to the text that may be shown."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str]) -> None:
        self._decoder = TextDecoder(decode)
        self._scanner = StopScanner(stops)

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._scanner.stopped

    def push(self, token: int) -> str:
        return self._scanner.push(self._decoder.push(token))

    def finish(self) -> str:
        """What was held back for a stop string that did not come. A character cut in half is dropped."""
        return self._scanner.finish()
