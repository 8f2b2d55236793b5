"""Real models of about 100,000 weights, made on the spot, with a tokenizer of one token a byte. Imports torch."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

from llm.catalog import Catalog, load_catalog
from llm.codec import Codec
from llm.loading.base import Loaded
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.models import LocalModels, open_engine
from llm.sizing import kv_bytes_per_token
from llm.vram import FixedMeter, Memory
from state.models import ModelCard

torch.set_num_threads(1)  # steps of these models are too short to be split, and two threads would spin

START, END = "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: number for number, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in (START, END)])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=END, clean_up_tokenization_spaces=False
    )
    fast.chat_template = TEMPLATE
    return fast


def save_model(
    folder: Path,
    *,
    seed: int = 0,
    hidden: int = 64,
    tied: bool = True,
    layers: int = 2,
    window: int = 512,
    endless: bool = False,
) -> Path:
    """A model folder as `save_pretrained` writes it. An `endless` one says `!` until it is stopped."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=window,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=257,
        initializer_range=0.2,
    )
    model = LlamaForCausalLM(config)
    if endless:
        torch.nn.init.zeros_(model.lm_head.weight)  # every logit is 0, and the first token of the vocabulary wins
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def make_codec() -> Codec:
    return Codec(make_tokenizer(), name="tiny", eos_ids=[257])


SMALL = {
    "vocab_size": 258,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "bos_token_id": None,
    "eos_token_id": None,
}
"""Sizes as Llama and its kin name them."""


def make_loaded(config: PreTrainedConfig, *, seed: int = 0, window: int = 512) -> Loaded:
    """A random model of any architecture, as a load would give it. Its ends are not known: it never ends by itself."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config).eval()
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    card = ModelCard(name="tiny", path="tiny", context_length=window, parameters=100_000)
    per_token = kv_bytes_per_token(config.to_dict(), "float32")
    return Loaded(card, "standard", model, Codec(make_tokenizer(), name="tiny"), 1_000_000, per_token)


def make_catalog(folder: Path, names: tuple[str, ...] = ("tiny",), *, hidden: int = 64, **fields: object) -> Catalog:
    """A catalogue of freshly saved models, one seed each; `fields` go into every card."""
    entries = {}
    for seed, name in enumerate(names):
        save_model(folder / name, seed=seed, hidden=hidden)
        card = {"path": name, "context_length": 512, "max_output_tokens": 32, "parameters": 100_000, **fields}
        entries[name] = {"capabilities": ["chat", "tools"], **card}
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": entries}, sort_keys=False))
    return load_catalog(file)


def make_models(catalog: Catalog, *, budget_bytes: int = 10_000_000, keep_alive: float = -1) -> LocalModels:
    loader = LocalLoader(catalog, "cpu", "float32")
    meter = FixedMeter(Memory(ram_total=2**34, ram_free=2**34))
    manager = ModelManager(catalog, loader, open_engine, meter, budget_bytes=budget_bytes, keep_alive=keep_alive)
    return LocalModels(catalog, loader, manager, default_model="tiny")


SLOW = {"context_length": 100_000, "max_output_tokens": 50_000, "parameters": 2_000_000, "capabilities": ["chat"]}


def save_slow_models(folder: Path) -> Path:
    """A catalogue with `slow`: random weights, some hundred tokens a second, tens of thousands an answer."""
    save_model(folder / "slow", hidden=256, layers=4, window=100_000, tied=False, endless=True)
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": {"slow": {"path": "slow", **SLOW}}}))
    return file
