"""Tokenizers in the style of each family: its tags as tokens, a chat template of its shape, its kind of pieces."""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from llm.codec import Codec
from state.models import ToolFormat
from tests.unit.llm.tiny import END, START, TEMPLATE, make_tokenizer

_MISTRAL = """
{%- set asked = messages | selectattr("role", "equalto", "user") | list -%}
{%- for m in messages -%}
  {%- if m.role == "system" -%}{{ raise_exception("only user and assistant turns") }}{%- endif -%}
  {%- if m.role == "user" -%}
    {%- if tools and m == asked[-1] -%}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{%- endif -%}
    [INST]{{ m.content }}[/INST]
  {%- elif m.tool_calls -%}
    [TOOL_CALLS][
    {%- for c in m.tool_calls -%}
      {%- if c.id | length != 9 -%}{{ raise_exception("ids of calls are nine long") }}{%- endif -%}
      {"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, "id": "{{ c.id }}"}
      {%- if not loop.last -%}, {% endif -%}
    {%- endfor -%}]<|im_end|>
  {%- elif m.role == "tool" -%}[TOOL_RESULTS]{"content": {{ m.content | tojson }}}[/TOOL_RESULTS]
  {%- else -%}{{ m.content }}<|im_end|>{%- endif -%}
{%- endfor -%}"""

_LLAMA3 = """
{%- for m in messages -%}
  <|start_header_id|>{{ "ipython" if m.role == "tool" else m.role }}<|end_header_id|>{{ "\\n\\n" }}
  {%- if loop.first and tools -%}Answer with a call of one of: {{ tools | tojson }}{{ "\\n\\n" }}{%- endif -%}
  {%- if m.tool_calls -%}
    {%- for c in m.tool_calls -%}
      {"name": "{{ c.function.name }}", "parameters": {{ c.function.arguments | tojson }}}
    {%- endfor -%}
  {%- else -%}{{ m.content }}{%- endif -%}<|im_end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|start_header_id|>assistant<|end_header_id|>{{ "\\n\\n" }}{%- endif -%}"""

_NO_TOOLS = """
{%- for m in messages -%}
  {%- if m.role not in ("user", "assistant") -%}{{ raise_exception("no role " + m.role) }}{%- endif -%}
  {%- if (m.role == "user") != (loop.index0 % 2 == 0) -%}{{ raise_exception("turns must alternate") }}{%- endif -%}
  {{ "### " + m.role + "\\n" + m.content + "<|im_end|>\\n" }}
{%- endfor -%}{{ "### assistant\\n" if add_generation_prompt }}"""

TEMPLATES: dict[ToolFormat, str] = {"hermes": TEMPLATE, "mistral": _MISTRAL, "llama3": _LLAMA3, "json": _NO_TOOLS}
TAGS: dict[ToolFormat, list[str]] = {
    "hermes": ["<tool_call>", "</tool_call>"],
    "mistral": ["[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[INST]", "[/INST]"],
    "llama3": ["<|python_tag|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>"],
    "json": [],
}


def family_codec(form: ToolFormat, *, more_tags: tuple[str, ...] = ()) -> Codec:
    """One token a byte, besides the family's tags."""
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([AddedToken(tag, normalized=False, special=True) for tag in (*TAGS[form], *more_tags)])
    tokenizer.chat_template = TEMPLATES[form]
    return Codec(tokenizer, name=form, eos_ids=[257])


def merged_codec(tags: tuple[str, ...] = ()) -> Codec:
    """A tokenizer whose tokens cross the borders of a grammar's parts, such as `"}}` or `": "`. `tags` are special."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=[START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    text = '<tool_call>\n{"name": "add", "arguments": {"a": {"k": 12}, "b": ["x", "y"]}}\n</tool_call>\n'
    tokenizer.train_from_iterator([text, text.replace("add", "now").replace('{"k": 12}', "{}")] * 20, trainer)
    tokenizer.add_special_tokens([AddedToken(tag, normalized=False, special=True) for tag in tags])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)  # type: ignore[no-untyped-call]
    return Codec(fast, name="merged")


def pieces_codec() -> Codec:
    """A tokenizer as Llama 2 and Mistral have it: `▁` for a space, and a token for each byte that no piece has."""
    letters = [chr(number) for number in range(33, 127)]
    pieces = ["<unk>", START, END, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *letters, '▁"', '":', "}}", "▁{"]
    merges = [("▁", '"'), ('"', ":"), ("}", "}"), ("▁", "{")]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in (START, END)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)  # type: ignore[no-untyped-call]
    return Codec(fast, name="pieces")
