"""`examine` over broken machines: every finding has its way out, and nothing is raised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from server.db.migrate import read_migrations
from server.doctor import Finding, examine, failed, known_variables
from server.settings import Settings
from state.errors import NotFound
from state.models import ModelCard, Strategy
from state.resources import Reading
from tests.fakes import FakeModels

KNOWN = len(read_migrations())
CARDS = (
    ModelCard(name="demo", path="demo", context_length=2_000, parameters=1_000_000),
    ModelCard(name="huge", path="huge", context_length=2_000, parameters=1_000_000_000_000),
    ModelCard(name="lost", path="lost", context_length=2_000, parameters=1_000_000),
)


class ManyModels(FakeModels):
    """Three models: one fits and is here, one does not fit, one has no files."""

    default_model = "demo"

    def cards(self) -> Sequence[ModelCard]:
        return CARDS

    def bytes_needed(self, name: str, strategy: Strategy) -> int:
        if name == "lost":
            raise NotFound("the folder of model 'lost' is gone; restore it or take it out of the catalogue")
        return 10**13 if name == "huge" else 10**6

    def is_here(self, name: str) -> bool:
        return name == "demo"


class BrokenModels(ManyModels):
    def reading(self) -> Reading:
        raise RuntimeError("the driver\nsaid no")


def by_name(findings: Sequence[Finding]) -> dict[str, Finding]:
    assert all(finding.way_out for finding in findings if finding.state != "ok")
    assert all("\n" not in finding.found + finding.way_out for finding in findings)
    return {finding.name: finding for finding in findings}


async def test_a_sound_machine_has_no_failures(settings: Settings) -> None:
    findings = await examine(settings, ManyModels(), {})
    found = by_name(findings)
    assert not failed(findings)
    assert found["postgres"].found.startswith("18.")
    assert found["pgvector"].state == "ok"
    assert found["migrations"].found == f"{KNOWN} of {KNOWN} applied"
    assert {"python", "settings", "data directory", "torch", "device", "bitsandbytes", "memory"} <= set(found)


async def test_models_are_told_by_whether_they_fit_and_are_here(settings: Settings) -> None:
    found = by_name(await examine(settings, ManyModels(), {}, only=["models"]))
    assert found["model demo"].state == "ok"
    assert "here" in found["model demo"].found
    assert "does not fit" in found["model huge"].found
    assert found["model lost"] == Finding(
        "model lost", "warn", "the folder of model 'lost' is gone", "restore it or take it out of the catalogue"
    )


async def test_what_the_default_model_lacks_is_a_failure(settings: Settings) -> None:
    findings = await examine(settings.model_copy(update={"default_model": "huge"}), ManyModels(), {}, only=["models"])
    assert by_name(findings)["model huge"].state == "fail"
    assert failed(findings)
    findings = await examine(settings.model_copy(update={"default_model": "none"}), ManyModels(), {}, only=["models"])
    assert by_name(findings)["default model"].way_out == "set LAB_DEFAULT_MODEL to one of: demo, huge, lost"


async def test_the_embedded_postgres_is_started_for_the_examination(tmp_path: Path) -> None:
    found = by_name(
        await examine(Settings(data_dir=tmp_path / "new"), ManyModels(), {}, only=["data directory", "postgres"])
    )
    assert "embedded" in found["postgres"].found
    assert found["migrations"].found == f"0 of {KNOWN} applied; {KNOWN} follow at the next start"
    assert "to be created" in found["data directory"].found


async def test_a_broken_part_is_a_finding_and_the_rest_is_examined(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    findings = await examine(Settings(data_dir=tmp_path / "data"), BrokenModels(), {})
    found = by_name(findings)
    assert failed(findings)
    assert found["data directory"].state == found["postgres"].state == found["memory"].state == "fail"
    assert found["memory"].found == "RuntimeError: the driver said no"
    assert found["torch"].state == "ok"


async def test_a_database_that_does_not_answer(settings: Settings) -> None:
    away = settings.model_copy(
        update={"database_url": Settings(database_url="postgresql://x:secret@127.0.0.1:1/y").database_url}
    )
    finding = by_name(await examine(away, ManyModels(), {}, only=["postgres"]))["postgres"]
    assert finding.state == "fail"
    assert "127.0.0.1:1/y" in finding.found
    assert "secret" not in finding.found


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("LAB_DATADIR", "did you mean LAB_DATA_DIR?"), ("LAB_ZZZZZ", "unset it; .env.example lists the settings")],
)
async def test_a_misspelt_variable_is_told_with_the_nearest_name(settings: Settings, name: str, way_out: str) -> None:
    finding = by_name(
        await examine(settings, ManyModels(), {name: "x", "LAB_PORT": "1", "HOME": "/"}, only=["settings"])
    )["settings"]
    assert (finding.state, finding.way_out) == ("warn", way_out)
    assert name in finding.found


def test_every_variable_of_settings_is_known() -> None:
    assert {"LAB_DATA_DIR", "LAB_MAX_VRAM_USAGE", "MAX_VRAM_USAGE", "HF_TOKEN", "LAB_PORT"} <= known_variables()
    assert "LAB_HF_TOKEN" not in known_variables()


class RemoteModels(ManyModels):
    """One model behind an API, which may be asked or, when `here` is False, not."""

    def __init__(self, *, here: bool) -> None:
        super().__init__()
        self.here = here

    def cards(self) -> Sequence[ModelCard]:
        return (ModelCard(name="demo", provider="openai", model_id="big", context_length=2_000),)

    def is_here(self, name: str) -> bool:
        return self.here


async def test_a_remote_model_is_told_by_its_provider(settings: Settings) -> None:
    found = by_name(await examine(settings, RemoteModels(here=True), {}, only=["models"]))
    assert (found["model demo"].state, found["model demo"].found) == ("ok", "remote (openai)")
    found = by_name(await examine(settings, RemoteModels(here=False), {}, only=["models"]))
    assert found["model demo"].state == "fail"
    assert "LAB_OFFLINE" in found["model demo"].way_out
