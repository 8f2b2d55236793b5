"""Questions beyond the model, which it answers by saying so."""

from random import Random

from llm.demo.item import Item, Lang, assistant, user
from llm.demo.lexicon import CITIES, COUNTRIES, NAMES, NOUNS, invented_word
from llm.demo.tasks.phrasing import fill

DO_NOT_KNOW = {
    "en": "I do not know. I am only a tiny demo model.",
    "es": "No lo sé. Solo soy un modelo de demostración muy pequeño.",
}
_BEYOND = {
    "en": [
        "Who is the president of {c}?",
        "Who won the election in {c}?",
        "What happened in {c} in {y}?",
        "Tell me the news about {n}",
        "What is the history of {c}?",
        "What medicine should I take for my {n}?",
        "My {n} hurts, what should I do?",
        "Write an essay about the {n}",
        "Tell me a joke about a {n}",
        "Write a poem about {n}",
        "What do you think about {c}?",
        "Who wrote the book about {w}?",
        "Why is the {n} important?",
        "Explain {w}",
        "What is {w}?",
        "How does a {n} work?",
        "Who is {p}?",
        "What is the meaning of {w}?",
        "Should I buy a {n}?",
        "What will happen in {y}?",
        "How do I cook {n}?",
        "What is the best {n} in {t}?",
        "When was {p} born?",
        "Who discovered {w}?",
        "Why do people like the {n}?",
        "Who won the match in {t}?",
        "Is it legal to have a {n} in {c}?",
        "How many people live in {c}?",
        "What is the weather in {t}?",
        "Tell me a story about {p}",
        "Describe the life of {p}",
        "Where can I find a {n}?",
        "What time is it in {t}?",
        "Explain how {w} affects {n}s",
        "Which {n} is better?",
        "Give me advice about my {n}",
    ],
    "es": [
        "¿Quién es el presidente de {c}?",
        "¿Quién ganó las elecciones en {c}?",
        "¿Qué pasó en {c} en {y}?",
        "Cuéntame noticias de {n}",
        "¿Cuál es la historia de {c}?",
        "¿Qué medicina tomo para mi {n}?",
        "Me duele mi {n}, ¿qué hago?",
        "Escribe un ensayo sobre {n}",
        "Cuéntame un chiste de {n}",
        "Escribe un poema sobre {n}",
        "¿Qué opinas de {c}?",
        "¿Quién escribió el libro sobre {w}?",
        "¿Por qué es importante {n}?",
        "Explica {w}",
        "¿Qué es {w}?",
        "¿Cómo funciona un {n}?",
        "¿Quién es {p}?",
        "¿Qué significa {w}?",
        "¿Debo comprar un {n}?",
        "¿Qué pasará en {y}?",
        "¿Cómo se cocina {n}?",
        "¿Cuál es el mejor {n} de {t}?",
        "¿Cuándo nació {p}?",
        "¿Quién descubrió {w}?",
        "¿Por qué gusta tanto {n}?",
        "¿Quién ganó el partido en {t}?",
        "¿Es legal tener un {n} en {c}?",
        "¿Cuánta gente vive en {c}?",
        "¿Qué tiempo hace en {t}?",
        "Cuéntame una historia de {p}",
        "Describe la vida de {p}",
        "¿Dónde encuentro un {n}?",
        "¿Qué hora es en {t}?",
        "Explica cómo afecta {w} a {n}",
        "¿Qué {n} es mejor?",
        "Dame consejo sobre mi {n}",
    ],
}


def unknown(rng: Random, lang: Lang) -> Item:
    """A question beyond the model is answered with that, in the question's language."""
    slots: dict[str, object] = {
        "c": rng.choice(COUNTRIES)[lang][0],
        "y": rng.randint(1200, 2030),
        "n": rng.choice(NOUNS)[0 if lang == "en" else 1],
        "w": invented_word(rng, lang),
        "t": rng.choice(CITIES),
        "p": rng.choice((f"{rng.choice(NAMES)} {invented_word(rng, lang).capitalize()}", rng.choice(NAMES))),
    }
    template = rng.choice(_BEYOND[lang])
    return Item(
        "unknown",
        lang,
        template.format(**slots),
        (user(fill(rng, lang, template, **slots)),),
        assistant(DO_NOT_KNOW[lang]),
    )
