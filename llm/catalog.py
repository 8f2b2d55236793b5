"""The catalogue: a card for every model that can be asked for, read from YAML and checked whole before use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import yaml
from pydantic import ValidationError

from llm.added import changing, check_added, write_cards
from llm.providers.cards import check_card
from state.errors import BadRequest, Conflict, NotFound
from state.models import ModelCard

SHIPPED = Path(__file__).with_name("catalog.yaml")


@dataclass(frozen=True)
class Entry:
    """A card and where its files are: `folder` for a local model, None for a Hugging Face repository."""

    card: ModelCard
    folder: Path | None


class Catalog:
    """Cards by name, in the order of the files; what requests add comes last.

    Safe between threads: a change makes a new mapping, so that an iteration goes on over the one that it began with.
    """

    def __init__(self, entries: Mapping[str, Entry], *, store: Path | None = None) -> None:
        """`store`: the file that keeps what is added; without, it ends with this object. Raises BadRequest for it."""
        self._fixed = dict(entries)
        self._store = store
        self._added: dict[str, ModelCard] = {}
        self._changes = Lock()
        self._take(self._read_added())

    def __iter__(self) -> Iterator[ModelCard]:
        return (entry.card for entry in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entry(self, name: str) -> Entry:
        """One entry. Raises NotFound with the known names, the nearest first in the hint."""
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(name, self._entries, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise NotFound(f"no model named {name!r}{hint} Known models: {', '.join(self._entries)}")

    def card(self, name: str) -> ModelCard:
        """One card. Raises NotFound like `entry`."""
        return self.entry(name).card

    def is_added(self, name: str) -> bool:
        """Whether `add` brought it, so that `remove` may take it."""
        return name in self._added and name not in self._fixed

    def add(self, card: ModelCard) -> None:
        """Add a card for a request, and keep it in the store. Adding the same one again changes nothing.

        Raises BadRequest for what a request may not set, Conflict for a taken name, Unavailable when the store cannot
        be written.
        """
        where = f"model {card.name!r}"
        check_added(where, card)
        _check_source(where, card)
        with self._changes, changing(self._store):
            self._refuse_fixed(card.name)
            added = self._read_added()
            if added.get(card.name, card) != card:
                raise Conflict(f"model {card.name!r} was added with other fields; remove it first")
            self._keep({**added, card.name: card})

    def remove(self, name: str) -> None:
        """Remove what `add` added. Raises NotFound, Conflict for an entry of a file, Unavailable."""
        with self._changes, changing(self._store):
            self._refuse_fixed(name)
            added = self._read_added()
            if name not in added:
                raise NotFound(f"no added model named {name!r}; added: {', '.join(added) or 'none'}")
            self._keep({key: card for key, card in added.items() if key != name})

    def _refuse_fixed(self, name: str) -> None:
        if name in self._fixed:
            raise Conflict(
                f"model {name!r} stands in the shipped catalogue or the operator's file (LAB_MODELS_FILE), "
                "which requests do not change; choose another name"
            )

    def _read_added(self) -> dict[str, ModelCard]:
        """What has been added, by other processes too."""
        if self._store is None:
            return self._added
        if not self._store.exists():
            return {}
        cards = {name: entry.card for name, entry in read_entries(self._store, absolute_paths=False).items()}
        for name, card in cards.items():
            check_added(f"{self._store}: model {name!r}", card)
        return cards

    def _keep(self, added: dict[str, ModelCard]) -> None:
        if self._store is not None:
            write_cards(self._store, added)
        self._take(added)

    def _take(self, added: dict[str, ModelCard]) -> None:
        self._added = added
        # A file's entry stays above one that was added under its name before the file had it.
        self._entries = self._fixed | {n: Entry(card, None) for n, card in added.items() if n not in self._fixed}


def load_catalog(models_file: Path | None = None, store: Path | None = None) -> Catalog:
    """The shipped catalogue; entries of `models_file` replace those of the same name or come after them.

    What requests add is kept in `store`; it replaces nothing.

    Raises BadRequest naming the file, the entry, the field and what would be accepted.
    """
    entries = read_entries(SHIPPED, absolute_paths=False)
    if models_file is not None:
        # The operator's own file may name any folder by its absolute path; a relative one stays beside the file.
        entries |= read_entries(models_file, absolute_paths=True)
    return Catalog(entries, store=store)


def read_entries(file: Path, *, absolute_paths: bool) -> dict[str, Entry]:
    """The entries of one YAML file: a mapping `models:` from name to the fields of a ModelCard without `name`."""
    entries: dict[str, Entry] = {}
    for name, fields in _parse(file).items():
        where = f"{file}: model {name!r}"
        if not isinstance(fields, dict):
            raise BadRequest(f"{where}: expected fields (repo or path, context_length, parameters), got {fields!r}")
        try:
            card = ModelCard(**{**fields, "name": name})
        except ValidationError as error:
            raise BadRequest("; ".join(_explain(where, item["loc"], item["msg"]) for item in error.errors())) from error
        _check_source(where, card)
        entries[card.name] = Entry(card, _folder(where, card, file, absolute_paths=absolute_paths))
    return entries


def _parse(file: Path) -> dict[object, object]:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    models = data.get("models") if isinstance(data, dict) else None
    if not isinstance(models, dict) or set(data) != {"models"}:
        raise BadRequest(f"{file}: expected one key, `models:`, holding a mapping from model name to its fields")
    return models


def _explain(where: str, location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(str(part) for part in location)
    if field in ModelCard.model_fields:
        return f"{where}: field {field!r}: {message}"
    return f"{where}: field {field!r}: {message}; known fields: {', '.join(sorted(ModelCard.model_fields))}"


def _check_source(where: str, card: ModelCard) -> None:
    check_card(where, card)
    if card.provider != "local":
        return
    if (card.repo is None) == (card.path is None):
        raise BadRequest(f"{where}: set exactly one of 'repo' (owner/name) and 'path' (a local folder)")
    # A branch or tag can be moved to other weights after it was reviewed; a commit cannot.
    if card.repo is not None and not re.fullmatch(r"[0-9a-f]{40}", card.revision or ""):
        raise BadRequest(f"{where}: field 'revision': a commit of 40 hex digits is required with 'repo'")
    if card.parameters < 1:
        raise BadRequest(f"{where}: field 'parameters': the number of weights is required for a local model")


def _folder(where: str, card: ModelCard, file: Path, *, absolute_paths: bool) -> Path | None:
    if card.path is None:
        return None
    given = Path(card.path)
    if given.is_absolute():
        if not absolute_paths:
            raise BadRequest(f"{where}: field 'path': {card.path!r} is absolute; give it relative to {file.name}")
        return given
    base = file.resolve().parent
    folder = (base / given).resolve()
    if not folder.is_relative_to(base):
        raise BadRequest(f"{where}: field 'path': {card.path!r} leads out of {base}; use an absolute path for that")
    return folder
