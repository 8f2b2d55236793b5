"""Running an experiment: each item through both configurations, kept as it comes, continued where it was cut."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import NodeTimeoutError
from langgraph.graph.state import CompiledStateGraph
from pydantic import ValidationError

from graphs.catalog import RECURSION_LIMIT, builder_of
from graphs.services import Services
from nodes.analyze import analyze
from nodes.validate import validate
from server.experiments.compare import Answered, Match, Pair, is_right
from server.experiments.inputs import Configuration, Item
from state.errors import BadRequest, LabError
from state.tasks import Result


class Experiment:
    """Two configurations, compiled without checkpoints or memory: nothing of a run outlives it but its answer."""

    def __init__(self, a: Configuration, b: Configuration, services: Services, *, match: Match = "exact") -> None:
        self.sides = (a, b)
        self._match: Match = match
        self._graphs: dict[str, CompiledStateGraph[Any, Any, Any, Any]] = {
            side.graph: builder_of(side.graph)(services).compile(name=side.graph) for side in self.sides
        }

    async def run(self, items: Sequence[Item], done: Sequence[Pair] = ()) -> AsyncGenerator[Pair, None]:
        """The items that are not done yet. Who goes first changes from item to item."""
        known = {pair.index for pair in done}
        for index, item in enumerate(items):
            if index in known:
                continue
            a, b = self.sides
            if index % 2:
                answer_b, answer_a = await self.answer(item, b), await self.answer(item, a)
            else:
                answer_a, answer_b = await self.answer(item, a), await self.answer(item, b)
            yield Pair(index=index, prompt=item.prompt, a=answer_a, b=answer_b)

    async def answer(self, item: Item, side: Configuration) -> Answered:
        """One run. An error counts as a worthless answer and is told; only Ctrl-C ends the experiment."""
        started = time.perf_counter()
        try:
            final = await self._graphs[side.graph].ainvoke(
                {"messages": [{"role": "user", "content": item.prompt}]},
                RunnableConfig(recursion_limit=RECURSION_LIMIT),
                context=side.context,
            )
        except (LabError, NodeTimeoutError) as error:
            seconds = time.perf_counter() - started
            right = False if item.expected else None
            return Answered(
                output="", score=0.0, right=right, seconds=seconds, error=f"{type(error).__name__}: {error}"
            )
        seconds = time.perf_counter() - started
        return self._judged(item, final["result"], seconds)

    def _judged(self, item: Item, result: Result, seconds: float) -> Answered:
        """Both sides by the same judge, whatever their graph thought of the answer."""
        analysis = analyze(item.prompt)
        if item.task is not None:
            analysis = analysis.model_copy(update={"kind": item.task})
        verdict = validate(item.prompt, result.output, analysis)
        return Answered(
            output=result.output,
            score=verdict.score,
            right=is_right(result.output, item.expected, self._match),
            reasons=tuple(reason.name for reason in verdict.reasons),
            attempts=result.attempts,
            seconds=seconds,
            tokens=result.metrics.tokens_generated,
        )


class ResultFile:
    """The pairs of an experiment, a line each behind a line that says which experiment it is."""

    def __init__(self, path: Path, a: Configuration, b: Configuration, data: Path, match: Match) -> None:
        self.path = path
        self._head = {"a": a.model_dump(mode="json"), "b": b.model_dump(mode="json"), "data": str(data), "match": match}

    def read(self) -> list[Pair]:
        """What is done already. Raises BadRequest for the results of another experiment or a file that is none."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        try:
            head, pairs = json.loads(lines[0]), [Pair.model_validate_json(line) for line in _whole(lines[1:])]
        except (ValueError, IndexError, ValidationError) as error:
            raise BadRequest(f"{self.path}: not the results of an experiment; name a new file") from error
        if head != self._head:
            raise BadRequest(f"{self.path} holds the results of another experiment; name a new file")
        self._rewrite(pairs)
        return pairs

    def append(self, pair: Pair) -> None:
        """Keep one pair, on the disk when this returns."""
        if not self.path.exists():
            self._rewrite([])
        with self.path.open("a", encoding="utf-8") as file:
            file.write(pair.model_dump_json() + "\n")

    def _rewrite(self, pairs: Sequence[Pair]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(line + "\n" for line in (json.dumps(self._head), *(pair.model_dump_json() for pair in pairs)))
        self.path.write_text(text, encoding="utf-8")


def _whole(lines: Sequence[str]) -> Sequence[str]:
    """Without a last line that a killed process left half written."""
    if lines:
        try:
            json.loads(lines[-1])
        except ValueError:
            return lines[:-1]
    return lines
