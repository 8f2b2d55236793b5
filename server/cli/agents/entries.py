"""`lab agents register`, `remove`, `enable` and `disable`: changes, made in the database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError

from graphs.flows.reading import read_document
from graphs.flows.text import MAX_BYTES
from server.agents.registering import checked, described
from server.cli.agents.listing import AgentIdArgument, JsonOption, quiet_settings
from server.cli.terminal import print_json
from server.lab import TENANT, Lab, open_lab
from server.settings import Settings
from state.agents import NewAgent
from state.errors import BadRequest, Conflict

OPTIONS = {"agent_id": "--id", "agent_type": "--type", "agent_class": "--class", "capabilities": "--capability"}
"""How fields are called here, where it is not by their own names."""


def register(
    file: Annotated[
        Path | None, typer.Argument(help="YAML or JSON: an agent, a list of them, or one under `agents`")
    ] = None,
    agent_id: Annotated[str | None, typer.Option("--id", help="its id: letters, digits, _ - and .")] = None,
    endpoint: Annotated[str | None, typer.Option(help="it is called at ENDPOINT/process")] = None,
    name: Annotated[str | None, typer.Option(help="for people [the id]")] = None,
    description: Annotated[str | None, typer.Option(help="a line for people")] = None,
    agent_type: Annotated[str | None, typer.Option("--type", help="an open word, such as input or react")] = None,
    agent_class: Annotated[str | None, typer.Option("--class", help="the kind that answers [HttpAgent]")] = None,
    capability: Annotated[list[str] | None, typer.Option(help="what it can; again for more")] = None,
    system_prompt: Annotated[str | None, typer.Option(help="of an agent that is a model")] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="the first line of this file is sent to the agent as its key; - for stdin")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Register agents, or replace those that have these ids."""
    said = {
        "agent_id": agent_id,
        "endpoint": endpoint,
        "name": name,
        "description": description,
        "agent_type": agent_type,
        "agent_class": agent_class,
        "capabilities": capability,
        "system_prompt": system_prompt,
        "api_key": None if api_key_file is None else read_key(api_key_file),
    }
    said = {field: value for field, value in said.items() if value is not None}
    if (file is None) == (not said):
        raise BadRequest("give either a file, or --id with --endpoint and what else there is to say")
    agents = read_agents(file) if file is not None else [read_agent(said, "", OPTIONS)]
    made = asyncio.run(_register(quiet_settings(), agents))
    if as_json:
        print_json([{"agent_id": one, "created": is_new} for one, is_new in made])
    else:
        for one, is_new in made:
            typer.echo(f"{'registered' if is_new else 'replaced'} {one}")


def remove(agent_id: AgentIdArgument, as_json: JsonOption = False) -> None:
    """Deregister an agent. One that is built in can be switched off only."""
    asyncio.run(_remove(quiet_settings(), agent_id))
    _say("removed", agent_id, as_json)


def enable(agent_id: AgentIdArgument, as_json: JsonOption = False) -> None:
    """Switch an agent on: its breaker is closed, its health looked at anew."""
    asyncio.run(_switch(quiet_settings(), agent_id, True))
    _say("enabled", agent_id, as_json)


def disable(agent_id: AgentIdArgument, as_json: JsonOption = False) -> None:
    """Switch an agent off: nobody calls it."""
    asyncio.run(_switch(quiet_settings(), agent_id, False))
    _say("disabled", agent_id, as_json)


def read_agents(file: Path) -> list[NewAgent]:
    """The agents of a file. Raises BadRequest that names the file and what is wrong in it."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file}: {error.strerror if isinstance(error, OSError) else 'is not UTF-8'}") from error
    data = read_document(text, str(file)).data
    if isinstance(data, dict) and set(data) == {"agents"}:
        data = data["agents"]
    if not (listed := data if isinstance(data, list) else [data]):
        raise BadRequest(f"{file}: there is no agent in it")
    return [read_agent(one, f"{file}, agent {index}: ", {}) for index, one in enumerate(listed, 1)]


def read_agent(said: Any, where: str, options: dict[str, str]) -> NewAgent:
    """Raises BadRequest in a line that names the field; never with its value, which may be a key."""
    try:
        return NewAgent.model_validate(said)
    except ValidationError as error:
        told = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors(include_input=False)]
        raise BadRequest(where + "; ".join(f"{options.get(name, name) or 'it'}: {why}" for name, why in told)) from None


def read_key(file: Path) -> SecretStr:
    """The first line. Raises BadRequest where there is none."""
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"--api-key-file: {file} cannot be read: {type(error).__name__}") from error
    if not text.strip():
        raise BadRequest(f"--api-key-file: the first line of {file} is empty")
    return SecretStr(text.strip())


def _say(done: str, agent_id: str, as_json: bool) -> None:
    if as_json:
        print_json({done: agent_id})
    else:
        typer.echo(f"{done} {agent_id}")


async def _register(settings: Settings, agents: Sequence[NewAgent]) -> list[tuple[str, bool]]:
    """All are looked at before the first is kept."""
    async with open_lab(settings) as lab:
        looked_at = [await _looked_at(lab, agent) for agent in agents]
        return [(agent.agent_id, await lab.agents.agents.register(TENANT, agent)) for agent in looked_at]


async def _looked_at(lab: Lab, agent: NewAgent) -> NewAgent:
    return await described(await checked(agent, lab.needs, lab.settings.allowed_networks), lab.needs)


async def _remove(settings: Settings, agent_id: str) -> None:
    async with open_lab(settings) as lab:
        if not await lab.agents.agents.delete(TENANT, agent_id):
            await lab.agents.of(TENANT).get(agent_id)
            raise Conflict(f"agent '{agent_id}' is built in; switch it off: lab agents disable {agent_id}")


async def _switch(settings: Settings, agent_id: str, enabled: bool) -> None:
    async with open_lab(settings) as lab:
        if not await lab.agents.agents.set_enabled(TENANT, agent_id, enabled):
            await lab.agents.of(TENANT).get(agent_id)
