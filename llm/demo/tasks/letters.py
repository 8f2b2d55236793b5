"""Tasks on the letters and words of the request itself: reverse, case, echo, count, first and last."""

from random import Random

from llm.demo.item import Item, Lang, assistant, user
from llm.demo.lexicon import any_word, phrase
from llm.demo.tasks.phrasing import quoted, say

_REVERSE = {
    "en": [
        "Reverse the word {w}",
        "Reverse the word {w}.",
        "Reverse: {w}",
        "Spell {w} backwards",
        "Write {w} backwards.",
        "Write the word {w} in reverse.",
        "What is {w} spelled backwards?",
        "Reverse the letters of {w}",
        "Reverse this word: {w}",
        "Reverse {w}",
    ],
    "es": [
        "Invierte la palabra {w}",
        "Invierte la palabra {w}.",
        "Invierte: {w}",
        "Escribe {w} al revés",
        "Escribe la palabra {w} al revés.",
        "¿Cómo se escribe {w} al revés?",
        "Dale la vuelta a la palabra {w}",
        "Invierte las letras de {w}",
        "Invierte esta palabra: {w}",
        "Pon al revés {w}",
    ],
}
_UPPER = {
    "en": [
        "Write {w} in uppercase",
        "Uppercase: {w}",
        "Put {w} in capital letters.",
        "Convert to uppercase: {w}",
        "Make this uppercase: {w}",
        "Write in capital letters: {w}",
    ],
    "es": [
        "Escribe {w} en mayúsculas",
        "Mayúsculas: {w}",
        "Pon {w} en mayúsculas.",
        "Convierte a mayúsculas: {w}",
        "Pasa a mayúsculas: {w}",
        "Escribe en mayúsculas: {w}",
    ],
}
_LOWER = {
    "en": [
        "Write {w} in lowercase",
        "Lowercase: {w}",
        "Put {w} in small letters.",
        "Convert to lowercase: {w}",
        "Make this lowercase: {w}",
        "Write in lower case: {w}",
    ],
    "es": [
        "Escribe {w} en minúsculas",
        "Minúsculas: {w}",
        "Pon {w} en minúsculas.",
        "Convierte a minúsculas: {w}",
        "Pasa a minúsculas: {w}",
        "Escribe en minúsculas: {w}",
    ],
}
_ECHO = {
    "en": [
        "Repeat: {w}",
        "Say exactly {w}",
        "Say exactly: {w}",
        "Repeat after me: {w}",
        "Echo {w}",
        "Echo: {w}",
        "Say {w}",
        "Repeat this: {w}",
        "Write exactly {w}",
        "Reply with: {w}",
        "Reply only with {w}",
        "Repeat the text {w}",
    ],
    "es": [
        "Repite: {w}",
        "Di exactamente {w}",
        "Di exactamente: {w}",
        "Repite conmigo: {w}",
        "Repite {w}",
        "Di {w}",
        "Repite esto: {w}",
        "Escribe exactamente {w}",
        "Responde con: {w}",
        "Responde solo con {w}",
        "Repite el texto {w}",
    ],
}
_LETTERS = {
    "en": [
        "How many letters does {w} have?",
        "How many letters are in the word {w}?",
        "Count the letters of {w}",
        "Count the letters in {w}.",
        "Number of letters in {w}?",
        "How many letters are there in {w}?",
    ],
    "es": [
        "¿Cuántas letras tiene {w}?",
        "¿Cuántas letras tiene la palabra {w}?",
        "Cuenta las letras de {w}",
        "Cuenta las letras de la palabra {w}.",
        "¿Número de letras de {w}?",
        "¿Cuántas letras hay en {w}?",
    ],
}
_WORDS = {
    "en": [
        "How many words are in: {w}",
        "Count the words: {w}",
        "Count the words in this text: {w}",
        "How many words are there here? {w}",
    ],
    "es": [
        "¿Cuántas palabras hay en: {w}",
        "Cuenta las palabras: {w}",
        "Cuenta las palabras de este texto: {w}",
        "¿Cuántas palabras hay aquí? {w}",
    ],
}
_ENDS = {
    "en": {
        ("letter", 0): ["What is the first letter of {w}?", "First letter of {w}", "Write the first letter of {w}."],
        ("letter", -1): ["What is the last letter of {w}?", "Last letter of {w}", "Write the last letter of {w}."],
        ("word", 0): ["What is the first word of: {w}", "First word of: {w}", "Write the first word of this text: {w}"],
        ("word", -1): ["What is the last word of: {w}", "Last word of: {w}", "Write the last word of this text: {w}"],
    },
    "es": {
        ("letter", 0): [
            "¿Cuál es la primera letra de {w}?",
            "Primera letra de {w}",
            "Escribe la primera letra de {w}.",
        ],
        ("letter", -1): ["¿Cuál es la última letra de {w}?", "Última letra de {w}", "Escribe la última letra de {w}."],
        ("word", 0): [
            "¿Cuál es la primera palabra de: {w}",
            "Primera palabra de: {w}",
            "Escribe la primera palabra de este texto: {w}",
        ],
        ("word", -1): [
            "¿Cuál es la última palabra de: {w}",
            "Última palabra de: {w}",
            "Escribe la última palabra de este texto: {w}",
        ],
    },
}


