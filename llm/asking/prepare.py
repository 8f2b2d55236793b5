"""From a call to a request: prompt, constraint, and what reads the answer. Blocks for tens of milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm.asking.call import Call, make_request
from llm.asking.choice import choose_grammar, instructions
from llm.asking.prompt import compose
from llm.codec import Codec
from llm.engine.base import Request
from llm.tools import FORMATS, Format, ToolCallParser
from state.models import ModelCard


@dataclass(frozen=True)
class Asked:
    """One call, ready for an engine. `prompt`: the rendered text, where the call wants it kept."""

    request: Request
    parser: ToolCallParser | None
    prompt: str | None


def prepare(codec: Codec, card: ModelCard, chat: Sequence[dict[str, Any]], call: Call) -> Asked:
    """Everything an engine and an answer need.

    Raises ContextOverflow, and BadRequest for messages that the template refuses and schemas that cannot be followed.
    """
    form = format_of(codec, card)
    said, tools = compose_for(codec, card, chat, call)
    grammar = choose_grammar(call.tools, call.answer)
    request = make_request(
        codec.encode_chat(said, tools), call, card, None if grammar is None else codec.constraint(grammar, form)
    )
    parser = form.parser(call.tools.names) if call.tools.offered else None
    return Asked(request, parser, codec.render_chat(said, tools) if call.include_prompt else None)


def count_tokens(codec: Codec, card: ModelCard, chat: Sequence[dict[str, Any]], call: Call) -> int:
    """Tokens of the prompt that `prepare` makes."""
    return len(codec.encode_chat(*compose_for(codec, card, chat, call)))


def compose_for(
    codec: Codec, card: ModelCard, chat: Sequence[dict[str, Any]], call: Call
) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
    """The messages and tools as this model's template takes them."""
    return compose(
        chat,
        call.tools.offered,
        codec.takes,
        instructions=instructions(call.answer),
        short_ids=card.tool_format == "mistral",
    )


def format_of(codec: Codec, card: ModelCard) -> Format:
    """How the model writes calls: its family's way, or plain JSON where it is told of tools in words."""
    return FORMATS[card.tool_format if codec.takes.tools else "json"]
