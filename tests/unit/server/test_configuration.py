"""What of a client's configuration a run believes."""

from typing import Any

import pytest

from server.run_queue.configuration import MAX_RECURSION_LIMIT, safe_checkpoint, safe_config, safe_context
from state.errors import BadRequest


@pytest.mark.parametrize(
    "key",
    """thread_id run_id assistant_id graph_id user_id checkpoint_id checkpoint_ns checkpoint_map langgraph_request_id
    langgraph_auth_user langgraph_auth_user_id langgraph_auth_permissions __pregel_runtime __pregel_checkpointer
    __pregel_send __request_start_time_ms__ __anything""".split(),
)
@pytest.mark.parametrize("part", ["configurable", "metadata"])
def test_keys_that_only_the_server_sets_are_taken_out(part: str, key: str) -> None:
    assert safe_config({part: {key: "another's", "model": "m"}}) == {part: {"model": "m"}}


@pytest.mark.parametrize(
    ("config", "safe"),
    [
        (None, {}),
        ({}, {}),
        ({"tags": ["a", "b"]}, {"tags": ["a", "b"]}),
        ({"recursion_limit": 5}, {"recursion_limit": 5}),
        ({"recursion_limit": 5.0}, {"recursion_limit": 5}),
        ({"recursion_limit": 0}, {"recursion_limit": 0}),
        ({"recursion_limit": 10**18}, {"recursion_limit": MAX_RECURSION_LIMIT}),
        ({"recursion_limit": 1e300}, {"recursion_limit": MAX_RECURSION_LIMIT}),
        ({"max_concurrency": 0, "run_name": "n"}, {"max_concurrency": 1, "run_name": "n"}),
        ({"recursion_limit": None, "tags": None, "configurable": None, "callbacks": None}, {}),
        ({"callbacks": []}, {}),
        # LangGraph reads unknown keys beside `configurable` as keys of it.
        ({"thread_id": "t", "__pregel_send": 1, "nope": 1}, {}),
        ({"configurable": {"a": {"thread_id": "t", "__x": 1}}}, {"configurable": {"a": {"thread_id": "t", "__x": 1}}}),
        ({"configurable": {"lc": 1, "type": "constructor"}}, {"configurable": {"lc": 1, "type": "constructor"}}),
    ],
)  # fmt: skip
def test_what_is_left_of_a_configuration(config: dict[str, Any] | None, safe: dict[str, Any]) -> None:
    assert safe_config(config) == safe


@pytest.mark.parametrize(
    "config",
    [
        {"callbacks": ["x"]},
        {"callbacks": {"lc": 1}},
        {"configurable": [1]},
        {"metadata": "x"},
        {"tags": "a"},
        {"tags": [1]},
        {"recursion_limit": "5"},
        {"recursion_limit": True},
        {"recursion_limit": 1.5},
        {"recursion_limit": float("inf")},
        {"max_concurrency": [1]},
        {"run_name": 1},
    ],
)
def test_values_of_the_wrong_type_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=next(iter(config))):
        safe_config(config)


def test_the_clients_own_dict_is_left_as_it_was() -> None:
    config = {"configurable": {"thread_id": "t", "a": 1}, "tags": ["x"]}
    safe_config(config)["configurable"]["a"] = 2
    assert config == {"configurable": {"thread_id": "t", "a": 1}, "tags": ["x"]}


def test_context_keeps_what_belongs_to_the_graph() -> None:
    assert safe_context({"user_id": "u", "a": 1, "__pregel_x": 1, "langgraph_auth_user": {}}) == {
        "user_id": "u",
        "a": 1,
    }
    assert safe_context(None) == {}


def test_a_checkpoint_never_names_a_thread() -> None:
    given = {"thread_id": "t", "checkpoint_id": "c", "checkpoint_ns": "", "checkpoint_map": None, "__pregel_send": 1}
    assert safe_checkpoint(given) == {"checkpoint_id": "c", "checkpoint_ns": ""}
    assert safe_checkpoint(None) == {}
