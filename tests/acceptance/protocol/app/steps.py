"""Graphs without a model of their own: three steps, two hundred streamed tokens, a loop of twenty steps."""

from __future__ import annotations

import operator
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, MessagesState, StateGraph
from typing_extensions import TypedDict


class Trail(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    note: str


def _says(name: str) -> Any:
    async def step(state: Trail) -> Trail:
        return {"trail": [name]}

    return step


def _three() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Trail)
    for name in ("a", "b", "c"):
        built.add_node(name, _says(name))
    built.add_edge(START, "a")
    built.add_edge("a", "b")
    built.add_edge("b", "c")
    built.add_edge("c", END)
    return built


graph = _three().compile()

WORDS = " ".join(f"w{n}" for n in range(100))
PIECES = re.split(r"(\s)", WORDS)
"""The words and the spaces between them: 199 tokens."""


class Speaker(BaseChatModel):
    """Says the same in 199 tokens, streaming as a model does that is asynchronous by itself."""

    @property
    def _llm_type(self) -> str:
        return "speaker"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(WORDS))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for number, piece in enumerate(PIECES, 1):
            # Unmarked, langchain would add an empty chunk to say that it was the last.
            position: Literal["last"] | None = "last" if number == len(PIECES) else None
            chunk = ChatGenerationChunk(message=AIMessageChunk(piece, chunk_position=position))
            if run_manager is not None:
                await run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk


async def _speak(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await Speaker().ainvoke(state["messages"])]}


def _tokens() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(MessagesState)
    built.add_node("speak", _speak)
    built.add_edge(START, "speak")
    built.add_edge("speak", END)
    return built


tokens = _tokens().compile()


class Count(TypedDict):
    count: int


async def _count(state: Count) -> Count:
    return {"count": state["count"] + 1}


def _loop() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Count)
    built.add_node("step", _count)
    built.add_edge(START, "step")
    built.add_conditional_edges("step", lambda state: END if state["count"] >= 20 else "step")
    return built


loop = _loop().compile()
