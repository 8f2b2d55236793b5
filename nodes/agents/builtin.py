"""Agents that are registered from the start, for the shipped flows and for whoever begins.

Their prompts are those that the bundled demo model was trained under (`llm/demo/conversation.py`), so that flows of
them run on it; to a larger model they say the same.
"""

from __future__ import annotations

from state.agents import NewAgent

_TOLD: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    ("researcher", "Researcher", "research", (), "You are a researcher. Collect the facts."),
    ("writer", "Writer", "writing", (), "You are a writer. Write clearly."),
    ("reviewer", "Reviewer", "review", (), "You review the work of others."),
    ("coder", "Coder", "code", (), "You write short Python functions."),
    ("tester", "Tester", "testing", (), "You review the work of others."),
    ("translator", "Translator", "translation", (), "Translate exactly."),
    ("checker", "Checker", "checking", (), "Answer briefly and exactly."),
    ("extractor", "Extractor", "extraction", (), "Answer with JSON only."),
    ("assistant", "Assistant", "conversation", ("calculator",), "You are a helpful assistant."),
)


def builtin_agents() -> tuple[NewAgent, ...]:
    """The agents that come with this project."""
    chats = tuple(
        NewAgent(
            agent_id=agent_id,
            name=name,
            agent_type="chat",
            agent_class="ChatAgent",
            capabilities=(capability,),
            tools=tools,
            system_prompt=prompt,
        )
        for agent_id, name, capability, tools, prompt in _TOLD
    )
    evaluator = NewAgent(
        agent_id="evaluator",
        name="Evaluator",
        agent_type="evaluator",
        agent_class="EvaluatorAgent",
        capabilities=("evaluation",),
    )
    return (*chats, evaluator)
