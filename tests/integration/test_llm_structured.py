"""Tools and structured output through both engines, with a random model that would never write JSON by itself."""

import json
from collections.abc import Iterator
from typing import Any, Literal, TypedDict

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from pydantic import BaseModel, Field, field_validator

from llm.asking.structured import Method
from llm.catalog import Catalog, Entry
from llm.chat import LocalChatModel
from llm.engine.base import Engine, Room
from llm.engine.plain import PlainEngine
from llm.loading.base import Loaded
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.models import LocalModels, open_engine, open_models
from llm.vram import FixedMeter, Memory
from state.errors import BadRequest
from tests.unit.llm.fakes import card
from tests.unit.llm.tiny import save_model


def plain(loaded: Loaded, room: Room) -> Engine:
    return PlainEngine(loaded, room)


@pytest.fixture(scope="module", params=[plain, open_engine], ids=["plain", "batching"])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModels]:
    folder = save_model(tmp_path_factory.mktemp("structured"), window=4096)
    capabilities = ("chat", "tools")
    tiny = card("tiny", context_length=4096, max_output_tokens=400, parameters=100_000, capabilities=capabilities)
    catalog = Catalog({"tiny": Entry(tiny, folder)})
    loader = LocalLoader(catalog, "cpu", "float32")
    meter = FixedMeter(Memory(ram_total=2**34, ram_free=2**34))
    manager = ModelManager(catalog, loader, request.param, meter, budget_bytes=50_000_000, keep_alive=-1)
    with LocalModels(catalog, loader, manager, default_model="tiny") as opened:
        yield opened


@pytest.fixture
def chat(models: LocalModels) -> LocalChatModel:
    made = models.chat("tiny")
    assert isinstance(made, LocalChatModel)
    return made


class Person(BaseModel):
    """Somebody."""

    name: Literal["Ada", "Bob"]
    age: int = Field(ge=0, le=99)
    tags: list[Literal["x", "y"]] = Field(max_length=2)


class PersonDict(TypedDict):
    """Somebody."""

    name: Literal["Ada", "Bob"]
    old: bool


METHODS: list[Method] = ["json_schema", "function_calling", "json_mode"]


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_gives_an_object_of_the_schema(chat: LocalChatModel, method: Method) -> None:
    asked = chat.with_structured_output(Person, method=method)
    made = asked.invoke("who?")
    assert isinstance(made, Person)
    assert await asked.ainvoke("who?") == made
    assert list(asked.stream("who?"))[-1] == made
    assert [each async for each in asked.astream("who?")][-1] == made


@pytest.mark.parametrize("method", METHODS)
def test_typed_dicts_and_json_schemas_give_dicts(chat: LocalChatModel, method: Method) -> None:
    for schema in (PersonDict, {"title": "Person", **schema_of(PersonDict)}):
        made = chat.with_structured_output(schema, method=method).invoke("who?")
        assert isinstance(made, dict)
        assert made["name"] in ("Ada", "Bob") and made["old"] in (True, False)


def schema_of(_: type) -> dict[str, Any]:
    properties = {"name": {"enum": ["Ada", "Bob"]}, "old": {"type": "boolean"}}
    return {"type": "object", "description": "Somebody.", "properties": properties, "required": ["name", "old"]}


