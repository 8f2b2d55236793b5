"""Where a model's files are: a local folder, or a snapshot of a Hugging Face repository at its pinned commit."""

from __future__ import annotations

from pathlib import Path

from llm.catalog import Entry
from state.errors import NotFound, Unavailable

WANTED = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
"""What is fetched. No pickled weights, no Python files."""

UNWANTED = ["original/*", "consolidated*", "onnx/*", "runs/*"]
"""Second copies of the weights in other layouts."""


def find_folder(entry: Entry, *, online: bool, cache_dir: Path | None = None, token: str | None = None) -> Path:
    """The folder with the model's files; fetched first when it is not here and `online` allows it.

    Raises NotFound when the files are not on this machine and may not be fetched, Unavailable when fetching failed.
    """
    if entry.folder is not None:
        return entry.folder
    card = entry.card
    # Takes a quarter of a second to import, and a bundled or local model does not need it.
    from httpx import HTTPError  # noqa: PLC0415
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(
            snapshot_download(
                str(card.repo),
                revision=card.revision,
                cache_dir=cache_dir,
                token=token,
                local_files_only=not online,
                allow_patterns=WANTED,
                ignore_patterns=UNWANTED,
            )
        )
    except LocalEntryNotFoundError as error:
        if online:
            raise Unavailable(f"{card.name}: {card.repo} cannot be fetched now: {error}") from error
        raise NotFound(f"{card.name} is not on this machine ({card.repo}) and fetching is off (LAB_OFFLINE)") from error
    except (HfHubHTTPError, HTTPError, OSError) as error:
        raise Unavailable(
            f"{card.name}: fetching {card.repo} failed ({error}); check the network, or choose a model that is here"
        ) from error


def local_folder(entry: Entry, *, cache_dir: Path | None = None) -> Path | None:
    """The folder if its files are on this machine; touches no network."""
    try:
        folder = find_folder(entry, online=False, cache_dir=cache_dir)
    except (NotFound, Unavailable):
        return None
    return folder if folder.is_dir() else None
