"""Reading a thread's state, also where a run left something behind that its graph cannot take."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from state.errors import LabError, Malformed

T = TypeVar("T")

log = logging.getLogger(__name__)


async def snapshot(
    graph: CompiledStateGraph[Any, Any, Any, Any], config: RunnableConfig, *, subgraphs: bool = False
) -> StateSnapshot:
    """The state that `config` names.

    LangGraph lays what tasks of an unfinished step wrote over the newest checkpoint. Where a reducer refuses that (a
    malformed message, say, which ended its run) the checkpoint is read as it is, so that the thread stays readable.
    """
    try:
        return await graph.aget_state(config, subgraphs=subgraphs)
    except (LabError, psycopg.Error):
        raise
    except Exception as error:
        saver: Any = graph.checkpointer
        saved = None if "checkpoint_id" in config["configurable"] else await saver.aget_tuple(config)
        if saved is None:
            raise
        log.info("the last step's writes do not fit the graph, its checkpoint is read without them: %s", error)
        return await readable(graph.aget_state(saved.config, subgraphs=subgraphs))


async def readable(reading: Awaitable[T]) -> T:
    """What `reading` gives.

    Raises Malformed where the graph refuses what a thread holds: updates of several commands, say, to one channel.
    """
    try:
        return await reading
    except (LabError, psycopg.Error):
        raise
    except Exception as error:
        raise Malformed(str(error)) from error
