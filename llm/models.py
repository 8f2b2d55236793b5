"""LocalModels: catalogue, manager and chat models as the floors above ask for them (`state.ports.ChatModels`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from llm.catalog import Catalog, load_catalog
from llm.chat import LocalChatModel
from llm.engine.base import Engine, Room
from llm.loading.base import Loaded, Loader
from llm.loading.choose import choose_dtype, suited_strategy
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.vram import DeviceMeter, cpu_features, default_budget, find_device, gpu_has_bf16
from state.models import ModelCard, Sampling, Strategy
from state.resources import Reading


class LocalModels:
    """Fills `state.ports.ChatModels`. A context manager: leaving it closes the manager."""

    def __init__(
        self,
        catalog: Catalog,
        loader: Loader,
        manager: ModelManager,
        *,
        default_model: str = "demo",
        default_strategy: Strategy = "standard",
    ) -> None:
        """Raises NotFound when the catalogue lacks `default_model`."""
        self._catalog = catalog
        self._loader = loader
        self.manager = manager
        self._default_model = catalog.card(default_model).name
        self._default_strategy: Strategy = default_strategy

    @property
    def default_model(self) -> str:
        """See `ChatModels`."""
        return self._default_model

    @property
    def default_strategy(self) -> Strategy:
        """See `ChatModels`."""
        return self._default_strategy

    def cards(self) -> Sequence[ModelCard]:
        """See `ChatModels`."""
        return tuple(self._catalog)

    def card(self, name: str) -> ModelCard:
        """See `ChatModels`."""
        return self._catalog.card(name)

    def is_here(self, name: str) -> bool:
        """Whether the model's files are on this machine, so that a call needs no download. Raises NotFound."""
        return self._loader.is_here(self._catalog.card(name))

    def is_loaded(self, name: str, strategy: Strategy) -> bool:
        """See `ChatModels`."""
        return self.manager.is_loaded(name, strategy)

    def bytes_needed(self, name: str, strategy: Strategy) -> int:
        """See `ChatModels`."""
        return self._loader.bytes_needed(self._catalog.card(name), strategy)

    def chat(self, name: str, *, strategy: Strategy | None = None, sampling: Sampling | None = None) -> LocalChatModel:
        """See `ChatModels`."""
        card = self._catalog.card(name)
        settings = (sampling or Sampling()).model_dump()
        return LocalChatModel(
            model=card.name, strategy=strategy or self._default_strategy, card=card, manager=self.manager, **settings
        )

    def reading(self) -> Reading:
        """See `ChatModels`."""
        return self.manager.get_memory_stats()

    def close(self) -> None:
        """End every thread and free the memory. Blocks for the current step or load; may be called twice."""
        self.manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_models(
    *,
    models_file: Path | None = None,
    default_model: str = "demo",
    default_strategy: Strategy | None = None,
    budget_bytes: int | None = None,
    keep_alive: float = 300.0,
    online: bool = False,
    hf_token: str | None = None,
    cache_dir: Path | None = None,
) -> LocalModels:
    """Models of this machine. Loads none, and imports torch only where there may be a GPU.

    `budget_bytes` None: `BUDGET_SHARE` of the memory that is free now. `keep_alive`: seconds an idle model stays, 0
    none, -1 until its room is needed. `online`: whether models may be fetched. Raises BadRequest for a bad file.
    """
    catalog = load_catalog(models_file)
    meter = DeviceMeter(find_device())
    dtype = choose_dtype(meter.device, cpu_features(), gpu_has_bf16=gpu_has_bf16(meter.device))
    loader = LocalLoader(catalog, meter.device, dtype, online=online, cache_dir=cache_dir, token=hf_token)
    strategy = default_strategy or suited_strategy(meter.device)
    manager = ModelManager(
        catalog,
        loader,
        open_engine,
        meter,
        budget_bytes=default_budget(meter) if budget_bytes is None else budget_bytes,
        default_strategy=strategy,
        keep_alive=keep_alive,
    )
    return LocalModels(catalog, loader, manager, default_model=default_model, default_strategy=strategy)


def open_engine(loaded: Loaded, room: Room) -> Engine:
    """The engine that suits a loaded model: many requests a step where its attention allows it, else one at a time."""
    # They import torch, which takes seconds; by the time a model is loaded it is there.
    from llm.engine.batching import BatchingEngine  # noqa: PLC0415
    from llm.engine.plain import PlainEngine  # noqa: PLC0415
    from llm.engine.suits import shared_shape  # noqa: PLC0415

    shape = shared_shape(loaded)
    return PlainEngine(loaded, room) if shape is None else BatchingEngine(loaded, room, shape)
