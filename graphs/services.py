"""What a graph's builder needs, in one frozen bundle, and the bundle for a bare run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from langchain_core.tools import BaseTool

from llm.models import open_models
from nodes.tools.calculator import calculator
from state.ports import ChatModels

REQUEST_TIMEOUT_SEC = 300.0


@dataclass(frozen=True)
class Services:
    """Handed to each `build(services)`; tests hand in fakes."""

    models: ChatModels
    tools: tuple[BaseTool, ...] = ()
    request_timeout_sec: float = REQUEST_TIMEOUT_SEC
    """Bound of one model call, waiting and loading included."""


def lab_tools() -> tuple[BaseTool, ...]:
    """The tools every graph of ours may offer to a model."""
    return (calculator(),)


@cache
def local_services() -> Services:
    """Services of a process that is not ours, such as `langgraph dev`: the shipped catalogue, measured memory.

    Such a host calls a graph's factory for every run and offers no place to open things once; the cache makes all
    runs of the process share one set of loaded models.
    """
    return Services(models=open_models(), tools=lab_tools())
