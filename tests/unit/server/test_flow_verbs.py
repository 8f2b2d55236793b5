"""`lab flows` where nothing is opened: files checked by themselves, drawn, and what a dry run tells of a node."""

import json
import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from graphs.flows.load import load_flow
from graphs.flows.order import supersteps
from graphs.flows.shipped import LIBRARY
from server.cli.flows.dry_run import asked_of
from server.cli.flows.finding import Chosen, is_file
from server.cli.flows.linting import doubles
from server.cli.flows.picture import EDGE, FILL, INK, LAST, laid_out, picture, placed
from server.cli.flows.running import read_input, read_run_settings
from server.cli.main import app
from state.crew_run import CrewState
from state.errors import BadRequest

FLOW = """
flow_id: f
entry_point: a
exit_points: [z]
nodes:
  - {id: a, agent_id: writer, config: {prompt: "${query} in ${input.language}"}}
  - {id: b, type: tool, depends_on: [a], config: {tool: calculator, input: {expression: "${a.response} + ${input.n}"}}}
  - {id: z, agent_id: writer, depends_on: [a, b]}
"""


def lab(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["flows", *words])
    return done.exit_code, done.output if not isinstance(done.exception, BadRequest) else str(done.exception)


def test_lint_tells_each_mistake_of_each_file_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(FLOW)
    Path("bad.yaml").write_text(FLOW.replace("[a, b]", "[a, c]").replace("exit_points: [z]", "exit_points: [y]"))
    Path("worse.yaml").write_text("flow_id: !!python/name:os.system x\n")
    code, output = lab("lint", "--alone", "good.yaml", "bad.yaml", "worse.yaml", "none.yaml")
    assert code == 2
    lines = output.splitlines()
    assert lines[0] == "✓ good.yaml: f, 3 nodes"
    assert lines[1].startswith("bad.yaml:4:15: exit point 'y' is not a node")
    assert any(line.startswith("bad.yaml:8:47: node 'z' depends on 'c', which is not a node") for line in lines)
    assert "worse.yaml:1:10: the tag tag:yaml.org,2002:python/name:os.system is not taken" in output
    assert lines[-1] == "none.yaml: cannot be read: No such file or directory"
    code, output = lab("lint", "--alone", "--json", "good.yaml", "bad.yaml")
    told = json.loads(output)
    assert code == 2 and told[0] == {"file": "good.yaml", "faults": []}
    assert (told[1]["faults"][0]["line"], told[1]["faults"][0]["column"]) == (4, 15)


def test_the_shipped_flows_pass(capsys: pytest.CaptureFixture[str]) -> None:
    code, output = lab("lint", "--alone", *map(str, sorted(LIBRARY.iterdir())))
    assert code == 0 and output.count("✓") == len(list(LIBRARY.iterdir()))


