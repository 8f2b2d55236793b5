"""Keys of agents in what agents say: it is kept, and shown to others."""

from __future__ import annotations

from dataclasses import replace

import orjson

from state.agents import AgentReply

MIN_SECRET = 8
"""Characters of a key that is looked for in answers; a shorter one stands in many by chance."""


def without(reply: AgentReply, secret: str) -> AgentReply:
    """An answer, plain JSON, with `***` wherever it repeats the key that it was called with."""
    if len(secret) < MIN_SECRET:
        return reply
    said = orjson.dumps([reply.output, reply.text, reply.model])
    key = orjson.dumps(secret)[1:-1]
    if key not in said:
        return reply
    output, text, model = orjson.loads(said.replace(key, b"***"))
    return replace(reply, output=output, text=text, model=model)
