"""`lab models bench`: what a model does on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from llm.models import LocalModels
from llm.sizing import human_bytes
from server.catalogue import refuse_remote
from server.cli.models.measure import Figures, Plan, measure
from server.cli.models.options import read_strategy
from server.cli.terminal import set_up_logging
from server.lab import open_models_of
from server.settings import read_settings
from state.errors import BadRequest, ContextOverflow, NotFound
from state.models import ModelCard, Strategy

MOST_CALLERS = 64


def bench(
    name: Annotated[str, typer.Argument(help="catalogue name")],
    strategy: Annotated[
        str | None, typer.Option(help="standard, optimized or streaming [what suits the device]")
    ] = None,
    callers: Annotated[str, typer.Option(help="how many ask at once, with commas between several")] = "1,4,16",
    tokens: Annotated[int, typer.Option(help="length of each answer")] = 64,
    prompt_tokens: Annotated[int, typer.Option(help="length of each prompt")] = 32,
    rounds: Annotated[int, typer.Option(help="measurements of each number of callers; medians are told")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Load a model in this process and measure it: load, first token, tokens a second, memory."""
    plan = read_plan(callers, tokens, prompt_tokens, rounds)
    settings = read_settings()
    set_up_logging(settings, quiet=True)
    wanted = read_strategy(strategy)
    with open_models_of(settings) as models:
        check(models, name, plan)
        chosen = wanted or models.default_strategy
        with _telling(Console(stderr=True)) as tell:
            figures = _measure(models, name, chosen, plan, tell)
    if as_json:
        typer.echo(json.dumps({**asdict(figures), "plan": asdict(plan)}, indent=2))
    else:
        _print(figures, plan, Console(highlight=False, soft_wrap=True))


def read_plan(callers: str, tokens: int, prompt_tokens: int, rounds: int) -> Plan:
    """Raises BadRequest in one line that names the option."""
    try:
        counts = tuple(int(part) for part in callers.split(","))
    except ValueError as error:
        raise BadRequest(f"--callers: {callers!r} is not a list of numbers such as 1,4,16") from error
    if not all(1 <= count <= MOST_CALLERS for count in counts):
        raise BadRequest(f"--callers: {callers!r}: each is from 1 to {MOST_CALLERS}")
    for option, value in (("--tokens", tokens), ("--prompt-tokens", prompt_tokens), ("--rounds", rounds)):
        if value < 1:
            raise BadRequest(f"{option}: {value} is less than 1")
    return Plan(counts, tokens, prompt_tokens, rounds)


def check(models: LocalModels, name: str, plan: Plan) -> None:
    """Raises NotFound, BadRequest and ContextOverflow for what cannot be measured."""
    card: ModelCard = models.card(name)
    refuse_remote(card, "measure")
    if not models.is_here(name):
        raise NotFound(f"{name} is not on this machine; fetch it first: lab models pull {name}")
    if plan.prompt_tokens + plan.tokens > card.context_length:
        raise ContextOverflow(
            f"--prompt-tokens {plan.prompt_tokens:,} and --tokens {plan.tokens:,} do not fit the window of {name}, "
            f"{card.context_length:,} tokens; ask for fewer"
        )


def _measure(models: LocalModels, name: str, strategy: Strategy, plan: Plan, tell: Callable[[str], None]) -> Figures:
    try:
        return asyncio.run(measure(models, name, strategy, plan, tell))
    except ExceptionGroup as group:
        # What one caller met, most likely all of them did: one is told.
        raise _first_of(group) from None


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first


@contextmanager
def _telling(console: Console) -> Iterator[Callable[[str], None]]:
    """Says what is being done: in one line on a terminal, in a line each elsewhere."""
    if console.is_terminal:
        with console.status("") as status:
            yield status.update
    else:
        yield console.print


def _print(figures: Figures, plan: Plan, console: Console) -> None:
    console.print(f"[bold]{figures.model}[/] / {figures.strategy}: loaded in {figures.load_sec:.2f} s")
    gpu = f", GPU at most {human_bytes(figures.gpu_peak_bytes)}" if figures.gpu_peak_bytes else ""
    console.print(
        f"weights {human_bytes(figures.weights_bytes)}, KV at most {human_bytes(figures.kv_peak_bytes)}, "
        f"this process at most {human_bytes(figures.process_peak_bytes)}{gpu}"
    )
    table = Table(caption=f"prompts of {plan.prompt_tokens} tokens, answers of {plan.tokens}; medians of {plan.rounds}")
    for column in ("callers", "tokens/s", "each", "first token"):
        table.add_column(column, justify="right", no_wrap=True)
    for speed in figures.speeds:
        each = speed.tokens_per_sec / speed.callers
        cells = (f"{speed.tokens_per_sec:,.1f}", f"{each:,.1f}", f"{speed.first_token_sec:.3f} s")
        table.add_row(str(speed.callers), *cells)
    console.print(table)
