"""Messages on the wire: each chunk with its metadata, or each message as it has grown so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message

from server.wire.values import encode

HIDDEN_TAG = "langsmith:nostream"
"""Tag of model calls that are not streamed; LangGraph itself knows only its shorter form, `nostream`."""

Told = tuple[str, bytes]


def is_hidden(metadata: Mapping[str, Any]) -> bool:
    """Whether the call behind a message was tagged to stay out of the stream."""
    return HIDDEN_TAG in (metadata.get("tags") or ())


@dataclass
class MessagePairs:
    """`messages-tuple`: a JSON pair of chunk and metadata.

    The metadata of one model call is one dict for all its chunks, so that its JSON is made once a call.
    """

    _metadata: Mapping[str, Any] | None = None
    _encoded: bytes = b""

    def tell(self, name: str, message: BaseMessage, metadata: Mapping[str, Any]) -> Iterator[Told]:
        """The one event of a chunk, or of a whole message that no model streamed."""
        if self._metadata is not metadata:
            self._metadata, self._encoded = metadata, encode(metadata)
        yield name, b"[%b,%b]" % (encode(message), self._encoded)


@dataclass
class GrowingMessages:
    """`messages`: metadata once a message, then the message as far as it has come, or whole.

    Each partial repeats what came before, so the bytes of an answer grow with the square of its length.
    """

    _known: dict[str, BaseMessage] = field(default_factory=dict)

    def tell(self, message: BaseMessage, metadata: Mapping[str, Any]) -> Iterator[Told]:
        """The events of a chunk or of a whole message."""
        key = message.id or ""
        known = self._known.get(key)
        if known is None:
            yield "messages/metadata", encode({key: {"metadata": metadata}})
        if not isinstance(message, BaseMessageChunk):
            self._known[key] = message
            yield "messages/complete", encode([message])
            return
        grown = known + message if isinstance(known, BaseMessageChunk) else message
        assert isinstance(grown, BaseMessageChunk)
        self._known[key] = grown
        yield "messages/partial", encode([message_chunk_to_message(grown)])
