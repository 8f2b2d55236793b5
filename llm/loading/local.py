"""LocalLoader: finds a model's files, checks them, sizes them, and has them loaded.

Torch and transformers take seconds to import, so the methods that need them import them: a server starts, lists its
models and computes their sizes without.
"""

from __future__ import annotations

from pathlib import Path

from llm.catalog import Catalog
from llm.check import check_folder, read_json
from llm.codec import Codec
from llm.loading.base import Loaded
from llm.loading.files import find_folder, local_folder
from llm.sizing import DType, bytes_of_parameters, bytes_of_tensors, kv_bytes_per_token
from state.models import ModelCard, Strategy
from state.resources import Device


class LocalLoader:
    """Fills `Loader` with transformers."""

    def __init__(
        self,
        catalog: Catalog,
        device: Device,
        dtype: DType,
        *,
        online: bool = False,
        cache_dir: Path | None = None,
        token: str | None = None,
    ) -> None:
        """`dtype`: of weights that are not quantised. `online`: fetch what is not here. `token`: for gated models."""
        self._catalog = catalog
        self._device = device
        self._dtype = dtype
        self._online = online
        self._cache_dir = cache_dir
        self._token = token

    def is_here(self, card: ModelCard) -> bool:
        """Whether the model's files are on this machine."""
        return local_folder(self._catalog.entry(card.name), cache_dir=self._cache_dir) is not None

    def bytes_needed(self, card: ModelCard, strategy: Strategy) -> int:
        """See `Loader`."""
        folder = local_folder(self._catalog.entry(card.name), cache_dir=self._cache_dir)
        if folder is None:
            return bytes_of_parameters(card.parameters, strategy, self._dtype)
        tied = bool(read_json(folder / "config.json").get("tie_word_embeddings", False))
        return bytes_of_tensors(check_folder(folder), strategy, self._dtype, tied=tied)

    def kv_bytes_per_token(self, card: ModelCard) -> int:
        """See `Loader`."""
        folder = local_folder(self._catalog.entry(card.name), cache_dir=self._cache_dir)
        return 0 if folder is None else kv_bytes_per_token(read_json(folder / "config.json"), self._dtype)

    def load(self, card: ModelCard, strategy: Strategy) -> Loaded:
        """See `Loader`."""
        folder = self._checked_folder(card)
        from llm.loading.opening import open_model  # noqa: PLC0415 - torch, see above

        return open_model(card, strategy, folder, self._device, self._dtype)

    def codec(self, card: ModelCard) -> Codec:
        """See `Loader`."""
        folder = self._checked_folder(card)
        from llm.loading.pretrained import read_codec  # noqa: PLC0415 - torch, see above

        return read_codec(folder, card)

    def free(self) -> None:
        """See `Loader`."""
        from llm.loading.opening import free_memory  # noqa: PLC0415 - torch, see above

        free_memory(self._device)

    def _checked_folder(self, card: ModelCard) -> Path:
        entry = self._catalog.entry(card.name)
        folder = find_folder(entry, online=self._online, cache_dir=self._cache_dir, token=self._token)
        check_folder(folder)
        return folder
