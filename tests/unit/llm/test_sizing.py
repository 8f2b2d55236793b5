"""Bytes of a model, before it is loaded."""

import pytest

from llm.loading.choose import choose_dtype, suited_strategy
from llm.sizing import TensorInfo, bytes_of_parameters, bytes_of_tensors, human_bytes


def seven_billion() -> list[TensorInfo]:
    """Tensors of a 7B Llama: 32 layers, 4,096 wide, MLP of 11,008, 32,000 tokens."""
    shapes = {"q_proj": (4096, 4096), "k_proj": (4096, 4096), "v_proj": (4096, 4096), "o_proj": (4096, 4096)}
    shapes |= {"gate_proj": (11008, 4096), "up_proj": (11008, 4096), "down_proj": (4096, 11008)}
    blocks = [TensorInfo(f"model.layers.{n}.{k}.weight", "BF16", v) for n in range(32) for k, v in shapes.items()]
    ends = [TensorInfo(name, "BF16", (32000, 4096)) for name in ("model.embed_tokens.weight", "lm_head.weight")]
    return [*blocks, *ends, TensorInfo("model.norm.weight", "BF16", (4096,))]


def test_a_seven_billion_model_takes_what_was_measured() -> None:
    assert bytes_of_tensors(seven_billion(), "optimized", "bfloat16", tied=False) == pytest.approx(3.86e9, rel=0.005)
    assert bytes_of_tensors(seven_billion(), "standard", "bfloat16", tied=False) == pytest.approx(13.48e9, rel=0.005)


def test_a_tied_head_counts_once() -> None:
    whole = bytes_of_tensors(seven_billion(), "standard", "float32", tied=False)
    assert whole - bytes_of_tensors(seven_billion(), "standard", "float32", tied=True) == 32000 * 4096 * 4


@pytest.mark.parametrize(
    ("parameters", "low", "high"), [(494_032_768, 0.4e9, 0.7e9), (7_248_023_552, 3.8e9, 5e9), (1000, 1, 4001)]
)
def test_the_guess_from_the_number_of_weights_is_near(parameters: int, low: float, high: float) -> None:
    assert low < bytes_of_parameters(parameters, "optimized", "bfloat16") < high
    assert bytes_of_parameters(parameters, "standard", "float32") == 4 * parameters


@pytest.mark.parametrize(
    ("size", "text"), [(9_771_050_598, "9.1 GiB"), (111_778_201, "106.6 MiB"), (3550, "3,550 bytes")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert human_bytes(size) == text


def test_strategy_and_precision_follow_the_device() -> None:
    assert (suited_strategy("cpu"), suited_strategy("mps"), suited_strategy("cuda")) == (
        "standard",
        "standard",
        "optimized",
    )
    assert choose_dtype("cpu", {"avx512f", "avx512_bf16"}) == "float32"
    assert choose_dtype("cpu", {"amx_bf16"}) == "bfloat16"
    assert choose_dtype("cuda", set()) == "bfloat16"
    assert choose_dtype("cuda", set(), gpu_has_bf16=False) == "float16"
