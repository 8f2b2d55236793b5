"""What HTTP and the terminal do with the catalogue: describe its models, fetch them, add and remove entries."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from llm.eviction import need_of
from llm.loading.base import Progress
from llm.loading.files import find_folder
from llm.models import LocalModels
from server.wire.models import ModelInfo, NewModel
from state.errors import BadRequest, Conflict, LabError
from state.models import ModelCard, Strategy
from state.resources import Reading


def describe_all(models: LocalModels) -> list[ModelInfo]:
    """Every model that can be asked for, in the catalogue's order. Reads files, so it blocks for some milliseconds."""
    reading = models.reading()
    return [_describe(models, card, reading) for card in models.cards()]


def describe(models: LocalModels, name: str) -> ModelInfo:
    """One model. Blocks like `describe_all`. Raises NotFound with the known names."""
    return _describe(models, models.card(name), models.reading())


def _describe(models: LocalModels, card: ModelCard, reading: Reading) -> ModelInfo:
    residents = [model for model in reading.resident if model.name == card.name]
    needed: dict[Strategy, int] = {}
    here, per_token, problem = False, 0, None
    try:
        here = models.is_here(card.name)
        needed, per_token = models.sizes(card.name)
    except LabError as error:  # one damaged model must not hide the others
        problem = str(error)
    fits = [
        strategy
        for strategy, weights in needed.items()
        if need_of(weights, per_token, card.context_length).least <= reading.budget_bytes
    ]
    return ModelInfo(
        **card.model_dump(),
        here=here,
        remote=is_remote(card),
        added=models.catalog.is_added(card.name),
        loaded=[model.strategy for model in residents],
        residents=residents,
        bytes_needed=needed,
        kv_bytes_per_token=per_token,
        fits=fits,
        problem=problem,
    )


def is_remote(card: ModelCard) -> bool:
    """Whether it answers behind somebody's API."""
    return card.provider != "local"


def refuse_remote(card: ModelCard, what: str) -> None:
    """Raises BadRequest for a remote model; `what` nobody can do with it, such as "fetch"."""
    if is_remote(card):
        raise BadRequest(f"{card.name} is remote ({card.provider}): there is nothing to {what} here; just ask it")


def fetch(models: LocalModels, name: str, progress: Progress | None = None) -> Path:
    """Bring a model's files here, if they are not; the folder with them. Blocks.

    Raises NotFound, BadRequest for a remote model, and as `LocalModels.fetch`.
    """
    refuse_remote(models.card(name), "fetch")
    models.fetch(name, progress)
    return find_folder(models.catalog.entry(name))


def add(models: LocalModels, name: str, new: NewModel) -> None:
    """Add an entry, and keep it. Blocks. Raises as `Catalog.add`, and Conflict while an older one is still in use."""
    try:
        card = ModelCard(name=name, **new.model_dump())
    except ValidationError as error:
        raise BadRequest("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error
    if name not in models.catalog and any(model.name == name for model in models.reading().resident):
        raise Conflict(f"a removed model named {name!r} still answers calls; add the new one afterwards")
    models.catalog.add(card)


def remove(models: LocalModels, name: str) -> None:
    """Remove an entry that was added, from the memory too; its files stay. Blocks.

    Raises as `Catalog.remove`, and Conflict for the default model.
    """
    if name == models.default_model and models.catalog.is_added(name):
        raise Conflict(f"model {name!r} is the default one; set LAB_DEFAULT_MODEL to another first")
    models.catalog.remove(name)
    models.manager.forget(name)
