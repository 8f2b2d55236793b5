"""Embeddings by a sentence-transformers model in a local folder: checked, and loaded at the first use."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_core.embeddings import Embeddings

from llm.check import check_folder, read_header, read_json
from llm.failures import broken
from state.errors import BadRequest, LabError, Unavailable

BATCH = 32
"""Texts of one forward pass."""

MODULES = ("Transformer", "Pooling", "Normalize", "Dense")
"""Parts of a model that are loaded. Others read weights of other formats, or name further classes."""

ACTIVATION = re.compile(r"torch\.nn\.modules\.(activation|linear)\.\w+")
"""Classes that a Dense layer may name."""


class FolderEmbeddings(Embeddings):
    """Vectors of length 1 by the model in `folder`. May be asked from any thread or event loop; one thread computes."""

    def __init__(self, folder: Path) -> None:
        """Raises BadRequest without the package; the folder is looked at later."""
        if find_spec("sentence_transformers") is None:
            raise BadRequest(f"embedder {folder} needs packages: pip install 'agent-lab[embeddings]', or use 'hashing'")
        self._folder = folder
        self._model: Any = None
        self._closing = threading.Lock()
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="embeddings")

    @cached_property
    def dims(self) -> int:
        """Numbers in a vector, read from the folder without its weights. Raises BadRequest."""
        return check_sentence_folder(self._folder)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Blocks. Raises BadRequest for a bad folder, Unavailable after `close`."""
        return self._submit(texts).result()

    def embed_query(self, text: str) -> list[float]:
        """As `embed_documents`."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, without blocking."""
        return await asyncio.wrap_future(self._submit(texts))

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_documents`, without blocking."""
        return (await self.aembed_documents([text]))[0]

    def close(self) -> None:
        """Free the model and end its thread; blocks for the batch that runs. May be called twice."""
        with self._closing:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(cancel_futures=True)
        self._model = None

    def _submit(self, texts: list[str]) -> Future[list[list[float]]]:
        with self._closing:
            if self._thread is None:
                raise Unavailable(f"embedder {self._folder} is closed")
            return self._thread.submit(self._embed, list(texts))

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not texts:
            return []
        try:
            if self._model is None:
                self._model = _load(self._folder, self.dims)
            vectors: list[list[float]] = self._model.embed_documents(list(texts))
        except LabError:
            raise
        except Exception as error:
            raise broken(f"embedder {self._folder}", error) from error
        return vectors


def check_sentence_folder(folder: Path) -> int:
    """The length of its vectors. Raises BadRequest for what is unsafe, missing or of another kind.

    Beyond `check_folder`: its parts are of four known classes, lie inside it, and bring safetensors or no weights.
    """
    if not folder.is_dir():
        raise BadRequest(f"embedder {folder}: no such folder; use 'hashing' or a sentence-transformers model's folder")
    dims = 0
    for part in _parts(folder / "modules.json"):
        kind, place = _checked(folder, part)
        if kind == "Transformer":
            check_folder(place)
            if (place / "adapter_config.json").exists():
                raise BadRequest(f"{place}: has an adapter, which names a model elsewhere; merge it first")
            dims = int(read_json(place / "config.json").get("hidden_size") or 0)
        elif kind == "Pooling":
            about = read_json(place / "config.json")
            dims = int(about.get("embedding_dimension") or about.get("word_embedding_dimension") or dims)
            dims *= _ways_of_pooling(about)
        elif kind == "Dense":
            about = read_json(place / "config.json")
            if not ACTIVATION.fullmatch(str(about.get("activation_function"))):
                raise BadRequest(f"{place}: activation {about.get('activation_function')!r} is not one of torch.nn's")
            list(read_header(place / "model.safetensors"))
            dims = int(about.get("out_features") or 0)
    if dims < 1:
        raise BadRequest(f"embedder {folder}: its files do not say how long its vectors are")
    return dims


def _ways_of_pooling(about: dict[str, Any]) -> int:
    """How many vectors are put one behind the other; the library's older files have a flag for each way."""
    ways = about.get("pooling_mode")
    if isinstance(ways, list):
        return len(ways)
    return sum(value is True for name, value in about.items() if name.startswith("pooling_mode_")) or 1


def _parts(file: Path) -> list[dict[str, Any]]:
    try:
        parts = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadRequest(f"{file}: missing; the folder is not a sentence-transformers model's") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadRequest(f"{file}: not readable as JSON: {error}") from error
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise BadRequest(f"{file}: expected a list of modules")
    return parts


def _checked(folder: Path, part: dict[str, Any]) -> tuple[str, Path]:
    """A part's class and folder."""
    library, _, kind = str(part.get("type")).rpartition(".")
    if kind not in MODULES or library.partition(".")[0] != "sentence_transformers":
        raise BadRequest(f"{folder}: module {part.get('type')!r} is not loaded; only {', '.join(MODULES)} are")
    place = str(part.get("path", ""))
    if place and not re.fullmatch(r"\w[\w.-]*", place):
        raise BadRequest(f"{folder}: module path {place!r} is not a folder inside it")
    return kind, folder / place


def _load(folder: Path, dims: int) -> Any:
    # Imports torch, scikit-learn and scipy: seconds, and only this embedder needs them.
    from langchain_huggingface import HuggingFaceEmbeddings  # noqa: PLC0415

    model = HuggingFaceEmbeddings(
        model_name=str(folder.resolve()),
        model_kwargs={
            "local_files_only": True,
            "trust_remote_code": False,
            "model_kwargs": {"use_safetensors": True},
        },
        encode_kwargs={"normalize_embeddings": True, "batch_size": BATCH},
        show_progress=False,
    )
    found = len(model.embed_query("x"))
    if found != dims:
        raise BadRequest(f"embedder {folder}: its vectors have {found} numbers, its files say {dims}")
    return model
