"""What a step of a flow can be beside an agent's turn: the kinds that a node's `type` names.

To add a kind: a class with the members of `StepKind` and its line in `shipped_step_kinds` below. A flow then names it
as `type:`, `lab flows lint` checks its `config` through `check`, and the step is retried, recorded and drawn as agents'
steps are. `run` is handed the call with the references in `config[key]` filled in for each key of `templates`, and
`config.input` filled in as `call.input`; what it raises is treated as an agent's error is: Unavailable is tried again,
everything else becomes the step's failure, and an interrupt stops the run until a human answers.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.prebuilt import ToolNode

from nodes.agents.words import one_line
from nodes.humans.decisions import Question
from nodes.humans.score import ask
from nodes.teams.references import as_text
from nodes.teams.texts import text_of
from state.agent_ports import AgentCall, AgentNeeds
from state.agents import AgentReply
from state.errors import BadRequest

AGENT = "agent"
"""The kind that is an agent's turn; `nodes.teams.step` runs it itself."""
COMMON_KEYS = ("timeout", "attempts")
"""Of every kind's `config`: seconds of one try, and tries."""
MAX_CHOICES = 20

Mistake = tuple[tuple[str | int, ...], str]
"""Where in a step's `config`, as a path, and what is wrong there."""


class StepKind(Protocol):
    """A kind of step that is no agent's turn."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str:
        """One line."""
        ...

    @property
    def templates(self) -> tuple[str, ...]:
        """Keys of `config`, beside `input`, that may hold references."""
        ...

    def check(self, config: Mapping[str, Any], tools: Collection[str] | None) -> Iterable[Mistake]:
        """What cannot work in a `config`. `tools`: names of those there are; None where that is not known."""
        ...

    async def run(self, call: AgentCall, needs: AgentNeeds) -> AgentReply:
        """Do it. Raises BadRequest, Unavailable as agents do."""
        ...


class HumanStep:
    """Stops the run and asks a human; the answer is the step's output.

    `config`: `question` (by default what the steps before said), `choices`: the texts that are taken, by default any.
    """

    name = "human"
    description = "stops and asks a human config.question; the answer is the output"
    templates = ("question",)

    def check(self, config: Mapping[str, Any], tools: Collection[str] | None) -> Iterable[Mistake]:
        yield from _unknown(config, ("question", "choices"))
        if not isinstance(config.get("question", ""), str):
            yield ("question",), "question must be a text"
        choices = config.get("choices")
        if choices is not None and not _are_texts(choices):
            yield ("choices",), f"choices must be a list of 1 to {MAX_CHOICES} texts"

    async def run(self, call: AgentCall, needs: AgentNeeds) -> AgentReply:
        # A question that is one reference and nothing else comes as what that step put out.
        question = text_of(call.config.get("question")) or call.text
        choices = [str(choice) for choice in call.config.get("choices") or ()]
        said = ask(asked_of_human(call.step, question, choices), read_human)
        if isinstance(said, str):
            return AgentReply(output={"response": said}, text=said)
        return AgentReply(output=said, text=as_text(said))


class ToolStep:
    """Calls one of the lab's tools with `config.input`; the result is the step's output."""

    name = "tool"
    description = "calls the lab's tool config.tool with config.input"
    templates = ()

    def check(self, config: Mapping[str, Any], tools: Collection[str] | None) -> Iterable[Mistake]:
        yield from _unknown(config, ("tool", "input"))
        tool = config.get("tool")
        known = (
            f"tools are: {', '.join(sorted(tools)) or 'none'}" if tools is not None else "name one of the lab's tools"
        )
        if "tool" not in config:
            yield (), f"config.tool is missing; {known}"
        elif not isinstance(tool, str):
            yield ("tool",), f"tool must be a text; {known}"
        elif tools is not None and tool not in tools:
            close = difflib.get_close_matches(tool, tools, n=1)
            hint = f", did you mean {close[0]}?" if close else ""
            yield ("tool",), f"there is no tool '{tool[:80]}'{hint}; {known}"
        if not isinstance(config.get("input", {}), Mapping):
            yield ("input",), "input must be a mapping of the tool's arguments"

    async def run(self, call: AgentCall, needs: AgentNeeds) -> AgentReply:
        name = str(call.config.get("tool"))
        tool = needs.tools.get(name)
        if tool is None:
            raise BadRequest(f"there is no tool '{name[:80]}'; tools are: {', '.join(sorted(needs.tools)) or 'none'}")
        said = await _called(tool, dict(call.input), f"{call.step} {call.attempt}")
        output = _object(said)
        return AgentReply(output=output, text=said if output.get("response") == said else as_text(output))


def shipped_step_kinds() -> Mapping[str, StepKind]:
    """By the word that a node's `type` says."""
    kinds: tuple[StepKind, ...] = (HumanStep(), ToolStep())
    return {kind.name: kind for kind in kinds}


