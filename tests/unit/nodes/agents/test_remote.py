"""Where remote agents are, what they are sent, and how their answers are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from nodes.agents.http import HttpKind, body_of, idempotency_key, reply_of, said
from nodes.agents.remote import endpoint_of, key_text
from nodes.agents.words import hidden, one_line
from state.agent_ports import AgentCall
from state.errors import AgentFailed, BadRequest
from state.flows import AgentSpec

RUN = UUID(int=7)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://localhost:8001/zoe", "http://localhost:8001/zoe"),
        ("HTTPS://Agents.Example.COM:443/a/b//", "https://agents.example.com/a/b"),
        ("http://[::1]:9/", "http://[::1]:9"),
        ("http://é.example/x", "http://xn--9ca.example/x"),
    ],
)
def test_an_endpoint_is_kept_in_one_form(url: str, kept: str) -> None:
    assert endpoint_of(url) == kept == endpoint_of(kept)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is not http or https"),
        ("agents.example.com", "is not http or https"),
        ("ftp://a.example/", "is not http or https"),
        ("file:///etc/passwd", "is not http or https"),
        ("http:///x", "names no host"),
        ("http:a.example", "names no host"),
        ("http://?x", "names no host"),
        ("http://user:secret@a.example/", "holds a user"),
        ("http://8.8.8.8@127.0.0.1/", "holds a user"),
        ("http://a.example/?key=secret", "holds a query"),
        ("http://a.example/#x", "holds a query"),
        ("http://a.example:99999/", "port"),
        ("http://a.example:0/", "port 0"),
        ("http://[bad/", "names a host that is none"),
        ("http://xn--/", "Malformed A-label"),
        ("http://xn--a.example/", "not allowed"),
        ("http://0177.0.0.1/", "Invalid IPv4 address"),
        ("http://a b/", "a character that no URL has"),
        ("http://a.example\\@b.example/", "a character that no URL has"),
        ("http://a.example/\n", "a character that no URL has"),
        ("http://a.example/\ud800", "a character that no URL has"),
        ("http://a.example/" + "a" * 2_000, "2017 characters, at most 2000"),
    ],
)
def test_what_is_no_endpoint_is_refused_without_repeating_a_password(url: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        endpoint_of(url)
    assert said in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 300
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "config needs agent_id, a registered agent, or endpoint, a URL"),
        ({"endpoint": 5}, "config needs agent_id"),
        ({"agent_id": ["a"], "endpoint": "http://a.example"}, "config needs agent_id"),
        ({"endpoint": "nowhere"}, "is not http or https"),
        ({"agent_id": "a", "timeout": "soon"}, "config.timeout"),
        ({"agent_id": "a\0"}, "config.agent_id 'a' is no agent's id"),
        ({"agent_id": "a", "endpoint": "http://a.example"}, "config has agent_id and endpoint; leave one of them out"),
        ({"agent_id": "a", "Token": "k3y"}, "config.Token would be shown .*; register the agent with its api_key"),
    ],
    ids=["nothing", "number", "list", "no url", "timeout", "no id", "both", "key"],
)
def test_a_definition_says_where_its_http_agent_is(config: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        HttpKind().check(AgentSpec(agent_id="x", agent_class="HttpAgent", config=config))


@pytest.mark.parametrize("config", [{"agent_id": "zoe"}, {"endpoint": "http://a.example", "timeout": 30, "own": [1]}])
def test_an_agent_id_or_an_endpoint_is_enough(config: dict[str, Any]) -> None:
    HttpKind().check(AgentSpec(agent_id="x", agent_class="HttpAgent", config=config))


CALL = AgentCall("write", "zoe", "hi", {"user_query": "hi", "context": {}}, {"timeout": 30}, RUN)


def test_sent_is_the_input_and_the_config_without_the_address() -> None:
    call = replace(CALL, config={"timeout": 30, "max_turns": 5, "agent_id": "zoe", "endpoint": "http://x.example"})
    expected = b'{"input":{"user_query":"hi","context":{}},"config":{"timeout":30,"max_turns":5}}'
    assert body_of(call) == expected


@pytest.mark.parametrize("odd", [object(), {1: 2}, "\ud800", 2**70], ids=["object", "key", "surrogate", "number"])
def test_an_input_that_json_does_not_have_is_refused(odd: Any) -> None:
    with pytest.raises(BadRequest, match="the input of step 'write' cannot be sent as JSON"):
        body_of(replace(CALL, input={"x": odd}))


def test_a_repeated_call_is_known_by_its_key_and_another_turn_has_another() -> None:
    key = idempotency_key
    same = replace(CALL, attempt=3, agent_id="other", input={"context": {}, "user_query": "hi"})
    assert key(CALL) == key(same) and key(CALL).startswith(f"{RUN}:write:")
    others = [{"step": "check"}, {"execution_id": UUID(int=8)}, {"input": {"user_query": "again"}}]
    assert len({key(CALL), *(key(replace(CALL, **other)) for other in others)}) == 4


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ({"response": "hello", "collected_data": {"a": 1}, "status": "completed"}, "hello"),
        ("hello", "hello"),
        ({"rows": [1, 2]}, '{"rows":[1,2]}'),
        ({}, "{}"),
    ],
    ids=["object", "text", "data", "empty"],
)
def test_an_output_is_passed_on_as_it_came(output: Any, text: str) -> None:
    reply = reply_of({"output": output, "extra": 1})
    assert (reply.output, reply.text) == (output, text)


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ({"output": {"usage": {"input_tokens": 3, "output_tokens": 4}}}, (3, 4)),
        ({"output": "x", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}, (3, 4)),
        ({"output": {"usage": {"input_tokens": -1, "prompt_tokens": 2.5, "output_tokens": True}}}, (0, 0)),
        ({"output": {"usage": "many"}}, (0, 0)),
        ({"output": {"usage": {"input_tokens": 2**60}}}, (0, 0)),
    ],
    ids=["own", "openai", "odd", "text", "huge"],
)
def test_tokens_are_read_where_they_are_counts(answer: Any, tokens: tuple[int, int]) -> None:
    reply = reply_of(answer)
    assert (reply.input_tokens, reply.output_tokens) == tokens


def test_an_agent_may_name_its_model_and_who_goes_on() -> None:
    reply = reply_of({"output": {"response": "x", "model": "m", "next": "writer"}})
    assert (reply.model, reply.next) == ("m", "writer")
    assert reply_of({"output": {"next": 5, "model": {}}}).next is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "no 'output'"),
        ([], "no 'output'"),
        (None, "no 'output'"),
        ({"output": None}, "no 'output'"),
        ({"output": [1]}, "no 'output'"),
        ({"output": 5}, "no 'output'"),
        ({"output": {"status": "failed", "error": "no ink"}}, "status 'failed': no ink"),
        ({"output": {"status": " ERROR ", "message": "no ink"}}, "no ink"),
        ({"output": {"status": "failed"}}, "without a reason"),
    ],
    ids=str,
)
def test_what_is_no_answer_is_a_failure(answer: Any, said: str) -> None:
    with pytest.raises(AgentFailed, match=said):
        reply_of(answer)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"detail": "no ink"}', "no ink"),
        (b'{"error": {"message": "no ink"}}', "no ink"),
        (b'{"detail": [{"loc": 1}]}', '{"detail": [{"loc": 1}]}'),
        (b"<h1>no ink</h1>", "<h1>no ink</h1>"),
        (b"\xff", "\ufffd"),
    ],
)
def test_the_words_of_a_refusal_are_found(content: bytes, words: str) -> None:
    assert said(content) == words


def test_words_become_one_bounded_line_without_secrets() -> None:
    assert one_line(" a\r\n\tb\x00\x1b[31mc\u2028d\ud800e ") == "a b [31mc d e"
    assert one_line("x" * 10**7) == "x" * 299 + "…"
    assert hidden("key=abc, Bearer abcdef", ["abc", None, "abcdef", ""]) == "key=***, Bearer ***"


@pytest.mark.parametrize("key", ["k y", "a\r\nX-Admin: 1", "schlüssel", "\x00"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    with pytest.raises(BadRequest) as refused:
        key_text(SecretStr(key))
    assert key not in str(refused.value)
    assert key_text(SecretStr("")) is None is key_text(None)
