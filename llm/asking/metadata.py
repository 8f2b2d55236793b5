"""What a model call can know of the run that it is part of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.runnables.config import var_child_runnable_config


def run_metadata(run: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> Mapping[str, Any]:
    """`run_id`, `thread_id`, `graph_id`, `langgraph_node` and what else LangGraph says of the step; empty outside.

    LangChain (1.7) streams without a run manager, whoever listens: then the configuration of the step says it.
    """
    if run is not None and run.metadata:
        return run.metadata
    return (var_child_runnable_config.get() or {}).get("metadata") or {}
