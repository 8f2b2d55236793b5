"""The catalogue's files: what is accepted, what requests may add, and what its errors say."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llm.catalog import Catalog, load_catalog
from llm.sizing import bytes_of_parameters
from state.errors import BadRequest, Conflict, NotFound, Unavailable
from state.models import ModelCard

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write(folder: Path, text: str) -> Path:
    file = folder / "models.yaml"
    file.write_text(text)
    return file


def entry(fields: str) -> str:
    return f"models: {{mine: {{context_length: 10, parameters: 5, {fields}}}}}"


def test_the_shipped_catalogue_has_the_demo_and_the_seeds_models() -> None:
    catalog = load_catalog()
    assert {"demo", "mistral7b", "llama3-8b", "deepseek-7b", "deepseek-coder"} <= {card.name for card in catalog}
    folder = catalog.entry("demo").folder
    assert folder is not None
    assert folder.parts[-3:] == ("llm", "demo", "weights")


def test_a_users_file_adds_and_replaces(tmp_path: Path) -> None:
    text = "models: {mine: {path: weights, context_length: 10, parameters: 5}, "
    text += f"demo: {{repo: a/b, revision: {COMMIT}, context_length: 7, parameters: 5}}}}"
    catalog = load_catalog(write(tmp_path, text))
    assert catalog.entry("mine").folder == tmp_path / "weights"
    assert catalog.card("demo").context_length == 7
    assert catalog.entry("demo").folder is None


def test_the_operators_file_may_name_an_absolute_folder(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path, entry("path: /srv/models/mine")))
    assert catalog.entry("mine").folder == Path("/srv/models/mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [", "not YAML"),
        ("models: !!python/object/apply:os.system [ls]", "not YAML"),
        ("other: {}", "expected one key, `models:`"),
        ("models: {mine: 3}", "model 'mine': expected fields"),
        (entry("path: x, contxt: 3"), "field 'contxt': Extra inputs .* known fields: base_url, bits, capabilities"),
        ("models: {mine: {path: x, parameters: 5}}", "model 'mine': field 'context_length': Field required"),
        ("models: {UPPER: {path: x, context_length: 10, parameters: 5}}", "model 'UPPER': field 'name'"),
        (entry("path: x, capabilities: [fly]"), "field 'capabilities.0'.*'chat'"),
        (entry("languages: [en]"), "exactly one of 'repo' .* and 'path'"),
        (entry(f"path: x, repo: a/b, revision: {COMMIT}"), "exactly one of 'repo' .* and 'path'"),
        (entry("repo: a/b"), "field 'revision': a commit of 40 hex digits"),
        (entry("repo: a/b, revision: main"), "field 'revision': a commit of 40 hex digits"),
        (entry("path: ../elsewhere"), "leads out of"),
        (entry("path: link/weights"), "leads out of"),
    ],
)
def test_each_mistake_is_told_with_file_entry_and_field(tmp_path: Path, text: str, message: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(tmp_path)
    with pytest.raises(BadRequest, match=message) as caught:
        load_catalog(write(home, text))
    assert str(home / "models.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"none\.yaml: cannot be read"):
        load_catalog(tmp_path / "none.yaml")


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(NotFound, match=r"no model named 'mistral-7b'; did you mean mistral7b\? Known models: demo, "):
        load_catalog().card("mistral-7b")


def hub_card(name: str = "added", **fields: Any) -> ModelCard:
    return ModelCard(
        **{"name": name, "repo": "a/b", "revision": COMMIT, "context_length": 9, "parameters": 5, **fields}
    )


def names(catalog: Catalog) -> list[str]:
    return [card.name for card in catalog]


def test_shipped_entries_are_pinned_and_know_their_embeddings() -> None:
    cards = [card for card in load_catalog() if card.repo]
    assert len(cards) >= 20
    assert len({(card.repo, card.revision) for card in cards}) == len(cards)
    for card in cards:
        assert card.embedding_parameters is not None, card.name
        assert card.embedding_parameters < 0.5 * (card.parameters or 0), card.name
        assert ("tools" in card.capabilities) <= (card.tool_format != "json"), card.name


def test_llama_3_in_4_bits_is_not_taken_for_smaller_than_it_is() -> None:
    card = load_catalog().card("llama3-8b")
    needed = bytes_of_parameters(
        card.parameters or 0, "optimized", "bfloat16", embedding_parameters=card.embedding_parameters
    )
    linear = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    head_and_embeddings = 2 * 128_256 * 4096
    assert needed == pytest.approx(linear * (0.5 + 1 / 64) + head_and_embeddings * 2, rel=0.001)


def test_what_a_request_adds_is_there_at_the_next_start(tmp_path: Path) -> None:
    store = tmp_path / "data" / "models.yaml"
    catalog = load_catalog(store=store)
    card = hub_card(capabilities=("chat", "code"), stop=("¡fin!",), tool_format="llama3", bits=8, keep_alive=-1)
    catalog.add(card)
    catalog.add(card)
    assert names(catalog)[-1] == "added"
    again = load_catalog(store=store)
    assert again.card("added") == card
    assert again.entry("added").folder is None
    again.remove("added")
    assert names(again) == names(load_catalog()) == names(load_catalog(store=store))
    with pytest.raises(NotFound, match="no added model named 'added'; added: none"):
        again.remove("added")


def test_without_a_store_it_lasts_as_long_as_the_catalogue() -> None:
    catalog = load_catalog()
    catalog.add(hub_card("one"))
    catalog.add(hub_card("two"))
    catalog.remove("one")
    assert names(catalog) == [*names(load_catalog()), "two"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"repo": None, "revision": None, "path": "/etc"}, "'path' can be set in the operator's file only"),
        ({"path": "x"}, "'path' can be set"),
        ({"provider": "custom", "factory": "os:system"}, "'factory', 'provider' can be set"),
        ({"provider": "openai_compatible", "base_url": "http://10.0.0.1"}, "'base_url', 'provider' can be set"),
        ({"provider": "openai", "key": "openai"}, "'key', 'provider' can be set"),
        ({"pinned": True}, "'pinned' can be set"),
        ({"repo": None, "revision": None}, "'repo' .* and 'revision' .* are needed"),
        ({"revision": "main"}, "a commit of 40 hex digits"),
        ({"revision": None}, "a commit of 40 hex digits"),
    ],
)
def test_a_request_may_name_a_repository_and_its_commit_alone(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    catalog = load_catalog(store=tmp_path / "models.yaml")
    with pytest.raises(BadRequest, match=f"model 'added': .*{message}"):
        catalog.add(hub_card(**fields))
    assert "added" not in catalog
    assert not (tmp_path / "models.yaml").exists()


@pytest.mark.parametrize("repo", ["../x", "a/..", "a/b/c", "a", "a/b?c", "a/ b", "a/b\n"])
def test_a_repository_is_an_owner_and_a_name(repo: str) -> None:
    with pytest.raises(ValueError, match="repo"):
        hub_card(repo=repo)


def test_entries_of_files_are_not_changed_by_requests(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    mine = write(tmp_path / "own", entry("path: weights"))
    catalog = load_catalog(mine, tmp_path / "models.yaml")
    for name in ("demo", "mine"):
        with pytest.raises(Conflict, match=f"model '{name}' stands in the shipped catalogue or the operator's file"):
            catalog.add(hub_card(name))
        with pytest.raises(Conflict, match=name):
            catalog.remove(name)
    catalog.add(hub_card())
    with pytest.raises(Conflict, match="'added' was added with other fields; remove it first"):
        catalog.add(hub_card(context_length=10))


def test_the_operators_entry_hides_an_added_one_of_its_name(tmp_path: Path) -> None:
    store = tmp_path / "models.yaml"
    load_catalog(store=store).add(hub_card("mine"))
    (tmp_path / "own").mkdir()
    mine = write(tmp_path / "own", entry("path: weights"))
    catalog = load_catalog(mine, store)
    assert catalog.card("mine").path == "weights"
    catalog.add(hub_card("other"))
    assert names(load_catalog(store=store))[-2:] == ["mine", "other"]


def test_a_store_that_somebody_changed_gets_no_more_rights_than_a_request(tmp_path: Path) -> None:
    store = write(tmp_path, entry("path: weights"))
    with pytest.raises(BadRequest, match=re.escape(f"{store}: model 'mine': 'path' can be set in the operator's")):
        load_catalog(store=store)


def test_catalogues_of_two_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    store = tmp_path / "models.yaml"
    catalogs = [load_catalog(store=store) for _ in range(2)]
    ready = threading.Barrier(8)

    def add(number: int) -> None:
        ready.wait(10)
        catalogs[number % 2].add(hub_card(f"m{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert set(names(load_catalog(store=store))) >= {f"m{number}" for number in range(8)}


def test_an_iteration_is_not_disturbed_by_a_change() -> None:
    catalog = load_catalog()
    seen = []
    for number, card in enumerate(catalog):
        seen.append(card.name)
        catalog.add(hub_card(f"m{number}"))
    assert seen == names(load_catalog())


def test_a_store_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    catalog = load_catalog(store=tmp_path / "file" / "models.yaml")
    with pytest.raises(Unavailable, match=r"models\.yaml cannot be written"):
        catalog.add(hub_card())
    assert "added" not in catalog
