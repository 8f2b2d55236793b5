"""Models fetched from a hub on the loopback, whole, in parts, and not at all."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import get_token, scan_cache_dir, set_client_factory, snapshot_download
from huggingface_hub.utils._http import default_client_factory

from llm.catalog import Catalog, Entry
from llm.loading.local import LocalLoader
from state.errors import BadRequest, LabError, NotFound, Unavailable
from state.models import ModelCard
from tests.integration.hub import COMMIT, REPO, WEIGHTS, Hub, list_files, serve
from tests.unit.llm.fakes import card
from tests.unit.llm.tiny import save_model

CARD = card("tiny", path=None, repo=REPO, revision=COMMIT, context_length=512)


class Left(Exception):
    """The caller does not want the model any more."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def hub(model: Path) -> Iterator[Hub]:
    with serve(model) as running:
        yield running


@pytest.fixture
def _network() -> Iterator[None]:
    """The library's client refuses every request under HF_HUB_OFFLINE, which all tests run with."""
    set_client_factory(lambda: httpx.Client(trust_env=False))
    yield
    set_client_factory(default_client_factory)


@pytest.fixture
def new_loader(tmp_path: Path, hub: Hub, _network: None) -> Callable[..., LocalLoader]:
    """Loaders of one cache; `card` fields and loader arguments may be given."""

    def make(wanted: ModelCard = CARD, **options: Any) -> LocalLoader:
        catalog = Catalog({wanted.name: Entry(wanted, None)})
        given = {"online": True, "cache_dir": tmp_path / "cache", "hub_url": hub.url, "retry_wait": 0.0, **options}
        return LocalLoader(catalog, "cpu", "float32", **given)

    return make


@pytest.fixture
def loader(new_loader: Callable[..., LocalLoader]) -> LocalLoader:
    return new_loader()


def leave_at(share: float) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done > share * total:
            raise Left

    return progress


def directory_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def sent(hub: Hub) -> int:
    return sum(asked.sent for asked in hub.of(WEIGHTS))


def test_a_model_is_fetched_whole_then_loaded_without_the_network(hub: Hub, loader: LocalLoader) -> None:
    steps: list[tuple[int, int]] = []
    assert not loader.is_here(CARD)
    loader.fetch(CARD, lambda done, total: steps.append((done, total)))
    total = sum(map(len, hub.files.values()))
    assert steps[0] == (0, total)
    assert steps[-1] == (total, total)
    assert steps == sorted(steps)
    assert loader.is_here(CARD)
    asked = len(hub.asked)
    loader.fetch(CARD)
    assert loader.load(CARD, "standard").model.config.vocab_size == 258
    assert len(hub.asked) == asked


def test_nothing_but_model_files_is_fetched(hub: Hub, loader: LocalLoader, tmp_path: Path) -> None:
    names = ["modeling.py", "pytorch_model.bin", "consolidated.safetensors", "README.md", "..hidden.json"]
    hub.listing = list_files(hub.files) + list_files({"onnx/a.json": b"{}", "../out.json": b"{}"})
    hub.listing += list_files(dict.fromkeys(names, b"x"))
    loader.fetch(CARD)
    home = tmp_path / "cache" / "models--owner--tiny"
    assert {file.name for file in (home / "snapshots" / COMMIT).iterdir()} == set(hub.files)
    assert len(list((home / "blobs").iterdir())) == len(hub.files)
    assert not any(hub.of(name) for name in names)


def test_other_programs_find_what_was_fetched(loader: LocalLoader, tmp_path: Path) -> None:
    loader.fetch(CARD)
    cache = tmp_path / "cache"
    folder = snapshot_download(REPO, revision=COMMIT, cache_dir=cache, local_files_only=True)
    assert Path(folder) == cache / "models--owner--tiny" / "snapshots" / COMMIT
    report = scan_cache_dir(cache)
    assert [(repo.repo_id, repo.size_on_disk) for repo in report.repos] == [(REPO, directory_size(Path(folder)))]
    assert report.warnings == []


