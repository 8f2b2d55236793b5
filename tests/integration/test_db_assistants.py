"""Assistants in Postgres: versions, system assistants, tenants apart."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import psycopg
import pytest

from server.db.assistant_shapes import AssistantChange, AssistantFilter, GraphLabel, NewAssistant, system_id
from server.db.assistants import Assistants
from server.db.pool import Database
from state.errors import BadRequest, Conflict, NotFound

TENANT, OTHER = "default", "other"
GRAPHS = [GraphLabel("one", "one"), GraphLabel("two", "Two graphs", "The second.")]


@pytest.fixture
async def assistants(database: Database) -> Assistants:
    async with await psycopg.AsyncConnection.connect(database.dsn, autocommit=True) as connection:
        await connection.execute("INSERT INTO tenants (tenant_id) VALUES (%s)", [OTHER])
    opened = Assistants(database.pool, database.dsn, [graph.graph_id for graph in GRAPHS])
    for tenant in (TENANT, OTHER):
        await opened.ensure_system(tenant, GRAPHS)
    return opened


async def test_system_assistants_are_made_once_in_the_applications_order(assistants: Assistants) -> None:
    await assistants.update(TENANT, system_id("one"), AssistantChange(name="Mine"))
    await assistants.ensure_system(TENANT, [*GRAPHS, GraphLabel("three", "three")])
    found = await assistants.search(TENANT, AssistantFilter({"created_by": "system"}), descending=False)
    assert [(one.graph_id, one.name, one.description, one.version) for one in found] == [
        ("one", "Mine", None, 2),
        ("two", "Two graphs", "The second.", 1),
        ("three", "three", None, 1),
    ]
    assert [version.name for version in await assistants.versions(TENANT, system_id("one"), {}, limit=9, offset=0)] == [
        *("Mine", "one"),
    ]


async def test_two_processes_starting_at_once_make_them_once(assistants: Assistants) -> None:
    new = [GraphLabel(f"g{number}", f"g{number}") for number in range(5)]
    await asyncio.gather(*(assistants.ensure_system(TENANT, new) for _ in range(4)))
    assert await assistants.count(TENANT, AssistantFilter({})) == len(GRAPHS) + len(new)


async def test_a_name_or_an_id_is_resolved(assistants: Assistants) -> None:
    made = await assistants.create(TENANT, NewAssistant(uuid4(), "two", name="Made"))
    assert await assistants.resolve(TENANT, str(made.assistant_id)) == made
    assert (await assistants.resolve(TENANT, "two")).assistant_id == system_id("two")
    assert await assistants.find(TENANT, "three") is None
    with pytest.raises(
        BadRequest, match=r"Invalid assistant: 'three'.*\n.*\n- One of the registered graphs: one, two$"
    ):
        await assistants.resolve(TENANT, "three")
    with pytest.raises(NotFound, match=r"^Thread or assistant not found\.$"):
        await assistants.resolve(TENANT, str(uuid4()))


async def test_changes_made_at_once_are_all_kept_as_versions(assistants: Assistants) -> None:
    made = await assistants.create(TENANT, NewAssistant(uuid4(), "one"))
    changes = [AssistantChange(metadata={str(number): number}) for number in range(8)]
    await asyncio.gather(*(assistants.update(TENANT, made.assistant_id, change) for change in changes))
    now = await assistants.resolve(TENANT, str(made.assistant_id))
    assert (now.version, now.metadata) == (9, {str(number): number for number in range(8)})
    kept = await assistants.versions(TENANT, made.assistant_id, {}, limit=99, offset=0)
    assert [version.version for version in kept] == list(range(9, 0, -1))


async def test_knowing_an_id_gives_another_tenant_nothing(assistants: Assistants) -> None:
    made = await assistants.create(TENANT, NewAssistant(uuid4(), "one", metadata={"a": 1}))
    assistant_id = made.assistant_id
    assert await assistants.get(OTHER, assistant_id) is None
    assert await assistants.find(OTHER, str(assistant_id)) is None
    with pytest.raises(NotFound):
        await assistants.update(OTHER, assistant_id, AssistantChange(name="Taken"))
    with pytest.raises(NotFound):
        await assistants.set_latest(OTHER, assistant_id, 1)
    with pytest.raises(NotFound):
        await assistants.versions(OTHER, assistant_id, {}, limit=1, offset=0)
    with pytest.raises(NotFound):
        await assistants.delete(OTHER, assistant_id)
    assert await assistants.search(OTHER, AssistantFilter({"a": 1})) == []
    assert await assistants.count(OTHER, AssistantFilter({"a": 1})) == 0
    assert await assistants.threads_of(OTHER, assistant_id) == []
    assert await assistants.get(TENANT, assistant_id) == made


async def test_the_same_id_belongs_to_each_tenant_apart(assistants: Assistants) -> None:
    made = await assistants.create(TENANT, NewAssistant(uuid4(), "one", name="Ours"))
    theirs = await assistants.create(OTHER, NewAssistant(made.assistant_id, "two", name="Theirs"))
    assert (theirs.name, theirs.graph_id) == ("Theirs", "two")
    await assistants.delete(OTHER, made.assistant_id)
    assert await assistants.get(TENANT, made.assistant_id) == made


async def test_a_refused_assistant_leaves_no_version(assistants: Assistants) -> None:
    made = await assistants.create(TENANT, NewAssistant(uuid4(), "one"))
    with pytest.raises(Conflict):
        await assistants.create(TENANT, NewAssistant(made.assistant_id, "two"))
    assert len(await assistants.versions(TENANT, made.assistant_id, {}, limit=9, offset=0)) == 1
    with pytest.raises(NotFound):
        await assistants.set_latest(TENANT, made.assistant_id, 2)
    assert await assistants.get(TENANT, made.assistant_id) == made
