"""The demo model's tokenizer and chat template, as built and as shipped."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from llm.demo.item import Message, assistant, calls, system, tool, tool_result, user
from llm.demo.tokenizer import TEMPLATE, build_tokenizer

WEIGHTS = Path("llm/demo/weights")
CALCULATOR = tool("calculator", {"expression": "string"}, "Evaluates an arithmetic expression.")
CONVERT = tool("convert", {"value": "number", "unit": "string"})


@pytest.fixture(scope="module", params=["built", "shipped"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return build_tokenizer() if request.param == "built" else AutoTokenizer.from_pretrained(WEIGHTS)


def render(tokenizer: Any, *messages: Message, tools: list[Any] | None = None, prompt: bool = True) -> str:
    return str(tokenizer.apply_chat_template(list(messages), tools=tools, tokenize=False, add_generation_prompt=prompt))


@pytest.mark.parametrize(
    "text", ["niño, ¿qué tal?", "línea\nnueva\ttab", "😀 ✓ 日本", "  spaces  ", "<tool_call>{}</tool_call>"]
)
def test_any_text_survives_a_round_trip(tokenizer: Any, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_one_token_a_byte(tokenizer: Any) -> None:
    assert len(tokenizer.encode("ñandú")) == len("ñandú".encode())
    assert len(tokenizer) == 263


def test_batches_are_padded_on_the_left(tokenizer: Any) -> None:
    batch = tokenizer(["a", "abc"], padding=True)
    assert tokenizer.padding_side == "left"
    assert batch["attention_mask"] == [[0, 0, 1], [1, 1, 1]]
    assert batch["input_ids"][0][:2] == [tokenizer.pad_token_id] * 2
    assert set(batch) == {"input_ids", "attention_mask"}


def test_turn_marks_are_special_and_tool_tags_are_text(tokenizer: Any) -> None:
    ids = tokenizer.encode("<|im_start|>hi<tool_call>x</tool_call><|im_end|>")
    assert len(ids) == 7
    assert tokenizer.decode(ids, skip_special_tokens=True) == "hi<tool_call>x</tool_call>"
    assert tokenizer.eos_token == "<|im_end|>"


def test_a_whole_tool_conversation(tokenizer: Any) -> None:
    shown = render(
        tokenizer,
        system("Be brief."),
        user("What is 17 + 25?"),
        calls("calculator", {"expression": "17 + 25"}),
        tool_result("42"),
        tools=[CALCULATOR, CONVERT],
    )
    assert shown == (
        "<|im_start|>system\nBe brief.\ntools: calculator(expression), convert(value:number, unit)<|im_end|>\n"
        "<|im_start|>user\nWhat is 17 + 25?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>{"name": "calculator", "arguments": {"expression": "17 + 25"}}</tool_call>'
        "<|im_end|>\n"
        "<|im_start|>tool\n<tool_response>42</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_tools_without_a_system_turn_make_one(tokenizer: Any) -> None:
    shown = render(tokenizer, user("Hi"), tools=[CALCULATOR])
    assert shown.startswith(
        "<|im_start|>system\ntools: calculator(expression)<|im_end|>\n<|im_start|>user\nHi<|im_end|>"
    )


def test_no_tools_no_system(tokenizer: Any) -> None:
    assert render(tokenizer, user("Hi")) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert render(tokenizer, user("Hi"), assistant("Hello"), prompt=False).endswith("assistant\nHello<|im_end|>\n")


def test_arguments_as_a_json_string_render_like_a_dict(tokenizer: Any) -> None:
    as_dict, as_text = calls("f", {"ñ": 1}), calls("f", {})
    as_text["tool_calls"][0]["function"]["arguments"] = '{"ñ": 1}'
    assert render(tokenizer, user("x"), as_dict) == render(tokenizer, user("x"), as_text)
    assert '<tool_call>{"name": "f", "arguments": {"ñ": 1}}</tool_call>' in render(tokenizer, user("x"), as_dict)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ([{"type": "text", "text": "Hello "}, {"type": "text", "text": "you"}], "Hello you"),
        ([{"type": "image", "url": "x"}, "plain"], "plain"),
        (None, ""),
        ([], ""),
    ],
)
def test_content_may_be_parts_or_nothing(tokenizer: Any, content: Any, shown: str) -> None:
    assert f"user\n{shown}<|im_end|>" in render(tokenizer, {"role": "user", "content": content})


def test_repeated_and_odd_roles_do_not_crash(tokenizer: Any) -> None:
    shown = render(
        tokenizer,
        user("a"),
        user("b"),
        assistant("c"),
        assistant("d"),
        system("e"),
        {"role": "developer", "content": "f"},
    )
    assert shown.count("<|im_start|>user") == 2 and shown.count("<|im_start|>system") == 2


def test_the_shipped_template_is_the_one_in_the_recipe() -> None:
    assert (WEIGHTS / "chat_template.jinja").read_text(encoding="utf-8") == TEMPLATE.read_text(encoding="utf-8")
