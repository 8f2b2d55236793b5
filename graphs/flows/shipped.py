"""The flows that come with this project, and those of the operator's folder: a YAML file each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphs.flows.check import check_flow
from graphs.flows.faults import Fault, FlowErrors
from graphs.flows.load import load_flow
from graphs.flows.text import MAX_BYTES
from state.flows import FlowSpec

LIBRARY = Path(__file__).with_name("library")
DEFAULT = "research-write-review"
MAX_FILES = 1_000
"""Of a folder, in the order of their names."""


@dataclass(frozen=True)
class Folder:
    """What the flow files of a folder say: the good ones by id, and what is wrong with the others."""

    flows: Mapping[str, FlowSpec]
    faults: tuple[Fault, ...]


@cache
def shipped_flows() -> Mapping[str, FlowSpec]:
    """By id. Reads files, once."""
    return read_folder(LIBRARY).flows


def default_flow() -> FlowSpec:
    """What the graph `flow` is where nobody says which."""
    return shipped_flows()[DEFAULT]


def read_folder(folder: Path) -> Folder:
    """Every `*.yaml`, `*.yml` and `*.json` directly in a folder; names of agents are not looked up. Blocks.

    A file that is wrong does not stop the others. Links out of the folder are passed over, and said.
    """
    flows: dict[str, FlowSpec] = {}
    faults: list[Fault] = []
    files = sorted(file for pattern in ("*.yaml", "*.yml", "*.json") for file in folder.glob(pattern))
    for file in files[:MAX_FILES]:
        try:
            spec = read_flow(file, within=folder)
        except FlowErrors as error:
            faults += error.faults
            continue
        if spec.flow_id in flows:
            faults.append(Fault(f"the flow '{spec.flow_id}' stands in another file of the folder, too", file=str(file)))
        else:
            flows[spec.flow_id] = spec
    return Folder(flows, tuple(faults))


def read_flow(file: Path, *, within: Path | None = None) -> FlowSpec:
    """One file, checked but for the names of agents. Raises FlowErrors; also for a file that is not `within`."""
    loaded = load_flow(read_text(file, within=within), str(file))
    if faults := check_flow(loaded.spec, positions=loaded.positions):
        raise FlowErrors(faults)
    return loaded.spec


def read_text(file: Path, *, within: Path | None = None, most: int = MAX_BYTES) -> str:
    """A definition's text. Raises FlowErrors where there is none, or more than `most` bytes of it. Blocks."""
    try:
        if within is not None and (wrong := _unfit(file, within)):
            raise FlowErrors([Fault(wrong, file=str(file))])
        with file.open("rb") as opened:
            data = opened.read(most + 1)
        if len(data) > most:
            raise FlowErrors([Fault(f"larger than {most} bytes", file=str(file))])
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FlowErrors([Fault(f"is not UTF-8 from byte {error.start} on", file=str(file))]) from error
    except OSError as error:
        raise FlowErrors([Fault(f"cannot be read: {error.strerror or error}", file=str(file))]) from error


def _unfit(file: Path, folder: Path) -> str:
    """Why what is found in a folder is not even opened; nothing where it is."""
    # Of links that lead to themselves `Path.resolve` raises, in some versions of Python.
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
        return "leads out of its folder"
    # A pipe would be waited for.
    return "" if file.is_file() else "is no file"
