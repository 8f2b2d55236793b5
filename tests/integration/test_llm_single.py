"""LocalChatModel over a pipeline that somebody has loaded."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.tools import tool
from langchain_huggingface import HuggingFacePipeline
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, pipeline

from llm.chat import LocalChatModel
from llm.pipelines import card_of, settings_of, unwrap
from llm.single import SingleModel
from state.errors import BadRequest, ContextOverflow, Unavailable
from tests.unit.llm.tiny import make_codec, save_model

ROOM = 20_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("single") / "My Model")


def make_pipeline(folder: Path, **settings: Any) -> Any:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return pipeline("text-generation", model=model, tokenizer=tokenizer, **settings)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert not {thread.name for thread in threading.enumerate() if thread.name.startswith("engine")}


@tool
def add(a: Literal[1, 2]) -> int:
    """Add."""
    return a


@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_loaded_pipeline_becomes_a_chat_model(folder: Path, wrapped: bool) -> None:
    pipe = make_pipeline(folder, do_sample=False, max_new_tokens=9)
    expected = pipe([{"role": "user", "content": "hello"}], return_full_text=False)[0]["generated_text"]
    shown = expected.rstrip("\ufffd")  # half a character at the end is not shown
    chat = LocalChatModel.from_pipeline(HuggingFacePipeline(pipeline=pipe) if wrapped else pipe, room_bytes=ROOM)
    try:
        assert chat.model == chat.card.name
        assert chat.model.endswith("my-model")
        assert chat.card.context_length == 512
        reply = chat.invoke("hello")
        assert reply.text == shown
        assert reply.usage_metadata is not None and reply.usage_metadata["output_tokens"] == 9
        assert reply.response_metadata["cache_hit"] is True
        assert "".join([chunk.text async for chunk in chat.astream("hello")]) == shown
        assert chat.get_num_tokens("día") == 4
        assert chat.bind_tools([add], tool_choice="add").invoke("x", max_tokens=150).tool_calls
        with pytest.raises(ContextOverflow, match=r"window of .*my-model is 512"):
            chat.invoke("x" * 600)
    finally:
        assert isinstance(chat.manager, SingleModel)
        chat.manager.close()
    again = pipe([{"role": "user", "content": "hello"}], return_full_text=False)[0]["generated_text"]
    assert again == expected


def test_a_closed_one_says_so_and_closing_twice_is_fine(folder: Path) -> None:
    chat = LocalChatModel.from_pipeline(make_pipeline(folder), room_bytes=ROOM)
    assert isinstance(chat.manager, SingleModel)
    with chat.manager:
        assert chat.invoke("x", max_tokens=1).usage_metadata
    chat.manager.close()
    with pytest.raises(Unavailable, match="is closed; make a new chat model"):
        chat.invoke("x")


def test_dropping_it_ends_its_thread(folder: Path) -> None:
    pipe = make_pipeline(folder)
    before = pipe.model.config._attn_implementation
    chat = LocalChatModel.from_pipeline(pipe, room_bytes=ROOM)
    chat.invoke("x", max_tokens=1)
    del chat
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("engine")]
    assert pipe.model.config._attn_implementation == before


def test_the_room_is_measured_when_nobody_says(folder: Path) -> None:
    chat = LocalChatModel.from_pipeline(make_pipeline(folder), max_tokens=1)
    assert chat.invoke("x").usage_metadata["output_tokens"] == 1  # type: ignore[index]
    del chat


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({}, {"temperature": 0.7, "top_k": 50, "stop": None}),
        ({"do_sample": False}, {"temperature": 0.0, "stop": None}),
        (
            {"do_sample": True, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "repetition_penalty": 1.1},
            {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "repetition_penalty": 1.1, "stop": None},
        ),
        ({"do_sample": False, "max_new_tokens": 7}, {"temperature": 0.0, "max_tokens": 7, "stop": None}),
        ({"do_sample": False, "stop_sequence": "x"}, {"temperature": 0.0, "stop": ["x"]}),
        ({"do_sample": False, "num_beams": 1}, {"temperature": 0.0, "stop": None}),
        (
            {"generation_config": GenerationConfig(do_sample=True, temperature=0.2)},
            {"temperature": 0.2, "top_k": 50, "stop": None},
        ),
    ],
)
def test_generation_settings_are_taken_over(folder: Path, settings: dict[str, Any], taken: dict[str, Any]) -> None:
    assert settings_of(unwrap(make_pipeline(folder, **settings))) == taken


def test_the_wrappers_settings_come_before_the_pipelines(folder: Path) -> None:
    inner = make_pipeline(folder, do_sample=False, max_new_tokens=7)
    wrapper = HuggingFacePipeline(pipeline=inner, model_id="Org/Some Model!", pipeline_kwargs={"max_new_tokens": 3})
    unwrapped = unwrap(wrapper)
    assert settings_of(unwrapped)["max_tokens"] == 3
    card = card_of(unwrapped, make_codec(), None)
    assert (card.name, card.max_output_tokens, card.tool_format) == ("org-some-model", 3, "hermes")
    assert card_of(unwrapped, make_codec(), "llama3").tool_format == "llama3"


@pytest.mark.parametrize("setting", [{"num_beams": 4}, {"penalty_alpha": 0.6}, {"no_repeat_ngram_size": 2}])
def test_a_setting_without_a_counterpart_is_refused_by_name(folder: Path, setting: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=f"setting {next(iter(setting))}="):
        LocalChatModel.from_pipeline(make_pipeline(folder, do_sample=False, **setting))


class Other:
    task = "summarization"
    model = tokenizer = object()


@pytest.mark.parametrize(
    ("thing", "told"), [(Other(), "the task 'summarization'"), ("gpt2", "str"), (None, "NoneType")]
)
def test_pipelines_of_other_tasks_are_refused(thing: object, told: str) -> None:
    with pytest.raises(BadRequest, match=f"text-generation pipeline with a tokenizer, not of {told}"):
        LocalChatModel.from_pipeline(thing)
