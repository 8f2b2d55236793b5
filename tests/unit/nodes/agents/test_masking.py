"""An agent's key in what the agent says."""

from nodes.agents.masking import without
from state.agents import AgentReply


def test_a_key_that_an_agent_says_again_is_left_out_wherever_it_stands() -> None:
    said = AgentReply({"at": ['a\\"b-12345', {'xa\\"b-12345y': 1}]}, 'a\\"b-12345', 1, 2, model='m a\\"b-12345')
    assert without(said, 'a\\"b-12345') == AgentReply({"at": ["***", {"x***y": 1}]}, "***", 1, 2, model="m ***")
    assert without(said, "somebody's") is said
    assert without(AgentReply("a cat", "a cat"), "a") == AgentReply("a cat", "a cat"), "too short to mean the key"
