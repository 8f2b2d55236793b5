"""The names of kinds, and the agents that are there from the start."""

from __future__ import annotations

import pytest

from nodes.agents.builtin import builtin_agents
from nodes.agents.kinds import kind_of, shipped_kinds
from state.errors import BadRequest
from tests.unit.nodes.agents.values import needs_of, spec_of

CASES = {
    "ChatAgent": "ChatAgent",
    "chatagent": "ChatAgent",
    " Chatbot ": "ChatAgent",
    "BaseAgent": "ChatAgent",
    "ReactAgent": "ChatAgent",
    "chat": "ChatAgent",
    "react": "ChatAgent",
    "evaluator": "EvaluatorAgent",
    "HTTP": "HttpAgent",
    "a2a": "A2AAgent",
    "graph": "GraphAgent",
}


@pytest.mark.parametrize(("name", "kind"), CASES.items())
def test_a_kind_has_its_name_and_those_that_others_give_it(name: str, kind: str) -> None:
    assert kind_of(name, shipped_kinds()).name == kind


@pytest.mark.parametrize("name", ["os.system", "", "ChatAgent2", "__class__", "x" * 500, "a\nb"])
def test_an_unknown_kind_is_refused_in_one_line_with_those_that_there_are(name: str) -> None:
    known = "A2AAgent, ChatAgent, EvaluatorAgent, GraphAgent, HttpAgent"
    with pytest.raises(BadRequest, match=rf"^there is no agent class '[^\n]{{0,100}}'; choose one of: {known}$"):
        kind_of(name, shipped_kinds())


def test_an_alias_of_a_kind_that_is_not_there_is_unknown() -> None:
    with pytest.raises(BadRequest, match="choose one of: EvaluatorAgent"):
        kind_of("chat", {"EvaluatorAgent": shipped_kinds()["EvaluatorAgent"]})


def test_every_kind_says_in_a_line_what_it_is() -> None:
    for kind in shipped_kinds().values():
        assert kind.description and "\n" not in kind.description


def test_the_built_in_agents_can_be_made_and_no_two_have_one_id() -> None:
    agents = builtin_agents()
    assert len({agent.agent_id for agent in agents}) == len(agents) >= 10
    for agent in agents:
        assert agent.capabilities and agent.description
        spec = spec_of(agent.agent_id, system_prompt=agent.system_prompt, tools=agent.tools, config=agent.config)
        kind_of(agent.agent_class, shipped_kinds()).make(spec, needs_of())
