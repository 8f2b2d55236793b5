"""Models of this machine."""

from __future__ import annotations

from langchain_core.caches import BaseCache

from llm.catalog import Catalog
from llm.chat import LocalChatModel
from llm.manager import ModelManager
from llm.responses.identity import Identity
from llm.responses.remembering import Remembering
from state.models import ModelCard, Sampling, Strategy


class RememberingLocalChatModel(Remembering, LocalChatModel):
    """LocalChatModel with a response cache before it."""


class LocalChats:
    """Chat models that lease from a manager; with `responses`, they remember their answers there."""

    def __init__(self, catalog: Catalog, manager: ModelManager, responses: BaseCache | None = None) -> None:
        self._catalog = catalog
        self._manager = manager
        self._responses = responses
        self._identities: dict[ModelCard, Identity] = {}

    def chat(self, name: str, strategy: Strategy, sampling: Sampling) -> LocalChatModel:
        """A chat model; nothing is loaded. Raises NotFound."""
        entry = self._catalog.entry(name)
        if self._responses is None:
            return LocalChatModel(
                model=name, strategy=strategy, card=entry.card, manager=self._manager, **sampling.model_dump()
            )
        return RememberingLocalChatModel(
            model=name,
            strategy=strategy,
            card=entry.card,
            manager=self._manager,
            responses=self._responses,
            # One for all of a model's chat models, so that its folder is looked at once a second at most.
            identity=self._identities.setdefault(entry.card, Identity(entry.card, entry.folder)),
            **sampling.model_dump(),
        )
