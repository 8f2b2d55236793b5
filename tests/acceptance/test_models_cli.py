"""`lab models` end to end, without a server: list, info, fit, bench, and what is wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from llm.sizing import human_bytes
from tests.acceptance.hubs import as_json, listed, lone_lab, printed
from tests.acceptance.processes import Lab
from tests.integration.hub import COMMIT, REPO, WEIGHTS

ADD = ["--repo", REPO, "--revision", COMMIT, "--context", "512", "--parameters", "100000"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with lone_lab(tmp_path) as lab:
        yield lab


def test_the_list_says_what_is_here_and_what_each_strategy_takes(lab: Lab) -> None:
    rows = listed(lab)
    assert next(iter(rows)) == "demo" and {"mistral7b", "llama3-8b", "deepseek-7b", "deepseek-coder"} <= set(rows)
    assert rows["demo"]["here"] and rows["demo"]["fits"] == ["standard", "optimized", "streaming"]
    assert rows["demo"]["bytes_needed"]["optimized"] < rows["demo"]["bytes_needed"]["standard"]
    text = printed(lab)
    assert "loaded" not in text, "no server, so nobody knows"
    line = next(line for line in text.splitlines() if line.startswith("demo "))
    assert "here" in line and "1,024" in line and "chat, tools" in line
    assert human_bytes(rows["demo"]["bytes_needed"]["standard"]) in line


def test_the_list_imports_no_torch(lab: Lab) -> None:
    code = (
        "import sys; from server.cli.main import app; sys.argv = ['lab', 'models']; app(standalone_mode=False);"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=lab.environment(), cwd=lab.folder, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_damaged_model_is_told_and_hides_no_other(lab: Lab) -> None:
    folder = lab.folder / "broken"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / WEIGHTS).write_bytes(b"no weights")
    lost = {"path": "lost", "context_length": 100, "parameters": 1_000}
    file = lab.folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": {"broken": {**lost, "path": "broken"}, "lost": lost}}))
    lab.settings["LAB_MODELS_FILE"] = str(file)
    rows = listed(lab)
    assert WEIGHTS in rows["broken"]["problem"] and rows["broken"]["fits"] == []
    assert not rows["lost"]["here"] and rows["demo"]["problem"] is None
    lines = {line.split()[0]: line.split() for line in printed(lab).splitlines() if line.strip()}
    assert "damaged" in lines["broken"] and "lost" in lines["lost"][1:]
    assert WEIGHTS in printed(lab, "info", "broken")
    assert "no folder lost" in printed(lab, "info", "lost")


def test_info_tells_the_card_the_files_and_the_memory(lab: Lab) -> None:
    text = printed(lab, "info", "demo")
    for part in ("1,024 tokens", "en, es", "demo/weights", "standard", "KV", "1,000 tokens", "models may take"):
        assert part in text
    assert "lab models pull llama3.1-8b" in printed(lab, "info", "llama3.1-8b")
    info = as_json(lab, "info", "demo")
    assert info["kv_bytes_per_token"] == 2 * 4 * 128 * 4 and info["here"] and not info["remote"]


@pytest.mark.parametrize("verb", ["info", "pull", "bench", "remove"])
def test_an_unknown_model_is_exit_code_2_with_the_known_names(lab: Lab, verb: str) -> None:
    code, line = lab.run_here("models", verb, "demos")
    assert code == 2 and "demos" in line and "\n" not in line
    assert ("did you mean demo?" in line and "mistral7b" in line) or verb == "remove"


BAD_INPUT = [
    (["--json", "info", "demo"], "lab models info --json"),
    (["load", "demo"], "start one with: lab serve"),
    (["unload", "demo"], "start one with: lab serve"),
    (["load", "../demo"], "no model's name"),
    (["load", "demo", "--strategy", "fast"], "--strategy"),
    (["load", "demo", "--keep-alive", "-2"], "--keep-alive"),
    (["bench", "demo", "--strategy", "fast"], "standard, optimized, streaming"),
    (["bench", "demo", "--callers", "1,x"], "--callers"),
    (["bench", "demo", "--callers", "65"], "1 to 64"),
    (["bench", "demo", "--rounds", "0"], "--rounds"),
    (["bench", "demo", "--tokens", "1000"], "1,024"),
    (["bench", "mistral7b"], "lab models pull mistral7b"),
    (["fit", "--ram", "much"], "8GB"),
    (["fit", "--vram", "inf"], "8GB"),
    (["fit", "--vram", "0"], "8GB"),
    (["fit", "--vram", "8", "--ram", "8"], "exclude"),
    (["pull", "mistral7b"], "LAB_OFFLINE"),
    (["add", "Foo", *ADD], "name"),
    (["add", "demo", *ADD], "another name"),
    (["add", "foo", *ADD, "--capability", "magic"], "--capability"),
    (["add", "foo", *ADD[:2], "--revision", "main", *ADD[4:]], "--revision"),
    (["remove", "demo"], "LAB_MODELS_FILE"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD_INPUT, ids=range(len(BAD_INPUT)))
def test_bad_input_is_one_line_and_exit_code_2(lab: Lab, arguments: list[str], said: str) -> None:
    code, line = lab.run_here("models", *arguments)
    assert code == 2, line
    assert line.startswith("error: ") and "\n" not in line and said in line


def test_fit_grows_with_the_memory(lab: Lab) -> None:
    def fitting(*size: str) -> set[tuple[str, str]]:
        told = as_json(lab, "fit", *size)
        return {(model["name"], strategy) for model in told["models"] for strategy in model["fits"]}

    small, large, card = fitting("--ram", "8GB"), fitting("--ram", "64GB"), fitting("--vram", "8GB")
    assert ("qwen2.5-0.5b", "standard") in small and ("mistral7b", "standard") not in small
    assert small < large and ("mistral7b", "standard") in large
    assert ("mistral7b", "optimized") in card and ("mistral7b", "standard") not in card
    assert ("demo", "standard") in fitting()
    assert "8 GB of free VRAM: models may take" in printed(lab, "fit", "--vram", "8GB")


def test_bench_measures_the_demo_model(lab: Lab) -> None:
    told = as_json(lab, "bench", "demo", "--callers", "1,4", "--tokens", "16", "--rounds", "2")
    assert told["model"] == "demo" and told["strategy"] == "standard" and told["load_sec"] > 0
    assert 4 * listed(lab)["demo"]["parameters"] <= told["weights_bytes"] < 5_000_000
    assert told["kv_peak_bytes"] > 0 and told["process_peak_bytes"] > told["weights_bytes"]
    one, four = told["speeds"]
    assert (one["callers"], four["callers"]) == (1, 4)
    assert four["tokens_per_sec"] > one["tokens_per_sec"] > 0, "four share their forward passes"
    assert 0 < one["first_token_sec"] < 60


def test_ctrl_c_ends_a_bench_cleanly(lab: Lab, slow_models_file: Path) -> None:
    lab.settings["LAB_MODELS_FILE"] = str(slow_models_file)
    with lab.start("models", "bench", "slow", "--tokens", "2000", "--rounds", "1000") as process:
        process.wait_for("round 1 of 1000")
        process.popen.send_signal(signal.SIGINT)
        process.drain()
        assert process.popen.wait(timeout=60) == 130
    assert "Traceback" not in "".join(process.errors)
