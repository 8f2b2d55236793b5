"""Which checkpoints may go: by what those that stay are read from, not by their number. Plain functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

Key = tuple[str, str]
"""Namespace and id of a checkpoint."""
Blob = tuple[str, str, str]
"""Namespace, channel and version of a stored value."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint without its values."""

    namespace: str
    checkpoint_id: str
    parent_id: str | None
    versions: Mapping[str, str]
    inline: Collection[str] = ()
    """Channels whose value stands in the checkpoint itself."""
    deltas: Collection[str] = ()
    """Channels whose value is not stored here: it is built from an ancestor's and the writes since."""
    root_id: str | None = None
    """Of a subgraph: the root graph's checkpoint that its call started from."""
    run_id: str | None = None

    @property
    def key(self) -> Key:
        return self.namespace, self.checkpoint_id

    @property
    def parent(self) -> Key | None:
        return (self.namespace, self.parent_id) if self.parent_id else None

    @property
    def blobs(self) -> set[Blob]:
        return {(self.namespace, channel, version) for channel, version in self.versions.items()}


@dataclass(frozen=True)
class Pruned:
    """What goes, and what has to change in what stays."""

    checkpoints: Sequence[Key]
    blobs: Sequence[Blob]
    adopted: Mapping[Key, str | None]
    """Checkpoints whose parent goes, and the nearest ancestor that stays."""


def pruned_to_latest(saved: Sequence[Saved], stored: Collection[Blob]) -> Pruned:
    """Keep the newest checkpoint of each namespace and what it is read from.

    A subgraph's namespace goes as a whole with the root checkpoint that its call started from. One whose root is not
    saved stays: it may be saved a moment later.
    """
    newest: dict[str, Saved] = {}
    for one in sorted(saved, key=lambda one: one.checkpoint_id):
        newest[one.namespace] = one
    roots = {one.checkpoint_id for one in saved if one.namespace == ""}
    head = newest.get("")
    heads = {
        one.key
        for one in newest.values()
        # A namespace with a task's id in it is of one call; one without belongs to a subgraph that remembers.
        if ":" not in one.namespace or one.root_id not in roots or (head and one.root_id == head.checkpoint_id)
    }
    return _prune(saved, stored, heads)


def pruned_of_runs(saved: Sequence[Saved], stored: Collection[Blob], run_ids: Collection[str]) -> Pruned:
    """Keep what other runs made and what that is read from: a delta channel may still need a run's checkpoints."""
    return _prune(saved, stored, {one.key for one in saved if one.run_id not in run_ids})


def _prune(saved: Sequence[Saved], stored: Collection[Blob], wanted: Iterable[Key]) -> Pruned:
    by_key = {one.key: one for one in saved}
    kept = _with_sources(by_key, frozenset(stored), wanted)
    gone = [one for one in saved if one.key not in kept]
    used = {blob for key in kept for blob in by_key[key].blobs}
    freed = {blob for one in gone for blob in one.blobs if blob in stored} - used
    return Pruned(
        checkpoints=sorted(one.key for one in gone),
        blobs=sorted(freed),
        adopted={
            key: _nearest(by_key, kept, by_key[key].parent)
            for key in sorted(kept)
            if by_key[key].parent is not None and by_key[key].parent not in kept
        },
    )


def _with_sources(by_key: Mapping[Key, Saved], stored: frozenset[Blob], wanted: Iterable[Key]) -> set[Key]:
    """`wanted` and the ancestors that their delta channels are built from: up to the nearest one with a value."""
    deltas: dict[str, set[str]] = {}
    for one in by_key.values():
        deltas.setdefault(one.namespace, set()).update(one.deltas)
    kept = set(wanted)
    for key in list(kept):
        one = by_key[key]
        # A channel without a version was never written on this branch.
        lacking = {name for name in deltas[one.namespace] & set(one.versions) if not _holds(one, name, stored)}
        parent = by_key.get(one.parent) if one.parent else None
        while lacking and parent is not None:
            kept.add(parent.key)
            lacking = {name for name in lacking if not _holds(parent, name, stored)}
            parent = by_key.get(parent.parent) if parent.parent else None
    return kept


def _holds(one: Saved, channel: str, stored: frozenset[Blob]) -> bool:
    """Whether the channel's value is stored with this checkpoint."""
    return channel in one.inline or (one.namespace, channel, one.versions.get(channel, "")) in stored


def _nearest(by_key: Mapping[Key, Saved], kept: Collection[Key], start: Key | None) -> str | None:
    while start is not None and start not in kept:
        one = by_key.get(start)
        start = one.parent if one is not None else None
    return start[1] if start is not None else None
