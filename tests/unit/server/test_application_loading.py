"""From langgraph.json to graphs: each form, each mistake, the application's modules beside ours."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.pregel import Pregel

from server.application.config import AppConfig, read_config
from server.application.environment import folders_of, missing_packages, set_environment, variables_of
from server.application.factories import Factory
from server.application.graphs import Application
from server.application.loading import Loaded, load
from state.errors import BadRequest, NotFound

GRAPH = """
from typing import Any
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

class Said(TypedDict, total=False):
    said: Any

def say(what: Any) -> Any:
    built = StateGraph(Said)
    built.add_node("say", lambda state: {"said": what})
    built.add_edge(START, "say")
    return built
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Modules and their paths are the process's: each test gives them back as they were."""
    path, finders, modules = list(sys.path), list(sys.meta_path), dict(sys.modules)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write(tmp_path, **{"said_by_tests.py": GRAPH, "one.py": "from said_by_tests import say\ngraph = say('one')\n"})
    return tmp_path


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _config(folder: Path, **keys: Any) -> AppConfig:
    (folder / "langgraph.json").write_text(
        json.dumps({"dependencies": ["."], "graphs": {"one": "./one.py:graph"}, **keys})
    )
    return read_config(folder / "langgraph.json")


def _load(folder: Path, target: str, **keys: Any) -> Loaded:
    return load(_config(folder, graphs={"g": target}, **keys))


async def _answer(folder: Path, target: str, **keys: Any) -> Any:
    async with Application(_load(folder, target, **keys).graphs).graph("g") as graph:
        return (await graph.ainvoke({}))["said"]


async def test_a_builder_is_compiled_once(folder: Path) -> None:
    served = _load(folder, "./one.py:graph").graphs["g"]
    assert isinstance(served.target, Pregel)
    assert await _answer(folder, "./one.py:graph") == "one"


async def test_a_module_is_found_by_its_name(folder: Path) -> None:
    assert await _answer(folder, "one:graph") == "one"


async def test_a_file_no_import_could_name_is_loaded_all_the_same(folder: Path) -> None:
    _write(folder, **{"my-agent/the graph.py": "from said_by_tests import say\ngraph = say(__name__)\n"})
    name = await _answer(folder, "./my-agent/the graph.py:graph")
    assert name.isidentifier()
    assert name in sys.modules


async def test_a_file_of_a_package_may_import_its_neighbours(folder: Path) -> None:
    _write(
        folder,
        **{
            "pkg_of_test/__init__.py": "",
            "pkg_of_test/words.py": "WORD = 'neighbour'",
            "pkg_of_test/agent.py": "from said_by_tests import say\nfrom .words import WORD\ngraph = say(WORD)\n",
        },
    )
    assert await _answer(folder, "./pkg_of_test/agent.py:graph") == "neighbour"


async def test_a_package_below_src_is_imported_as_if_it_were_installed(folder: Path) -> None:
    body = "from said_by_tests import say\nfrom src_pkg_of_test.words import WORD\ngraph = say([WORD, __name__])\n"
    _write(
        folder,
        **{
            "src/src_pkg_of_test/words.py": "WORD = 1",
            "src/src_pkg_of_test/__init__.py": "",
            "src/src_pkg_of_test/a.py": body,
        },
    )
    assert await _answer(folder, "./src/src_pkg_of_test/a.py:graph") == [1, "src_pkg_of_test.a"]


async def test_a_file_is_one_module_whoever_imports_it(folder: Path) -> None:
    _write(
        folder,
        **{
            "counted.py": "from said_by_tests import say\nclass Kept: pass\ngraph = say('counted')\n",
            "uses_counted.py": "from said_by_tests import say\nimport counted, sys\n"
            "graph = say(counted.Kept is sys.modules['counted'].Kept)\n",
        },
    )
    config = _config(folder, graphs={"a": "./counted.py:graph", "b": "./uses_counted.py:graph"})
    async with Application(load(config).graphs).graph("b") as graph:
        assert (await graph.ainvoke({}))["said"] is True


@pytest.mark.parametrize("name", ["state", "nodes", "graphs", "llm", "server"])
async def test_a_module_named_like_one_of_ours_is_the_application_s_for_the_application(
    folder: Path, name: str
) -> None:
    _write(
        folder,
        **{
            f"{name}.py": "WORD = 'mine'\nfrom said_by_tests import say\n",
            "asks_for_it.py": f"from {name} import WORD, say\nimport {name} as it\ngraph = say([WORD, it.WORD])\n",
        },
    )
    ours = sys.modules[name]
    assert await _answer(folder, "./asks_for_it.py:graph") == ["mine", "mine"]
    assert sys.modules[name] is ours
    assert not hasattr(ours, "WORD")


