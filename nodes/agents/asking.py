"""How an agent asks a model: which one, with which settings, what of its memory fits the window, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool
from langgraph.config import get_stream_writer
from pydantic import Field

from nodes.agents.config import AgentConfig
from nodes.agents.memory import Exchange
from nodes.calling.window import Window, fit_window, sendable, sendable_text
from state.crew_run import CrewContext
from state.errors import BadRequest
from state.models import Sampling, Strategy
from state.ports import ChatModels


class ModelConfig(AgentConfig):
    """Which model an agent asks, and how; what is not said is the run's."""

    model: str | None = None
    strategy: Strategy | None = None
    temperature: float | None = Field(None, ge=0.0, le=2.0)
    max_tokens: int | None = Field(None, gt=0)
    seed: int | None = Field(None, ge=0, lt=2**63)


@dataclass(frozen=True)
class Choice:
    """The model that answers, and its settings."""

    model: str
    strategy: Strategy
    sampling: Sampling


def choose(config: ModelConfig, context: CrewContext, models: ChatModels) -> Choice:
    """What the agent says goes before what the run says, and that before the defaults."""
    temperature = config.temperature if config.temperature is not None else context.temperature
    seed = config.seed if config.seed is not None else context.seed
    return Choice(
        model=config.model or context.model or models.default_model,
        strategy=config.strategy or context.strategy or models.default_strategy,
        sampling=Sampling(temperature=temperature, max_tokens=config.max_tokens or context.max_tokens, seed=seed),
    )


def compose(
    system_prompt: str,
    exchanges: Sequence[Exchange],
    text: str,
    *,
    choice: Choice,
    models: ChatModels,
    tools: Sequence[BaseTool] = (),
) -> list[AnyMessage]:
    """The messages to send; of the remembered exchanges as many, the newest, as the window has room for. Blocks."""
    system = sendable_text(system_prompt.strip())
    head: list[AnyMessage] = [SystemMessage(content=system)] if system else []
    tail: list[AnyMessage] = [sendable(HumanMessage(content=text))]
    if not exchanges:
        return [*head, *tail]
    card = models.card(choice.model)
    room = choice.sampling.max_tokens or min(card.max_output_tokens, card.context_length // 2)
    window = Window(models.chat(choice.model, strategy=choice.strategy), card.context_length, tuple(tools))
    history: list[AnyMessage] = [
        message
        for exchange in exchanges
        for message in (HumanMessage(content=exchange.request), AIMessage(content=exchange.answer or "…"))
    ]
    return fit_window(head, history, tail, window=window, answer_tokens=room)[0]


def tell_model(choice: Choice, models: ChatModels, **told: object) -> None:
    """Into the run's stream, as the other graphs do: which model is asked, and whether a load comes first."""
    loaded = models.is_loaded(choice.model, choice.strategy)
    write_stream({"event": "model", "model": choice.model, "strategy": choice.strategy, "loaded": loaded, **told})


def write_stream(event: Mapping[str, Any]) -> None:
    """An event into the run's stream (mode `custom`); outside of a run nobody listens."""
    try:
        writer = get_stream_writer()
    except RuntimeError:
        return
    writer(dict(event))


def tokens_of(messages: Sequence[BaseMessage]) -> tuple[int, int]:
    """Tokens read and written in the model's messages among these."""
    used = [message.usage_metadata for message in messages if isinstance(message, AIMessage) and message.usage_metadata]
    return sum(usage["input_tokens"] for usage in used), sum(usage["output_tokens"] for usage in used)


def tools_named(names: Sequence[str], tools: Mapping[str, BaseTool], agent_id: str) -> list[BaseTool]:
    """The tools of these names, each once. Raises BadRequest with the names that there are."""
    if unknown := [name for name in names if name not in tools]:
        known = ", ".join(sorted(tools)) or "none"
        raise BadRequest(f"agent '{agent_id}': there is no tool '{unknown[0][:100]}'; choose from: {known}")
    return [tools[name] for name in dict.fromkeys(names)]
