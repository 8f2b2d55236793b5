"""Any value that a graph holds, as JSON: messages, models, dataclasses, interrupts; nothing is ever built from it."""

from __future__ import annotations

import dataclasses
import logging
import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping, Set
from datetime import timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import orjson
from langgraph.types import Send
from pydantic import BaseModel

from server.wire.failures import failure

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_AS_TEXT = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, tzinfo)
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_MAX_NESTING = 200
"""Levels that are followed in values which orjson refuses as they are; orjson itself stops at 254."""

log = logging.getLogger(__name__)


def encode(value: object) -> bytes:
    """Compact JSON on one line; never fails.

    NaN and infinity become null, as do objects that have no form as data; bytes become base64; integers beyond 64
    bits become floats. Halves of surrogate pairs become `?` and NUL becomes U+FFFD: Postgres keeps neither.
    """
    try:
        told = orjson.dumps(value, default=_default, option=_OPTIONS)
    except (TypeError, RecursionError):
        told = orjson.dumps(_clean(value, ()), option=_OPTIONS)
    return _NUL.sub(rb"\1\\ufffd", told) if b"\\u0000" in told else told


def plain(value: object) -> Any:
    """The same as Python's own dicts, lists, strings and numbers."""
    return orjson.loads(encode(value))


def _default(value: object) -> object:
    match value:
        case BaseModel():
            return value.model_dump(warnings=False)
        case Send():
            return {"node": value.node, "args": value.arg}
        case tuple() if callable(fields := getattr(value, "_asdict", None)):
            return fields()
        case Mapping():
            return dict(value)
        case Set() | deque() | tuple():
            return list(value)
        case bytes() | bytearray():
            return b64encode(value).decode()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
        case BaseException():
            return failure(value)
        case re.Pattern():
            return value.pattern
    if isinstance(value, _AS_TEXT):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return _by_its_own_means(value)


def _by_its_own_means(value: object) -> object:
    """What an object says of itself as `dict()`; anything else, a class or a function, is null."""
    means: Callable[[], object] | None = getattr(value, "dict", None)
    if isinstance(value, type) or not callable(means):
        return None
    try:
        return means()
    except Exception as error:
        log.debug("a %s is told as null: %s", type(value).__name__, error)
        return None


def _clean(value: object, within: tuple[int, ...]) -> object:
    """Texts that UTF-8 can hold, integers that 64 bits can, keys that are texts, all the way down.

    `within` are the ids of what holds it: a value that holds itself ends in null, as one nested too deep.
    """
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case bool() | None | float():
            return value
        case int() if not isinstance(value, Enum):
            return value if -(2**63) <= value < 2**64 else _float(value)
    if id(value) in within or len(within) > _MAX_NESTING:
        return None
    here = (*within, id(value))
    match value:
        case Mapping():
            return {_key(key): _clean(inner, here) for key, inner in value.items()}
        case list() | Set() | deque():
            return [_clean(inner, here) for inner in value]
        case tuple() if not hasattr(value, "_asdict"):
            return [_clean(inner, here) for inner in value]
        case Enum():
            return _clean(value.value, here)
    try:
        return orjson.loads(orjson.dumps(value, option=_OPTIONS | orjson.OPT_PASSTHROUGH_DATACLASS))
    except (TypeError, RecursionError):
        return _clean(_default(value), here)


def _key(key: object) -> str:
    if isinstance(key, str):
        return key.encode("utf-8", "replace").decode()
    try:
        text: str = next(iter(orjson.loads(orjson.dumps({key: None}, option=_OPTIONS))))
    except TypeError:
        text = str(key).encode("utf-8", "replace").decode()
    return text


def _float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
