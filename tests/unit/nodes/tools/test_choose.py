"""Which requests call for which tool, in English and Spanish, and what a run may say about it."""

import pytest
from langchain_core.tools import BaseTool, tool

from graphs.services import lab_tools
from nodes.tools.choose import choose_tools
from nodes.tools.cues import CALLED_FOR
from state.errors import BadRequest
from state.tasks import Analysis, Kind, Task
from tests.fakes import FakeModels
from tests.unit.nodes.tools.odd import ODD


@tool("get_weather")
def get_weather(city: str) -> str:
    """A tool of somebody else's."""
    return city


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> tuple[BaseTool, ...]:
    return (*lab_tools(FakeModels(), tmp_path_factory.mktemp("outputs")), get_weather)


def chosen(tools: tuple[BaseTool, ...], prompt: str, kind: Kind = "other", **more: object) -> list[str]:
    analysis = Analysis(kind=kind, confidence=1.0, language="en", needs=("tools",) if kind == "math" else ())
    named = more.get("named")
    assert named is None or isinstance(named, tuple)
    return [each.name for each in choose_tools(Task(prompt=prompt), analysis, tools, named=named)]


CALLING = {
    "calculator": ["What is 15% of 80?", "¿Cuánto es el 20 por ciento de 50?"],
    "date_time": [
        "What day is it today?",
        "What's today's date?",
        "What time is it?",
        "How many days until Christmas?",
        "What date is 10 days from now?",
        "Which weekday was 2001-09-11?",
        "¿Qué día es hoy?",
        "¿Qué hora es?",
        "¿A qué fecha estamos?",
        "¿Cuántos días faltan para Navidad?",
        "¿Qué día de la semana fue el 1 de mayo?",
        "¿Qué fecha será dentro de 3 semanas?",
    ],
    "convert": [
        "Convert 5 km to miles",
        "How many miles is 5 km?",
        "100 F in C?",
        "What is 30 °C in °F?",
        "I weigh 70 kg, how much is that in lb?",
        "25 degrees Celsius to Fahrenheit",
        "How many hours are there in 3 days?",
        "Convierte 10 pulgadas a centímetros",
        "¿Cuántos litros son 5 galones?",
        "Pasa 30 ºC a Fahrenheit",
        "120 km/h a m/s",
        "convert miles to kilometres",
    ],
    "text_statistics": [
        "How many letters are in 'banana'?",
        "How many r's are in strawberry?",
        "Count the words: one two three",
        "Number of letters in house?",
        "How many times does 'the' appear in this text?",
        "¿Cuántas letras tiene casa?",
        "Cuenta las palabras de este texto: uno dos",
        "¿Cuántas veces aparece la a en manzana?",
    ],
    "text_operation": [
        "Reverse the word house",
        "Spell anna backwards",
        "Sort these words: b, a",
        "Put these words in alphabetical order: b, a",
        "Write hello in uppercase",
        "Lower case: HELLO",
        "Invierte la palabra casa",
        "Escribe sol al revés",
        "Ordena de mayor a menor: 1, 2",
        "Pon hola en mayúsculas",
    ],
    "history_search": [
        "What did I ask you about invoices?",
        "What did we discuss in our last conversation?",
        "Find my earlier answers on Rome",
        "¿De qué hablamos ayer?",
        "Busca en las conversaciones anteriores",
    ],
    "lab_status": [
        "Which models are loaded?",
        "How much free memory is there?",
        "Lab status",
        "¿Qué modelos hay cargados?",
        "¿Cuánta memoria libre queda?",
        "Dime el estado del sistema",
    ],
    "save_output": [
        "Save this poem to a file",
        "Write a haiku and save it as haiku.txt",
        "Guarda el resumen en un archivo",
        "Exporta la lista a precios.csv",
    ],
    "get_weather": ["Use the tool get_weather for Rome", "get_weather Madrid"],
}


@pytest.mark.parametrize(
    ("name", "prompt"), [(name, prompt) for name, prompts in CALLING.items() for prompt in prompts]
)
def test_a_request_brings_the_tool_it_calls_for(tools: tuple[BaseTool, ...], name: str, prompt: str) -> None:
    assert name in chosen(tools, prompt) and len(chosen(tools, prompt)) <= 2


