"""Text to token ids and back, for one model. Wraps a Hugging Face tokenizer; imports no transformers itself."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jinja2

from llm.asking.prompt import Takes
from llm.grammar.lark import Grammar, to_lark
from llm.tools import TAG_TEXTS, Format, guess_format
from state.errors import BadRequest, Broken
from state.models import ToolFormat

if TYPE_CHECKING:
    from llm.grammar.constrain import Grammars, TokenConstraint

_PROBE = "qxzjv"
"""A word that no template holds: where it is missing from the rendered chat, the template left it out."""
_PROBE_TOOL = {
    "type": "function",
    "function": {"name": _PROBE, "description": "x", "parameters": {"type": "object", "properties": {}}},
}


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
        added = tokenizer.added_tokens_decoder
        self._tag_ids = {token.content: number for number, token in added.items() if token.content in TAG_TEXTS}
        special = {number for number, token in added.items() if token.special}
        self._hidden = (self.eos_ids | special) - frozenset(self._tag_ids.values())
        self._compiling = threading.Lock()
        self._grammars: Grammars | None = None

    @cached_property
    def takes(self) -> Takes:
        """What the model's template shows. Found by rendering: a template that names a thing may still drop it."""
        said = [{"role": "user", "content": "x"}]
        system = [{"role": "system", "content": _PROBE}, *said]
        return Takes(system=self._shows_probe(system, None), tools=self._shows_probe(said, [_PROBE_TOOL]))

    @property
    def guessed_format(self) -> ToolFormat:
        """How the model is likely to write tool calls, by its template."""
        return guess_format(str(self._tokenizer.chat_template or ""))

    def tag_id(self, tag: str) -> int | None:
        """The token that is this tag of a tool format; None when the model writes it letter by letter."""
        return self._tag_ids.get(tag)

    def encode_chat(self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] | None) -> list[int]:
        """Token ids of the chat with the answer opened.

        Control tokens come from the template alone: `<|im_end|>` written by a user is encoded as plain text.
        Raises BadRequest when the model has no chat template or its template refuses the messages.
        """
        ids = self._apply(messages, tools, sanitize_control_tokens=True, return_dict=False)
        return [int(token) for token in ids]

    def render_chat(self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] | None) -> str:
        """The text of `encode_chat`, to look at: a user's `<|im_end|>` looks like a real one. Raises as that does."""
        return str(self._apply(messages, tools, tokenize=False))

    def constraint(self, grammar: Grammar, form: Format) -> TokenConstraint:
        """What keeps one answer to a grammar; takes about .4 s for a model's first, 1 ms for a new grammar.

        Raises BadRequest for a schema that cannot be followed and for tokenizers of unknown kinds.
        """
        from llm.grammar.constrain import Grammars  # noqa: PLC0415 - brings numpy, .1 s that few starts need

        with self._compiling:
            if self._grammars is None:
                known = [number for number in self.eos_ids if number < len(self._tokenizer)]
                self._grammars = Grammars(self._tokenizer_json(), known, name=self._name)
        try:
            lark = to_lark(grammar, form.shape_for(self._tag_ids.__contains__), self.tag_id)
        except (RecursionError, TypeError, ValueError) as error:
            raise BadRequest(f"this schema cannot be followed: {error}") from error
        return self._grammars.constraint(lark)

    def _tokenizer_json(self) -> str:
        with self._lock:
            backend = getattr(self._tokenizer, "backend_tokenizer", None)
            if backend is None:
                raise BadRequest(f"answers of {self._name} cannot be kept to a form: its tokenizer is not a fast one")
            return str(backend.to_str())

    def _shows_probe(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> bool:
        try:
            return _PROBE in self.render_chat(messages, tools)
        except BadRequest:
            return False

    def _apply(self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] | None, **how: Any) -> Any:
        with self._lock:
            if not self._tokenizer.chat_template:
                raise BadRequest(f"model {self._name} has no chat template and cannot chat")
            try:
                return self._tokenizer.apply_chat_template(
                    list(messages), tools=list(tools) if tools else None, add_generation_prompt=True, **how
                )
            except (jinja2.TemplateError, TypeError, KeyError) as error:
                raise BadRequest(f"the chat template of {self._name} refuses these messages: {error}") from error

    def encode(self, text: str) -> list[int]:
        """Token ids of a plain text, without anything around it."""
        with self._lock:
            return list(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; control tokens give nothing, half a character gives U+FFFD."""
        visible = [token for token in ids if token not in self._hidden]
        with self._lock:
            return str(self._tokenizer.decode(visible, skip_special_tokens=False, clean_up_tokenization_spaces=False))
