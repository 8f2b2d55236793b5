"""What every strategy does with transformers: read weights, read the tokenizer, weigh the result. Imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from llm.check import read_json
from llm.codec import Codec
from llm.sizing import DType
from state.errors import BadRequest
from state.models import ModelCard
from state.resources import Device


def read_weights(folder: Path, device: Device, dtype: DType, **settings: Any) -> PreTrainedModel:
    """The model of a checked folder on its device. Raises BadRequest when weights are missing from its files."""
    loader: Any = AutoModelForCausalLM  # its annotations know nothing of the pair that the report makes
    model, report = loader.from_pretrained(
        folder,
        dtype=getattr(torch, dtype),
        # Anything but a plain load to the CPU needs accelerate, which comes with the extra `gpu`.
        **({} if device == "cpu" and not settings else {"device_map": device}),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
        **settings,
    )
    # transformers fills a missing weight with random numbers and warns; such a model would answer nonsense.
    bad = sorted(map(str, [*report.get("missing_keys", ()), *report.get("mismatched_keys", ())]))
    if bad:
        raise BadRequest(f"{folder}: {len(bad)} weights are missing or of another shape, {bad[0]} among them")
    result: PreTrainedModel = model
    return result


def read_codec(folder: Path, card: ModelCard) -> Codec:
    """The tokenizer of a checked folder. Raises BadRequest when it cannot be read."""
    settings = folder / "generation_config.json"
    ends = read_json(settings).get("eos_token_id") if settings.is_file() else None
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    # The tokenizers library raises bare Exception for a damaged tokenizer.json.
    except Exception as error:
        raise BadRequest(f"{card.name}: its tokenizer cannot be read from {folder}: {first_line(error)}") from error
    return Codec(tokenizer, name=card.name, eos_ids=ends if isinstance(ends, list) else [] if ends is None else [ends])


def walk_bytes(model: torch.nn.Module) -> int:
    """Bytes of all storages of a model, shared ones once, quantisation states included."""
    tensors = [*model.parameters(), *model.buffers()]
    for parameter in model.parameters():
        tensors += _of_state(getattr(parameter, "quant_state", None))
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({(str(storage.device), storage.data_ptr()): storage.nbytes() for storage in storages}.values())


def _of_state(state: Any) -> list[torch.Tensor]:
    """Tensors of a bitsandbytes QuantState and of the one nested in it by double quantisation."""
    if state is None:
        return []
    own = [value for value in vars(state).values() if isinstance(value, torch.Tensor)]
    return own + _of_state(getattr(state, "state2", None))


def first_line(error: BaseException) -> str:
    """One line of an error of somebody else's."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