def test_a_token_kept_for_the_public_hub_is_not_given_to_a_mirror(
    hub: Hub, loader: LocalLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_kept")
    assert get_token() == "hf_kept"
    loader.fetch(CARD)
    assert {asked.token for asked in hub.asked} == {None}


def test_the_token_goes_to_the_hub_and_not_to_the_store_behind_it(
    hub: Hub, new_loader: Callable[..., LocalLoader]
) -> None:
    new_loader(token="hf_secret").fetch(CARD)
    to_hub, to_store = hub.of(WEIGHTS)
    assert (to_hub.token, to_store.token) == ("Bearer hf_secret", None)
    assert to_store.host.startswith("localhost")


def test_a_caller_who_left_goes_on_where_he_left(hub: Hub, loader: LocalLoader) -> None:
    size = len(hub.files[WEIGHTS])
    with pytest.raises(Left):
        loader.fetch(CARD, leave_at(0.5))
    assert not loader.is_here(CARD)
    steps: list[int] = []
    loader.fetch(CARD, lambda done, _: steps.append(done))
    assert steps[0] > 0.4 * size
    assert loader.is_here(CARD)
    asked = hub.of(WEIGHTS)[-1]
    begin = int(str(asked.range)[6:-1])
    assert begin > 0
    assert asked.sent == size - begin
    assert all(len(hub.of(name)) == 1 for name in hub.files if name != WEIGHTS)


def test_a_cut_connection_costs_no_byte_twice(hub: Hub, loader: LocalLoader) -> None:
    hub.cuts = [100_000, 50_000]
    loader.fetch(CARD)
    at_store = [asked for asked in hub.of(WEIGHTS) if asked.path.startswith("/store/")]
    assert [asked.range for asked in at_store] == [None, "bytes=100000-", "bytes=150000-"]
    assert sent(hub) == len(hub.files[WEIGHTS])


def test_a_hub_that_stays_away_is_told_with_what_is_here_and_asked_for_the_rest_later(
    hub: Hub, loader: LocalLoader
) -> None:
    hub.cuts = [200_000, 0, 0, 0, 0]
    with pytest.raises(Unavailable, match=r"tiny: fetching owner/tiny .* was cut .*\d.* of .*the next try goes on"):
        loader.fetch(CARD)
    assert hub.cuts == []
    loader.fetch(CARD)
    assert loader.is_here(CARD)
    assert sent(hub) == len(hub.files[WEIGHTS])


def test_a_hub_without_ranges_sends_the_whole_file_again(hub: Hub, loader: LocalLoader) -> None:
    hub.knows_ranges = False
    hub.cuts = [100_000]
    loader.fetch(CARD)
    assert loader.is_here(CARD)
    assert sent(hub) == len(hub.files[WEIGHTS]) + 100_000


def test_what_arrives_damaged_is_deleted_and_fetched_anew(hub: Hub, loader: LocalLoader, tmp_path: Path) -> None:
    hub.damages = True
    with pytest.raises(
        Unavailable, match=r"tiny: \S+ \(.*\) arrived damaged from http://127.*it was deleted, try again"
    ):
        loader.fetch(CARD)
    assert list((tmp_path / "cache" / "models--owner--tiny" / "blobs").iterdir()) == []
    hub.damages = False
    loader.fetch(CARD)
    assert loader.is_here(CARD)


@pytest.mark.parametrize("damage", ["cut short", "written over"])
def test_a_file_damaged_later_is_named_and_mended(hub: Hub, loader: LocalLoader, tmp_path: Path, damage: str) -> None:
    loader.fetch(CARD)
    file = (tmp_path / "cache" / "models--owner--tiny" / "snapshots" / COMMIT / WEIGHTS).resolve()
    content = file.read_bytes()
    file.write_bytes(content[:-100] if damage == "cut short" else b"\xff" * len(content))
    with pytest.raises(BadRequest, match=r"model\.safetensors: .*; `lab models pull tiny` fetches it again"):
        loader.load(CARD, "standard")
    hub.asked.clear()
    loader.fetch(CARD)
    assert file.read_bytes() == content
    assert {asked.path.rpartition("/")[2] for asked in hub.asked} == {COMMIT, WEIGHTS}


def test_offline_nothing_is_asked(hub: Hub, new_loader: Callable[..., LocalLoader]) -> None:
    loader = new_loader(online=False)
    for act in (loader.fetch, loader.codec):
        with pytest.raises(NotFound, match=r"tiny is not on this machine \(owner/tiny\) and fetching is off \(LAB_OFF"):
            act(CARD)
    with pytest.raises(NotFound, match="`lab models pull tiny` fetches it"):
        loader.load(CARD, "standard")
    assert hub.asked == []


def test_the_hubs_own_switch_is_obeyed(hub: Hub, new_loader: Callable[..., LocalLoader]) -> None:
    loader = new_loader()
    set_client_factory(default_client_factory)  # HF_HUB_OFFLINE is set for all tests
    with pytest.raises(NotFound, match="fetching is off \\(HF_HUB_OFFLINE\\)"):
        loader.fetch(CARD)
    assert hub.asked == []


def test_a_load_fetches_nothing(hub: Hub, loader: LocalLoader) -> None:
    with pytest.raises(NotFound, match="tiny is not on this machine"):
        loader.load(CARD, "standard")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        (401, "GatedRepo", BadRequest, r"HTTP 401\): accept its licence at http\S+/owner/tiny and set HF_TOKEN"),
        (401, "RepoNotFound", BadRequest, "a repository that does not exist is refused likewise"),
        (403, "GatedRepo", BadRequest, r"HTTP 403\): accept its licence"),
        (404, "RepoNotFound", NotFound, "not there \\(HTTP 404\\); check 'repo'"),
        (404, "RevisionNotFound", NotFound, f"no commit {COMMIT} there"),
        (429, "", Unavailable, "HTTP 429.*try again later"),
        (500, "", Unavailable, "HTTP 500.*try again later"),
        (418, "", BadRequest, "HTTP 418"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Hub, loader: LocalLoader, status: int, code: str, kind: type[LabError], message: str
) -> None:
    hub.refusal = (status, code)
    with pytest.raises(kind, match=message) as caught:
        loader.fetch(CARD)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("tiny: fetching owner/tiny from http://127.0.0.1")


def test_files_refused_after_their_listing_are_told_likewise(hub: Hub, loader: LocalLoader) -> None:
    hub.refuse_files = 403
    with pytest.raises(BadRequest, match="accept its licence"):
        loader.fetch(CARD)
    hub.refuse_files = 503
    with pytest.raises(Unavailable, match="HTTP 503"):
        loader.fetch(CARD)


def test_a_refused_port_is_no_connection(new_loader: Callable[..., LocalLoader]) -> None:
    with socket.socket() as held:  # bound and not listening
        held.bind(("127.0.0.1", 0))
        loader = new_loader(hub_url=f"http://127.0.0.1:{held.getsockname()[1]}")
        with pytest.raises(
            Unavailable, match=r"no connection .*refused.*set LAB_HUB_URL to a mirror, or choose a model"
        ):
            loader.fetch(CARD)


@pytest.mark.parametrize("listing", [{"models": []}, [1], [{"type": "file", "path": "a", "size": 1, "oid": "../x"}]])
def test_what_is_no_hub_is_told_so(hub: Hub, loader: LocalLoader, listing: object) -> None:
    hub.listing = listing
    with pytest.raises(BadRequest, match=r"not a listing of files.*LAB_HUB_URL"):
        loader.fetch(CARD)


def test_a_model_that_asks_for_code_is_refused_before_its_weights_are_fetched(hub: Hub, loader: LocalLoader) -> None:
    hub.files["config.json"] = json.dumps({"auto_map": {"AutoModel": "evil.Model"}}).encode()
    with pytest.raises(BadRequest, match=r"config\.json: 'auto_map' asks for code"):
        loader.fetch(CARD)
    assert hub.of(WEIGHTS) == []


def test_a_repository_without_safetensors_is_refused_at_once(hub: Hub, loader: LocalLoader) -> None:
    hub.files["pytorch_model.bin"] = hub.files.pop(WEIGHTS)
    with pytest.raises(BadRequest, match="owner/tiny has no safetensors weights"):
        loader.fetch(CARD)
    assert not any(asked.sent for asked in hub.asked)


def test_a_disk_too_small_is_told_before_anything_is_fetched(hub: Hub, loader: LocalLoader) -> None:
    hub.listing = list_files(hub.files)
    for item in hub.listing:
        if "lfs" in item:
            item["lfs"]["size"] = 10**16
    with pytest.raises(Unavailable, match=r"tiny: [\d.]+ GiB are still to be fetched, and .* has [\d.]+ GiB free"):
        loader.fetch(CARD)
    assert not any(asked.sent for asked in hub.asked)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_disk_that_fills_up_is_told_with_what_is_here(hub: Hub, loader: LocalLoader, tmp_path: Path) -> None:
    digest = next(item["lfs"]["oid"] for item in list_files(hub.files) if "lfs" in item)
    blobs = tmp_path / "cache" / "models--owner--tiny" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{digest}.incomplete").symlink_to("/dev/full")
    with pytest.raises(Unavailable, match=r"the disk is full; .* of .* is here"):
        loader.fetch(CARD)


def test_a_card_that_promises_more_context_than_the_model_has_is_refused(
    new_loader: Callable[..., LocalLoader],
) -> None:
    wanted = CARD.model_copy(update={"context_length": 513})
    loader = new_loader(wanted)
    loader.fetch(wanted)
    with pytest.raises(BadRequest, match=r"promises a context of 513 tokens, its config\.json has 512"):
        loader.load(wanted, "standard")


def test_many_callers_cause_one_download_and_all_hear_of_it(hub: Hub, loader: LocalLoader) -> None:
    hub.go_on.clear()
    heard = [threading.Event() for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(loader.fetch, CARD, lambda *_, event=event: event.set()) for event in heard]
        assert all(event.wait(30) for event in heard)
        hub.go_on.set()
        for call in calls:
            call.result(30)
    assert all(len(hub.of(name)) == 1 for name in hub.files if name != WEIGHTS)
    assert sent(hub) == len(hub.files[WEIGHTS])


def test_when_the_one_who_downloads_leaves_another_goes_on(hub: Hub, loader: LocalLoader) -> None:
    hub.go_on.clear()
    first, second, leave = threading.Event(), threading.Event(), threading.Event()

    def lead(done: int, total: int) -> None:
        first.set()
        if leave.is_set() and done > 0.5 * total:
            raise Left

    with ThreadPoolExecutor() as pool:
        leading = pool.submit(loader.fetch, CARD, lead)
        assert first.wait(30)
        following = pool.submit(loader.fetch, CARD, lambda *_: second.set())
        assert second.wait(30)
        leave.set()
        hub.go_on.set()
        with pytest.raises(Left):
            leading.result(30)
        following.result(30)
    assert loader.is_here(CARD)
    assert hub.of(WEIGHTS)[-1].range is not None


def test_two_processes_do_not_fetch_the_same_bytes(hub: Hub, new_loader: Callable[..., LocalLoader]) -> None:
    """Two loaders know as little of each other as two processes do: what keeps them apart is a lock on a file."""
    hub.go_on.clear()
    heard = [threading.Event(), threading.Event()]
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(new_loader().fetch, CARD, lambda *_, event=event: event.set()) for event in heard]
        assert all(event.wait(30) for event in heard)
        hub.go_on.set()
        for call in calls:
            call.result(30)
    assert sent(hub) == len(hub.files[WEIGHTS])


def test_an_error_of_the_one_who_downloads_reaches_all(hub: Hub, loader: LocalLoader) -> None:
    hub.go_on.clear()
    hub.cuts = [0, 0, 0, 0]
    heard = [threading.Event() for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(loader.fetch, CARD, lambda *_, event=event: event.set()) for event in heard]
        assert all(event.wait(30) for event in heard)
        hub.go_on.set()
        for call in calls:
            with pytest.raises(Unavailable, match="was cut"):
                call.result(30)
    assert hub.cuts == []
