"""What a graph's builder needs, in one frozen bundle, and the bundle for a bare run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from langchain_core.tools import BaseTool

from llm.models import open_models
from nodes.checks.texts import Embed
from nodes.plugins import Plugin
from nodes.tools.calculator import calculator
from nodes.tools.convert import convert
from nodes.tools.date_time import date_time
from nodes.tools.history_search import history_search
from nodes.tools.lab_status import lab_status
from nodes.tools.save_output import save_output
from nodes.tools.text_operation import text_operation
from nodes.tools.text_statistics import text_statistics
from state.agent_ports import AgentNeeds
from state.ports import ChatModels

REQUEST_TIMEOUT_SEC = 300.0


@dataclass(frozen=True)
class Services:
    """Handed to each `build(services)`; tests hand in fakes."""

    models: ChatModels
    tools: tuple[BaseTool, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    """Nodes of the operator's own that answer some requests before a model is asked."""
    embed: Embed | None = None
    """Vectors by meaning, for the validator; None where only the hashing embedder is at hand."""
    request_timeout_sec: float = REQUEST_TIMEOUT_SEC
    """Bound of one model call, waiting and loading included."""
    agents: AgentNeeds | None = None
    """What crews and flows are built over; None: the models and tools above, and nothing registered."""


def lab_tools(models: ChatModels | None = None, outputs_dir: Path | None = None) -> tuple[BaseTool, ...]:
    """The tools every graph of ours may offer to a model; `nodes.tools.choose` says which of them a request gets.

    Without `models` there is no lab to tell the status of; without `outputs_dir` nothing can be saved.
    """
    tools = [calculator(), date_time(), convert(), text_statistics(), text_operation(), history_search()]
    if models is not None:
        tools.append(lab_status(models))
    if outputs_dir is not None:
        tools.append(save_output(outputs_dir))
    return tuple(tools)


@cache
def local_services() -> Services:
    """Services of a process that is not ours, such as `langgraph dev`: the shipped catalogue, measured memory.

    Such a host calls a graph's factory for every run and offers no place to open things once; the cache makes all
    runs of the process share one set of loaded models.
    """
    models = open_models()
    return Services(models=models, tools=lab_tools(models))