async def test_a_package_named_like_one_of_ours_keeps_its_own_submodules(folder: Path) -> None:
    _write(
        folder,
        **{
            "state/__init__.py": "",
            "state/errors.py": "class LabError(Exception): 'mine'\n",
            "state/inner/deep.py": "from ..errors import LabError\nfrom state.errors import LabError as same\n",
            "asks.py": "from said_by_tests import say\nimport state.inner.deep\nfrom state import errors\n"
            "graph = say([state.inner.deep.LabError.__doc__, errors.LabError is state.inner.deep.same])\n",
        },
    )
    assert await _answer(folder, "./asks.py:graph") == ["mine", True]


async def test_the_graph_s_own_file_may_be_named_like_one_of_ours(folder: Path) -> None:
    _write(
        folder,
        **{"graphs/__init__.py": "", "graphs/catalog.py": "from said_by_tests import say\ngraph = say('mine')\n"},
    )
    assert await _answer(folder, "./graphs/catalog.py:graph") == "mine"
    assert await _answer(folder, "graphs.catalog:graph") == "mine"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("./none.py:graph", "there is no file"),
        ("./one.py", "names no object; write ./path/to/file.py:name or module:name"),
        ("./one.py:not a name", "names no object"),
        ("./one.py:grahp", "there is no 'grahp' in ./one.py; names in it: graph, say"),
        ("./agent.ts:graph", "only graphs written in Python are served"),
        ("no_such_module_at_all:graph", "needs the module 'no_such_module_at_all', which is not there"),
        ("./needs.py:graph", "needs the module 'a_package_nobody_has', which is not there; install it"),
        ("./breaks.py:graph", "cannot be imported: ZeroDivisionError"),
        ("./leaves.py:graph", "cannot be imported: SystemExit"),
        ("./typo.py:graph", "cannot be imported: SyntaxError"),
        ("./other.py:number", "cannot be served: it is a int; expected a compiled graph"),
        ("./other.py:three", "cannot be served: its parameter 'a' cannot be filled"),
        ("./other.py:nowhere", "cannot be served: ValueError"),
    ],
)
def test_a_mistake_names_the_file_its_line_and_the_way_out(folder: Path, target: str, said: str) -> None:
    _write(
        folder,
        **{
            "needs.py": "import a_package_nobody_has\n",
            "breaks.py": "1 / 0\n",
            "leaves.py": "raise SystemExit(3)\n",
            "typo.py": "def (:\n",
            "agent.ts": "",
            "other.py": "from said_by_tests import say\nnumber = 5\ndef three(a, b, c): ...\n"
            "nowhere = say(1)\nnowhere.add_edge('say', 'nobody')\n",
        },
    )
    with pytest.raises(BadRequest) as refused:
        _load(folder, target)
    assert str(refused.value).startswith(f"{folder / 'langgraph.json'}:1: graphs.g: ")
    assert said in str(refused.value)


def test_a_file_that_failed_can_be_loaded_once_it_is_mended(folder: Path) -> None:
    _write(folder, **{"to-mend.py": "1 / 0\n"})
    with pytest.raises(BadRequest):
        _load(folder, "./to-mend.py:graph")
    _write(folder, **{"to-mend.py": "from said_by_tests import say\ngraph = say('mended')\n"})
    assert "g" in _load(folder, "./to-mend.py:graph").graphs


def test_a_factory_is_not_called_before_it_is_used(folder: Path) -> None:
    _write(folder, **{"late.py": "def graph(config): raise RuntimeError('called')\n"})
    assert isinstance(_load(folder, "./late.py:graph").graphs["g"].target, Factory)


