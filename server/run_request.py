"""What a run of the lab's own graphs is asked with, and what is seen to be wrong in it before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from graphs.catalog import builder_of
from graphs.services import Services
from state.context import Context
from state.errors import BadRequest

MAX_PROMPT_CHARS = 400_000


@dataclass(frozen=True)
class RunRequest:
    """What to run: a prompt on a new or known thread, or (`resume`) the rest of an unfinished run."""

    graph: str
    context: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Context` that were asked for; a resumed run takes the others from the run it continues."""
    prompt: str | None = None
    thread_id: UUID | None = None
    resume: bool = False
    decision: object = None
    """With `resume`: a human's answer as JSON, in any of the shapes of `nodes.humans.decisions`."""
    interrupt_id: str | None = None
    """Which question `decision` answers; needed only where several wait."""


def check_request(request: RunRequest, services: Services) -> None:
    """Refuse what can be seen to be wrong before anything is written. Raises BadRequest, NotFound."""
    builder_of(request.graph)
    context = read_context(request.context)
    for name in (context.model, context.judge, context.analyst):
        if name is not None:
            services.models.card(name)
    known = [tool.name for tool in services.tools]
    for name in context.tools or ():
        if name not in known:
            raise BadRequest(f"there is no tool '{name}'; choose of: {', '.join(known)}")
    if request.resume:
        if request.prompt is not None:
            raise BadRequest("a resume goes on with an unfinished run and takes no prompt; leave one of them out")
        if request.thread_id is None:
            raise BadRequest("a resume needs the thread_id of the run to go on with")
        return
    if request.decision is not None:
        raise BadRequest("a decision answers a run that waits: send it with resume and without a prompt")
    if not (request.prompt or "").strip():
        raise BadRequest("the prompt is empty; say what you want answered")
    if len(request.prompt or "") > MAX_PROMPT_CHARS:
        raise BadRequest(f"the prompt has {len(request.prompt or ''):,} characters, {MAX_PROMPT_CHARS:,} are allowed")


def read_context(given: Mapping[str, Any]) -> Context:
    """Settings of a run. Raises BadRequest that names the field."""
    try:
        return Context.model_validate(given)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BadRequest(f"{'.'.join(str(part) for part in wrong['loc'])}: {wrong['msg']}") from error


def continued(request: RunRequest, before: Mapping[str, Any] | None) -> Context:
    """The settings of a run; `before`: those of the thread's last run, which a resumed one keeps unless told
    otherwise. Null tells nothing: clients send it for what they leave open. Raises BadRequest.
    """
    if not request.resume:
        return read_context(request.context)
    told = {name: value for name, value in request.context.items() if value is not None}
    return read_context({**(before or {}), **told})
