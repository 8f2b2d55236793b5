"""Remote models' decisions: fields of cards, settings, errors, estimates, chains."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError, ModelConnectionError, ModelTimeoutError
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda, RunnableParallel
from pydantic import SecretStr

from llm.catalog import load_catalog
from llm.providers.base import Backend
from llm.providers.cards import check_card, stays_here
from llm.providers.estimate import estimate_messages, estimate_text
from llm.providers.failures import translate
from llm.providers.rebind import rebind
from llm.providers.settings import split_settings
from llm.providers.tally import Tally
from state.errors import BadRequest, Broken, ContextOverflow, LabError, NotFound, TimedOut, Unavailable
from state.models import ModelCard, Sampling

URL = "http://127.0.0.1:8000/v1"


def card(**fields: Any) -> ModelCard:
    return ModelCard(**{"name": "far", "provider": "openai", "model_id": "big", "context_length": 1000} | fields)


def test_a_file_may_list_remote_models_of_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(
        "models:\n"
        "  gpt: {provider: openai, model_id: big-1, context_length: 1000, settings: [max_tokens]}\n"
        "  clever: {provider: anthropic, model_id: clever-1, context_length: 1000}\n"
        f"  vllm: {{provider: openai_compatible, model_id: org/model, base_url: '{URL}', context_length: 1000}}\n"
        "  own: {provider: custom, factory: 'mine.models:make', context_length: 1000}\n"
    )
    catalog = load_catalog(file)
    assert [catalog.card(name).provider for name in ("gpt", "clever", "vllm", "own")] == [
        "openai",
        "anthropic",
        "openai_compatible",
        "custom",
    ]
    assert catalog.entry("vllm").folder is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_id": None}, "field 'model_id' is required with provider 'openai'"),
        ({"path": "x"}, "field 'path' does not go with provider 'openai'"),
        ({"repo": "a/b"}, "field 'repo' does not go with"),
        ({"factory": "a.b:c"}, "field 'factory' does not go with"),
        ({"provider": "openai_compatible"}, "field 'base_url' is required"),
        ({"provider": "custom"}, "field 'factory' is required"),
        ({"provider": "local"}, "field 'model_id' does not go with provider 'local'"),
        ({"base_url": "ftp://host"}, r"expected http\(s\)"),
        ({"base_url": "http://"}, r"expected http\(s\)"),
        ({"base_url": "http://host:nine"}, r"expected http\(s\)"),
        ({"base_url": "http://host/?key=x"}, r"expected http\(s\)"),
        ({"base_url": "http://me:secret@host"}, "holds a user or password; use 'key'"),
    ],
)
def test_each_wrong_field_is_told(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=f"here: .*{message}") as caught:
        check_card("here", card(**fields))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8000", True),
        ("http://localhost:11434/v1", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
        ("https://api.example", False),
        (None, False),
    ],
)
def test_only_loopback_is_this_machine(url: str | None, here: bool) -> None:
    assert stays_here(card(base_url=url)) is here


@pytest.mark.parametrize(
    ("provider", "sampling", "sent", "ignored"),
    [
        ("openai", {}, {"temperature": 0.0, "max_tokens": 512}, ()),
        ("openai", {"seed": 0, "top_k": 3}, {"temperature": 0.0, "max_tokens": 512, "seed": 0}, ("top_k",)),
        ("anthropic", {"top_p": 0.9, "seed": 1}, {"temperature": 0.0, "max_tokens": 512}, ("seed", "top_p")),
        ("anthropic", {"top_k": 3, "max_tokens": 7}, {"temperature": 0.0, "max_tokens": 7, "top_k": 3}, ()),
        ("custom", {"repetition_penalty": 1.2}, {"temperature": 0.0, "max_tokens": 512}, ("repetition_penalty",)),
        (
            "openai_compatible",
            {"temperature": 1.0, "repetition_penalty": 1.2, "top_k": 2},
            {"temperature": 1.0, "max_tokens": 512, "repetition_penalty": 1.2, "top_k": 2},
            (),
        ),
    ],
)
def test_what_is_not_taken_is_left_out_and_named(
    provider: str, sampling: dict[str, Any], sent: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert split_settings(Sampling(**sampling), card(provider=provider)) == (sent, ignored)


def test_a_cards_settings_win_over_its_providers() -> None:
    chosen = card(settings=("top_p",), max_output_tokens=9)
    assert split_settings(Sampling(top_p=0.5), chosen) == ({"top_p": 0.5}, ("max_tokens", "temperature"))


class StatusError(Exception):
    def __init__(self, status: int | None, message: str = "words") -> None:
        super().__init__(message)
        self.status_code = status


class Interrupted(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StatusError(400), BadRequest),
        (StatusError(401), BadRequest),
        (StatusError(403), BadRequest),
        (StatusError(404), NotFound),
        (StatusError(408), TimedOut),
        (StatusError(409), Unavailable),
        (StatusError(422), BadRequest),
        (StatusError(429), Unavailable),
        (StatusError(500), Unavailable),
        (StatusError(529), Unavailable),
        (StatusError(400, "This model's maximum context length is 9 tokens"), ContextOverflow),
        (ContextOverflowError("x"), ContextOverflow),
        (ModelTimeoutError("x"), TimedOut),
        (TimeoutError(), TimedOut),
        (ModelConnectionError("x"), Unavailable),
        (ConnectionResetError("x"), Unavailable),
        (Interrupted("x"), Unavailable),
        (ValueError("x"), BadRequest),
        (AssertionError("x"), Broken),
    ],
)
def test_each_error_has_its_place_in_the_tree(error: Exception, kind: type[LabError]) -> None:
    # What has a status of 500 and more is its client's own class, too.
    interrupted = (Interrupted, StatusError)
    backend = Backend(FakeListChatModel(responses=["x"]), interrupted=interrupted)
    told = translate(error, card(), SecretStr(""), backend)
    assert type(told) is kind
    assert "far (openai, big)" in str(told)


def test_an_error_of_ours_stays_itself_and_words_are_cut_short_without_the_key() -> None:
    backend = Backend(FakeListChatModel(responses=["x"]))
    ours = Unavailable("x")
    assert translate(ours, card(), SecretStr("k3y"), backend) is ours
    long = translate(StatusError(400, "a k3y\nin the first line " + "x" * 5000), card(), SecretStr("k3y"), backend)
    assert "a *** in the first line xxx" in str(long)
    assert len(str(long)) < 400


def test_estimates_are_a_token_a_word_and_more() -> None:
    # Common words of English are one token each, rarer ones of other languages two; a Chinese character is about one.
    for text, tokens in (
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("El zorro marrón salta sobre el perro perezoso.", 14),
        ("敏捷的棕色狐狸跳过懒狗", 11),
    ):
        assert tokens <= estimate_text(text) <= 2 * tokens
    call = {"name": "f", "args": {"text": "x" * 300}, "id": "1"}
    assert estimate_messages([AIMessage("", tool_calls=[call])]) > 100
    assert estimate_messages([ToolMessage("x" * 300, tool_call_id="1")]) > 100
    image = HumanMessage([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "http://x"}}])
    assert estimate_messages([image]) > 1000


def test_a_chain_is_rebuilt_over_another_model() -> None:
    old, new = FakeListChatModel(responses=["old"]), FakeListChatModel(responses=["new"])
    chain = old.bind(stop=["x"]) | RunnableLambda(lambda message: message.text)
    assert rebind(chain, old, new).invoke("hello") == "new"
    parallel = RunnableParallel(raw=old.bind(stop=["x"])) | RunnableLambda(lambda found: found["raw"].text)
    assert rebind(parallel, old, new).invoke("hello") == "new"


def chunk(text: str = "", **fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text, **fields))


def test_a_tally_takes_the_metadata_off_and_puts_it_at_the_end() -> None:
    times = iter([10.0, 11.0, 14.0])
    tally = Tally(card(), ("seed",), clock=lambda: next(times))
    usage = {"input_tokens": 5, "output_tokens": 8, "total_tokens": 13}
    given = [
        chunk("", response_metadata={"model_provider": "openai", "model_name": "big-1"}),
        chunk("He"),
        chunk("llo", usage_metadata=usage, response_metadata={"stop_reason": "max_tokens"}, chunk_position="last"),
    ]
    total = sum((tally.take(piece) for piece in given[1:]), start=tally.take(given[0]))
    whole = total + tally.end(must_finish=True)
    assert whole.message.text == "Hello"
    said = whole.message.response_metadata
    assert (said["finish_reason"], said["model_provider"], said["provider_model"]) == ("length", "openai", "big-1")
    assert said["ignored_settings"] == ["seed"]
    assert (said["time_to_first_token_sec"], said["total_time_sec"], said["tokens_per_sec"]) == (1.0, 4.0, 2.0)
    assert (said["model_name"], said["prompt_tokens"], said["tokens_generated"]) == ("far", 5, 8)


def test_a_stream_without_an_end_is_an_error_where_ends_are_certain() -> None:
    tally = Tally(card())
    tally.take(chunk("Hel"))
    with pytest.raises(Unavailable, match="ended before the answer did"):
        tally.end(must_finish=True)
    assert tally.end(must_finish=False).message.response_metadata["finish_reason"] == "stop"


def test_an_answer_that_is_no_message_of_a_model_is_broken() -> None:
    with pytest.raises(Broken, match="gave no AIMessage"):
        Tally(card()).whole(ChatResult(generations=[ChatGeneration(message=HumanMessage("x"))]))
