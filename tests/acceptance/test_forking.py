"""What the other files start by a fork is what users start."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.forking import Forked, starts
from tests.acceptance.processes import Lab


@pytest.mark.parametrize("words", [("--version",), ("ask", "--bogus"), ("flows", "lint", "none.yaml")], ids=" ".join)
def test_a_forked_lab_says_what_a_started_one_does(tmp_path: Path, words: tuple[str, ...]) -> None:
    lab = Lab({"LAB_DATA_DIR": "data", "LAB_OFFLINE": "true"}, tmp_path)
    command = lab.command(words)
    started = subprocess.run(command, env=lab.environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert starts(command, lab.environment()) is Forked
    forked = lab.run(*words)
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)


def test_what_imports_read_is_never_inherited(tmp_path: Path) -> None:
    lab = Lab({"HF_HOME": "hf"}, tmp_path)
    assert starts(lab.command(("serve",)), lab.environment()) is subprocess.Popen
