"""What `store.index` of a langgraph.json names: how texts of the store become vectors."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_core.embeddings import Embeddings
from langgraph.store.base import ensure_embeddings

from llm.embeddings import HASHING, HashingEmbeddings, SizedEmbeddings
from server.application.config import AppConfig
from server.db.vectors import VectorIndex

EMBED = ("store", "index", "embed")


@dataclass(frozen=True)
class Configured(Embeddings):
    """Embeddings of the application's with the length that its file says."""

    embeddings: Embeddings
    dims: int

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embeddings.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        return self.embeddings.embed_query(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await self.embeddings.aembed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return await self.embeddings.aembed_query(text)

    def close(self) -> None:
        """The application's own; it holds nothing of ours."""


def is_target(embed: str) -> bool:
    """Whether it names an object, `./file.py:name`, and not a provider's model, `openai:text-embedding-3-small`."""
    return "/" in embed or embed.rpartition(":")[0].endswith(".py")


def index_of(config: AppConfig, found: object) -> VectorIndex | None:
    """The index that the file describes; `found` is what `embed` names where it names an object. Raises BadRequest."""
    index = config.store.index
    if index is None:
        return None
    return VectorIndex(
        f"{index.embed} of langgraph.json", _embeddings(config, index.embed, index.dims, found), index.fields
    )


def _embeddings(config: AppConfig, embed: str, dims: int, found: object) -> SizedEmbeddings:
    if embed == HASHING:
        return HashingEmbeddings(dims)
    if found is not None and not (isinstance(found, Embeddings) or callable(found)):
        what = f"it is a {type(found).__name__}; expected a function of a list of texts, or an Embeddings object"
        raise config.mistake(EMBED, what)
    try:
        return Configured(ensure_embeddings(embed if found is None else found), dims)
    except ImportError as error:
        raise config.mistake(EMBED, f"'{embed}' needs a package: pip install langchain and the provider's") from error
    except Exception as error:  # of the provider's class: no key, no such model
        raise config.mistake(EMBED, f"'{embed}' cannot be opened: {type(error).__name__}: {error}") from error
