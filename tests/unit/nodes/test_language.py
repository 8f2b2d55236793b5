"""Languages of texts, down to a word or two."""

import pytest

from nodes.language import MAX_CHARS, detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("capital de Francia", "es"),
        ("sum of 2 and 3", "en"),
        ("Hello!", "en"),
        ("hola", "es"),
        ("Traduce esto al inglés, por favor", "es"),
        ("por que no funciona el boton", "es"),
        ("The children were playing in the garden", "en"),
        ("Não sei como isso aconteceu, você sabe?", "pt"),
        ("Où est la gare la plus proche ?", "fr"),
        ("Wie viel kostet das Buch?", "de"),
        ("Perché il cielo è blu e non è verde?", "it"),
        ("Què vols fer amb això aquesta tarda?", "ca"),
        ("Привет, как дела?", "ru"),
        ("こんにちは世界", "ja"),
        ("你好世界", "zh"),
        ("안녕하세요", "ko"),
        ("مرحبا بالعالم", "ar"),
        ("12 34", "und"),
        ("", "und"),
        ("\ud800 ‮", "und"),
    ],
)
def test_languages_are_recognised(text: str, language: str) -> None:
    assert detect(text)[0] == language


def test_how_sure_grows_with_the_evidence() -> None:
    assert detect("no")[1] < detect("La casa de mi madre está cerca de aquí")[1] <= 1.0
    assert detect("12 34") == ("und", 0.0)


def test_only_the_start_of_a_text_is_read() -> None:
    assert detect("the house " * (MAX_CHARS // 10) + "la casa de mi madre " * 10_000)[0] == "en"
