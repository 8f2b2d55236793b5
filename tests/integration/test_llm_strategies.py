"""`streaming` and `optimized` on real models made on the spot, beside `standard`; what several GPUs would be given."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from llm.catalog import Catalog, load_catalog
from llm.check import check_folder
from llm.loading.base import Loaded
from llm.loading.local import LocalLoader
from llm.loading.place import place
from llm.loading.pretrained import read_weights, walk_bytes
from llm.loading.spread import parts_of
from llm.loading.streaming import layers_of
from llm.sizing import DType, bytes_of_tensors
from llm.vram import Gpu
from state.errors import BadRequest
from state.models import Strategy
from tests.unit.llm.tiny import make_models, make_tokenizer

Family = Literal["llama", "llama-tied", "qwen2", "gpt2"]
FAMILIES: tuple[Family, ...] = ("llama", "llama-tied", "qwen2", "gpt2")
LAYERS = 5


def new_model(family: Family, inner: int = 192) -> PreTrainedModel:
    torch.manual_seed(3)
    if family == "gpt2":
        return GPT2LMHeadModel(GPT2Config(vocab_size=258, n_embd=64, n_layer=LAYERS, n_head=4, n_positions=512))
    size: dict[str, Any] = {
        "vocab_size": 258,
        "hidden_size": 64,
        "intermediate_size": inner,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "tie_word_embeddings": family == "llama-tied",
    }
    return Qwen2ForCausalLM(Qwen2Config(**size)) if family == "qwen2" else LlamaForCausalLM(LlamaConfig(**size))


def make(
    folder: Path, family: Family = "llama", *, stored: torch.dtype = torch.float32, inner: int = 192, **card: object
) -> Catalog:
    """A catalogue with one model, `tiny`, of several layers, saved in the precision `stored`."""
    new_model(family, inner).to(stored).save_pretrained(folder / "tiny")  # type: ignore[arg-type]
    make_tokenizer().save_pretrained(folder / "tiny")
    fields = {"path": "tiny", "context_length": 512, "parameters": 100_000} | card
    (folder / "models.yaml").write_text(f"models: {{tiny: {{{', '.join(f'{k}: {v}' for k, v in fields.items())}}}}}")
    return load_catalog(folder / "models.yaml")


def load(catalog: Catalog, strategy: Strategy, dtype: DType = "float32", **settings: Any) -> Loaded:
    return LocalLoader(catalog, "cpu", dtype, **settings).load(catalog.card("tiny"), strategy)


def logits_of(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.arange(60)[None]).logits  # type: ignore[no-any-return]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("stored", "dtype"),
    [
        (torch.bfloat16, "float32"),
        (torch.float32, "float32"),
        (torch.float32, "bfloat16"),
        (torch.float16, "bfloat16"),
    ],
)
def test_streamed_layers_compute_what_loaded_ones_do(
    tmp_path: Path, family: Family, stored: torch.dtype, dtype: DType
) -> None:
    catalog = make(tmp_path, family, stored=stored)
    whole, streamed = (load(catalog, strategy, dtype) for strategy in ("standard", "streaming"))
    wanted = logits_of(whole.model)
    assert streamed.model.dtype == streamed.model.config.dtype == wanted.dtype
    for _ in range(2):
        assert torch.equal(logits_of(streamed.model), wanted)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float32])
def test_streaming_holds_one_layer_and_says_so_before(tmp_path: Path, family: Family, stored: torch.dtype) -> None:
    catalog = make(tmp_path, family, stored=stored)
    loader = LocalLoader(catalog, "cpu", "float32")
    whole, streamed = load(catalog, "standard"), load(catalog, "streaming")
    assert loader.bytes_needed(catalog.card("tiny"), "streaming") == pytest.approx(streamed.size_bytes, rel=0.02)
    assert whole.size_bytes == walk_bytes(whole.model)
    layer = sum(weight.nbytes for weight in whole.model.get_submodule(next(iter(layers_of(whole.model)))).parameters())
    assert whole.size_bytes - streamed.size_bytes == pytest.approx((LAYERS - 1) * layer, rel=0.02)
    if stored is not torch.float32:  # converted, so really in memory of our own: one buffer for all layers
        assert walk_bytes(streamed.model) == streamed.size_bytes


def test_a_streamed_model_answers_in_its_engines_thread(tmp_path: Path) -> None:
    with make_models(make(tmp_path, "qwen2", stored=torch.bfloat16)) as models:
        answers = {
            models.chat("tiny", strategy=strategy).invoke("hello", max_tokens=12).text
            for strategy in ("standard", "streaming")
        }
        assert len(answers) == 1
        assert {resident.strategy for resident in models.reading().resident} == {"standard", "streaming"}


def test_a_streamed_model_runs_in_any_thread_after_a_forward_that_failed(tmp_path: Path) -> None:
    catalog = make(tmp_path, stored=torch.bfloat16)
    model = load(catalog, "streaming").model
    wanted = logits_of(load(catalog, "standard").model)
    with pytest.raises(IndexError), torch.inference_mode():
        model(torch.tensor([[10**6]]))
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(logits_of(model)))
    thread.start()
    thread.join()
    assert torch.equal(found[0], wanted)
    with torch.no_grad():
        assert torch.equal(model(torch.arange(60)[None]).logits, wanted)


def test_an_unloaded_streamed_model_leaves_nothing(tmp_path: Path) -> None:
    with make_models(make(tmp_path, stored=torch.bfloat16)) as models:
        models.chat("tiny", strategy="streaming").invoke("hello", max_tokens=3)
        loaded = models.manager.get_model("tiny", "streaming")
        assert loaded is not None
        layer = next(iter(layers_of(loaded.model).values()))
        watched = [weakref.ref(loaded.model), weakref.ref(layer), weakref.ref(next(layer.parameters()))]
        del loaded, layer
        models.manager.unload_model("tiny", "streaming")
        gc.collect()
        assert [reference() for reference in watched] == [None] * 3


def test_a_quantised_checkpoint_is_loaded_as_it_is_and_not_streamed(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    first = load(catalog, "optimized")
    wanted = logits_of(first.model)
    load(catalog, "optimized").model.save_pretrained(tmp_path / "tiny")
    loader = LocalLoader(catalog, "cpu", "float32")
    strategies: tuple[Strategy, ...] = ("standard", "optimized")
    for strategy in strategies:
        again = load(catalog, strategy)
        assert torch.equal(logits_of(again.model), wanted)
        assert loader.bytes_needed(catalog.card("tiny"), strategy) == pytest.approx(again.size_bytes, rel=0.01)
    with pytest.raises(BadRequest, match="tiny is quantised already and cannot be streamed; use strategy optimized"):
        load(catalog, "streaming")


def test_weights_that_torch_does_not_compute_in_are_not_streamed(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    file = tmp_path / "tiny" / "model.safetensors"
    save_file({name: weight.double() for name, weight in load_file(file).items()}, file, metadata={"format": "pt"})
    with pytest.raises(BadRequest, match="streaming reads weights stored as F32, BF16, F16, not F64"):
        load(catalog, "streaming")


@pytest.mark.parametrize("family", FAMILIES)
def test_eight_bits_answer_nearly_as_full_precision_does(tmp_path: Path, family: Family) -> None:
    catalog = make(tmp_path, family, bits=8)
    whole, eight = load(catalog, "standard"), load(catalog, "optimized")
    loader = LocalLoader(catalog, "cpu", "float32")
    # The table of rotary positions is computed and not in the file.
    assert loader.bytes_needed(catalog.card("tiny"), "optimized") == pytest.approx(eight.size_bytes, rel=0.02)
    assert eight.size_bytes < 0.5 * whole.size_bytes
    wanted, found = logits_of(whole.model).flatten(), logits_of(eight.model).flatten()
    assert torch.cosine_similarity(wanted, found, dim=0) > 0.99


@pytest.mark.parametrize("inner", [100, 172, 192])
def test_layers_of_odd_sizes_compute_in_four_bits(tmp_path: Path, inner: int) -> None:
    model = load(make(tmp_path, inner=inner), "optimized").model
    import bitsandbytes  # noqa: PLC0415 - not before a load has kept it from what it would fetch

    layer = model.model.layers[0].mlp.up_proj
    weight = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    assert logits_of(model).isfinite().all()
    given = torch.randn(3, 64)
    with torch.inference_mode():
        # A CPU's kernels compute in bf16.
        assert torch.allclose(layer(given), given @ weight.T, atol=0.05 * float(weight.abs().max()) * 8)


def test_computing_in_eight_bits_fills_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logits_of(load(make(tmp_path, bits=8), "optimized").model)
    assert not caplog.records


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("quantise", [None, 4, 8])
def test_parts_for_several_gpus_are_modules_of_the_model_and_weigh_what_it_weighs(
    tmp_path: Path, family: Family, quantise: Literal[4, 8] | None
) -> None:
    make(tmp_path, family)
    folder = tmp_path / "tiny"
    parts = parts_of(folder, "float32", quantise=quantise)
    needed = bytes_of_tensors(
        check_folder(folder),
        "optimized" if quantise else "standard",
        "float32",
        tied=family == "llama-tied",
        bits=quantise or 4,
    )
    total = sum(part.size_bytes for part in parts)
    assert total == pytest.approx(needed, rel=0.01)
    gib = 2**30  # rooms on which the whole does not fit, beside a tenth that is not for weights
    split = place(parts, [Gpu(index, 10 * gib, gib + round(0.7 * total)) for index in range(2)])
    assert set(split.values()) == {0, 1}
    if quantise is None:
        # transformers refuses a map that leaves a weight out; on a CPU the numbers of GPUs cannot be tried.
        wanted = logits_of(read_weights(folder, "cpu", "float32"))
        mapped = read_weights(folder, "cpu", "float32", device_map=dict.fromkeys(split, "cpu"))
        assert torch.equal(logits_of(mapped), wanted)
