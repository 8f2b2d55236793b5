"""Strategy `standard`: every weight in the precision that suits the device. Imports torch."""

from __future__ import annotations

from transformers import PreTrainedModel

from llm.loading.base import Order
from llm.loading.pretrained import read_weights
from llm.loading.spread import where


def load_weights(order: Order) -> PreTrainedModel:
    """See `LoadWeights`."""
    return read_weights(order.folder, order.device, order.dtype, **where(order, "standard"))
