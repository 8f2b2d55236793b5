"""LocalModels: catalogue, manager and chat models as the floors above ask for them (`state.ports.ChatModels`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

from langchain_core.language_models import BaseChatModel

from llm.catalog import Catalog, load_catalog
from llm.embeddings import HASHING, SizedEmbeddings, open_embeddings
from llm.engines import open_engine
from llm.eviction import need_of
from llm.loading.base import Loader, Progress
from llm.loading.choose import choose_dtype, suited_strategy
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.providers.base import Access
from llm.providers.door import RemoteChats
from llm.providers.local import LocalChats
from llm.responses.cache import ResponseCache
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
        access: Access | None = None,
        responses: ResponseCache | None = None,
        embeddings: SizedEmbeddings | None = None,
    ) -> None:
        """`access`: to remote models; without one, only those that stay here and need no key.

        `responses`: where answers to repeatable calls are kept; None: nowhere. `embeddings`: None: hashing.
        Raises NotFound when the catalogue lacks `default_model`.
        """
        self._catalog = catalog
        self._loader = loader
        self.manager = manager
        self._default_model = catalog.card(default_model).name
        self._default_strategy: Strategy = default_strategy
        self.responses = responses
        self.embeddings: SizedEmbeddings = embeddings or open_embeddings()
        self._local = LocalChats(catalog, manager, responses)
        self._remote = RemoteChats(access or Access(online=False), responses)

    @property
    def default_model(self) -> str:
        """See `ChatModels`."""
        return self._default_model

    @property
    def default_strategy(self) -> Strategy:
        """See `ChatModels`."""
        return self._default_strategy

    @property
    def catalog(self) -> Catalog:
        """The cards, where their files are, and the way to add and remove entries."""
        return self._catalog

    def cards(self) -> Sequence[ModelCard]:
        """See `ChatModels`."""
        return tuple(self._catalog)

    def card(self, name: str) -> ModelCard:
        """See `ChatModels`."""
        return self._catalog.card(name)

    def is_here(self, name: str) -> bool:
        """See `ChatModels`."""
        card = self._catalog.card(name)
        return self._loader.is_here(card) if card.provider == "local" else self._remote.may_ask(card)

    def fetch(self, name: str, progress: Progress | None = None) -> None:
        """Bring a local model's files here, if they are not. Blocks; raises NotFound and like `Loader.fetch`."""
        card = self._catalog.card(name)
        if card.provider == "local":
            self._loader.fetch(card, progress)

    def is_loaded(self, name: str, strategy: Strategy) -> bool:
        """See `ChatModels`."""
        return self._catalog.card(name).provider != "local" or self.manager.is_loaded(name, strategy)

    def bytes_needed(self, name: str, strategy: Strategy) -> int:
        """See `ChatModels`."""
        card = self._catalog.card(name)
        if card.provider != "local":
            return 0
        weights, per_token = self._loader.bytes_needed(card, strategy), self._loader.kv_bytes_per_token(card)
        return need_of(weights, per_token, card.context_length).least

    def sizes(self, name: str) -> tuple[dict[Strategy, int], int]:
        """`bytes_needed` by strategy, and `kv_bytes_per_token`, with fewer looks at the disk. Blocks."""
        card, per_token = self._catalog.card(name), self.kv_bytes_per_token(name)
        if card.provider != "local":
            return dict.fromkeys(get_args(Strategy), 0), per_token
        weights = {strategy: self._loader.bytes_needed(card, strategy) for strategy in get_args(Strategy)}
        needed = {key: need_of(size, per_token, card.context_length).least for key, size in weights.items()}
        return needed, per_token

    def kv_bytes_per_token(self, name: str) -> int:
        """Keys and values that a token of context takes; 0 when unknown, as while its files are not here. Blocks."""
        card = self._catalog.card(name)
        return self._loader.kv_bytes_per_token(card) if card.provider == "local" else 0

    def chat(self, name: str, *, strategy: Strategy | None = None, sampling: Sampling | None = None) -> BaseChatModel:
        """See `ChatModels`."""
        card = self._catalog.card(name)
        if card.provider != "local":
            return self._remote.chat(card, sampling or Sampling())
        return self._local.chat(name, strategy or self._default_strategy, sampling or Sampling())

    def reading(self) -> Reading:
        """See `ChatModels`."""
        return self.manager.get_memory_stats()

    def close(self) -> None:
        """End every thread and free the memory. Blocks for the current step or load; may be called twice."""
        self.manager.close()
        self.embeddings.close()

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
    hub_url: str | None = None,
    models_store: Path | None = None,
    quantised_dir: Path | None = None,
    access: Access | None = None,
    response_cache: int = 0,
    embedder: str = HASHING,
) -> LocalModels:
    """Models of this machine. Loads none, and imports torch only where there may be a GPU.

    `budget_bytes` None: `BUDGET_SHARE` of the memory that is free now. `keep_alive`: seconds an idle model stays, 0
    none, -1 until its room is needed. `online`: whether models may be fetched, from `hub_url` or else from the public
    hub, into `cache_dir` or else the hub's own cache. `models_store`: the file of entries that requests add.
    `quantised_dir`: where quantised weights are kept for the next load, None nowhere. `access`: to remote models.
    `response_cache`: answers kept, 0 none. `embedder`: see `open_embeddings`. Raises BadRequest for a bad file.
    """
    catalog = load_catalog(models_file, models_store)
    meter = DeviceMeter(find_device())
    dtype = choose_dtype(meter.device, cpu_features(), gpu_has_bf16=gpu_has_bf16(meter.device))
    loader = LocalLoader(
        catalog,
        meter.device,
        dtype,
        online=online,
        cache_dir=cache_dir,
        token=hf_token,
        hub_url=hub_url,
        quantised_dir=quantised_dir,
    )
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
    return LocalModels(
        catalog,
        loader,
        manager,
        default_model=default_model,
        default_strategy=strategy,
        access=access,
        responses=ResponseCache(response_cache) if response_cache else None,
        embeddings=open_embeddings(embedder),
    )
