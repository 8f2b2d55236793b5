"""The streaming side of every tool format: text in, pieces out. Pure."""

from __future__ import annotations

import re
from typing import Protocol

from llm.tools.pieces import Piece, Text

Step = tuple[list[Piece], str]
"""Pieces that are certain now, and the text that is left."""


class Scanner(Protocol):
    """One family's reading. It may keep state, but what it decides must not depend on where the stream was cut."""

    def step(self, held: str, final: bool) -> Step | None:
        """The next pieces of `held`, which is never empty and grows at its end alone while the answer is None.

        None: more text is needed; never when `final`. Each step leaves less text or changes the state. Never raises for
        what a model wrote.
        """
        ...


class ToolCallParser:
    """Splits streamed text into the answer's own text and its calls. Never raises for what a model wrote."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._held = ""
        self._blank = ""
        """White space at the start or after a call: shown when text follows, dropped when a call does."""
        self._at_edge = True
        self._called = False

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain now; what may belong to a call is held back."""
        self._held += text
        return self._run(final=False)

    def finish(self) -> list[Piece]:
        """What is left when the answer ends."""
        pieces = self._run(final=True)
        if self._blank and not self._called:
            pieces.append(Text(self._blank))
        self._blank = ""
        return pieces

    def _run(self, *, final: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while self._held and (step := self._scanner.step(self._held, final)) is not None:
            found, self._held = step
            for piece in found:
                pieces += self._tidy(piece)
        return pieces

    def _tidy(self, piece: Piece) -> list[Piece]:
        if not isinstance(piece, Text):
            self._blank, self._at_edge, self._called = "", True, True
            return [piece]
        if self._at_edge and not piece.text.strip():
            self._blank += piece.text
            return []
        text, self._blank, self._at_edge = self._blank + piece.text, "", False
        return [Text(text)] if text else []


_OUTSIDE = re.compile(r'["{}\[\]]')
_INSIDE = re.compile(r'["\\]')


class JsonEnd:
    """Finds the end of a JSON object or list in text that grows; looks at each character once."""

    def __init__(self) -> None:
        self._at = 0
        self._depth = 0
        self._quoted = False

    def find(self, text: str) -> int | None:
        """Where the value that starts `text` has ended, or None; `text` is the last one with more at its end."""
        while mark := (_INSIDE if self._quoted else _OUTSIDE).search(text, self._at):
            if mark[0] == "\\":
                if mark.end() == len(text):
                    self._at = mark.start()  # what it escapes is still to come
                    return None
                self._at = mark.end() + 1
                continue
            self._at = mark.end()
            if mark[0] == '"':
                self._quoted = not self._quoted
            else:
                self._depth += 1 if mark[0] in "{[" else -1
                if self._depth <= 0:
                    return self._at
        self._at = len(text)
        return None