@pytest.mark.parametrize(
    "prompt",
    [
        "What is the capital of France?",
        "How many eggs has a dozen?",
        "How many minutes are in an hour?",
        "Translate to Spanish: the red house",
        "What year did the war end?",
        "Write a poem about the sea",
        "I ran 5 km and then 3 miles",
        "In 1492 Columbus sailed in 3 ships",
        "Hola, ¿qué tal?",
        "¿Quién escribió el Quijote?",
        "Escribe un cuento de 3 párrafos a mi hijo",
        "Classify the sentiment: I loved it",
        "Tell me about the metric system",
        "Write a Python function that adds two numbers",
        "It is sort of cold; what sort of coat helps?",
        "Sort out my feelings",
        "Most of the time I am tired, why?",
        "What is the time complexity of quicksort?",
        "How many moons are there between Earth and Mars?",
        "Quiero invertir mi dinero",
        "Write a story about a file clerk",
        "Write a poem about the lost archive file",
        *ODD,
    ],
)
def test_other_requests_bring_none(tools: tuple[BaseTool, ...], prompt: str) -> None:
    assert chosen(tools, prompt) == []


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a Python function that sorts a list",
        "Write a Python script that reads a CSV file and writes results to a file",
        "Write SQL to remove duplicate rows",
        "Write a bash command to count lines in a file",
        "Escribe una función que ordene una lista y la guarde en un archivo",
    ],
)
def test_what_code_is_to_do_is_no_request_to_do_it(tools: tuple[BaseTool, ...], prompt: str) -> None:
    assert chosen(tools, prompt, "code") == []


@pytest.mark.parametrize(
    "prompt", ["Write hello world in Python and save it as hello.py", "Escribe el código y guárdalo en un archivo"]
)
def test_code_is_saved_for_who_asks(tools: tuple[BaseTool, ...], prompt: str) -> None:
    assert chosen(tools, prompt, "code") == ["save_output"]


def test_a_sum_brings_the_calculator_alone(tools: tuple[BaseTool, ...]) -> None:
    assert chosen(tools, "What is 17 + 25?", "math") == ["calculator"]


def test_a_request_that_needs_tools_none_of_which_is_ours_brings_the_others(tools: tuple[BaseTool, ...]) -> None:
    analysis = Analysis(kind="other", confidence=1.0, language="en", needs=("tools",))
    offered = choose_tools(Task(prompt="Is it raining?"), analysis, tools, named=None)
    assert [each.name for each in offered] == ["get_weather"]


def test_a_run_says_itself_which_tools_are_offered(tools: tuple[BaseTool, ...]) -> None:
    assert chosen(tools, "What is 17 + 25?", "math", named=()) == []
    assert chosen(tools, "Hello", named=("lab_status", "calculator")) == ["calculator", "lab_status"]
    with pytest.raises(BadRequest, match=r"no tool 'shell'; choose of: calculator, date_time, .*, get_weather"):
        chosen(tools, "Hello", named=("calculator", "shell"))
    with pytest.raises(BadRequest, match="choose of: none"):
        chosen((), "Hello", named=("shell",))


def test_all_of_them_are_offered_when_some_were_missing(tools: tuple[BaseTool, ...]) -> None:
    analysis = Analysis(kind="other", confidence=1.0, language="en")
    assert choose_tools(Task(prompt="Hello"), analysis, tools, named=None, all_of_them=True) == tools
    few = choose_tools(Task(prompt="Hello"), analysis, tools, named=("convert",), all_of_them=True)
    assert [each.name for each in few] == ["convert"]


def test_a_tool_with_a_common_name_is_called_by_saying_so(tools: tuple[BaseTool, ...]) -> None:
    assert chosen(tools, "Use convert with value 5") == ["convert"]
    assert chosen(tools, "Usa la herramienta calculator") == ["calculator"]
    assert chosen(tools, "He did convert to Islam") == []


@pytest.mark.parametrize("name", CALLED_FOR)
@pytest.mark.parametrize(
    "piece", ["how many ", "5 km ", "a ", "1", "save ", "count letters ", "1.", "cuantas a ", "to m "]
)
def test_a_long_request_is_read_too(name: str, piece: str) -> None:
    analysis = Analysis(kind="other", confidence=1.0, language="en")
    assert CALLED_FOR[name]((piece * 4_000)[:4_000], analysis) in (True, False)
