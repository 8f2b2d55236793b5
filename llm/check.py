"""Is a model folder safe and whole? Asked before anything in it is loaded; reads JSON and headers, never weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm.sizing import TensorInfo
from state.errors import BadRequest

MAX_JSON_BYTES = 64_000_000
"""Largest tokenizer.json in use is near 35 MB."""

MAX_HEADER_BYTES = 100_000_000
"""The safetensors library's own limit."""


def check_folder(folder: Path) -> tuple[TensorInfo, ...]:
    """The tensors of a safe, whole model folder, by their headers.

    Raises BadRequest like `read_folder`, and for settings by which transformers would run code that comes with the
    model.
    """
    tensors = read_folder(folder)
    check_safe(folder)
    return tensors


def check_safe(folder: Path) -> None:
    """Raises BadRequest, naming the file, when one asks for code to be run."""
    for file in _settings_files(folder):
        check_settings(file, read_json(file))


def read_folder(folder: Path) -> tuple[TensorInfo, ...]:
    """The tensors of a whole model folder, safe or not.

    Raises BadRequest, with the file's name, for what is missing or corrupt and for weights in other formats than
    safetensors.
    """
    if not folder.is_dir():
        raise BadRequest(f"{folder}: no such model folder")
    read_json(folder / "config.json")
    for file in _settings_files(folder):
        read_json(file)
    return tuple(tensor for file in weight_files(folder) for tensor in read_header(file))


def is_sound(folder: Path) -> bool:
    """Whether nothing is missing or corrupt, vocabularies included, as far as headers tell."""
    try:
        read_folder(folder)
        for name in sorted(_DATA_FILES):
            if (folder / name).exists():
                read_json(folder / name)
    except BadRequest:
        return False
    return True


def _settings_files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.glob("*.json")) if file.name not in _DATA_FILES]


def check_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Raises BadRequest naming `file` when its content asks for code to be run."""
    for key in _keys(settings) if file.name not in _DATA_FILES else ():
        _check_key(file, key)


def check_window(name: str, promised: int, config: Mapping[str, Any]) -> None:
    """Raises BadRequest when a card promises a longer context than the model's config.json has, in tokens."""
    window = context_window(config)
    if window is not None and promised > window:
        raise BadRequest(
            f"{name}: its card promises a context of {promised:,} tokens, its config.json has {window:,}; "
            "set context_length to that or less"
        )


def context_window(config: Mapping[str, Any]) -> int | None:
    """Tokens that a model can take, by its config.json; None when that does not say.

    Stretched positions (rope scaling) count at their full length; of two readings that are in use, the longer.
    """
    inner = config.get("text_config")
    if isinstance(inner, Mapping):
        return context_window(inner)
    lengths: list[int] = [config[key] for key in _LENGTHS if isinstance(config.get(key), int)]
    if not lengths:
        return None
    scaling = config.get("rope_parameters") or config.get("rope_scaling")
    return max(lengths[0], *(_stretched(lengths[0], item) for item in _scalings(scaling)), 0)


# Llama and its kin, GPT-2, MPT.
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len")


def _scalings(scaling: object) -> list[Mapping[str, Any]]:
    """One mapping, or one for each kind of layer."""
    if not isinstance(scaling, Mapping):
        return []
    return [scaling, *(item for item in scaling.values() if isinstance(item, Mapping))]


def _stretched(length: int, scaling: Mapping[str, Any]) -> int:
    """A factor applies to the length before stretching where the config keeps it, else to the length it states."""
    factor, original = scaling.get("factor"), scaling.get("original_max_position_embeddings")
    # Llama 3 states the stretched length itself; its factor shapes frequencies.
    if not isinstance(factor, int | float) or "llama3" in (scaling.get("rope_type"), scaling.get("type")):
        return length
    return int((original if isinstance(original, int) else length) * factor)


# Vocabulary and index files hold words of the language or tensor names as keys, so their keys say nothing of code.
# modules.json is a list, read by sentence-transformers alone, and checked where that is used (llm/sentences.py).
_DATA_FILES = frozenset(
    {"vocab.json", "tokenizer.json", "added_tokens.json", "model.safetensors.index.json", "modules.json"}
)


def _check_key(file: Path, key: str) -> None:
    if key in ("auto_map", "custom_generate", "trust_remote_code"):
        raise BadRequest(f"{file}: {key!r} asks for code that comes with the model; such models are refused")
    # transformers sets these itself; from a file they choose kernels, some of which are fetched and run.
    if key.endswith("_internal"):
        raise BadRequest(f"{file}: {key!r} is an internal setting that a file may not set")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files to be loaded, in order: `model.safetensors`, or all that its index names."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = read_json(index).get("weight_map")
        if not isinstance(named, dict) or not named:
            raise BadRequest(f"{index}: has no 'weight_map'")
        return [_shard(folder, name) for name in sorted({str(name) for name in named.values()})]
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    other = sorted(
        file.name for suffix in ("*.bin", "*.pt", "*.pth", "*.gguf", "*.pickle") for file in folder.glob(suffix)
    )
    found = f"; {', '.join(other[:3])} cannot be used" if other else ""
    raise BadRequest(f"{folder}: no model.safetensors; only safetensors weights are loaded{found}")


def _shard(folder: Path, name: str) -> Path:
    if Path(name).name != name or not name.endswith(".safetensors"):
        raise BadRequest(f"{folder}: the index names {name!r}, which is not a safetensors file beside it")
    return folder / name


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object. Raises BadRequest naming the file."""
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise BadRequest(f"{file}: larger than {MAX_JSON_BYTES:,} bytes")
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadRequest(f"{file}: missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadRequest(f"{file}: not readable as JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadRequest(f"{file}: expected a JSON object")
    return data


def read_header(file: Path) -> Iterator[TensorInfo]:
    """Names, dtypes and shapes of the tensors in a safetensors file, with its length checked against them."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise BadRequest(f"{file}: not a safetensors file, or cut short ({size:,} bytes)")
            header = json.loads(stream.read(length))
        tensors = [
            (TensorInfo(name, str(item["dtype"]), tuple(map(int, item["shape"]))), int(item["data_offsets"][1]))
            for name, item in header.items()
            if name != "__metadata__"
        ]
    except FileNotFoundError as error:
        raise BadRequest(f"{file}: missing") from error
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise BadRequest(f"{file}: its safetensors header is corrupt: {error!r}") from error
    needed = 8 + length + max((end for _, end in tensors), default=0)
    if size != needed:
        raise BadRequest(f"{file}: has {size:,} bytes where its header says {needed:,}")
    return iter([tensor for tensor, _ in tensors])


def _keys(data: object) -> Iterator[str]:
    todo = [data]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            yield from item
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
