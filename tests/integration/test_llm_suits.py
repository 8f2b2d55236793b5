"""Which architectures share their forward passes, and which are left to `generate`."""

import pytest
import transformers
from transformers import PreTrainedConfig

from llm.engine.flat import ATTENTION
from llm.engine.suits import shared_shape
from tests.unit.llm.tiny import SMALL, make_loaded

GPT2 = {"vocab_size": 258, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, "initializer_range": 0.2}
ENDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}


def config(kind: str, **fields: object) -> PreTrainedConfig:
    made: PreTrainedConfig = getattr(transformers, f"{kind}Config")(**fields)
    return made


@pytest.mark.parametrize(
    ("made", "kv_heads", "layers"),
    [
        (config("Llama", **SMALL, num_key_value_heads=2), 2, 2),
        (config("Qwen2", **SMALL, num_key_value_heads=1), 1, 2),
        (config("Qwen3", **SMALL, num_key_value_heads=2, head_dim=16), 2, 2),
        (config("Mistral", **SMALL, num_key_value_heads=2, sliding_window=None), 2, 2),
        (config("Mistral", **SMALL, num_key_value_heads=2, sliding_window=4096), 2, 2),  # wider than the card's 512
        (config("Gemma", **{**SMALL, **ENDS}, num_key_value_heads=1, head_dim=16), 1, 2),
        (config("Phi3", **{**SMALL, **ENDS}, num_key_value_heads=2), 2, 2),
        (config("SmolLM3", **{**SMALL, **ENDS}, num_key_value_heads=2), 2, 2),
        (config("Granite", **SMALL, num_key_value_heads=2), 2, 2),
        (config("Qwen3Moe", **SMALL, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32), 4, 2),
        (config("GPT2", **{**GPT2, **ENDS}), 4, 2),
        (config("GPTNeoX", **SMALL), 4, 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PreTrainedConfig) else "",
)
def test_models_with_full_attention_share(made: PreTrainedConfig, kv_heads: int, layers: int) -> None:
    loaded = make_loaded(made)
    shape = shared_shape(loaded)
    assert shape is not None
    assert [layer.heads for layer in shape.layers] == [kv_heads] * layers
    assert shape.bytes_per_token == loaded.kv_bytes_per_token
    assert loaded.model.config._attn_implementation == ATTENTION


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (config("Mistral", **SMALL, num_key_value_heads=2, sliding_window=16), "SlidingWindow"),
        (config("Gemma2", **{**SMALL, **ENDS}, num_key_value_heads=2, head_dim=16), "softcap"),
        (config("Llama", **SMALL, rope_parameters=DYNAMIC), "rope of type dynamic beyond 256"),
        (config("Bloom", vocab_size=258, hidden_size=64, n_layer=2, n_head=4), "cannot be replaced"),
        (config("Mamba", vocab_size=258, hidden_size=64, num_hidden_layers=2), "LinearAttention"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PreTrainedConfig) else "",
)
def test_others_are_left_as_they_were(made: PreTrainedConfig, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    if reason.startswith("rope"):
        made.max_position_embeddings = 256
    loaded = make_loaded(made)
    before = loaded.model.config._attn_implementation
    with caplog.at_level("INFO", "llm.engine.suits"):
        assert shared_shape(loaded) is None
    assert reason in caplog.text
    assert loaded.model.config._attn_implementation == before


def test_a_model_that_sees_its_neighbours_is_found_out() -> None:
    """Not by its name: by what comes out when two texts are computed together."""
    loaded = make_loaded(config("Llama", **SMALL))

    def leak(module: object, args: object, out: object) -> object:
        return out.roll(1, dims=1) + out  # type: ignore[attr-defined]

    loaded.model.model.layers[0].mlp.register_forward_hook(leak)
    assert shared_shape(loaded) is None
