"""Messages in the templates' shape."""

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from llm.prompt import to_template
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
