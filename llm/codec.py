"""Text to token ids and back, for one model. Wraps a Hugging Face tokenizer; imports no transformers itself."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import jinja2

from llm.tools import TAG_TEXTS
from state.errors import BadRequest, Broken


class Codec:
    """Encodes chats and texts, decodes answers. May be used by several threads at once."""

    def __init__(self, tokenizer: Any, *, name: str, eos_ids: Iterable[int] = ()) -> None:
        """`tokenizer` is a PreTrainedTokenizerBase; `eos_ids` end an answer, besides the tokenizer's own."""
        # An older transformers takes the argument for a variable of the template, and users' text could forge turns.
        if "sanitize_control_tokens" not in inspect.signature(tokenizer.apply_chat_template).parameters:
            raise Broken("this transformers cannot keep control tokens out of users' text; install a newer one")
        self._tokenizer = tokenizer
        self._name = name
        # A fast tokenizer is changed by each call (padding, special-token mode): two threads in it get
        # "Already borrowed", or each other's mode.
        self._lock = threading.Lock()
        own = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        self.eos_ids = frozenset([*own, *eos_ids])
        # Tool tags are special tokens in some families; hidden ones would leave the parser nothing to find.
        tags = {tokenizer.convert_tokens_to_ids(text) for text in TAG_TEXTS}
        special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._hidden = (self.eos_ids | special) - tags

    def encode_chat(self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] | None) -> list[int]:
        """Token ids of the chat with the answer opened.

        Control tokens come from the template alone: `<|im_end|>` written by a user is encoded as plain text.
        Raises BadRequest when the model has no chat template or its template refuses the messages.
        """
        with self._lock:
            if not self._tokenizer.chat_template:
                raise BadRequest(f"model {self._name} has no chat template and cannot chat")
            try:
                ids = self._tokenizer.apply_chat_template(
                    list(messages),
                    tools=list(tools) if tools else None,
                    add_generation_prompt=True,
                    sanitize_control_tokens=True,
                    return_dict=False,
                )
            except (jinja2.TemplateError, TypeError, KeyError) as error:
                raise BadRequest(f"the chat template of {self._name} refuses these messages: {error}") from error
        return [int(token) for token in ids]

    def encode(self, text: str) -> list[int]:
        """Token ids of a plain text, without anything around it."""
        with self._lock:
            return list(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; control tokens give nothing, half a character gives U+FFFD."""
        visible = [token for token in ids if token not in self._hidden]
        with self._lock:
            return str(self._tokenizer.decode(visible, skip_special_tokens=False, clean_up_tokenization_spaces=False))
