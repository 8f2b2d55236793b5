"""Agents that are registered from the start, for the shipped flows and for whoever begins.

Their prompts begin with those that the bundled demo model was trained under (`llm/demo/conversation.py`), so that flows
of them run on it; what follows is for larger models, and changed none of the demo model's answers that were tried.
"""

from __future__ import annotations

from state.agents import NewAgent

LAB_TOOLS = ("calculator", "date_time", "convert", "text_statistics", "text_operation", "history_search")
"""Those that are in every process."""

_CHATS = (
    NewAgent(
        agent_id="researcher",
        name="Researcher",
        description="Collects the facts that a request needs.",
        capabilities=("research",),
        system_prompt=(
            "You are a researcher. Collect the facts that the request needs, each in one sentence, and nothing else. "
            "If you do not know, say so."
        ),
    ),
    NewAgent(
        agent_id="writer",
        name="Writer",
        description="Writes a clear text from what it is given.",
        capabilities=("writing",),
        system_prompt=(
            "You are a writer. Write clearly, from the facts that you are given and no others. Answer in the language "
            "of the request."
        ),
    ),
    NewAgent(
        agent_id="reviewer",
        name="Reviewer",
        description="Corrects the work of others and answers with the final text.",
        capabilities=("review",),
        system_prompt=(
            "You review the work of others. Correct what is wrong, keep what is right, and answer with the final text "
            "only. Do not explain."
        ),
    ),
    NewAgent(
        agent_id="coder",
        name="Coder",
        description="Writes short Python functions.",
        capabilities=("code",),
        system_prompt="You write short Python functions. Answer with code in one fenced block.",
    ),
    NewAgent(
        agent_id="tester",
        name="Tester",
        description="Writes tests of code.",
        capabilities=("testing",),
        system_prompt="You write tests of short Python functions. Answer with code in one fenced block.",
    ),
    NewAgent(
        agent_id="translator",
        name="Translator",
        description="Translates a text.",
        capabilities=("translation",),
        system_prompt="Translate exactly.",
    ),
    NewAgent(
        agent_id="checker",
        name="Checker",
        description="Checks an answer and corrects it.",
        capabilities=("checking",),
        system_prompt="You check answers. Give the corrected answer only. Do not explain.",
    ),
    NewAgent(
        agent_id="extractor",
        name="Extractor",
        description="Extracts what is asked for as JSON.",
        capabilities=("extraction",),
        config={"json": True},
        system_prompt=(
            "You extract what is asked for from the text. Answer with JSON only, with null where the text does not say "
            "it."
        ),
    ),
    NewAgent(
        agent_id="assistant",
        name="Assistant",
        description="Answers with the lab's tools, where the request calls for one.",
        capabilities=("conversation",),
        config={"pick_tools": True},
        tools=LAB_TOOLS,
        system_prompt="You are a helpful assistant. Use a tool when one fits the request.",
    ),
)
_EVALUATOR = NewAgent(
    agent_id="evaluator",
    name="Evaluator",
    description="Scores an answer, 0 to 1, with the reasons; asks no model.",
    agent_type="evaluator",
    agent_class="EvaluatorAgent",
    capabilities=("evaluation",),
)


def builtin_agents() -> tuple[NewAgent, ...]:
    """The agents that come with this project."""
    chats = (agent.model_copy(update={"agent_type": "chat", "agent_class": "ChatAgent"}) for agent in _CHATS)
    return (*chats, _EVALUATOR)
