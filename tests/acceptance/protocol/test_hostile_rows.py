"""A row that somebody else wrote into Postgres is data: nothing in it is executed, and it spoils no other thread."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ormsgpack
import psycopg
import pytest

from tests.acceptance.protocol.servers import serving
from tests.acceptance.protocol.talking import Talk
from tests.conftest import TEMPLATE, new_database

pytestmark = pytest.mark.ours_only("it keeps its rows in memory")

EXT_CONSTRUCTOR_SINGLE_ARG = 0
EXT_CONSTRUCTOR_POS_ARGS = 1
EXT_METHOD_SINGLE_ARG = 3


class _Touches:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def _pickled(file: Path) -> tuple[str, bytes]:
    return "pickle", pickle.dumps(_Touches(file))


def _constructed(code: int, *parts: Any) -> tuple[str, bytes]:
    return "msgpack", ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))


HOSTILE: dict[str, Callable[[Path], tuple[str, bytes]]] = {
    "a pickle": _pickled,
    "os.system, one argument": lambda file: _constructed(
        EXT_CONSTRUCTOR_SINGLE_ARG, "os", "system", f"touch {file}"
    ),
    "os.system, a tuple of arguments": lambda file: _constructed(
        EXT_CONSTRUCTOR_POS_ARGS, "os", "system", [f"touch {file}"]
    ),
    "subprocess": lambda file: _constructed(EXT_CONSTRUCTOR_POS_ARGS, "subprocess", "Popen", [["touch", str(file)]]),
    "a method of a path": lambda file: _constructed(
        EXT_METHOD_SINGLE_ARG, "pathlib", "Path", str(file), "touch"
    ),
    "no msgpack at all": lambda file: ("msgpack", b"\xc1\xc1"),
    "an unknown type": lambda file: ("python", b"import os"),
    "LangChain JSON": lambda file: (
        "json", b'{"lc":2,"type":"constructor","id":["os","system"],"kwargs":{"command":"touch %b"}}' % bytes(file)
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    with new_database(postgres, TEMPLATE) as url:
        yield url


@pytest.fixture(scope="module")
def talk(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    with serving("ours", tmp_path_factory.mktemp("hostile"), database_url=database) as address:
        opened = Talk(address)
        yield opened
        opened.http.close()


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_row_is_not_executed_and_spoils_no_other_thread(
    talk: Talk, database: str, tmp_path: Path, hostile: Callable[[Path], tuple[str, bytes]]
) -> None:
    thread, other = talk.thread(), talk.thread()
    for one in (thread, other):
        talk.wait(one, "steps", input={"note": "sound"})
    file = tmp_path / "executed"
    kind, blob = hostile(file)
    with psycopg.connect(database) as connection:
        for table in ("checkpoint_blobs", "checkpoint_writes"):
            connection.execute(
                f"UPDATE {table} SET type = %s, blob = %s WHERE thread_id = %s AND channel <> '__start__'",
                (kind, blob, thread),
            )
    for path in ("state", "history"):
        answer = talk.http.get(f"/threads/{thread}/{path}")
        assert answer.status_code in (200, 500)
        assert "Traceback" not in answer.text
    talk.ask(thread, "steps", "/wait", input={"note": "again"})
    assert not file.exists()
    assert talk.http.get(f"/threads/{other}/state").json()["values"] == {"trail": ["a", "b", "c"], "note": "sound"}
    assert {found["thread_id"] for found in talk.http.post("/threads/search", json={"limit": 1000}).json()} >= {
        thread,
        other,
    }
    assert talk.wait(other, "steps", input={"note": "sound"})["trail"] == ["a", "b", "c"] * 2
