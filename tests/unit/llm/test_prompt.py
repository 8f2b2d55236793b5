"""Messages in the templates' shape."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from llm.asking.prompt import Takes, compose, to_template
from state.errors import BadRequest


def test_every_role_has_its_shape() -> None:
    calling = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}])
    parts = HumanMessage([{"type": "text", "text": "a"}, "b"])
    messages = [
        SystemMessage("s"),
        parts,
        calling,
        ToolMessage("2", tool_call_id="c1", name="add"),
        ChatMessage(content="x", role="critic"),
    ]
    assert to_template(messages) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "ab"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}],
        },
        {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"},
        {"role": "critic", "content": "x"},
    ]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "at least one message"),
        ([HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}])], "part of type 'image_url'"),
        ([HumanMessage([{"type": "text"}])], "part of type 'text'"),
    ],
)
def test_what_is_not_text_is_refused(messages: list[BaseMessage], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        to_template(messages)


def test_what_is_not_said_to_a_model_again_is_left_out() -> None:
    thought = AIMessage(
        [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "So"}, {"type": "tool_use"}]
    )
    assert to_template([thought]) == [{"role": "assistant", "content": "So"}]


ADD: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}, "strict": True},
}
SYSTEM, USER = {"role": "system", "content": "s"}, {"role": "user", "content": "u"}
CALLING = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "call_12", "function": {"name": "add", "arguments": {}}}],
}
RESULT = {"role": "tool", "content": "2", "tool_call_id": "call_12", "name": "add"}


def test_a_template_that_takes_all_is_given_all() -> None:
    assert compose([SYSTEM, USER], [ADD], Takes()) == ([SYSTEM, USER], [ADD])
    assert compose([USER], [], Takes()) == ([USER], None)


def test_instructions_join_the_system_message() -> None:
    assert compose([SYSTEM, USER], [], Takes(), instructions="i")[0] == [{"role": "system", "content": "s\n\ni"}, USER]
    assert compose([USER], [], Takes(), instructions="i")[0] == [{"role": "system", "content": "i"}, USER]


def test_without_a_system_role_the_user_is_told() -> None:
    no_system = Takes(system=False)
    assert compose([SYSTEM, USER], [], no_system)[0] == [{"role": "user", "content": "s\n\nu"}]
    assert compose([SYSTEM], [], no_system)[0] == [{"role": "user", "content": "s"}]
    assert compose([USER], [], no_system, instructions="i")[0] == [{"role": "user", "content": "i\n\nu"}]


def test_without_tools_in_the_template_they_are_told_in_words() -> None:
    messages, tools = compose([USER, CALLING, RESULT, RESULT, USER], [ADD], Takes(tools=False), instructions="i")
    assert tools is None
    system, *rest = messages
    assert system["role"] == "system"
    assert '{"name": "add", "description": "Adds.", "parameters": {"type": "object"}}' in system["content"]
    assert system["content"].endswith("\n\ni")
    assert rest == [
        USER,
        {"role": "assistant", "content": '{"name": "add", "arguments": {}}'},
        {"role": "user", "content": "Result of add: 2\nResult of add: 2\nu"},
    ]
    assert compose([USER], [], Takes(tools=False)) == ([USER], None)


def test_mistrals_ids_are_nine_long_and_still_pair_up() -> None:
    messages, _ = compose([CALLING, RESULT], [], Takes(), short_ids=True)
    made = messages[0]["tool_calls"][0]["id"]
    assert made == messages[1]["tool_call_id"]
    assert len(made) == 9 and made.isalnum()
    assert CALLING["tool_calls"][0]["id"] == "call_12"  # type: ignore[index]
    kept = compose([{**RESULT, "tool_call_id": "abcdefghi"}], [], Takes(), short_ids=True)[0]
    assert kept[0]["tool_call_id"] == "abcdefghi"
