"""Running an experiment: each item through both configurations, kept as it comes, continued where it was cut."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import NodeTimeoutError
from langgraph.graph.state import CompiledStateGraph

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

    def read(self, items: Sequence[Item]) -> list[Pair]:
        """What is done already of these items. Raises BadRequest for results of others, or a file that is none."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return []
        try:
            # A last line that a killed process left half written has no end, and is left out.
            *lines, half = self.path.read_bytes().split(b"\n")
            head, pairs = json.loads(lines[0]), [Pair.model_validate(json.loads(line)) for line in lines[1:]]
        except OSError as error:
            raise BadRequest(f"{self.path}: the results cannot be read: {error}") from error
        except (ValueError, IndexError, RecursionError) as error:
            raise BadRequest(f"{self.path}: not the results of an experiment; name a new file") from error
        if head != self._head:
            raise BadRequest(f"{self.path} holds the results of another experiment; name a new file")
        for pair in pairs:
            if pair.index < len(items) and items[pair.index].prompt != pair.prompt:
                raise BadRequest(
                    f"{self.path}: item {pair.index + 1} of the data set has changed since; name a new file"
                )
        if half:
            os.truncate(self.path, self.path.stat().st_size - len(half))
        return pairs

    def append(self, pair: Pair) -> None:
        """Keep one pair; another process sees it when this returns. Raises BadRequest where it cannot be written."""
        # ASCII: an answer may hold lone surrogates, which UTF-8 cannot.
        line = json.dumps(pair.model_dump()) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="ascii") as file:
                file.write(line if file.tell() else json.dumps(self._head) + "\n" + line)
        except OSError as error:
            raise BadRequest(f"{self.path}: the results cannot be written: {error}") from error
