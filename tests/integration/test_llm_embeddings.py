"""Embeddings by a real sentence-transformers model, made on the spot; and folders that are refused."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import BertConfig, BertModel, BertTokenizerFast

from llm.embeddings import SizedEmbeddings, open_embeddings
from llm.models import open_models
from llm.sentences import check_sentence_folder
from state.errors import BadRequest, Broken, Unavailable

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "green", "blue", "cat", "dog", "##s"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as sentence-transformers saves it: a BERT of 16 numbers, its mean, a layer to 8 numbers, length 1."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("sentences")
    words, bert = home / "words.txt", home / "bert"
    words.write_text("\n".join(WORDS))
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(bert)
    BertTokenizerFast(vocab=str(words)).save_pretrained(bert)
    modules = [Transformer(str(bert)), Pooling(16), Dense(16, 8), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(home / "model"))
    return home / "model"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


@pytest.fixture(scope="module")
def embeddings(made: Path) -> Iterator[SizedEmbeddings]:
    opened = open_embeddings(str(made))
    yield opened
    opened.close()


async def test_every_way_of_asking_gives_the_librarys_vectors(embeddings: SizedEmbeddings, made: Path) -> None:
    texts = ["red cat", "blue dogs", "green"]
    expected = SentenceTransformer(str(made), device="cpu").encode(texts, normalize_embeddings=True)
    found = embeddings.embed_documents(texts)
    assert torch.allclose(torch.tensor(found), torch.tensor(expected), atol=1e-6)
    assert torch.allclose(torch.tensor(await embeddings.aembed_documents(texts)), torch.tensor(found), atol=1e-6)
    assert embeddings.embed_query("red cat") == pytest.approx(found[0], abs=1e-6)
    assert await embeddings.aembed_query("red cat") == pytest.approx(found[0], abs=1e-6)
    assert math.isclose(math.hypot(*found[0]), 1.0, abs_tol=1e-5)
    assert embeddings.embed_documents([]) == []


def test_the_length_is_known_before_the_model_is_loaded(folder: Path) -> None:
    opened = open_embeddings(str(folder))
    assert opened.dims == 8
    (folder / "model.safetensors").unlink()  # nothing has read it beyond its header
    assert opened.dims == 8
    opened.close()


async def test_several_loops_and_threads_ask_at_once(embeddings: SizedEmbeddings) -> None:
    expected = embeddings.embed_query("red cat")

    def ask() -> list[float]:
        return asyncio.run(embeddings.aembed_query("red cat"))

    for found in await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(6))):
        assert found == pytest.approx(expected, abs=1e-6)


def test_closed_is_unavailable(folder: Path) -> None:
    opened = open_embeddings(str(folder))
    opened.embed_query("cat")
    opened.close()
    opened.close()
    with pytest.raises(Unavailable, match="is closed"):
        opened.embed_query("cat")


def test_the_door_has_the_embedder_of_its_settings(made: Path) -> None:
    with open_models(embedder=str(made), budget_bytes=10**6) as models:
        assert models.embeddings.dims == 8
    with pytest.raises(Unavailable):
        models.embeddings.embed_query("cat")
    with open_models(budget_bytes=10**6) as models:
        assert models.embeddings.dims == 384


def change(folder: Path, name: str, **fields: Any) -> None:
    about = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**about, **fields}))


def name_module(folder: Path, number: int, **fields: Any) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[number] |= fields
    (folder / "modules.json").write_text(json.dumps(modules))


def pickle_weights(folder: Path, part: str) -> None:
    torch.save({}, folder / part / "pytorch_model.bin")
    (folder / part / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "no such folder; use 'hashing'"),
        (lambda at: (at / "modules.json").unlink(), "modules.json: missing"),
        (lambda at: (at / "modules.json").write_text("{"), "not readable as JSON"),
        (lambda at: (at / "modules.json").write_text("{}"), "expected a list"),
        (lambda at: name_module(at, 1, type="evil.Pooling"), "module 'evil.Pooling' is not loaded"),
        (lambda at: name_module(at, 1, type="sentence_transformers.x.Router"), "'sentence_transformers.x.Router'"),
        (lambda at: name_module(at, 1, path="../elsewhere"), "'../elsewhere' is not a folder inside it"),
        (lambda at: name_module(at, 1, path="/etc"), "'/etc' is not a folder inside it"),
        (lambda at: pickle_weights(at, ""), "only safetensors weights are loaded"),
        (lambda at: pickle_weights(at, "2_Dense"), "model.safetensors: missing"),
        (lambda at: change(at, "config.json", auto_map={"AutoModel": "x.Y"}), "'auto_map' asks for code"),
        (lambda at: change(at, "sentence_bert_config.json", model_args={"trust_remote_code": True}), "asks for code"),
        (lambda at: change(at, "2_Dense/config.json", activation_function="os.system"), "'os.system' is not one of"),
        (lambda at: (at / "adapter_config.json").write_text("{}"), "has an adapter"),
    ],
)
def test_unsafe_and_broken_folders_are_refused(folder: Path, spoil: Any, message: str) -> None:
    assert check_sentence_folder(folder) == 8
    spoil(folder)
    opened = open_embeddings(str(folder))
    with pytest.raises(BadRequest, match=message):
        opened.embed_query("cat")
    with pytest.raises(BadRequest, match=message):
        _ = opened.dims
    opened.close()


def test_a_fault_of_the_library_is_told_in_one_line(folder: Path) -> None:
    change(folder, "config.json", model_type="no-such-family")
    opened = open_embeddings(str(folder))
    with pytest.raises(Broken, match=r"embedder .*no-such-family"):
        opened.embed_query("cat")
    opened.close()
