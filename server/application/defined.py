"""Graphs that a definition in the configuration describes: crews and flows, compiled when they are asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

import orjson
from langchain_core.runnables import RunnableConfig

from graphs.catalog import RECURSION_LIMIT, DefinitionBuilder
from graphs.services import Services
from server.application.factories import Compiled

KEPT = 128
"""Compiled graphs, those used last: a definition is compiled once, not for each run and each look at a thread."""


class Compiling:
    """The factory of one such graph: `config["configurable"][kind]` is the definition."""

    def __init__(self, name: str, kind: str, build: DefinitionBuilder, services: Callable[[], Services]) -> None:
        """`services` is called when the first graph is made: agents are opened after the graphs that call them."""
        self._name = name
        self._kind = kind
        self._build = build
        self._services = services
        self._kept: OrderedDict[bytes, Compiled] = OrderedDict()

    async def __call__(self, config: RunnableConfig) -> Compiled:
        """Raises BadRequest for a definition that is none, with what is wrong in it."""
        definition = (config.get("configurable") or {}).get(self._kind)
        key = orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)
        found = self._kept.get(key)
        if found is None:
            found = await asyncio.to_thread(self._compiled, definition)
        self._kept[key] = found
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def _compiled(self, definition: Any) -> Compiled:
        config = RunnableConfig(configurable={self._kind: definition} if definition is not None else {})
        built = self._build(self._services(), config).compile(name=self._name)
        return cast("Compiled", built.with_config(RunnableConfig(recursion_limit=RECURSION_LIMIT)))