def reverse(rng: Random, lang: Lang) -> Item:
    word = any_word(rng, lang)[:12]
    text = say(rng, lang, _REVERSE[lang], w=quoted(rng, word))
    return Item("reverse", lang, f"reverse {word}", (user(text),), assistant(word[::-1]))


def upper_lower(rng: Random, lang: Lang) -> Item:
    words = phrase(rng, lang, 1, 4)
    if rng.random() < 0.5:
        text, answer = say(rng, lang, _UPPER[lang], w=quoted(rng, words)), words.upper()
    else:
        shown = words.upper() if rng.random() < 0.6 else words.title()
        text, answer = say(rng, lang, _LOWER[lang], w=quoted(rng, shown)), words.lower()
    return Item("upper_lower", lang, f"case {words}", (user(text),), assistant(answer))


def echo(rng: Random, lang: Lang) -> Item:
    words = phrase(rng, lang, 1, 7)
    style = rng.random()
    if style < 0.2:
        words = words.capitalize() + rng.choice(".!?")
    elif style < 0.35:
        words = f"{words} {rng.randint(0, 9999)}"
    elif style < 0.45:
        words = rng.choice((words.upper(), words.title(), words.replace(" ", "-"), words.replace(" ", "_")))
    return Item(
        "echo", lang, f"echo {words}", (user(say(rng, lang, _ECHO[lang], w=quoted(rng, words))),), assistant(words)
    )


def count(rng: Random, lang: Lang) -> Item:
    """Letters of a word, or words of a text; the answer is the bare number."""
    if rng.random() < 0.65:
        word = any_word(rng, lang)[:12]
        text, answer = say(rng, lang, _LETTERS[lang], w=quoted(rng, word)), len(word)
        return Item("count", lang, f"letters {word}", (user(text),), assistant(str(answer)))
    words = phrase(rng, lang, 2, 9)
    text = say(rng, lang, _WORDS[lang], w=words)
    return Item("count", lang, f"words {words}", (user(text),), assistant(str(len(words.split()))))


def first_last(rng: Random, lang: Lang) -> Item:
    (unit, end), templates = rng.choice(list(_ENDS[lang].items()))
    if unit == "letter":
        word = any_word(rng, lang)
        text, answer = say(rng, lang, templates, w=quoted(rng, word)), word[end]
        return Item("first_last", lang, f"{end} {word}", (user(text),), assistant(answer))
    words = phrase(rng, lang, 2, 6)
    text = say(rng, lang, templates, w=words)
    return Item("first_last", lang, f"{end} {words}", (user(text),), assistant(words.split()[end]))
