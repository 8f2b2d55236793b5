"""Code that does not parse or lacks its name, JSON that does not parse or lacks its keys."""

import pytest

from nodes.checks.data import wanted_keys
from nodes.checks.syntax import parse_python, unbalanced
from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

BAD: list[tuple[str, Kind, str, str]] = [
    ("no_code", "code", "Write a Python function that adds", "Sure, I would add the two numbers together."),
    ("no_code", "code", "Escribe una función que sume dos números", "Para sumar hay que usar el signo más entre ambos."),
    ("malformed_code", "code", "Write Python", "```python\ndef add(a, b)\n    return a + b\n```"),
    ("malformed_code", "code", "Write Python", "```\nimport os\nprint(os.getcwd()\n```"),
    ("malformed_code", "code", "Write a Python function", "def add(a, b)\n    return a + b"),
    ("malformed_code", "code", "Write JavaScript", "```javascript\nfunction add(a, b) { return (a + b; }\n```"),
    ("malformed_code", "code", "Write Java", '```java\nclass A { String s = "open; }\n```'),
    ("malformed_code", "code", "Write SQL", "```sql\nSELEC name FROM people;\n```"),
    ("malformed_code", "code", "Write SQL", "```sql\nSELECT name FROM people WHERE city = 'Rome;\n```"),
    ("malformed_code", "code", "Write HTML", "```html\n<div><ul><li>a</li></ul>\n```"),
    ("missing_name", "code", "Write a Python function named total", "```python\ndef add(a, b):\n    return a + b\n```"),
    ("missing_name", "code", "Implementa una función llamada suma en Python", "```python\ndef f(a, b):\n    return a + b\n```"),
    ("malformed_json", "extraction", "Give JSON with name and age: Ana is 31", '{"name": "Ana", "age": 31'),
    ("malformed_json", "extraction", "Give JSON with name and age: Ana is 31", "{'name': 'Ana', 'age': 31}"),
    ("malformed_json", "extraction", "Give JSON with name and age: Ana is 31", '```json\n{"name": "Ana",}\n```'),
    ("malformed_json", "extraction", "Answer with JSON only: Ana is 31", 'Here it is: {"name": "Ana"}'),
    ("malformed_json", "extraction", "Devuelve un objeto JSON: Ana tiene 31", "Nombre: Ana, edad: 31"),
    ("missing_keys", "extraction", "JSON with the keys name and age: Ana is 31", '{"name": "Ana"}'),
    ("missing_keys", "extraction", 'Return JSON like {"name": "...", "age": 0}. Ana is 31', '{"name": "Ana"}'),
    ("missing_keys", "extraction", "Devuelve JSON con las claves nombre y edad: Ana, 31", '{"nombre": "Ana"}'),
    ("missing_keys", "extraction", "Return a JSON list, each with name and age.\nAna 31, Luis 40", '[{"name": "Ana", "age": 31}, {"name": "Luis"}]'),
]  # fmt: skip
FINE: list[tuple[Kind, str, str]] = [
    ("code", "Write a Python function called add", "```python\ndef add(a, b):\n    return a + b\n```"),
    ("code", "Complete:\n\ndef add(a, b):\n", "```python\n    return a + b\n```"),
    ("code", "Show it in the Python shell", "```python\n>>> 1 + 1\n2\n```"),
    ("code", "Plot it in a Python notebook", "```python\n%matplotlib inline\n!pip install x\nprint(1)\n```"),
    ("code", "Write a Bash one-liner", "ls -la | grep txt"),
    ("code", "Explain what this Python code does: x = 1", "It binds the name x to the number one."),
    ("code", "What is a decorator in Python?", "A decorator wraps a function."),
    ("code", "Write JavaScript", "```javascript\nconst smile = ':)'; // :)\nconst r = /\\(/.test('(');\n```"),
    ("code", "Write SQL", "```sql\n-- it's all\nSELECT 'it''s' AS name FROM people;\n```"),
    ("code", "Write a function that returns JSON with keys a and b in Python", "```python\ndef f():\n    return {'a': 1, 'b': 2}\n```"),
    ("extraction", "Give JSON with name and age: Ana is 31", '```json\n{"name": "Ana", "age": 31}\n```'),
    ("extraction", "Give JSON with name and age: Ana is 31", '[{"name": "Ana", "age": 31}]'),
    ("extraction", "Devuelve JSON con las claves título y año", '{"titulo": "Don Quijote", "año": 1605}'),
    ("question_answering", "What is JSON?", "JSON is a format for data."),
    ("rewriting", 'Convert this JSON to CSV: {"a": 1}', "a\n1"),
]  # fmt: skip
KEYS = [
    ("Return JSON with keys original and translation.", ["original", "translation"]),
    ('A JSON object with the keys "label" and "score". Text: good', ["label", "score"]),
    ("Respond in JSON with the fields source (the original), target and lang.", ["source", "target", "lang"]),
    ("Reply with a JSON object that has label, reason and confidence.", ["label", "reason", "confidence"]),
    ('Return JSON with "label" and "reason" keys.', ["label", "reason"]),
    ("Extrae nombre y edad como JSON: Ana tiene 31", ["nombre", "edad"]),
    ("Write JSON with these fields:\n- name\n- age\n", ["name", "age"]),
    ("JSON please: {label, score}", ["label", "score"]),
    ('I want JSON with a "label" key and a "score" key.', ["label", "score"]),
    ("Give JSON: Ana is 31", []),
    ("JSON with the names of planets and moons", []),
]


@pytest.mark.parametrize(("name", "kind", "prompt", "answer"), BAD)
def test_broken_code_and_data_are_named(name: str, kind: Kind, prompt: str, answer: str) -> None:
    verdict = judged(kind, prompt, answer)
    assert name in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", FINE)
def test_code_and_data_in_their_usual_forms_pass(case: tuple[Kind, str, str]) -> None:
    assert reasons(*case) == []


@pytest.mark.parametrize(("prompt", "keys"), KEYS)
def test_the_keys_are_read_from_the_request(prompt: str, keys: list[str]) -> None:
    assert wanted_keys(prompt) == keys


@pytest.mark.parametrize("source", ["(" * 5_000, "x = " + "-" * 50_000 + "1", "\x00", "\ud800", '"' * 9_999])
def test_no_source_is_too_strange_to_parse(source: str) -> None:
    assert parse_python(source) is None or parse_python(source)
    assert unbalanced(source) is None or unbalanced(source)
