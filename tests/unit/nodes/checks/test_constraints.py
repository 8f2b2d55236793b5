"""What a request says of the form of its answer."""

import pytest

from nodes.checks.forms.items import labels_of
from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

BROKEN: list[tuple[Kind, str, str]] = [
    (
        "rewriting",
        "Shorten this: The cat of my aunt sleeps all day.",
        "The cat of my aunt, who lives here, sleeps the whole day long.",
    ),
    ("rewriting", "Haz la frase más larga: El gato de mi tía duerme mucho.", "El gato duerme."),
    ("other", "Escribe una lista numerada de 4 ríos europeos.", "1. Ebro\n2. Rin\n3. Sena"),
    ("creative_writing", 'Escribe una frase que empiece por "Cuando".', "El mar calla cuando es de noche."),
    ("creative_writing", 'Escribe una frase que termine con "mar".', "El mar calla de noche."),
    ("other", "Dame una lista de 3 elementos con guiones: cosas de playa", "Toalla, crema y gafas"),
    ("math", "Give only the final number: 12*4", "12 times 4 equals 48"),
    ("other", "Dime 3 ríos y nada más", "Claro, aquí tienes 3 ríos: Ebro, Tajo y Duero. ¡Espero que te sirva!"),
    ("creative_writing", "Write a 50-word product description for a lamp.", "A lamp for all."),
    ("other", "Respond in the form of a question: I like tea", "Tea is very good."),
    ("creative_writing", "Write a line where every word starts with the letter M.", "My mother sells many melons."),
    ("other", "List 3 fruits, each beginning with the letter A.", "Apple\nPear\nAvocado"),
    ("other", "Dame tres ríos que empiecen por la letra T.", "Tajo, Ebro y Turia"),
    ("creative_writing", "Write a farewell without any punctuation.", "So long, my friend!"),
    ("creative_writing", "Escribe una despedida sin signos de exclamación.", "¡Adiós, amigos!"),
    ("creative_writing", "Write a post about tea and include an emoji.", "Tea again today, and it is good."),
    ("other", "Name three birds separated by semicolons.", "crow, owl, swan"),
    ("other", "Put your answer in square brackets: who wrote Emma?", "Jane Austen"),
    ("other", "Make a table with exactly 3 columns of two birds.", "| Bird | Size |\n|---|---|\n| Owl | big |"),
    ("creative_writing", "Write a line that ends with an exclamation mark.", "What a night."),
    ("other", 'La última palabra de tu respuesta debe ser "nada". Habla del mar.', "El mar es azul y profundo."),
    ("other", "Write the amount without digits: how many legs has a dog?", "A dog has 4 legs."),
    ("other", "List three fruits.", "1. Apple\n2. Pear\n3. Plum\n4. Fig"),
    ("other", "Give me exactly 4 synonyms of happy.", "glad, joyful, cheerful"),
    ("question_answering", "Name two rivers in Spain", "The Ebro"),
    ("creative_writing", "Dame cinco nombres de perro", "- Toby\n- Luna\n- Max"),
    (
        "creative_writing",
        "Write a tweet about coffee in at most 10 words.",
        "Coffee is the warm friend who wakes you gently every single cold morning.",
    ),
    ("question_answering", "Answer in one word: what is the capital of Peru?", "The capital of Peru is Lima."),
    (
        "question_answering",
        "¿Cuál es la capital de Perú? Responde con una sola palabra.",
        "La capital de Perú es Lima.",
    ),
    (
        "summarization",
        "Summarize in one sentence: The dog ran. The cat slept. The bird sang all day long.",
        "The dog ran. The cat slept.",
    ),
    (
        "summarization",
        "Resume en una sola frase: El perro corrió por el parque. El gato durmió todo el día.",
        "El perro corrió. El gato durmió.",
    ),
    ("rewriting", "Write it in all caps: I like tea", "I Like Tea"),
    ("creative_writing", "Write a slogan for a bakery, all in lowercase.", "Fresh Bread Every Day"),
    ("creative_writing", "Escribe un lema en mayúsculas para una panadería", "Pan fresco cada día"),
    (
        "question_answering",
        "Is water wet? Answer only yes or no.",
        "Yes, water is considered wet because it touches itself.",
    ),
    (
        "question_answering",
        "¿Es Madrid la capital? Responde solo sí o no.",
        "Madrid es, en efecto, la capital de España.",
    ),
    ("creative_writing", "Write a sentence about dogs that does not contain the letter 'e'.", "The dog sleeps."),
    ("creative_writing", "Escribe una frase sobre el mar sin usar la letra a.", "El mar es azul."),
    ("creative_writing", "Describe the sun without using the word 'hot'.", "The sun is a hot ball of gas."),
    ("creative_writing", "Describe la lluvia sin usar la palabra agua.", "La lluvia es agua que cae."),
    ("creative_writing", "Write a greeting that starts with 'Good morning'.", "Hello, friend!"),
    ("creative_writing", "Write a short thank-you note that ends with 'Best wishes, Ana'.", "Thanks for the gift! Ana"),
    (
        "question_answering",
        "Termina tu respuesta con la palabra 'fin'. ¿Qué es un gato?",
        "Un gato es un animal doméstico.",
    ),
    ("classification", "Classify as positive, negative or neutral: I love it", "Happy"),
    ("classification", "Clasifica como urgente o normal: Se cayó el servidor", "Importante"),
    (
        "creative_writing",
        "Write a haiku about autumn.",
        "Leaves fall down\nThe wind is cold\nWinter comes\nSnow will cover\nAll the ground\nSoon",
    ),
    ("question_answering", "Explain gravity in bullet points.", "Gravity is the force that pulls objects together."),
    ("other", "Make a table of three planets and their colours.", "Mars is red, Neptune is blue."),
    ("creative_writing", "Write a four-line poem about tea.", "Tea is warm,\ntea is sweet."),
    ("creative_writing", "Escribe un poema de cuatro versos sobre el té.", "El té es cálido,\ny dulce también."),
    (
        "creative_writing",
        "Write a poem in two stanzas about rain.",
        "Rain falls down today\non roofs and streets and trees and towns",
    ),
    ("question_answering", "Give the answer as a number only: how many legs has a spider?", "A spider has eight legs."),
    ("question_answering", "How many days are in a week? Reply with just the number.", "There are 7 days in a week."),
    ("question_answering", "Respond in exactly five words: what is love?", "Love is a deep feeling of affection."),
    ("question_answering", "List 5 European capitals in alphabetical order.", "Paris, Berlin, Madrid, Rome, Vienna"),
    ("creative_writing", "Write a paragraph of at least 50 words about bees.", "Bees make honey."),
    ("other", "Describe Rome in 20 to 30 words.", "Rome is old."),
    ("creative_writing", "Escribe un párrafo de entre 40 y 60 palabras sobre Roma.", "Roma es antigua y bonita."),
    (
        "creative_writing",
        "Write a tagline with no more than six words.",
        "We bring you the best bread in the whole wide world",
    ),
    (
        "creative_writing",
        "Título de máximo 5 palabras para un artículo sobre el clima",
        "El cambio climático y sus consecuencias para el planeta entero",
    ),
    ("rewriting", "Give me the date in the format YYYY-MM-DD: 5 March 2021", "03/05/2021"),
    ("creative_writing", "Write an acrostic for SUN.", "Bright in the sky\nUnder the clouds\nNever dark"),
    ("conversation", "End your message with a question. Talk about tea.", "Tea is lovely."),
    ("creative_writing", "Don't use emojis. Say hi to the team.", "Hi team! 🎉"),
    ("creative_writing", "Write an ad for shoes. Do not mention the price.", "Shoes at a price you will love!"),
    ("creative_writing", "Include the words 'moon' and 'river' in a sentence.", "The moon shines."),
    ("creative_writing", "Incluye la palabra 'libertad' en una frase corta.", "La vida es bella."),
    ("question_answering", "Answer with the letter only. What is H2O? A) water B) fire", "The answer is A, water"),
    (
        "creative_writing",
        "Write two paragraphs about cats.",
        "Cats are small animals that live with people in many homes all over the world.",
    ),
    (
        "rewriting",
        "Rewrite in fewer than 8 words: I would like to kindly ask you to send the file",
        "Could you please send me the file as soon as you can?",
    ),
    (
        "rewriting",
        "Make the sentence shorter than 5 words: I really like to eat apples every day",
        "I really like to eat apples",
    ),
    ("creative_writing", "Write a sentence with exactly 6 words about snow.", "Snow falls."),
    (
        "creative_writing",
        "Write a story in third person, 3 sentences.",
        "I went home. I slept. I woke up. Then I ate. Then I ran.",
    ),
    ("question_answering", "Explain what a CPU is in one short paragraph, no lists.", "- It computes\n- It controls"),
    (
        "creative_writing",
        "Write a product description under 15 words for a mug.",
        "This mug is the perfect companion for your mornings, keeping your coffee warm for hours and hours on end.",
    ),
    ("rewriting", "Rewrite as a question: The store opens at nine.", "The store opens at nine o'clock."),
    ("rewriting", "Convierte en pregunta: La tienda abre a las nueve.", "La tienda abre a las nueve en punto."),
    ("other", "Write the numbers 1 to 5 in words, one per line.", "one, two, three, four, five"),
    ("other", "List 3 colours, one per line.", "red, blue, green"),
    (
        "question_answering",
        "Use only lowercase letters. What is the capital of Italy?",
        "Rome is the capital of Italy.",
    ),
    ("extraction", "Return only the email address: write to ana@x.com please", "The email address is ana@x.com"),
    (
        "extraction",
        "Extrae solo los nombres, separados por comas: Ana y Luis fueron",
        "Los nombres que aparecen en el texto son Ana y Luis",
    ),
    ("question_answering", "Dime tres países de América, uno por línea.", "Chile, Perú, Bolivia"),
    (
        "creative_writing",
        "Write a subject line of at most 40 characters for a sale email.",
        "Our biggest sale of the whole year starts this Friday morning",
    ),
    ("question_answering", "Nombra exactamente dos planetas.", "Marte, Venus y Saturno"),
    (
        "classification",
        "Responde únicamente con la etiqueta positivo o negativo: Me encantó",
        "Este texto es claramente positivo porque dice que le encantó mucho.",
    ),
    ("math", "Give a yes/no answer: is 7 prime?", "Seven has only two divisors, one and itself."),
    ("creative_writing", "Write a limerick about a cat.", "A cat sat.\nIt slept."),
    (
        "creative_writing",
        "Write a rhyme of 2 lines about a bee",
        "The bee is nice\nand likes the rice\nit flies around\nwithout a sound",
    ),
]
KEPT: list[tuple[Kind, str, str]] = [
    ("rewriting", "Shorten this: The cat of my aunt sleeps all day.", "My aunt's cat sleeps all day."),
    (
        "rewriting",
        "Haz la frase más larga: El gato de mi tía duerme mucho.",
        "El gato gris de mi tía, que ya es viejo, duerme mucho.",
    ),
    ("creative_writing", 'Escribe una frase que empiece por "Cuando".', "Cuando es de noche, el mar calla."),
    ("math", "Give only the final number: 12*4", "48 units"),
    ("creative_writing", "Write a line where every word starts with the letter M.", "My mother makes many melons."),
    ("other", "List 3 fruits, each beginning with the letter A.", "1. Apple\n2. Avocado\n3. Apricot"),
    ("other", "Dame tres ríos que empiecen por la letra T.", "Tajo, Turia y Tormes"),
    ("creative_writing", "Write a farewell without any punctuation.", "So long my friend"),
    ("creative_writing", "Write a post about tea and include an emoji.", "Tea again today 🍵"),
    ("other", "Name three birds separated by semicolons.", "crow; owl; swan"),
    ("other", "Put your answer in square brackets: who wrote Emma?", "[Jane Austen]"),
    (
        "other",
        "Make a table with exactly 3 columns of two birds.",
        "| Bird | Size | Song |\n|---|---|---|\n| Owl | big | low |",
    ),
    (
        "question_answering",
        "What are things that all words starting with the letter Q have?",
        "They come from Latin or French, as a rule.",
    ),
    ("other", "List 3 rules without digits.", "1. Be kind.\n2. Be brief.\n3. Be here."),
    ("other", "List three fruits.", "1. Apple\n2. Pear\n3. Plum"),
    ("other", "List three fruits and say why.", "1. Apple\n   - sweet\n2. Pear\n   - soft\n3. Plum\n   - sour"),
    ("question_answering", "Name two rivers in Spain", "The Ebro and the Tagus"),
    (
        "creative_writing",
        "Write a tweet about coffee in at most 10 words.",
        "Coffee wakes the world, one cup at a time.",
    ),
    ("question_answering", "Answer in one word: what is the capital of Peru?", "Lima."),
    (
        "summarization",
        "Summarise in one sentence: Dr. Smith ran. Mr. Jones slept.",
        "Dr. Smith ran while Mr. Jones slept.",
    ),
    ("question_answering", "Is water wet? Answer only yes or no.", "Yes."),
    ("question_answering", "¿Es Madrid la capital? Responde solo sí o no.", "Sí"),
    ("creative_writing", "Describe the sun without using the word 'hot'.", "A shot of gold at noon."),
    ("classification", "Classify as positive, negative or neutral: I love it", "**Positive**"),
    ("classification", "Clasifica como urgente o normal: Se cayó el servidor", "Urgente."),
    ("classification", "Is it A, B or C? Options: A) red B) blue C) green", "B"),
    ("other", "Write 3 ideas, each in at most 5 words.", "1. Plant trees by streets\n2. Share tools\n3. Fix bikes"),
    ("other", "Dame cinco palabras que empiecen por m", "mesa, mano, mar, miel, mono"),
    ("creative_writing", "Write about 50 words on the sea.", "The sea is wide and loud. " * 8),
    ("extraction", "Find the words in capital letters: the NATO summit", "NATO"),
    ("rewriting", "Make it formal in 2 sentences: hi. bye.", "Good day. Farewell to you."),
    ("code", "Write a Python function in two lines", "```python\ndef f():\n    return 1\n```"),
    ("question_answering", "I have an exam in 2 weeks. Tips?", "- Plan.\n- Rest.\n- Practise."),
    (
        "creative_writing",
        "Write a haiku about rain.",
        "Soft rain on the roof\nthe garden drinks what it can\nthe cat stays in",
    ),
]
LABELS = [
    ("Classify as positive, negative or neutral", ["positive", "negative", "neutral"]),
    ("Clasifica el texto como urgente o normal", ["urgente", "normal"]),
    ("Labels: sports, politics, science.", ["sports", "politics", "science"]),
    ("Choose one label (spam, ham)", ["spam", "ham"]),
    ("What do you think of it?", []),
]


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_constraint_is_named(case: tuple[Kind, str, str]) -> None:
    verdict = judged(*case)
    assert "broken_constraint" in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", KEPT)
def test_a_kept_constraint_passes(case: tuple[Kind, str, str]) -> None:
    assert "broken_constraint" not in reasons(*case)


@pytest.mark.parametrize(("instruction", "labels"), LABELS)
def test_the_labels_are_read_from_the_instruction(instruction: str, labels: list[str]) -> None:
    assert labels_of(instruction) == labels
