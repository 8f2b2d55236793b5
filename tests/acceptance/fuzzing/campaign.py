"""Sends requests made up from /openapi.json, and holds what is answered against it.

By hand, for as long as one likes: `python -m tests.acceptance.fuzzing.campaign --examples 200`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx
import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.fuzzing.seeds import SHORT, Seeds

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Left out are those that hold requests against the description (is every valid one accepted, every invalid one
refused?): bodies of the Agent Server's routes are described in the reference's structure, which says less than is
checked, and parameters that nobody knows are passed over, as there."""
TEMPORARY = {503: "nothing is here to do it with: no model server, no file to fetch, offline", 504: "too slow"}
"""Errors of the server's that are answers: what was asked for is right, and cannot be done now."""
UNASKED = {
    "POST /api/v1/crew/jobs/{job_id}/resume",
    "POST /executions/{execution_id}/resume",
    "POST /runs/cancel",
    "POST /threads/{thread_id}/runs/{run_id}/cancel",
}
"""What needs a question that waits, or a run at work, is only refused here; tests of their own ask these."""
ENDLESS = "/threads/{thread_id}/stream"
"""Ends when its client leaves."""
SEC, ENDLESS_SEC = 60, 0.3
"""How long an answer is waited for."""


@dataclass
class Campaign:
    """What was asked so far, and what was wrong."""

    address: str
    examples: int
    """Made-up requests of each operation, half of them invalid ones."""
    statuses: Counter[int] = field(default_factory=Counter)
    answered: dict[str, Counter[int]] = field(default_factory=dict)
    """By operation."""
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def run(self, only: str = "") -> None:
        """Each operation whose label, such as `GET /threads/{thread_id}`, holds `only`."""
        schema = schemathesis.openapi.from_url(f"{self.address}/openapi.json")
        with httpx.Client(base_url=self.address, timeout=SEC) as http, requests.Session() as session:
            seeds = Seeds(http)
            seeds.named("checkpoint_id", "", new=False)
            for operation in operations(schema):
                if only in operation.label:
                    for case in examples(operation):
                        self._told(case, 0, seeds, session)
                    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                        self._ask(operation, mode, seeds, session)

    def _ask(self, operation: APIOperation, mode: GenerationMode, seeds: Seeds, session: requests.Session) -> None:
        numbers = iter(range(10**9))

        @hypothesis.settings(
            max_examples=max(1, self.examples // 2),
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            # Not raised to hypothesis: what the server holds has changed, so that the same may not be so again.
            self._told(case, next(numbers), seeds, session)

        with suppress(hypothesis.errors.Unsatisfiable):  # an operation that takes nothing cannot be asked wrongly
            ask()

    def _told(self, case: Case, number: int, seeds: Seeds, session: requests.Session) -> None:
        # Each fourth request names things that there are not.
        tame(case, seeds if number % 4 != 3 else None)
        begun = time.monotonic()
        limit = ENDLESS_SEC if case.operation.path == ENDLESS else SEC
        try:
            response = case.call(session=session, timeout=limit)
        except requests.RequestException as error:
            self.wrong.append(f"{case.operation.label}: {error!r}\n{case.as_curl_command()}")
            return
        self.slowest = max(self.slowest, (time.monotonic() - begun, case.operation.label))
        self._count(case.operation.label, response.status_code)
        try:
            case.validate_response(response, checks=checks_for(response))
        except FailureGroup as failures:
            self.wrong.append(f"{case.operation.label}: {failures}")

    def _count(self, label: str, status: int) -> None:
        self.statuses[status] += 1
        self.answered.setdefault(label, Counter())[status] += 1

    @property
    def refused(self) -> dict[str, list[int]]:
        """Operations that have never done what they are for, and what they answered."""
        return {
            label: sorted(answers) for label, answers in self.answered.items() if min(answers) >= HTTPStatus.BAD_REQUEST
        }


def operations(schema: BaseSchema) -> Iterator[APIOperation]:
    """All that are described, deletions last."""
    found = [result.ok() for result in schema.get_all_operations()]
    yield from sorted(found, key=lambda one: (one.method == "delete", one.path))


def examples(operation: APIOperation) -> Iterator[Case]:
    """The request that the description shows: without what may be left out of its URL, and with all of it."""
    document = operation.schema.raw_schema
    told = document["paths"][operation.path][operation.method.lower()]
    asked: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for one in told.get("parameters", ()):
        asked[one["in"]][one["name"]] = _example(one, document)
    body = told.get("requestBody", {}).get("content", {})
    bodies = [(media_type, _example(one, document)) for media_type, one in body.items()] or [(None, NOT_SET)]
    for media_type, shown in bodies:
        for query in ({}, asked["query"]) if asked["query"] else ({},):
            yield operation.Case(path_parameters=asked["path"], query=query, body=shown, media_type=media_type)


def _example(told: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """Beside the schema, in it, or in what it refers to."""
    if "example" in told:
        return told["example"]
    schema = told["schema"]
    named = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    return deepcopy(named["examples"][0])


def checks_for(response: Response) -> list[CheckFunction]:
    """All; a status of TEMPORARY is no mistake of the server's."""
    return [check for check in CHECKS if check is not not_a_server_error or response.status_code not in TEMPORARY]


def tame(case: Case, seeds: Seeds | None) -> None:
    """Name things that there are, where `seeds` are given; ask for nothing that takes long, or reaches others."""
    path = case.operation.path
    deletes = case.operation.method.lower() == "delete" or case.operation.label == "PUT /models/{name}"
    if seeds is not None:
        for values in (case.path_parameters, case.query):
            for name in list(values or ()):
                # Of several in a path, the last one is deleted.
                inner = f"{{{name}}}/" in path
                known = seeds.named(name, path, new=deletes and not inner)
                if known is not None:
                    values[name] = known
    if isinstance(case.body, dict):
        case.body = tamed(case.body, path, seeds)
    elif isinstance(case.body, list):
        case.body = [tamed(item, path, seeds) if isinstance(item, dict) else item for item in case.body[:3]]


def tamed(body: Mapping[str, Any], path: str, seeds: Seeds | None) -> dict[str, Any]:
    """A body that names what there is, and asks for short answers at once."""
    told = dict(body)
    if seeds is not None:
        known = {name: seeds.named(name, path, new=False) for name in told if name.endswith("_id")}
        told |= {name: value for name, value in known.items() if value is not None}
        told |= {"model": "demo"} if isinstance(told.get("model"), str) else {}
    if path in ("/inference", "/orchestrate", "/api/v1/execute"):
        orchestrated = path == "/orchestrate" or told.get("execution_type") == "orchestrator"
        told |= {name: value for name, value in SHORT.items() if orchestrated or name == "max_tokens"}
        told.pop("parameters", None)
    if "runs" in path and isinstance(told.get("context"), dict | None):
        told["context"] = {**(told.get("context") or {}), **SHORT}
        if isinstance(told.get("after_seconds"), int | float):
            told["after_seconds"] = 0
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="of a server that may be written to, such as http://127.0.0.1:8123")
    parser.add_argument("--examples", type=int, default=100, help="requests of each operation")
    parser.add_argument("--only", default="", help="operations whose `METHOD /path` holds this")
    asked = parser.parse_args()
    campaign = Campaign(asked.address, asked.examples)
    begun = time.monotonic()
    campaign.run(asked.only)
    print("\n\n".join(campaign.wrong))
    print(f"{campaign.statuses.total()} requests in {time.monotonic() - begun:.0f} s: {dict(campaign.statuses)}")
    print(f"never done: {campaign.refused}")
    took, label = campaign.slowest
    print(f"{len(campaign.wrong)} answers are wrong; the slowest took {took:.1f} s: {label}")
    raise SystemExit(bool(campaign.wrong))


if __name__ == "__main__":
    main()
