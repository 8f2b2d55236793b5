"""Real folders loaded by each strategy."""

import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from llm.loading.local import LocalLoader
from llm.loading.pretrained import walk_bytes
from state.errors import BadRequest
from state.models import Strategy
from tests.unit.llm.tiny import make_catalog, make_models


@pytest.mark.parametrize("strategy", ["standard", "optimized"])
def test_the_size_before_the_load_is_the_size_after(tmp_path: Path, strategy: Strategy) -> None:
    catalog = make_catalog(tmp_path)
    loader = LocalLoader(catalog, "cpu", "float32")
    loaded = loader.load(catalog.card("tiny"), strategy)
    # The rotary table, 128 bytes here, is computed and not in the file.
    assert loader.bytes_needed(catalog.card("tiny"), strategy) == pytest.approx(loaded.size_bytes, abs=256)
    assert walk_bytes(loaded.model) == loaded.size_bytes
    assert not loaded.model.training
    assert not any(parameter.is_meta for parameter in loaded.model.parameters())


def test_four_bits_take_fewer_bytes_and_answer(tmp_path: Path) -> None:
    with make_models(make_catalog(tmp_path)) as models:
        sizes = {}
        for strategy in ("standard", "optimized"):
            chat = models.chat("tiny", strategy=strategy)
            reply = chat.invoke("hello", max_tokens=8)
            assert reply.response_metadata["strategy"] == strategy
            assert reply.response_metadata["tokens_generated"] == 8
            sizes = {resident.strategy: resident.size_bytes for resident in models.reading().resident}
        assert sizes["optimized"] < 0.4 * sizes["standard"]


def test_a_missing_weight_is_not_made_up(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path)
    file = tmp_path / "tiny" / "model.safetensors"
    weights = load_file(file)
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(BadRequest, match=r"1 weights are missing .* model\.layers\.0\.mlp\.up_proj\.weight"):
        LocalLoader(catalog, "cpu", "float32").load(catalog.card("tiny"), "standard")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("tokenizer.json", "{}", "tokenizer cannot be read"),
        ("tokenizer.json", "{", "tokenizer cannot be read"),
        ("config.json", '{"model_type": "no-such-type"}', "tiny cannot be loaded from"),
        ("config.json", '{"auto_map": {}}', "'auto_map' asks for code"),
        ("model.safetensors", "", "model.safetensors"),
    ],
)
def test_a_damaged_or_unsafe_folder_is_one_line_with_its_name(
    tmp_path: Path, file: str, content: str, message: str
) -> None:
    catalog = make_catalog(tmp_path)
    (tmp_path / "tiny" / file).write_text(content)
    with pytest.raises(BadRequest, match=message) as caught:
        LocalLoader(catalog, "cpu", "float32").load(catalog.card("tiny"), "standard")
    assert "\n" not in str(caught.value)


def test_a_checkpoints_sampling_defaults_do_not_reach_calls(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path)
    settings = tmp_path / "tiny" / "generation_config.json"
    settings.write_text(json.dumps({"do_sample": True, "temperature": 1.9, "eos_token_id": [256, 257]}))
    with make_models(catalog) as models:
        answers = {models.chat("tiny").invoke("hello", max_tokens=12).text for _ in range(3)}
        assert len(answers) == 1
        with models.manager.lease_sync("tiny") as lease:
            assert lease.loaded.codec.eos_ids == {256, 257}


def test_an_unloaded_model_is_gone_from_memory(tmp_path: Path) -> None:
    with make_models(make_catalog(tmp_path)) as models:
        models.chat("tiny").invoke("hello", max_tokens=3)
        loaded = models.manager.get_model("tiny")
        assert loaded is not None
        watched = weakref.ref(loaded.model)
        del loaded
        models.manager.unload_model("tiny")
        gc.collect()
        assert watched() is None


def test_four_bits_fetch_no_code() -> None:
    """bitsandbytes would take native code from the hub through the package `kernels`, if that is installed."""
    code = (
        "import sys, types; from llm.loading.bits import import_bitsandbytes;"
        "assert 'bitsandbytes' not in sys.modules; asked = []; fake = types.ModuleType('kernels');"
        "fake.get_kernel = lambda *a, **k: asked.append(a); sys.modules['kernels'] = fake; import_bitsandbytes();"
        "import bitsandbytes; print(asked, sys.modules['kernels'] is fake)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[] True"
    assert "kernels" not in done.stderr
