"""Strategy `standard`: every weight in the precision that suits the device. Imports torch."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from llm.loading.pretrained import read_weights
from llm.sizing import DType
from state.resources import Device


def load_weights(folder: Path, device: Device, dtype: DType) -> PreTrainedModel:
    """See `LoadWeights`."""
    return read_weights(folder, device, dtype)
