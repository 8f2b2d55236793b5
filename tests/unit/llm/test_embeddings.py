"""The hashing embedder: the same everywhere, near for shared words, in any language."""

import math
import subprocess
import sys

import pytest
from langchain_core.embeddings import Embeddings

from llm.embeddings import HashingEmbeddings, SizedEmbeddings, open_embeddings, words_of

HASHING = HashingEmbeddings()


def near(first: str, second: str) -> float:
    pair = zip(HASHING.embed_query(first), HASHING.embed_query(second), strict=True)
    return math.fsum(one * other for one, other in pair)


def test_it_is_the_default_and_fills_both_ports() -> None:
    opened: SizedEmbeddings = open_embeddings()
    assert isinstance(opened, Embeddings)
    assert (opened.dims, len(opened.embed_query("x"))) == (384, 384)


@pytest.mark.parametrize("text", ["hello", "Ünï cødé", "你好", "", " \n", "?!", "a " * 5000, "\ud800", "👍"])
def test_every_text_has_a_vector_of_length_one(text: str) -> None:
    vector = HASHING.embed_query(text)
    assert math.isclose(math.fsum(value * value for value in vector), 1.0)


def test_other_processes_give_the_same_vector() -> None:
    code = "from llm.embeddings import HashingEmbeddings as E; print(E().embed_query('the quick brown fox').__repr__())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert done.stdout.strip() == repr(HASHING.embed_query("the quick brown fox"))


def test_vectors_stay_what_they_were_when_they_were_stored() -> None:
    vector = HASHING.embed_query("agent lab")
    largest = sorted(range(384), key=lambda place: -abs(vector[place]))[:3]
    assert [(place, round(vector[place], 6)) for place in largest] == [
        (17, -0.316228),
        (23, 0.316228),
        (120, -0.316228),
    ]


@pytest.mark.parametrize(
    ("text", "nearer", "farther"),
    [
        ("how do I install the server", "installing a server", "recipe for tomato soup"),
        ("¿Cómo instalo el servidor?", "instalar servidores", "receta de sopa de tomate"),
        ("我喜欢吃苹果", "苹果很好吃", "今天天气晴朗"),
        ("error in the database connection", "the connection to the database failed", "the weather is nice"),
        ("black cat", "black cats", "white dog"),
    ],
)
def test_shared_words_bring_texts_nearer(text: str, nearer: str, farther: str) -> None:
    assert near(text, nearer) > near(text, farther) + 0.1


def test_ways_of_writing_are_one() -> None:
    assert words_of("Straße ＣＡＦÉ cafe\u0301") == ["strasse", "café", "café"]
    assert near("HELLO World", "hello world!") == pytest.approx(1.0)


def test_unrelated_texts_are_far_apart() -> None:
    texts = ["tomato soup", "quantum physics", "blue bicycle", "tax form", "garden chair", "violin concert"]
    pairs = [abs(near(one, other)) for one in texts for other in texts if one < other]
    assert max(pairs) < 0.35
    assert sum(pairs) / len(pairs) < 0.12


async def test_documents_and_queries_are_alike() -> None:
    assert HASHING.embed_documents(["a b", "c"]) == [HASHING.embed_query("a b"), HASHING.embed_query("c")]
    assert await HASHING.aembed_documents(["a b"]) == [await HASHING.aembed_query("a b")]
    assert HASHING.embed_documents([]) == []
