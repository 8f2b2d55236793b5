"""LocalLoader: finds a model's files, checks them, sizes them, and has them loaded.

Torch and transformers take seconds to import, so the methods that need them import them: a server starts, lists its
models and computes their sizes without.
"""

from __future__ import annotations

from pathlib import Path

from llm.catalog import Catalog
from llm.check import check_folder, check_safe, check_window, is_sound, read_folder, read_json
from llm.codec import Codec
from llm.loading.base import Loaded, Progress
from llm.loading.fetch import Flights
from llm.loading.files import find_folder, local_folder
from llm.sizing import DType, TensorInfo, bytes_of_parameters, bytes_of_tensors, kv_bytes_per_token
from state.errors import BadRequest, NotFound
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
        hub_url: str | None = None,
        retry_wait: float = 1.0,
        quantised_dir: Path | None = None,
    ) -> None:
        """`dtype`: of weights that are not quantised. `online`: whether `fetch` may; `token`: for gated models.

        `hub_url`: a mirror, instead of the public Hugging Face hub; `retry_wait`: seconds before it is asked again.
        `quantised_dir`: where quantised weights are kept for the next load; None: nowhere.
        """
        self._catalog = catalog
        self._device = device
        self._dtype = dtype
        self._online = online
        self._cache_dir = cache_dir
        self._token = token
        self._hub_url = hub_url
        self._retry_wait = retry_wait
        self._quantised_dir = quantised_dir
        self._flights = Flights()

    def is_here(self, card: ModelCard) -> bool:
        """Whether the model's files are on this machine."""
        return local_folder(self._catalog.entry(card.name), cache_dir=self._cache_dir) is not None

    def fetch(self, card: ModelCard, progress: Progress | None = None) -> None:
        """See `Loader`. Files that are here but damaged are fetched again."""
        entry = self._catalog.entry(card.name)
        folder = local_folder(entry, cache_dir=self._cache_dir)
        if card.repo is None or (folder is not None and (not self._online or is_sound(folder))):
            return
        if not self._online:
            raise NotFound(f"{card.name} is not on this machine ({card.repo}) and fetching is off (LAB_OFFLINE)")

        def download(tell: Progress) -> None:
            # Takes a quarter of a second to import.
            from llm.loading.download import Download  # noqa: PLC0415
            from llm.loading.hub import Hub  # noqa: PLC0415

            hub = Hub(self._hub_url, self._token)
            work = Download(card, hub, tell, cache_dir=self._cache_dir, retry_wait=self._retry_wait)
            work.run(mend=folder is not None)

        self._flights.join(f"{card.repo}@{card.revision}", download, progress or (lambda _done, _total: None))
        check_folder(find_folder(entry, cache_dir=self._cache_dir))

    def bytes_needed(self, card: ModelCard, strategy: Strategy) -> int:
        """See `Loader`."""
        folder = local_folder(self._catalog.entry(card.name), cache_dir=self._cache_dir)
        if folder is None:
            return bytes_of_parameters(
                card.parameters, strategy, self._dtype, bits=card.bits, embedding_parameters=card.embedding_parameters
            )
        tied = bool(read_json(folder / "config.json").get("tie_word_embeddings", False))
        return bytes_of_tensors(self._check(card, folder), strategy, self._dtype, tied=tied, bits=card.bits)

    def kv_bytes_per_token(self, card: ModelCard) -> int:
        """See `Loader`."""
        folder = local_folder(self._catalog.entry(card.name), cache_dir=self._cache_dir)
        return 0 if folder is None else kv_bytes_per_token(read_json(folder / "config.json"), self._dtype)

    def load(self, card: ModelCard, strategy: Strategy) -> Loaded:
        """See `Loader`."""
        folder = self._checked_folder(card)
        check_window(card.name, card.context_length, read_json(folder / "config.json"))
        from llm.loading.opening import open_model  # noqa: PLC0415 - torch, see above

        return open_model(card, strategy, folder, self._device, self._dtype, quantised_dir=self._quantised_dir)

    def codec(self, card: ModelCard) -> Codec:
        """See `Loader`."""
        if not self.is_here(card):
            self.fetch(card)
        folder = self._checked_folder(card)
        from llm.loading.pretrained import read_codec  # noqa: PLC0415 - torch, see above

        return read_codec(folder, card)

    def free(self) -> None:
        """See `Loader`."""
        from llm.loading.opening import free_memory  # noqa: PLC0415 - torch, see above

        free_memory(self._device)

    def _checked_folder(self, card: ModelCard) -> Path:
        folder = find_folder(self._catalog.entry(card.name), cache_dir=self._cache_dir)
        self._check(card, folder)
        return folder

    def _check(self, card: ModelCard, folder: Path) -> tuple[TensorInfo, ...]:
        """`check_folder`, with the way out for damaged files of a model that can be fetched again."""
        try:
            tensors = read_folder(folder)
        except BadRequest as error:
            if card.repo is None:
                raise
            raise BadRequest(f"{error}; `lab models pull {card.name}` fetches it again") from error
        check_safe(folder)
        return tensors
