"""The catalogue entries that requests have added: which fields they may set, and the file that keeps them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from state.errors import BadRequest, Unavailable
from state.models import ModelCard

ADDABLE = frozenset(
    {
        "name",
        "repo",
        "revision",
        "description",
        "context_length",
        "max_output_tokens",
        "parameters",
        "embedding_parameters",
        "capabilities",
        "languages",
        "stop",
        "tool_format",
        "bits",
        "keep_alive",
    }
)
"""A list of what is allowed, so that a field that comes later stays the operator's until somebody decides otherwise."""

LOCK_SECONDS = 10.0
"""How long a change waits for another process's; one takes milliseconds."""

HEADER = "# Models that were added by requests. Written by the server: change it through `lab models` or the API.\n"


def check_added(where: str, card: ModelCard) -> None:
    """Raises BadRequest when a card says what only the operator's own file may say.

    A folder, a class, an address or the name of a key in a request would have the server read, run or contact what the
    operator did not choose.
    """
    refused = sorted(card.model_dump(exclude_defaults=True).keys() - ADDABLE)
    if refused:
        raise BadRequest(
            f"{where}: {', '.join(map(repr, refused))} can be set in the operator's file only "
            "(LAB_MODELS_FILE); a request names 'repo' and 'revision'"
        )
    if card.repo is None:
        raise BadRequest(f"{where}: 'repo' (owner/name) and 'revision' (40 hex digits) are needed")


def write_cards(file: Path, cards: Mapping[str, ModelCard]) -> None:
    """Replace the file as a whole: a reader sees the old or the new one. Raises Unavailable."""
    fields = {
        name: card.model_dump(mode="json", exclude_defaults=True, exclude={"name"}) for name, card in cards.items()
    }
    text = HEADER + yaml.safe_dump({"models": fields}, sort_keys=False, allow_unicode=True)
    new = file.with_name(f".{file.name}.new")  # one at a time: the caller holds `changing`
    try:
        with new.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Unavailable(f"{file} cannot be written: {error.strerror}; free disk space or set LAB_DATA_DIR") from error


@contextmanager
def changing(file: Path | None) -> Iterator[None]:
    """Keep other processes from changing the file meanwhile. Raises Unavailable when one does not let go."""
    if file is None:
        yield
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{file}.lock")
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise Unavailable(f"{file}: another process has been changing it for {LOCK_SECONDS:.0f} s") from error
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}; set LAB_DATA_DIR") from error
    try:
        yield
    finally:
        lock.release()
