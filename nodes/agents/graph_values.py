"""What a graph that runs as an agent is given, and what is taken of what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from nodes.agents.words import one_line
from nodes.teams.texts import text_of
from state.agent_ports import AgentCall
from state.errors import BadRequest


def schema_of(graph: Pregel[Any, Any, Any, Any]) -> Sequence[str] | None:
    """Names of what the graph takes as input; None: whatever it is given.

    Not from its JSON schema: there is none of types that only Python knows.
    """
    builder = graph.builder if isinstance(graph, CompiledStateGraph) else None
    names = tuple(builder.schemas[builder.input_schema]) if builder is not None else ()
    return names if names and names != ("__root__",) else None


def input_for(takes: Sequence[str] | None, call: AgentCall, name: str) -> dict[str, Any]:
    """What the graph is given of the call. Raises BadRequest when it takes nothing that the call has."""
    offered: dict[str, Any] = {
        **call.input,
        "messages": [HumanMessage(content=call.text)],
        "query": call.text,
        "input_data": dict(call.input),
    }
    if takes is None:
        return offered
    told = {key: offered[key] for key in takes if key in offered}
    if not told:
        has = ", ".join(list(offered)[:20])
        raise BadRequest(f"agent '{call.agent_id}': graph '{name}' takes {', '.join(takes)}; the step has {has}")
    return told


def answer_of(final: Any) -> tuple[Any, str]:
    """Output and text of what a graph returned: its `result.output`, its last message, or all of it as JSON."""
    values = final if isinstance(final, Mapping) else {"output": final}
    said = _result_text(values.get("result"))
    messages = values.get("messages")
    last = messages[-1] if isinstance(messages, Sequence) and messages else None
    if said is None and isinstance(last, AIMessage):
        said = last.text
    if said is not None:
        return {"response": said}, said
    output = _plain({key: value for key, value in values.items() if key != "__interrupt__"})
    return output, text_of(output)


def _result_text(result: Any) -> str | None:
    said = result.get("output") if isinstance(result, Mapping) else getattr(result, "output", None)
    return said if isinstance(said, str) else None


def _plain(value: Any) -> Any:
    """As JSON; what has no JSON form is told as text."""
    if isinstance(value, BaseMessage):
        return value.text
    try:
        return to_jsonable_python(value, fallback=str, inf_nan_mode="null")
    except (PydanticSerializationError, ValueError) as error:
        raise BadRequest(f"the graph's answer is no JSON: {one_line(str(error))}") from error