def test_a_schema_needs_no_title_unless_it_is_a_tool(chat: LocalChatModel) -> None:
    schema = {"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 2}
    assert chat.with_structured_output(schema).invoke("x") == [1, 1]
    with pytest.raises(BadRequest, match="title"):
        chat.with_structured_output(schema, method="function_calling")


class Word(BaseModel):
    """A word."""

    word: str = Field(pattern="^[a-z]{60}$")


@pytest.mark.parametrize("method", METHODS)
async def test_an_answer_that_is_cut_is_a_typed_error(chat: LocalChatModel, method: Method) -> None:
    asked = chat.with_structured_output(Word, method=method, max_tokens=9)
    with pytest.raises(BadRequest, match="cut after 9 tokens, before its JSON was complete"):
        asked.invoke("x")
    with pytest.raises(BadRequest, match="cut after 9 tokens"):
        [each async for each in asked.astream("x")]
    whole = chat.with_structured_output(Word, method=method, max_tokens=9, include_raw=True).invoke("x")
    assert isinstance(whole, dict)
    assert isinstance(whole["raw"], AIMessage)
    assert whole["parsed"] is None
    assert isinstance(whole["parsing_error"], BadRequest)


class Odd(BaseModel):
    """What no schema can say."""

    number: Literal[1, 2]

    @field_validator("number")
    @classmethod
    def _never(cls, value: int) -> int:
        raise ValueError("no number will do")


def test_include_raw_gives_message_object_and_error(chat: LocalChatModel) -> None:
    good = chat.with_structured_output(Person, include_raw=True).invoke("x")
    assert isinstance(good, dict)
    assert good["parsed"] == Person.model_validate_json(good["raw"].text)
    assert good["parsing_error"] is None
    bad = chat.with_structured_output(Odd, include_raw=True).invoke("x")
    assert isinstance(bad, dict)
    assert bad["parsed"] is None and "no number will do" in str(bad["parsing_error"])


class Unique(BaseModel):
    """A set."""

    ones: set[Literal["a", "b"]] = Field(max_length=1)


def test_what_a_schema_asks_and_nobody_can_follow_is_refused_by_name(chat: LocalChatModel) -> None:
    with pytest.raises(BadRequest, match="uniqueItems"):
        chat.with_structured_output(Unique).invoke("x")
    with pytest.raises(BadRequest, match="uniqueItems"):
        chat.with_structured_output(Unique, method="function_calling", strict=True).invoke("x")
    for method in METHODS[1:]:
        assert isinstance(chat.with_structured_output(Unique, method=method).invoke("x"), Unique)
    with pytest.raises(BadRequest, match="strict means nothing"):
        chat.with_structured_output(Person, method="json_mode", strict=True)
    with pytest.raises(BadRequest, match="needs a schema"):
        chat.with_structured_output(None)
    with pytest.raises(BadRequest, match="'yaml' is not known"):
        chat.with_structured_output(Person, method="yaml")  # type: ignore[arg-type]


async def test_response_format_is_taken_as_openais_clients_send_it(chat: LocalChatModel) -> None:
    body = {"type": "json_schema", "json_schema": {"name": "p", "schema": schema_of(PersonDict), "strict": True}}
    reply = await chat.ainvoke("x", response_format=body)
    assert set(json.loads(reply.text)) == {"name", "old"}
    assert reply.response_metadata["finish_reason"] == "stop"
    assert "".join(chunk.text for chunk in chat.bind(response_format=body).stream("x")) == reply.text
    free = chat.invoke("x", response_format={"type": "json_object"}, max_tokens=20)
    assert free.text.startswith("{")
    told = chat.invoke("x", response_format=body, include_prompt=True).response_metadata["prompt"]
    assert json.dumps(schema_of(PersonDict), separators=(",", ":")) in told


@tool
def add(a: Literal[1, 2], b: Literal[3, 4] = 3) -> int:
    """Add two numbers."""
    return a + b


@tool
def now() -> str:
    """The time."""
    return "noon"


def calls_of(runnable: Runnable[Any, AIMessage], text: str = "x") -> list[Any]:
    reply = runnable.invoke(text)
    assert reply.content == ""
    assert reply.invalid_tool_calls == []
    assert reply.response_metadata["finish_reason"] == "tool_calls"
    for call in reply.tool_calls:
        {"add": add, "now": now}[call["name"]].invoke(call["args"])  # pydantic takes the arguments
    return reply.tool_calls


@pytest.mark.parametrize("choice", ["any", "required", True, "add", {"type": "function", "function": {"name": "add"}}])
def test_a_forced_call_is_made_of_a_tool_with_arguments_of_its_schema(chat: LocalChatModel, choice: Any) -> None:
    bound = chat.bind_tools([add, now], tool_choice=choice, parallel_tool_calls=False)
    [call] = calls_of(bound)
    assert choice in ("any", "required", True) or call["name"] == "add"
    full = None
    for chunk in bound.stream("x"):
        full = chunk if full is None else full + chunk  # type: ignore[assignment,operator]
    assert isinstance(full, AIMessageChunk)
    assert [(each["name"], each["args"]) for each in full.tool_calls] == [(call["name"], call["args"])]


def test_without_parallel_calls_a_named_tool_is_called_once(chat: LocalChatModel) -> None:
    assert len(calls_of(chat.bind_tools([now], tool_choice="now"))) == 1


def test_none_hides_the_tools(chat: LocalChatModel) -> None:
    hidden = chat.bind_tools([add], tool_choice="none", include_prompt=True, max_tokens=2).invoke("x")
    assert "Add two numbers" not in hidden.response_metadata["prompt"]
    assert hidden.tool_calls == []


def test_a_choice_that_cannot_be_is_refused(chat: LocalChatModel) -> None:
    with pytest.raises(BadRequest, match="names the tool 'sub'; offered are: add"):
        chat.bind_tools([add], tool_choice="sub").invoke("x")
    with pytest.raises(BadRequest, match="needs tools"):
        chat.invoke("x", tool_choice="any")


@pytest.fixture(scope="module")
def demo() -> Iterator[LocalChatModel]:
    with open_models(budget_bytes=100_000_000) as models:
        chat = models.chat("demo")
        assert isinstance(chat, LocalChatModel)
        yield chat


@tool
def calculator(expression: str) -> str:
    """Evaluate an arithmetic expression."""
    return expression


def test_a_trained_model_calls_the_right_tool_of_two(demo: LocalChatModel) -> None:
    for strict in (None, True):
        for choice in (None, "any"):
            bound = demo.bind_tools([now, calculator], tool_choice=choice, strict=strict)
            reply = bound.invoke([HumanMessage("What is 17 + 25?")])
            assert [(call["name"], call["args"]) for call in reply.tool_calls] == [
                ("calculator", {"expression": "17 + 25"})
            ]


def test_a_strict_tool_leaves_the_model_free_to_answer(demo: LocalChatModel) -> None:
    free = demo.invoke("Hello!").text
    assert demo.bind_tools([calculator], strict=True).invoke("Hello!").text == free


def test_json_mode_needs_no_schema(demo: LocalChatModel) -> None:
    asked = "Give me a joke as JSON with the key 'setup'."
    assert isinstance(demo.with_structured_output(method="json_mode").invoke(asked), dict)


def test_the_first_call_ends_the_answer_when_one_is_wanted(demo: LocalChatModel) -> None:
    reply = demo.bind_tools([calculator], parallel_tool_calls=False).invoke("What is 17 + 25?")
    assert len(reply.tool_calls) == 1
    assert reply.response_metadata["finish_reason"] == "tool_calls"
    assert reply.usage_metadata is not None
