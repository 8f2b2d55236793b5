"""Unsafe and damaged model folders."""

import json
from pathlib import Path
from typing import Any

import pytest

from llm.check import check_folder, check_window, context_window
from llm.sizing import TensorInfo
from state.errors import BadRequest


def write_weights(file: Path, tensors: dict[str, tuple[int, ...]]) -> None:
    header, offset = {}, 0
    for name, shape in tensors.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(offset))


def model_folder(folder: Path, **config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    write_weights(folder / "model.safetensors", {"a.weight": (2, 3)})
    return folder


def test_a_whole_folder_gives_its_tensors(tmp_path: Path) -> None:
    assert check_folder(model_folder(tmp_path)) == (TensorInfo("a.weight", "F32", (2, 3)),)


def test_shards_are_read_by_their_index(tmp_path: Path) -> None:
    model_folder(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "model-1.safetensors")
    write_weights(tmp_path / "model-2.safetensors", {"b.weight": (1,)})
    index = {"weight_map": {"a.weight": "model-1.safetensors", "b.weight": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert [tensor.name for tensor in check_folder(tmp_path)] == ["a.weight", "b.weight"]
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(BadRequest, match=r"model-2\.safetensors: missing"):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"auto_map": {"AutoModel": "evil.Model"}}, "'auto_map' asks for code"),
        ({"text_config": {"auto_map": {}}}, "'auto_map' asks for code"),
        ({"parts": [{"_attn_implementation_internal": "x/y"}]}, "'_attn_implementation_internal' is an internal"),
        ({"trust_remote_code": True}, "'trust_remote_code' asks for code"),
    ],
)
def test_settings_that_run_code_are_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message) as caught:
        check_folder(model_folder(tmp_path, **config))
    assert "config.json" in str(caught.value)


@pytest.mark.parametrize("file", ["tokenizer_config.json", "generation_config.json", "processor_config.json"])
def test_they_are_refused_in_every_settings_file(tmp_path: Path, file: str) -> None:
    (model_folder(tmp_path) / file).write_text('{"auto_map": {"AutoTokenizer": ["evil.T", null]}}')
    with pytest.raises(BadRequest, match=file):
        check_folder(tmp_path)


def test_words_of_a_vocabulary_are_not_settings(tmp_path: Path) -> None:
    (model_folder(tmp_path) / "vocab.json").write_text('{"auto_map": 1, "x_internal": 2}')
    check_folder(tmp_path)


def test_pickled_weights_are_no_weights(tmp_path: Path) -> None:
    (model_folder(tmp_path) / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(BadRequest, match=r"only safetensors weights are loaded; pytorch_model\.bin cannot be used"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "model.bin"])
def test_an_index_names_files_beside_it(tmp_path: Path, name: str) -> None:
    (model_folder(tmp_path) / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(BadRequest, match="not a safetensors file beside it"):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"\xff" * 100, "not a safetensors file"),
        ((20).to_bytes(8, "little") + b"{" * 20, "header is corrupt"),
        ((2).to_bytes(8, "little") + b"[]", "header is corrupt"),
        ((2).to_bytes(8, "little") + b"{}" + b"rest", "has 14 bytes where its header says 10"),
    ],
)
def test_damaged_weights_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (model_folder(tmp_path) / "model.safetensors").write_bytes(content)
    with pytest.raises(BadRequest, match=rf"model\.safetensors: .*{message}"):
        check_folder(tmp_path)


def test_a_folder_without_a_config_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no such model folder"):
        check_folder(tmp_path / "none")
    with pytest.raises(BadRequest, match=r"config\.json: missing"):
        check_folder(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BadRequest, match=r"config\.json: not readable as JSON"):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({}, None),
        ({"max_position_embeddings": 4096}, 4096),
        ({"n_positions": 1024}, 1024),
        ({"max_seq_len": 2048}, 2048),
        ({"text_config": {"max_position_embeddings": 8192}}, 8192),
        ({"max_position_embeddings": 4096, "rope_scaling": None}, 4096),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
        (
            {
                "max_position_embeddings": 131072,
                "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 32768,
                "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        ({"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 32.0}}, 131072),
        (
            {
                "max_position_embeddings": 32768,
                "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}, "sliding_attention": {}},
            },
            262144,
        ),
    ],
)
def test_a_context_is_as_long_as_its_config_says_stretched_or_not(config: dict[str, Any], tokens: int | None) -> None:
    assert context_window(config) == tokens


def test_a_card_may_promise_less_than_the_model_has_and_not_more() -> None:
    check_window("mine", 4096, {"max_position_embeddings": 4096})
    check_window("mine", 10**9, {})
    with pytest.raises(
        BadRequest, match=r"mine: its card promises a context of 4,097 tokens, its config\.json has 4,096"
    ):
        check_window("mine", 4097, {"max_position_embeddings": 4096})
