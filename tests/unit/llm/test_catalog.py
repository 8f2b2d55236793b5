"""The catalogue file: what is accepted, and what its errors say."""

from pathlib import Path

import pytest

from llm.catalog import load_catalog
from state.errors import BadRequest, NotFound

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
        (entry("path: x, contxt: 3"), "field 'contxt': Extra inputs .* known fields: bits, capabilities"),
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
