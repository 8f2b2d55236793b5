"""Direct mode: one call of one model, with the same metrics and result as the orchestrator."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from nodes.calling.prompting import earlier_turns
from nodes.costs import metrics_of
from nodes.history import read_task
from nodes.language import detect
from state.context import Context
from state.models import Sampling
from state.ports import ChatModels
from state.run import RunState
from state.tasks import Result


async def answer(state: RunState, runtime: Runtime[Context], *, models: ChatModels) -> dict[str, object]:
    """Send the thread's turns to the model once. Reads `messages`; writes `result`, appends to `messages`.

    Raises BadRequest, NotFound, ContextOverflow, NoMemory, Unavailable.
    """
    context, task = runtime.context or Context(), read_task(state.messages)
    name, strategy = context.model or models.default_model, context.strategy or models.default_strategy
    runtime.stream_writer(
        {
            "event": "model",
            "model": name,
            "strategy": strategy,
            "loaded": models.is_loaded(name, strategy),
            "attempt": 1,
        }
    )
    sampling = Sampling(temperature=context.temperature, max_tokens=context.max_tokens, seed=context.seed)
    chat = models.chat(name, strategy=strategy, sampling=sampling)
    reply: AIMessage = await chat.ainvoke([*earlier_turns(task), state.messages[-1]])
    result = Result(
        output=reply.text.strip(),
        score=None,
        passed=True,
        attempts=1,
        kind="other",
        language=detect(task.prompt)[0],
        metrics=metrics_of(reply, model=name, strategy=strategy),
        decided_by="nobody",
        summary=(f"answer: {name}/{strategy}",),
    )
    return {"task": task, "result": result, "messages": [reply]}
