"""Bytes of a model, before it is loaded."""

import pytest

from llm.loading.choose import choose_dtype, suited_strategy
from llm.sizing import TensorInfo, bytes_of_parameters, bytes_of_tensors, human_bytes
from state.models import Strategy


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


def test_in_eight_bits_a_weight_is_a_byte_and_a_row_has_a_scale() -> None:
    linears = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)
    rows = 32 * (5 * 4096 + 2 * 11008)
    rest = (2 * 32000 * 4096 + 4096) * 2
    size = bytes_of_tensors(seven_billion(), "optimized", "bfloat16", tied=False, bits=8)
    assert size == linears + 4 * rows + rest


def test_streaming_takes_what_is_outside_of_the_layers_and_one_layer() -> None:
    layer = 4 * 4096 * 4096 + 3 * 4096 * 11008
    ends = 2 * 32000 * 4096 + 4096
    assert bytes_of_tensors(seven_billion(), "streaming", "bfloat16", tied=False) == 2 * (layer + ends)
    assert bytes_of_tensors(seven_billion(), "streaming", "float32", tied=False) == 4 * (layer + ends)


def test_streaming_takes_the_largest_layer_of_the_largest_stack() -> None:
    tensors = [
        TensorInfo("h.0.w", "F32", (10,)),
        TensorInfo("h.1.w", "F32", (30,)),
        TensorInfo("h.1.experts.7.w", "F32", (5,)),
        TensorInfo("adapters.0.w", "F32", (2,)),
        TensorInfo("adapters.1.w", "F32", (3,)),
    ]
    assert bytes_of_tensors(tensors, "streaming", "float32", tied=False) == 4 * (30 + 5 + 2 + 3)
    assert bytes_of_tensors([], "streaming", "float32", tied=False) == 0


@pytest.mark.parametrize("strategy", ["standard", "optimized"])
def test_what_is_quantised_in_its_file_is_not_quantised_again(strategy: Strategy) -> None:
    four = [
        TensorInfo("model.layers.0.q_proj.weight", "U8", (128 * 64 // 2, 1)),
        TensorInfo("model.layers.0.q_proj.weight.absmax", "U8", (128,)),
        TensorInfo("model.layers.0.q_proj.weight.nested_absmax", "F32", (1,)),
        TensorInfo("model.layers.0.q_proj.weight.quant_state.bitsandbytes__nf4", "U8", (90,)),
        TensorInfo("model.layers.0.router.weight", "F32", (8, 64)),
    ]
    assert bytes_of_tensors(four, strategy, "bfloat16", tied=False) == 4096 + 128 + 4 + 2 * 8 * 64
    eight = [
        TensorInfo("model.layers.0.q_proj.weight", "I8", (128, 64)),
        TensorInfo("model.layers.0.q_proj.SCB", "F32", (128,)),
        TensorInfo("model.layers.0.q_proj.weight_format", "U8", ()),
        TensorInfo("model.layers.0.router.weight", "BF16", (8, 64)),
    ]
    assert bytes_of_tensors(eight, strategy, "float32", tied=False) == 128 * 64 + 4 * 128 + 4 * 8 * 64


def test_a_tied_head_counts_once() -> None:
    whole = bytes_of_tensors(seven_billion(), "standard", "float32", tied=False)
    assert whole - bytes_of_tensors(seven_billion(), "standard", "float32", tied=True) == 32000 * 4096 * 4


@pytest.mark.parametrize(
    ("parameters", "low", "high"), [(494_032_768, 0.4e9, 0.7e9), (7_248_023_552, 3.8e9, 5e9), (1000, 1, 4001)]
)
def test_the_guess_from_the_number_of_weights_is_near(parameters: int, low: float, high: float) -> None:
    assert low < bytes_of_parameters(parameters, "optimized", "bfloat16") < high
    assert bytes_of_parameters(parameters, "standard", "float32") == 4 * parameters
    assert bytes_of_parameters(parameters, "streaming", "float32") < high
    if parameters > 1000:
        four, eight = (bytes_of_parameters(parameters, "optimized", "bfloat16", bits=bits) for bits in (4, 8))
        assert 1.3 < eight / four < 2


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
