"""Logs of a process: which lines are told, with which ids, and that nobody waits for them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from structlog.contextvars import bound_contextvars

from server.settings import Settings, read_settings
from server.telemetry.log_context import ids_of
from server.telemetry.logs import MOST_WAITING, LogWriter, open_logs, secrets_of
from state.errors import BadRequest

log = logging.getLogger("server.tests")


class Said(TypedDict):
    said: str


class Kept(logging.Handler):
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def told(settings: Settings, *act: Any) -> list[dict[str, Any]]:
    """The lines on stderr of what is done."""
    stderr = io.StringIO()
    with redirect_stderr(stderr), open_logs(settings, "serve"):
        for each in act:
            each()
    return [json.loads(line) for line in stderr.getvalue().splitlines()]


def test_a_component_has_the_level_that_is_named_for_it(tmp_path: Path) -> None:
    settings = Settings(log_level="WARNING", log_levels={"server.tests.loud": "DEBUG", "llm.tests": "ERROR"})
    lines = told(
        settings,
        lambda: log.info("0"),
        lambda: log.warning("1"),
        lambda: logging.getLogger("server.tests.loud.inner").debug("2"),
        lambda: logging.getLogger("llm.tests").warning("3"),
        lambda: logging.getLogger("httpx").info("4"),
    )
    assert [line["event"] for line in lines] == ["1", "2"]


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """One of whose level no command that ran in this process has left anything."""
    logger = logging.getLogger("httpx")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(before)


def test_libraries_are_quiet_unless_their_level_is_named(library: logging.Logger) -> None:
    def say() -> None:
        library.info("a request")

    assert told(Settings(), say) == []
    assert len(told(Settings(log_levels={"httpx": "INFO"}), say)) == 1
    assert len(told(Settings(log_level="DEBUG"), say)) == 1


def test_at_the_end_the_loggers_are_as_before() -> None:
    before = logging.root.handlers[:], logging.root.level, logging.getLogger("httpx").level
    told(Settings(log_level="ERROR"))
    assert (logging.root.handlers, logging.root.level, logging.getLogger("httpx").level) == before


@pytest.mark.parametrize(
    ("levels", "known"),
    [
        ("server.run_queue=DEBUG, llm=warning", {"server.run_queue": "DEBUG", "llm": "WARNING"}),
        (" ", {}),
        ("llm=LOUD", "LAB_LOG_LEVELS: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("llm", "LAB_LOG_LEVELS: Input should be 'DEBUG'"),
        ("=DEBUG", "LAB_LOG_LEVELS: Value error, expected component=LEVEL, with commas between several"),
        ("a b=DEBUG", "LAB_LOG_LEVELS: Value error, expected component=LEVEL"),
    ],
)
def test_levels_are_read_or_the_mistake_is_named(
    levels: str, known: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_LOG_LEVELS", levels)
    if isinstance(known, dict):
        assert read_settings().log_levels == known
    else:
        with pytest.raises(BadRequest) as refused:
            read_settings()
        assert str(refused.value).startswith(known)


def test_a_total_below_one_files_size_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"LAB_LOG_TOTAL: .*1,000 bytes are less than .* LAB_LOG_SIZE: 20,000,000"):
        read_settings(log_total="1kB")


def test_warnings_of_python_are_lines() -> None:
    def warn() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("this goes", UserWarning, stacklevel=1)

    [line] = told(Settings(), warn)
    assert line["logger"] == "py.warnings" and "this goes" in line["event"]


def test_a_file_holds_the_same_lines_as_json_whatever_stderr_shows(tmp_path: Path) -> None:
    stderr = io.StringIO()
    settings = Settings(log_format="console", log_dir=tmp_path / "logs")
    with redirect_stderr(stderr), open_logs(settings, "worker"):
        log.info("hello")
    [file] = (tmp_path / "logs").iterdir()
    assert json.loads(file.read_text())["event"] == "hello"
    assert "hello" in stderr.getvalue() and not stderr.getvalue().startswith("{")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    with pytest.raises(BadRequest, match=r"LAB_LOG_DIR: .* cannot be written \(Not a directory\)"):
        read = Settings(log_dir=tmp_path / "logs" / "deeper")
        with open_logs(read, "serve"):
            pass


def test_no_secret_of_the_settings_is_told() -> None:
    settings = Settings(
        database_url="postgresql://lab:p%40ss-word@127.0.0.1/lab",
        hf_token="hf_token_of_mine",
        openai_api_key="openai_key_of_mine",
        provider_keys="vllm=vllm_key_of_mine",
    )
    secrets = secrets_of(settings)
    assert set(secrets) == {"p%40ss-word", "p@ss-word", "hf_token_of_mine", "openai_key_of_mine", "vllm_key_of_mine"}
    lines = told(settings, *(lambda secret=secret: log.error("it is %s", secret) for secret in secrets))
    assert [line["event"] for line in lines] == ["it is ***"] * 5


def test_a_database_that_is_no_url_has_no_password() -> None:
    assert secrets_of(Settings(database_url="postgresql://[")) == []


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def test_who_logs_waits_for_no_disk_and_what_is_too_much_is_counted(gate: threading.Event) -> None:
    begun = threading.Event()

    class Blocked(Kept):
        def emit(self, record: logging.LogRecord) -> None:
            begun.set()
            gate.wait()
            super().emit(record)

    sink = Blocked()
    writer = LogWriter([sink])
    line = log.makeRecord("a", logging.INFO, "", 0, "%s", ("x",), None)
    writer.handle(line)
    assert begun.wait(10)  # one is being written, so that the others wait
    for _ in range(MOST_WAITING + 7):
        writer.handle(line)
    gate.set()
    writer.close()
    assert len(sink.lines) == MOST_WAITING + 2
    assert [line for line in sink.lines if line != "x"] == [
        "7 log lines were dropped: they came faster than they can be written"
    ]


def test_a_line_says_what_was_so_when_it_was_told(gate: threading.Event) -> None:
    changing = ["before"]
    sink = Kept()
    writer = LogWriter([sink])
    writer.handle(log.makeRecord("a", logging.INFO, "", 0, "%s", (changing,), None))
    changing[0] = "after"
    writer.flush()
    assert sink.lines == ["['before']"]
    writer.close()


async def test_a_node_and_its_threads_name_the_run_and_themselves() -> None:
    def aside() -> None:
        log.info("aside")

    async def speak(state: Said) -> Said:
        log.info("node")
        await asyncio.to_thread(aside)
        return state

    def plain(state: Said) -> Said:
        log.info("plain")
        return state

    graph = StateGraph(Said).add_node("speak", speak).add_node("plain", plain)
    graph.add_edge(START, "speak").add_edge("speak", "plain")
    config = RunnableConfig(configurable={"thread_id": "t"}, metadata={"run_id": "r", "graph_id": "g"})
    stderr = io.StringIO()
    with redirect_stderr(stderr), open_logs(Settings(), "serve"), bound_contextvars(run_id="bound"):
        await graph.compile().ainvoke({"said": ""}, config)
    lines = [json.loads(line) for line in stderr.getvalue().splitlines()]
    run = {"run_id": "bound", "thread_id": "t", "graph": "g"}
    assert [(line["event"], line["node"]) for line in lines] == [
        ("node", "speak"),
        ("aside", "speak"),
        ("plain", "plain"),
    ]
    assert all(run.items() <= line.items() for line in lines)


def test_ids_that_a_client_made_up_are_bounded() -> None:
    assert ids_of({"metadata": {"run_id": "r" * 300, "langgraph_node": 7}, "configurable": None}) == {
        "run_id": "r" * 200,
        "node": "7",
    }
