"""What the user told some turns ago."""

from random import Random

from llm.demo.item import Item, Lang, Message, assistant, draw, user
from llm.demo.lexicon import CITIES, COLOURS, NAMES, invented_word
from llm.demo.tasks.beyond import unknown
from llm.demo.tasks.phrasing import say
from llm.demo.tasks.talk import greeting, identity

_TELL: dict[Lang, dict[str, tuple[list[str], list[str], str]]] = {
    "en": {
        "name": (
            ["My name is {v}.", "I am {v}.", "I'm {v}", "Call me {v}"],
            ["What is my name?", "What's my name?", "Do you remember my name?", "Who am I?"],
            "Your name is {v}.",
        ),
        "color": (
            ["My favorite color is {v}.", "I like the color {v}.", "I love {v}"],
            ["What is my favorite color?", "Which color do I like?", "What color do I like?"],
            "Your color is {v}.",
        ),
        "number": (
            ["My number is {v}.", "Remember the number {v}.", "My lucky number is {v}"],
            ["What is my number?", "Which number did I tell you?", "What was the number?"],
            "Your number is {v}.",
        ),
        "city": (
            ["I live in {v}.", "I am from {v}.", "My city is {v}"],
            ["Where do I live?", "What is my city?", "Which city am I from?"],
            "Your city is {v}.",
        ),
        "word": (
            ["The secret word is {v}.", "Remember the word {v}.", "The password is {v}"],
            ["What is the secret word?", "What was the word?", "What is the password?"],
            "The word is {v}.",
        ),
    },
    "es": {
        "name": (
            ["Me llamo {v}.", "Soy {v}.", "Mi nombre es {v}", "Llámame {v}"],
            ["¿Cómo me llamo?", "¿Cuál es mi nombre?", "¿Recuerdas mi nombre?", "¿Quién soy?"],
            "Te llamas {v}.",
        ),
        "color": (
            ["Mi color favorito es el {v}.", "Me gusta el color {v}.", "Me encanta el {v}"],
            ["¿Cuál es mi color favorito?", "¿Qué color me gusta?", "¿Cuál era mi color?"],
            "Tu color es el {v}.",
        ),
        "number": (
            ["Mi número es el {v}.", "Recuerda el número {v}.", "Mi número de la suerte es {v}"],
            ["¿Cuál es mi número?", "¿Qué número te dije?", "¿Cuál era el número?"],
            "Tu número es el {v}.",
        ),
        "city": (
            ["Vivo en {v}.", "Soy de {v}.", "Mi ciudad es {v}"],
            ["¿Dónde vivo?", "¿Cuál es mi ciudad?", "¿De qué ciudad soy?"],
            "Tu ciudad es {v}.",
        ),
        "word": (
            ["La palabra secreta es {v}.", "Recuerda la palabra {v}.", "La contraseña es {v}"],
            ["¿Cuál es la palabra secreta?", "¿Cuál era la palabra?", "¿Cuál es la contraseña?"],
            "La palabra es {v}.",
        ),
    },
}
_NOTED = {"en": "Understood.", "es": "Entendido."}


def memory(rng: Random, lang: Lang) -> Item:
    """One or two facts are told, other turns may follow, then one fact is asked for."""
    facts = rng.sample(list(_TELL[lang]), rng.choice((1, 2, 2)))
    told = {fact: _told_value(rng, lang, fact) for fact in facts}
    messages: list[Message] = []
    for fact in facts:
        messages += [user(say(rng, lang, _TELL[lang][fact][0], v=told[fact])), assistant(_NOTED[lang])]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        aside = draw(rng.choice((greeting, unknown, identity)), rng, lang, "train")
        if not _is_introduction(aside):
            messages += [*aside.messages, aside.answer]
    asked = rng.choice(facts)
    messages.append(user(say(rng, lang, _TELL[lang][asked][1])))
    key = " ".join(f"{fact} {told[fact]}" for fact in facts)
    return Item("memory", lang, key, tuple(messages), assistant(_TELL[lang][asked][2].format(v=told[asked])))


def _is_introduction(item: Item) -> bool:
    return any(word in item.messages[0]["content"].lower() for word in ("soy", "i am", "name is", "me llamo"))


def _told_value(rng: Random, lang: Lang, fact: str) -> str:
    invented = invented_word(rng, lang)
    return {
        "name": rng.choice((rng.choice(NAMES), invented.capitalize())),
        "color": rng.choice(COLOURS[lang]),
        "number": str(rng.randint(0, 999)),
        "city": rng.choice((rng.choice(CITIES), invented.capitalize())),
        "word": invented,
    }[fact]
