"""`with_structured_output`: a chat model and what parses its answers, as one runnable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from operator import itemgetter
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from state.errors import BadRequest

Method = Literal["json_schema", "function_calling", "json_mode"]
"""`json_schema`: the prompt tells the schema and the answer is held to it; a schema that cannot be followed is refused.
`function_calling`: a forced call of a tool with the schema as its arguments. `json_mode`: JSON is forced and the schema
followed as far as it can be, but the prompt says nothing of it: the caller's messages do."""


def structured_output(
    chat: BaseChatModel,
    schema: dict[str, Any] | type | None,
    *,
    method: Method,
    include_raw: bool,
    strict: bool | None,
    bound: Mapping[str, Any],
) -> Runnable[LanguageModelInput, Any]:
    """See `LocalChatModel.with_structured_output`. `bound`: more settings for the model.

    `strict` True for `function_calling`: keywords that cannot be followed are refused there, too.
    """
    if method not in ("json_schema", "function_calling", "json_mode"):
        raise BadRequest(f"method {method!r} is not known; use 'json_schema', 'function_calling' or 'json_mode'")
    if schema is None and method != "json_mode":
        raise BadRequest(f"method {method!r} needs a schema; 'json_mode' alone works without")
    if strict is not None and method == "json_mode":
        raise BadRequest("strict means nothing for the method 'json_mode'; use 'json_schema'")
    calls = method == "function_calling"
    model = _calling(chat, schema, strict, bound) if calls else _writing(chat, schema, method, bound)
    parser = _whole | (_call_parser(schema) if calls else _json_parser(schema))
    if not include_raw:
        return model | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _calling(
    chat: BaseChatModel, schema: Any, strict: bool | None, bound: Mapping[str, Any]
) -> Runnable[LanguageModelInput, AIMessage]:
    try:
        name = convert_to_openai_tool(schema)["function"]["name"]
    except ValueError as error:
        raise BadRequest(f"a schema that is called as a tool needs a 'title' and a 'description': {error}") from error
    told = {"kwargs": {"method": "function_calling", "strict": strict}, "schema": convert_to_json_schema(schema)}
    return chat.bind_tools([schema], tool_choice=name, strict=strict, ls_structured_output_format=told, **bound)


def _writing(
    chat: BaseChatModel, schema: Any, method: Method, bound: Mapping[str, Any]
) -> Runnable[LanguageModelInput, AIMessage]:
    if schema is None:
        return chat.bind(response_format={"type": "json_object"}, **bound)
    exact = method == "json_schema"
    shape = _json_schema(schema)
    body = {"name": shape.get("title", "answer"), "schema": shape, "strict": exact, "told": exact}
    told = {"kwargs": {"method": method}, "schema": shape}
    return chat.bind(
        response_format={"type": "json_schema", "json_schema": body}, ls_structured_output_format=told, **bound
    )


def _json_schema(schema: Any) -> dict[str, Any]:
    """The schema as JSON. Raises BadRequest for what is none."""
    try:
        return convert_to_json_schema(schema)
    except ValueError as error:  # LangChain wants a title, which only a tool needs
        if isinstance(schema, dict):
            return schema
        raise BadRequest(f"{schema!r} is no schema: {error}") from error


def _call_parser(schema: Any) -> BaseOutputParser[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    name = convert_to_openai_tool(schema)["function"]["name"]
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _json_parser(schema: Any) -> BaseOutputParser[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticOutputParser(pydantic_object=schema)
    return JsonOutputParser()


def _check(message: BaseMessage) -> None:
    """Raises BadRequest for an answer that was cut: what there is of it may parse and still be wrong."""
    if message.response_metadata.get("finish_reason") != "length":
        return
    used = message.usage_metadata["output_tokens"] if isinstance(message, AIMessage) and message.usage_metadata else 0
    raise BadRequest(f"the answer was cut after {used:,} tokens, before its JSON was complete; give it more max_tokens")


def _pass(messages: Iterator[AIMessageChunk]) -> Iterator[AIMessageChunk]:
    for message in messages:
        _check(message)
        yield message


async def _apass(messages: AsyncIterator[AIMessageChunk]) -> AsyncIterator[AIMessageChunk]:
    async for message in messages:
        _check(message)
        yield message


_whole: Runnable[Any, Any] = RunnableGenerator(_pass, _apass)