def test_a_graph_s_own_checkpointer_is_told_not_to_be_used(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    body = "from said_by_tests import say\nfrom langgraph.checkpoint.memory import InMemorySaver\n"
    _write(folder, **{"saves.py": body + "graph = say(1).compile(checkpointer=InMemorySaver())\n"})
    _load(folder, "./saves.py:graph")
    assert "graphs.g: its own checkpointer is not used" in caplog.text


def test_the_application_s_web_app_is_loaded_with_it(folder: Path) -> None:
    _write(
        folder, **{"web_of_test.py": "from starlette.applications import Starlette\napp = Starlette()\nnumber = 5\n"}
    )
    assert type(_load(folder, "./one.py:graph", http={"app": "./web_of_test.py:app"}).app).__name__ == "Starlette"
    with pytest.raises(BadRequest, match=r"http.app: it is a int; expected a Starlette or FastAPI object"):
        _load(folder, "./one.py:graph", http={"app": "./web_of_test.py:number"})


def test_classes_of_the_application_may_be_in_its_checkpoints_and_no_others(folder: Path) -> None:
    _write(
        folder,
        **{
            "kept_of_test.py": "from dataclasses import dataclass\nfrom enum import Enum\n"
            "from typing import NamedTuple\n"
            "from pydantic import BaseModel, SecretStr\nfrom said_by_tests import say\n"
            "@dataclass\nclass A: a: int\nclass B(BaseModel): pass\nclass C(Enum): X = 1\nclass D(NamedTuple): d: int\n"
            "class Plain: pass\ngraph = say(1)\n"
        },
    )
    loaded = _load(folder, "./kept_of_test.py:graph")
    assert {one.__name__ for one in loaded.types} == {"A", "B", "C", "D"}
    named = Application(loaded.graphs, types=loaded.types).types()
    assert ("kept_of_test", "A") in named
    assert ("kept_of_test", "Plain") not in named


async def test_vectors_are_what_the_application_s_function_says(folder: Path) -> None:
    body = "async def embed(texts):\n    return [[float(len(text)), 1.0] for text in texts]\nnumber = 5\n"
    _write(folder, **{"embed_of_test.py": body})
    index = {"embed": "./embed_of_test.py:embed", "dims": 2, "fields": ["text"]}
    found = _load(folder, "./one.py:graph", store={"index": index}).index
    assert found is not None
    assert (found.embeddings.dims, found.fields) == (2, ("text",))
    assert await found.embeddings.aembed_documents(["abc"]) == [[3.0, 1.0]]
    with pytest.raises(BadRequest, match=r"store.index.embed: it is a int"):
        _load(folder, "./one.py:graph", store={"index": {**index, "embed": "./embed_of_test.py:number"}})


def test_a_provider_s_vectors_name_the_package_they_need(folder: Path) -> None:
    with pytest.raises(BadRequest, match=r"store.index.embed: 'openai:small' "):
        _load(folder, "./one.py:graph", store={"index": {"embed": "openai:small", "dims": 2}})


def test_an_unknown_graph_is_not_found_in_the_reference_s_words(folder: Path) -> None:
    application = Application(load(_config(folder, graphs={"b": "./one.py:graph", "a": "./one.py:graph"})).graphs)
    with pytest.raises(NotFound, match=r"^Graph 'c' not found. Expected one of: \['a', 'b'\]$"):
        application.graph("c")
    assert application.names == ("b", "a")


# env and dependencies


@pytest.mark.parametrize(
    ("env", "variables"),
    [
        ({"A": "1"}, {"A": "1"}),
        ("./some.env", {"A": "from a file", "B": 'quoted "text"', "C": ""}),
    ],
)
def test_variables_come_from_the_mapping_or_the_file(folder: Path, env: Any, variables: dict[str, str]) -> None:
    (folder / "some.env").write_text("# a comment\nA=from a file\nexport B='quoted \"text\"'\nC=\nD\n")
    assert variables_of(_config(folder, env=env)) == variables


def test_what_is_set_already_stays(folder: Path) -> None:
    environment = {"A": "the operator's"}
    set_environment(_config(folder, env={"A": "the file's", "B": "new"}), environment)
    assert environment == {"A": "the operator's", "B": "new"}


def test_variables_are_there_before_the_first_import(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READ_BY_TEST", "so that it is taken away again")
    monkeypatch.delenv("READ_BY_TEST")
    _write(
        folder, **{"reads.py": "import os\nfrom said_by_tests import say\ngraph = say(os.environ['READ_BY_TEST'])\n"}
    )
    assert "g" in _load(folder, "./reads.py:graph", env={"READ_BY_TEST": "1"}).graphs


def test_a_missing_file_of_variables_is_told(folder: Path) -> None:
    with pytest.raises(BadRequest, match=r"langgraph.json:1: env: .*none.env: there is no such file"):
        variables_of(_config(folder, env="none.env"))


def test_local_dependencies_are_folders_for_imports(folder: Path) -> None:
    for name in ("lib", "with_src/src", "plain"):
        (folder / name).mkdir(parents=True)
    found = folders_of(_config(folder, dependencies=[".", "./lib", "with_src", "langchain_core", "git+https://a.b/c"]))
    assert found == [folder, folder / "lib", folder / "with_src", folder / "with_src" / "src"]


def test_a_local_dependency_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(BadRequest, match=r"langgraph.json:1: dependencies.1: there is no folder"):
        folders_of(_config(folder, dependencies=[".", "./nowhere"]))


@pytest.mark.parametrize(
    ("dependency", "said"),
    [
        ("langchain_core", None),
        ("langgraph>=0.2", None),
        ("LangGraph[extra]>=0.2,<99", None),
        (".", None),
        ("git+https://example.org/a/b.git", None),
        ("missing-thing; python_version < '3'", None),
        ("missing-thing[x]>=2", "the package missing-thing is not installed; run: pip install 'missing-thing[x]>=2'"),
        ("langgraph>=99", "is installed; run: pip install 'langgraph>=99'"),
    ],
)
def test_a_package_that_is_missing_is_named(folder: Path, dependency: str, said: str | None) -> None:
    told = list(missing_packages(_config(folder, dependencies=[dependency])))
    assert (told == []) if said is None else (len(told) == 1 and said in told[0] and "dependencies.0" in told[0])
