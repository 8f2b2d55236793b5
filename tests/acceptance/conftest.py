"""A `lab` on this test's own database; a model that talks for minutes, to be cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import Lab, Process
from tests.conftest import TEMPLATE, new_database
from tests.unit.llm.tiny import save_slow_models


@pytest.fixture(scope="session")
def slow_models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with `slow`: random weights, some hundred tokens a second, tens of thousands an answer."""
    return save_slow_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def shared_server(postgres: str, slow_models_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One `lab serve` for the tests of a module that leave it as they found it."""
    with new_database(postgres, TEMPLATE) as database_url:
        folder = tmp_path_factory.mktemp("shared")
        with Lab(_settings(database_url, folder, slow_models_file), folder).start("serve", "--port", "0") as process:
            process.address()
            yield process


@pytest.fixture
def lab(database_url: str, slow_models_file: Path, tmp_path: Path) -> Lab:
    """`lab` on an external database of this test alone."""
    return Lab(_settings(database_url, tmp_path, slow_models_file), tmp_path)


def _settings(database_url: str, folder: Path, models_file: Path) -> dict[str, str]:
    return {
        "LAB_DATABASE_URL": database_url,
        "LAB_DATA_DIR": str(folder / "data"),
        "LAB_MODELS_FILE": str(models_file),
        "LAB_OFFLINE": "true",
    }
