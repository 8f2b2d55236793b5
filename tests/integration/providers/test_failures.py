"""Every way in which a remote model does not answer, over the providers' real clients."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest

from llm.models import LocalModels
from state.errors import BadRequest, ContextOverflow, LabError, NotFound, TimedOut, Unavailable
from tests.integration.providers import wire
from tests.integration.providers.models import KINDS, SECRET, Kind, calculator, card_of, open_remotes
from tests.integration.providers.wire import Remote, Reply, open_remote

ERRORS = [
    (
        401,
        "Incorrect API key provided",
        BadRequest,
        r"far \(.*, big\): the key was refused \(status 401\); check",
    ),
    (404, "The model `big` does not exist", NotFound, r"no such model there \(status 404\): .*does not exist"),
    (400, "messages are wrong", BadRequest, r"request refused \(status 400\): .*messages are wrong"),
    (422, "no", BadRequest, r"request refused \(status 422\)"),
    (408, "too slow", TimedOut, r"no answer in time \(status 408\).*LAB_REQUEST_TIMEOUT"),
    (429, "slow down", Unavailable, r"cannot answer now \(status 429\): .*slow down"),
    (500, "we broke", Unavailable, r"cannot answer now \(status 500\)"),
    (503, "full", Unavailable, r"cannot answer now \(status 503\)"),
]


@pytest.mark.parametrize(("status", "words", "error", "message"), ERRORS)
async def test_each_refusal_is_one_of_our_errors(
    models: LocalModels, kind: Kind, server: Remote, status: int, words: str, error: type[LabError], message: str
) -> None:
    server.says(kind.error(status, f"{words} {SECRET}", headers={"Retry-After": "0.01"}))
    for way in range(4):
        with pytest.raises(error, match=message) as caught:
            chat = models.chat("far")
            if way == 0:
                await asyncio.to_thread(chat.invoke, "hello")
            elif way == 1:
                await chat.ainvoke("hello")
            elif way == 2:
                await asyncio.to_thread(lambda chat: list(chat.stream("hello")), chat)
            else:
                [chunk async for chunk in chat.astream("hello")]
        assert type(caught.value) is error
        assert SECRET not in str(caught.value) and "\n" not in str(caught.value)
    tries = 3 if status in (408, 429, 500, 503) else 1
    assert len(server.asked) == 4 * tries


async def test_a_prompt_that_is_too_long_is_a_context_overflow(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.too_long)
    with pytest.raises(ContextOverflow, match=r"its card says 1,000 tokens: .*9"):
        await models.chat("far").ainvoke("hello")


async def test_a_busy_server_is_asked_again_when_it_says(models: LocalModels, kind: Kind, server: Remote) -> None:
    busy = kind.error(429, "slow down", headers={"Retry-After": "0.3"})
    server.says(busy, kind.error(500, "we broke", headers={"Retry-After": "0.01"}), kind.stream("Hi"))
    assert "".join([chunk.text async for chunk in models.chat("far").astream("hello")]) == "Hi"
    first, second, _ = server.asked
    assert second.at - first.at >= 0.3


@pytest.mark.parametrize("cut", [True, False])
async def test_a_stream_that_breaks_off_is_neither_an_answer_nor_asked_again(
    models: LocalModels, kind: Kind, server: Remote, cut: bool
) -> None:
    server.says(kind.stream("Hel", "lo", reason=None, cut=cut))
    got: list[str] = []
    with pytest.raises(Unavailable, match="far "):
        async for chunk in models.chat("far").astream("hello"):
            got.append(chunk.text)
    assert "".join(got) == "Hello"
    with pytest.raises(Unavailable):
        list(await asyncio.to_thread(lambda: list(models.chat("far").stream("hello"))))
    assert len(server.asked) == 2


async def test_a_server_that_is_silent_times_out(tmp_path: Path, kind: Kind, server: Remote) -> None:
    hold = threading.Event()
    server.says(kind.whole())
    server.replies[0].hold = hold
    opened = open_remotes(tmp_path, {"far": card_of(kind, server)}, timeout_sec=0.1)
    with opened as models, pytest.raises(TimedOut, match="no answer in time"):
        await models.chat("far").ainvoke("hello")
    hold.set()


async def test_a_refused_connection_is_unavailable(tmp_path: Path, kind: Kind) -> None:
    with open_remote() as gone:
        card = card_of(kind, gone)
    with open_remotes(tmp_path, {"far": card}) as models, pytest.raises(Unavailable, match="cannot answer now"):
        await models.chat("far").ainvoke("hello")


async def test_a_web_page_is_no_answer(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(Reply(raw=b"<html>welcome</html>"))
    with pytest.raises(LabError, match="answer not be read"):
        await models.chat("far").ainvoke("hello")


async def test_a_key_is_in_no_representation_log_or_error(
    models: LocalModels, kind: Kind, server: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.says(kind.whole(), kind.error(400, f"bad {SECRET}"))
    chat = models.chat("far")
    await chat.ainvoke("hello")
    with pytest.raises(BadRequest):
        await chat.ainvoke("hello")
    backend = chat._backend()  # type: ignore[attr-defined]
    shown = repr(chat) + str(chat.model_dump()) + repr(backend) + repr(models._remote._access)
    assert SECRET not in shown + caplog.text


async def test_unknown_settings_and_wrong_values_are_refused_before_the_call(
    models: LocalModels, kind: Kind, server: Remote
) -> None:
    server.says(kind.whole())
    with pytest.raises(BadRequest, match="unknown setting extra_headers for far"):
        await models.chat("far").ainvoke("hello", extra_headers={"X": "y"})
    with pytest.raises(BadRequest, match="temperature"):
        await models.chat("far").ainvoke("hello", temperature=9)
    assert server.asked == []


async def test_a_model_without_the_capability_is_offered_no_tools(tmp_path: Path, kind: Kind, server: Remote) -> None:
    opened = open_remotes(tmp_path, {"far": card_of(kind, server, capabilities=["chat"])})
    with opened as models, pytest.raises(BadRequest, match="cannot call tools"):
        await models.chat("far").bind_tools([calculator]).ainvoke("hello")


def test_offline_only_loopback_is_asked(tmp_path: Path, kind: Kind, server: Remote) -> None:
    far = {"provider": kind.provider, "model_id": "big", "base_url": "https://models.example/v1"}
    with open_remotes(tmp_path, {"near": card_of(kind, server), "far": far}, online=False) as models:
        assert models.is_here("near") and not models.is_here("far")
        models.chat("near")
        with pytest.raises(Unavailable, match=r"far \(.*\) is not on this machine and LAB_OFFLINE is set"):
            models.chat("far")


def test_a_missing_key_is_told_by_its_setting(tmp_path: Path, kind: Kind, server: Remote) -> None:
    with open_remotes(tmp_path, {"far": card_of(kind, server)}, keys={}) as models:
        setting = "LAB_PROVIDER_KEYS" if kind.provider == "openai_compatible" else f"{kind.provider.upper()}_API_KEY"
        with pytest.raises(BadRequest, match=f"needs a key: set {setting}"):
            models.chat("far")


async def test_a_server_without_a_key_is_not_sent_another_ones(
    tmp_path: Path, server: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    server.says(wire.openai_whole())
    card = card_of(KINDS["openai_compatible"], server)
    del card["key"]
    with open_remotes(tmp_path, {"far": card}) as models:
        assert (await models.chat("far").ainvoke("hello")).text == "Hello there."
    assert SECRET not in str(server.asked[0].headers)
