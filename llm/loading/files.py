"""Where a model's files are: a local folder, or a snapshot in the Hugging Face cache. Touches no network.

The layout of the cache is the hub's own, so that models that other programs have fetched are found, and those fetched
here serve them: `models--owner--name/snapshots/<commit>/<file>` points to `models--owner--name/blobs/<hash>`.
"""

from __future__ import annotations

from pathlib import Path

from llm.catalog import Entry
from llm.check import weight_files
from state.errors import BadRequest, NotFound
from state.models import ModelCard


def find_folder(entry: Entry, *, cache_dir: Path | None = None) -> Path:
    """The folder with the model's files. Raises NotFound when they are not on this machine."""
    folder = local_folder(entry, cache_dir=cache_dir)
    if folder is not None:
        return folder
    card = entry.card
    if card.provider != "local":
        raise BadRequest(f"{card.name} is remote ({card.provider}): nothing of it can be loaded here")
    if card.repo is None:
        raise NotFound(f"{card.name} is not on this machine: no folder {entry.folder}")
    raise NotFound(f"{card.name} is not on this machine ({card.repo}); `lab models pull {card.name}` fetches it")


def local_folder(entry: Entry, *, cache_dir: Path | None = None) -> Path | None:
    """The folder if its files are on this machine."""
    if entry.folder is not None:
        return entry.folder if entry.folder.is_dir() else None
    folder = snapshot_folder(entry.card, cache_dir)
    return folder if is_whole(folder) else None


def is_whole(folder: Path) -> bool:
    """Whether settings and all weights are there. Other programs leave snapshots of a tokenizer alone."""
    try:
        return (folder / "config.json").is_file() and all(file.is_file() for file in weight_files(folder))
    except BadRequest:
        return False


def snapshot_folder(card: ModelCard, cache_dir: Path | None) -> Path:
    """Where the files of a model of the hub are once fetched."""
    # In one step: pathlib parses the whole path again at each `/`, and a list of models looks at each several times.
    return Path(_hub_cache(cache_dir), _repository(card), "snapshots", str(card.revision))


def repository_folder(card: ModelCard, cache_dir: Path | None) -> Path:
    """The hub's cache of one repository; `cache_dir` None: the machine's shared one (HF_HOME)."""
    return Path(_hub_cache(cache_dir), _repository(card))


def _repository(card: ModelCard) -> str:
    return f"models--{str(card.repo).replace('/', '--')}"


def lock_file(card: ModelCard, cache_dir: Path | None) -> Path:
    """What a process holds while it fetches a model."""
    home = repository_folder(card, cache_dir)
    return home.parent / ".locks" / home.name / f"{card.revision}.lock"


def hub_cache(cache_dir: Path | None) -> Path:
    """The folder of all repositories."""
    return Path(_hub_cache(cache_dir))


def _hub_cache(cache_dir: Path | None) -> str | Path:
    if cache_dir is not None:
        return cache_dir
    # Reads the environment when it is imported, as every program does that shares this cache.
    from huggingface_hub.constants import HF_HUB_CACHE  # noqa: PLC0415

    return HF_HUB_CACHE
