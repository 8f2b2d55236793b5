"""Random models of the sizes that benchmarks need, made on the spot, and requests for them. Imports torch.

Their answers mean nothing, but every step costs what it costs in a trained model of that shape.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import torch
import yaml
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from llm.catalog import Catalog, load_catalog
from llm.loading.base import Loaded
from llm.loading.local import LocalLoader

NAME = "bench"
WINDOW = 2048
VOCABULARY = 4096
START, END = "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@cache
def words() -> tuple[str, ...]:
    """Invented words, so few that most of them become one token."""
    source = random.Random(0)
    syllables = [first + second + third for first in "bdfgklmnprstv" for second in "aeiou" for third in ("", "n", "r")]
    return tuple(dict.fromkeys("".join(source.choices(syllables, k=source.randint(1, 4))) for _ in range(3600)))


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, as Llama 3, Qwen and GPT-2 have it, trained on the invented words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([" " + " ".join(words())], trainer)
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in (START, END)])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=END, clean_up_tokenization_spaces=False
    )
    fast.chat_template = TEMPLATE
    return fast


def save_model(
    folder: Path,
    *,
    hidden: int = 512,
    intermediate: int = 1376,
    layers: int = 8,
    heads: int = 8,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """A Llama as `save_pretrained` writes it; 27 M weights unless said otherwise. Greedy, it never ends by itself."""
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=hidden,
                intermediate_size=intermediate,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=heads,
                max_position_embeddings=WINDOW,
                tie_word_embeddings=True,
                bos_token_id=None,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
    finally:
        torch.set_default_dtype(before)
    with torch.no_grad():
        # Head and embedding are one. Logits of 0, and some other token's is above: words come out, never the end.
        model.lm_head.weight[_unspoken(tokenizer)] = 0
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _unspoken(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Control tokens, and single bytes that are no character by themselves."""
    spoken = set(word_ids(tokenizer))
    return [number for number in range(len(tokenizer)) if number not in spoken]


def word_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Tokens that are one whole invented word with the space before it: `n` of them encode as `n` tokens."""
    ids = (tokenizer.convert_tokens_to_ids("Ġ" + word) for word in words())
    return sorted({number for number in ids if isinstance(number, int)} - {tokenizer.unk_token_id})


def write_catalog(folder: Path, name: str = NAME, *, parameters: int = 27_000_000, **settings: object) -> Catalog:
    """A catalogue with the model saved in `folder / name`; `settings` are further fields of its card."""
    file = folder / "models.yaml"
    card = {"path": name, "context_length": WINDOW, "max_output_tokens": 512, "parameters": parameters, **settings}
    file.write_text(yaml.safe_dump({"models": {name: card}}))
    return load_catalog(file)


def load(catalog: Catalog, name: str = NAME) -> Loaded:
    """One more copy of the model in memory, as the server loads it on a CPU."""
    return LocalLoader(catalog, "cpu", "float32").load(catalog.card(name), "standard")


class Prompts:
    """Prompts that nobody has seen before, so that no prefix cache knows them; the same ones for the same seed."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: str) -> None:
        self._tokenizer = tokenizer
        self._ids = word_ids(tokenizer)
        self._random = random.Random(seed)

    def ids(self, length: int) -> tuple[int, ...]:
        """A prompt of this many tokens."""
        return tuple(self._random.choices(self._ids, k=length))

    def text(self, length: int) -> str:
        """A text of this many tokens."""
        return str(self._tokenizer.decode(list(self.ids(length))))

    def length(self, least: int, most: int) -> int:
        """A length between these, both included."""
        return self._random.randint(least, most)
