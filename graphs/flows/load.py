"""A text as a flow: its shape checked whole; what it means is checked by `graphs.flows.check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphs.flows.faults import Positions
from graphs.flows.reading import read_document
from graphs.flows.shapes import shaped
from state.flows import FlowSpec


@dataclass(frozen=True)
class LoadedFlow:
    """A flow, and where in its file everything stands."""

    spec: FlowSpec
    positions: Positions


def load_flow(text: str, file: str = "flow") -> LoadedFlow:
    """Read YAML or JSON; `file` is how messages call it. Raises FlowErrors. Blocks, up to a tenth of a second."""
    document = read_document(text, file)
    return LoadedFlow(shaped(FlowSpec, document.data, document.positions), document.positions)


def flow_from(data: Any, file: str = "flow") -> FlowSpec:
    """Plain JSON as a flow; mistakes are told by their path in it. Raises FlowErrors."""
    return shaped(FlowSpec, data, Positions(file))
