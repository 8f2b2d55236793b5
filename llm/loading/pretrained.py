"""What every strategy does with transformers: read weights, read the tokenizer, weigh the result. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import Filter, LogRecord, getLogger
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel

from llm.check import read_json
from llm.codec import Codec
from llm.loading.bits import import_bitsandbytes, quantised_by
from llm.loading.faults import first_line, tells_no_memory
from state.errors import BadRequest
from state.models import ModelCard
from state.resources import Device


def read_weights(folder: Path, device: Device, dtype: str, **settings: Any) -> PreTrainedModel:
    """The model of a checked folder on its device. Raises BadRequest when its weights are not those of its config.

    `dtype`: of weights that are not quantised. `settings`: further ones of `from_pretrained`, such as `device_map`.
    """
    if quantised_by(folder):
        import_bitsandbytes()
    loader: Any = AutoModelForCausalLM  # its annotations know nothing of the pair that the report makes
    with _no_report() as reported:
        try:
            model, report = loader.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                # Anything but a plain load to the CPU needs accelerate, which comes with the extra `gpu`.
                **({} if device == "cpu" and not settings else {"device_map": device}) | settings,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are in the report, by name and with both shapes
            )
        except RuntimeError as error:
            # What fails while weights are quantised is told in the report alone.
            if tells_no_memory(reported.text):
                raise MemoryError("out of memory while its weights were converted") from error
            raise
    _check_report(folder, report)
    # A checkpoint's sampling defaults would seep into every call; a call says itself what it wants. And transformers
    # refuses to save a model whose defaults contradict each other, as some published ones do.
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    result: PreTrainedModel = model
    return result


def _check_report(folder: Path, report: dict[str, Any]) -> None:
    """transformers fills a missing weight with random numbers and warns; such a model would answer nonsense."""
    shapes = sorted((str(name), tuple(got), tuple(wanted)) for name, got, wanted in report.get("mismatched_keys", ()))
    if shapes:
        name, got, wanted = shapes[0]
        raise BadRequest(
            f"{folder}: {len(shapes)} weights have another shape than its config.json says, "
            f"{name} {list(got)} instead of {list(wanted)} among them"
        )
    missing = sorted(map(str, report.get("missing_keys", ())))
    if missing:
        raise BadRequest(f"{folder}: {len(missing)} weights are missing from its files, {missing[0]} among them")


class _Report(Filter):
    """Takes transformers' table of what went wrong out of its log; the errors raised here say it in a line."""

    text = ""

    def filter(self, record: LogRecord) -> bool:
        message = record.getMessage()
        if "LOAD REPORT" not in message:
            return True
        self.text += message
        return False


@contextmanager
def _no_report() -> Iterator[_Report]:
    log, report = getLogger("transformers.modeling_utils"), _Report()
    log.addFilter(report)
    try:
        yield report
    finally:
        log.removeFilter(report)


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
        tensors += _of_state(getattr(parameter, "quant_state", None))  # of 4 bits
        tensors += [scales for scales in (getattr(parameter, "SCB", None),) if scales is not None]  # of 8
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({(str(storage.device), storage.data_ptr()): storage.nbytes() for storage in storages}.values())


def _of_state(state: Any) -> list[torch.Tensor]:
    """Tensors of a bitsandbytes QuantState and of the one nested in it by double quantisation."""
    if state is None:
        return []
    own = [value for value in vars(state).values() if isinstance(value, torch.Tensor)]
    return own + _of_state(getattr(state, "state2", None))