def asked_of_human(step: str, question: str, choices: Sequence[str]) -> Question:
    """What the run interrupts with: our own words, and those that chat front ends draw a form from."""
    return {
        "about": "step",
        "step": step,
        "question": question,
        "choices": list(choices),
        "action_requests": [{"name": step, "args": {}, "description": question}],
        "review_configs": [{"action_name": step, "allowed_decisions": ["respond"]}],
    }


def read_human(asked: Question, value: object) -> Any:
    """The answer: a text, or JSON as it was sent. `{"answer": …}` and the front ends' `{"decisions": [{"type":
    "respond", "message": …}]}` are unwrapped. Raises ValueError in one line for what is not among the choices.
    """
    if isinstance(value, Mapping) and isinstance(value.get("decisions"), list) and len(value["decisions"]) == 1:
        value = value["decisions"][0]
    if isinstance(value, Mapping) and value.get("type") == "respond":
        value = value.get("message")
    elif isinstance(value, Mapping) and set(value) == {"answer"}:
        value = value["answer"]
    if value is None or value == "":
        raise ValueError("the answer is empty")
    choices = {choice.casefold(): choice for choice in asked["choices"]}
    if not choices:
        return value
    # On a command line `2` is JSON, the number.
    chosen = choices.get(as_text(value).strip().casefold())
    if chosen is None:
        raise ValueError(f"'{as_text(value)[:80]}' is not taken here; answer one of: {', '.join(choices.values())}")
    return chosen


async def _called(tool: BaseTool, arguments: dict[str, Any], call_id: str) -> str:
    """What the tool says. Called as a model's call would be, so that it is given the store and the run if it asks."""
    call = ToolCall(name=tool.name, args=arguments, id=call_id, type="tool_call")
    try:
        told = await ToolNode([tool], handle_tool_errors=False).ainvoke(
            {"messages": [AIMessage("", tool_calls=[call])]}
        )
    except ToolException as error:
        raise BadRequest(f"{tool.name}: {one_line(str(error))}") from error
    message: ToolMessage = told["messages"][-1]
    if message.status == "error":
        raise BadRequest(f"{tool.name}: {one_line(message.text)}")
    return message.text


def _object(said: str) -> dict[str, Any]:
    """A JSON object as it is; every other text is the response."""
    try:
        value = json.loads(said) if said.startswith("{") else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"response": said}


def _unknown(config: Mapping[str, Any], keys: Sequence[str]) -> Iterable[Mistake]:
    taken = (*keys, *COMMON_KEYS)
    for key in config:
        if key not in taken:
            close = difflib.get_close_matches(str(key), taken, n=1)
            hint = f", did you mean {close[0]}?" if close else ""
            yield (key,), f"unknown key '{str(key)[:80]}'{hint}; known: {', '.join(taken)}"


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= MAX_CHOICES and all(isinstance(one, str) for one in value)
