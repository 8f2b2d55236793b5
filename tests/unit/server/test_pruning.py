"""Which checkpoints may go: tables of threads drawn as lists."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from server.db.pruning import Blob, Saved, pruned_of_runs, pruned_to_latest


def chain(
    namespace: str = "",
    ids: str = "1234",
    *,
    delta: Collection[str] = (),
    run_ids: str = "",
    root_id: str | None = None,
) -> list[Saved]:
    """A checkpoint a letter of `ids`, each the child of the one before; channel `x` has a version in each."""
    return [
        Saved(
            namespace=namespace,
            checkpoint_id=one,
            parent_id=ids[at - 1] if at else None,
            versions={"x": one, **dict.fromkeys(delta, one)},
            deltas=delta,
            root_id=root_id,
            run_id=run_ids[at] if run_ids else None,
        )
        for at, one in enumerate(ids)
    ]


def blobs(channel: str, versions: str, namespace: str = "") -> set[Blob]:
    return {(namespace, channel, version) for version in versions}


def test_the_newest_checkpoint_stays_and_has_no_parent() -> None:
    pruned = pruned_to_latest(chain(), blobs("x", "1234"))
    assert pruned.checkpoints == [("", "1"), ("", "2"), ("", "3")]
    assert pruned.blobs == [("", "x", "1"), ("", "x", "2"), ("", "x", "3")]
    assert pruned.adopted == {("", "4"): None}


def test_a_value_that_the_newest_still_uses_stays() -> None:
    saved = [Saved("", "1", None, {"x": "1"}), Saved("", "2", "1", {"x": "1", "y": "2"})]
    pruned = pruned_to_latest(saved, {("", "x", "1"), ("", "y", "2")})
    assert pruned.checkpoints == [("", "1")]
    assert pruned.blobs == []


@pytest.mark.parametrize("saved", [[], chain(ids="1")], ids=["nothing", "one"])
def test_nothing_goes_where_nothing_is_older(saved: list[Saved]) -> None:
    pruned = pruned_to_latest(saved, blobs("x", "1"))
    assert (pruned.checkpoints, pruned.blobs, pruned.adopted) == ([], [], {})


@pytest.mark.parametrize(
    ("snapshots", "gone"),
    [("4", "123"), ("3", "12"), ("2", "1"), ("13", "12"), ("1", ""), ("", "")],
    ids=["at the head", "one before", "two before", "the nearest counts", "at the root", "none: back to the root"],
)
def test_a_delta_channel_keeps_its_way_to_the_nearest_snapshot(snapshots: str, gone: str) -> None:
    pruned = pruned_to_latest(chain(delta=["log"]), blobs("log", snapshots))
    assert "".join(one for _, one in pruned.checkpoints) == gone


def test_each_delta_channel_keeps_its_own_way() -> None:
    pruned = pruned_to_latest(chain(delta=["log", "talk"]), blobs("log", "4") | blobs("talk", "2"))
    assert pruned.checkpoints == [("", "1")]


def test_a_plain_value_ends_the_way_of_a_channel_that_became_a_delta_channel() -> None:
    older = Saved("", "3", "2", {"log": "3"}, inline=["log"])
    saved = [*chain(ids="12"), older, Saved("", "4", "3", {"log": "4"}, deltas=["log"])]
    assert pruned_to_latest(saved, set()).checkpoints == [("", "1"), ("", "2")]


def test_a_delta_channel_counts_at_the_head_though_only_ancestors_name_it() -> None:
    saved = [*chain(ids="123", delta=["log"]), Saved("", "4", "3", {"log": "4"})]
    assert pruned_to_latest(saved, blobs("log", "2")).checkpoints == [("", "1")]


def test_a_delta_channel_never_written_on_this_branch_keeps_nothing() -> None:
    saved = [*chain(ids="12", delta=["log"]), Saved("", "3", "2", {"x": "3"})]
    assert pruned_to_latest(saved, set()).checkpoints == [("", "1"), ("", "2")]


def test_the_way_goes_over_parents_and_not_over_age() -> None:
    saved = [*chain(ids="123", delta=["log"]), Saved("", "4", "1", {"log": "4"}, deltas=["log"])]
    pruned = pruned_to_latest(saved, blobs("log", "1"))
    assert pruned.checkpoints == [("", "2"), ("", "3")]
    assert pruned.adopted == {}


def test_a_missing_ancestor_ends_the_way() -> None:
    saved = chain(ids="1234", delta=["log"])
    assert pruned_to_latest([saved[0], saved[2], saved[3]], set()).checkpoints == [("", "1")]


def test_namespaces_of_subgraph_calls_go_with_the_step_that_called_them() -> None:
    saved = [
        *chain(ids="1234"),
        *chain("old:a", "56", root_id="2"),
        *chain("open:b", "78", root_id="4"),
        *chain("lasting", "89", root_id="2"),
        *chain("early:c", "9", root_id="not saved yet"),
    ]
    gone = set(pruned_to_latest(saved, set()).checkpoints)
    assert gone == {("", "1"), ("", "2"), ("", "3"), ("old:a", "5"), ("old:a", "6"), ("open:b", "7"), ("lasting", "8")}


def test_values_of_other_namespaces_are_told_apart() -> None:
    saved = [*chain(ids="12"), *chain("sub", "1")]
    pruned = pruned_to_latest(saved, blobs("x", "12") | blobs("x", "1", "sub"))
    assert pruned.blobs == [("", "x", "1")]


def test_a_rolled_back_run_leaves_what_others_made() -> None:
    pruned = pruned_of_runs(chain(run_ids="aabb"), blobs("x", "1234"), ["b"])
    assert pruned.checkpoints == [("", "3"), ("", "4")]
    assert pruned.blobs == [("", "x", "3"), ("", "x", "4")]
    assert pruned.adopted == {}


def test_a_later_run_is_given_the_nearest_ancestor_that_stays() -> None:
    pruned = pruned_of_runs(chain(run_ids="abbc"), set(), ["b"])
    assert pruned.adopted == {("", "4"): "1"}


def test_what_a_later_run_is_built_from_stays() -> None:
    saved = chain(delta=["log"], run_ids="abbc")
    assert pruned_of_runs(saved, blobs("log", "1"), ["b"]).checkpoints == []
    assert pruned_of_runs(saved, blobs("log", "3"), ["b"]).checkpoints == [("", "2")]
    assert pruned_of_runs(saved, blobs("log", "4"), ["b"]).checkpoints == [("", "2"), ("", "3")]


def test_a_checkpoint_without_a_run_is_nobodys() -> None:
    assert pruned_of_runs(chain(), set(), ["a"]).checkpoints == []