def test_a_flow_is_drawn_as_mermaid_and_as_a_picture(tmp_path: Path) -> None:
    code, output = lab("draw", "code-and-test-review")
    assert code == 0 and "graph TD;" in output
    assert all(line in output for line in ("code --> check;", "code --> test;", "check --> review;", "begin --> code;"))
    file = tmp_path / "drawn.png"
    assert lab("draw", "code-and-test-review", "--png", str(file))[0] == 0
    pixels = read_png(file.read_bytes())
    colours = {tuple(colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}
    assert {INK, EDGE, FILL, LAST} <= colours
    bad = tmp_path / "bad.yaml"
    bad.write_text(FLOW.replace("[a, b]", "[a, c]"))
    assert "depends on 'c'" in lab("draw", str(bad))[1]
    assert (
        "--png: /nowhere/x.png cannot be written" in lab("draw", "code-and-test-review", "--png", "/nowhere/x.png")[1]
    )


def test_a_flow_is_drawn_whatever_tools_there_are(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(FLOW.replace("tool: calculator", "tool: one-of-an-mcp-server"))
    code, output = lab("draw", str(file))
    assert code == 0 and "a --> b;" in output


def test_a_node_may_be_called_like_a_word_of_mermaid(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(FLOW.replace("id: z", "id: class").replace("[z]", "[class]"))
    code, output = lab("draw", str(file))
    assert code == 0 and "\tclass_(class)\n" in output
    assert "\tb --> class_;" in output and "\tclass_ --> finish;" in output and "\tclassDef default " in output


def test_what_can_be_no_files_name_is_a_flows() -> None:
    assert not is_file("a" * 300) and not is_file("") and is_file("a" * 300 + ".yaml")


def read_png(data: bytes) -> Any:
    """Pixels of a PNG as ours are made; its check sums are held against it."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (zlib.crc32(name + body),)
        chunks[name], at = body, at + 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 2) and list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def test_boxes_do_not_overlap_and_lines_pass_beside_them() -> None:
    needs = {"a": [], "b": ["a"], "c": ["a"], "long-name_of.a-step" * 3: ["b"], "z": ["a", "b", "c"]}
    rows = laid_out(supersteps(needs), needs)
    assert [len(row) for row in rows] == [1, 3, 2], "of a → z one place in the second row, as in the first below"
    for row in placed(rows):
        ends = [(place.middle - place.width // 2, place.middle + place.width // 2) for place in row.values()]
        assert all(left[1] < right[0] for left, right in pairwise(ends))
    assert read_png(picture(supersteps(needs), needs, ["z"])).shape[2] == 3


def test_the_largest_picture_fits_into_memory() -> None:
    """A hundred steps that each need all before them: five thousand lines."""
    needs = {f"n{number}": [f"n{other}" for other in range(number)] for number in range(100)}
    rows = laid_out(supersteps(needs), needs)
    assert max(map(len, rows)) <= 100


def test_a_dry_run_fills_in_what_is_known_and_marks_the_rest() -> None:
    spec = load_flow(FLOW).spec
    given = CrewState(query="bees", input_data={"language": "Spanish", "n": 3})
    a, b, z = (asked_of(node, spec, given) for node in spec.nodes)
    assert a == {"depends_on": [], "input": {"language": "Spanish", "n": 3}, "text": "bees in Spanish"}
    assert b == {"depends_on": ["a"], "input": {"expression": "‹a.response› + 3"}}
    assert z == {"depends_on": ["a", "b"], "input": {"a": "‹a›", "b": "‹b›"}}
    missing = asked_of(spec.nodes[0], spec, CrewState(query="bees"))
    assert missing["error"] == "${input.language}: 'input' has query, nothing named 'language'"


def test_a_runs_input_is_an_object_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text('{"topic": "bees"}')
    assert read_input(None, None) == {}
    assert read_input("why", None) == {"query": "why"}
    assert read_input("why", f"@{file}") == {"query": "why", "input_data": {"topic": "bees"}}
    file.write_text(json.dumps({"topic": "é" * 300_000}, ensure_ascii=False))
    assert len(read_input(None, f"@{file}")["input_data"]["topic"]) == 300_000
    for wrong in ("[1]", "{", f"@{tmp_path}/none", "[" * 5_000):
        with pytest.raises(BadRequest):
            read_input(None, wrong)
    assert read_run_settings({"model": None, "temperature": 0.5}) == {"temperature": 0.5}
    with pytest.raises(BadRequest, match="--max-tokens: "):
        read_run_settings({"max_tokens": 0})


def test_of_files_that_are_kept_together_each_has_its_own_flow() -> None:
    chosen = [
        Chosen(loaded.spec, loaded.positions)
        for loaded in (load_flow(FLOW, "a.yaml"), load_flow(FLOW.replace(": f", ": g"), "b.yaml"), load_flow(FLOW, "c"))
    ]
    assert [str(fault) for fault in doubles(chosen)] == ["c:2:10: the flow 'f' stands in a.yaml, too; keep one"]
