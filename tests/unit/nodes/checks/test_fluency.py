"""The tables of letters and function words: their recipe, and what they tell apart."""

import json
from pathlib import Path

import pytest

from nodes.checks.fluency import is_broken_word, is_known, letter_score, longest_run, order_scores, tables
from nodes.checks.train_fluency import train

SENTENCE = "The old house on the hill was built by a man who had come from the north of the country in his youth."
FRASE = "La casa vieja de la colina fue construida por un hombre que había venido del norte del país en su juventud."


@pytest.mark.parametrize("text", [SENTENCE, FRASE])
def test_words_in_order_score_above_the_same_words_reversed(text: str) -> None:
    reverse = " ".join(reversed(text.rstrip(".").split()))
    assert order_scores(text).mean() > order_scores(reverse).mean() + 0.3


def test_letters_of_words_follow_one_another_and_random_ones_do_not() -> None:
    assert min(map(letter_score, ["window", "strengths", "ventana", "biblioteca"])) > -3.0
    assert max(map(letter_score, ["xkcdq", "zxcvb", "hjkl", "qwpoeiru"])) < -3.5


def test_seen_words_their_forms_and_broken_ones() -> None:
    assert all(map(is_known, ["house", "houses", "casa", "casas", "gobierno"]))
    assert not any(map(is_known, ["quentox", "zunquor", "vrelmik"]))
    assert is_broken_word("governm") and not is_broken_word("government") and not is_broken_word("xyzzy")


def test_function_words_end_a_run() -> None:
    assert longest_run("green lamp, walking zebra") == 2
    assert longest_run("green lamp walking zebra purple cheese") == 6
    assert longest_run(SENTENCE) < 6


def test_the_same_texts_make_the_same_tables(tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text("\n".join(json.dumps({"prompt": text}) for text in (SENTENCE, FRASE)), encoding="utf-8")
    for name in ("one", "two"):
        train([texts], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_shipped_tables_hold_single_words_alone() -> None:
    assert tables().letters.shape == (27, 27) and len(tables().places) == tables().tokens.shape[0]
    assert all(word.isalpha() for word in tables().words)
