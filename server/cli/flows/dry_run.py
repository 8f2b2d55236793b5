"""`lab flows dry-run`: what a run would do, with nobody called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from graphs.flows.check import PREVIOUS, check_flow
from graphs.flows.faults import FlowErrors
from graphs.flows.order import supersteps
from nodes.agents.candidates import first_of
from nodes.teams.inputs import task_of
from nodes.teams.kinds import AGENT
from nodes.teams.references import Scope, as_text, fill
from nodes.teams.steps import attempts_of
from server.cli.flows.finding import Chosen, DataDirOption, FlowArgument, JsonOption, find, quiet_settings
from server.cli.flows.running import read_input
from server.cli.terminal import print_json, shorten, shown
from server.lab import Lab, open_lab
from server.registered import known_names
from server.settings import Settings
from state.crew_run import CrewState
from state.errors import BadRequest
from state.flows import FlowNode, FlowSpec

SHORT = 300
"""Characters of a question on the terminal."""


def dry_run(
    flow: FlowArgument,
    query: Annotated[str | None, typer.Option(help="what is asked, as a text")] = None,
    given: Annotated[str | None, typer.Option("--input", help="a JSON object, or @FILE")] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Show the order of a flow's nodes, who would answer each now, and what each would be asked; nobody is called.

    What nodes have yet to say stands as ‹node›. Without --query and --input: on the example in its metadata.
    """
    plan = asyncio.run(_plan(quiet_settings(data_dir), flow, read_input(query, given)))
    if as_json:
        print_json(plan)
    else:
        _tell(Console(highlight=False, soft_wrap=True), plan)


async def _plan(settings: Settings, flow: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Raises FlowErrors, NotFound."""
    async with open_lab(settings) as lab:
        chosen = await find(lab, flow)
        await _check(lab, chosen)
        spec = chosen.spec
        example = spec.metadata.get("example")
        given = CrewState(**(said or {"input_data": example if isinstance(example, dict) else {}}))
        answering = {node.id: await _answering(lab, node) for node in spec.nodes}
    by_id = {node.id: node for node in spec.nodes}
    order = supersteps({node.id: node.depends_on for node in spec.nodes})
    return {
        "flow_id": spec.flow_id,
        "steps": [
            [{**answering[name], **asked_of(by_id[name], spec, given)} for name in together] for together in order
        ],
        "exit_points": list(spec.exit_points),
    }


def asked_of(node: FlowNode, spec: FlowSpec, given: CrewState) -> dict[str, Any]:
    """What a node would be asked: its text where `config.prompt` says it, and its input; `error`: what is missing."""
    data = given.input_data or ({"query": given.query} if given.query else {})
    asked = {"query": task_of(given, "flow"), "input": data}
    scope = Scope(asked, {}, pending=[PREVIOUS, *(other.id for other in spec.nodes)])
    own = node.config.get("input")
    told: dict[str, Any] = {"depends_on": list(node.depends_on)}
    try:
        told["input"] = (
            fill(own, scope) if isinstance(own, Mapping) else {name: f"‹{name}›" for name in node.depends_on} or data
        )
        for key in ("prompt", "question"):
            if isinstance(node.config.get(key), str):
                told["text"] = as_text(fill(node.config[key], scope))
    except BadRequest as error:
        told["error"] = str(error)
    return told


async def _check(lab: Lab, chosen: Chosen) -> None:
    if faults := check_flow(chosen.spec, await known_names(lab.needs, chosen.spec), chosen.positions):
        raise FlowErrors(faults)


async def _answering(lab: Lab, node: FlowNode) -> dict[str, Any]:
    """Who would answer now."""
    told: dict[str, Any] = {"node": node.id, "type": node.type, "attempts": attempts_of(node.config)}
    if "timeout" in node.config:
        told["timeout"] = node.config["timeout"]
    if node.type != AGENT:
        return told
    directory = lab.agents.directory
    if node.agent_id is not None:
        record = await directory.get(node.agent_id)
        able = [one for name in record.capabilities for one in await directory.find(capability=name)]
    else:
        able = await directory.find(capability=node.capability)
        record = first_of(able, datetime.now(UTC))
    others = dict.fromkeys(one.agent_id for one in able if one.healthy and one.agent_id != record.agent_id)
    return {
        **told,
        "agent_id": record.agent_id,
        "agent_class": record.agent_class,
        "status": record.status,
        **({"capability": node.capability} if node.capability else {}),
        "in_its_place": list(others),
    }


def _tell(console: Console, plan: Mapping[str, Any]) -> None:
    for number, together in enumerate(plan["steps"], 1):
        for node in together:
            who = (
                f"{node['agent_id']} ({node['agent_class']}, {node['status']})" if "agent_id" in node else node["type"]
            )
            place = f", or {', '.join(node['in_its_place'])}" if node.get("in_its_place") else ""
            console.print(f"[bold]{number}. {escape(node['node'])}[/]  [dim]{escape(who + place)}[/]")
            what = node.get("text") or as_text(node.get("input", {}))
            console.print(f"   {escape(shorten(what, SHORT))}")
            if "error" in node:
                console.print(f"   [red]{escape(shown(node['error']))}[/]")
    console.print(f"[dim]answer: {escape(', '.join(plan['exit_points']))}[/]")
