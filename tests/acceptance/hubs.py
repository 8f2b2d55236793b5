"""`lab models` on a machine without a database: its output, and a hub on the loopback with a model to fetch."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.processes import Lab
from tests.integration.hub import COMMIT, REPO, WEIGHTS, Hub, serve
from tests.unit.llm.tiny import save_model

FIELDS = {"repo": REPO, "revision": COMMIT, "context_length": 512, "parameters": 100_000, "capabilities": ["chat"]}
ADD = ["--repo", REPO, "--revision", COMMIT, "--context", "512", "--parameters", "100000"]
"""What `lab models add` is told of the hub's model."""

REMOTE = {"provider": "openai", "model_id": "far", "context_length": 1000}


@contextmanager
def with_hub(lab: Lab) -> Iterator[Hub]:
    """Let `lab` fetch `tiny`, and know of `far`, which is remote."""
    file = lab.folder / "models.yaml"
    file.write_text(yaml.safe_dump({"models": {"tiny": FIELDS, "far": REMOTE}}))
    with serve(save_model(lab.folder / "at hub" / "tiny")) as hub:
        lab.settings |= {
            "LAB_HUB_URL": hub.url,
            "LAB_OFFLINE": "false",
            "LAB_MODELS_FILE": str(file),
            "HF_HOME": str(lab.folder / "hf"),
            "OPENAI_API_KEY": "none",
        }
        yield hub


@contextmanager
def lone_lab(folder: Path) -> Iterator[Lab]:
    """A `lab` on whose port nothing answers."""
    with socket.socket() as held:  # bound and not listening
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
        yield Lab({"LAB_DATA_DIR": str(folder / "data"), "LAB_OFFLINE": "true", "LAB_PORT": port}, folder)


def arrived(lab: Lab, hub: Hub) -> int:
    """Bytes of the weights of `tiny` that are here, while not all of them are."""
    digest = hashlib.sha256(hub.files[WEIGHTS]).hexdigest()
    part = lab.folder / "hf" / "hub" / f"models--{REPO.replace('/', '--')}" / "blobs" / f"{digest}.incomplete"
    return part.stat().st_size if part.exists() else 0


def printed(lab: Lab, *arguments: str) -> str:
    """What a command of `lab models` that must end well prints."""
    done = lab.run("models", *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def as_json(lab: Lab, *arguments: str) -> Any:
    return json.loads(printed(lab, *arguments, "--json"))


def listed(lab: Lab) -> dict[str, dict[str, Any]]:
    """The rows of `lab models list` by name."""
    return {model["name"]: model for model in as_json(lab, "list")}
