"""The only reader of the environment. Floors below `server/` are handed values, never the environment."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import (
    AliasChoices,
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from state.errors import BadRequest
from state.models import KEY_NAME, Strategy

GB = 1_000_000_000


def _bytes_or_gigabytes(value: object) -> object:
    """A bare number is gigabytes, as the seed's `MAX_VRAM_USAGE=6.0`; "20GiB" or "900MB" say their own unit."""
    if isinstance(value, ByteSize):  # a default
        return value
    try:
        return int(float(str(value)) * GB)
    except (ValueError, OverflowError):
        return value


Size = Annotated[ByteSize, BeforeValidator(_bytes_or_gigabytes)]
"""Bytes, said as above."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Network = IPv4Network | IPv6Network


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _named_levels(value: object) -> object:
    """`server.run_queue=DEBUG, llm=WARNING`: components, which are modules, and how much of them is told."""
    if not isinstance(value, str):
        return value
    named = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(re.fullmatch(r"\s*\w+(\.\w+)*\s*", name) for name, _, _ in named):
        raise ValueError("expected component=LEVEL, with commas between several, such as server.run_queue=DEBUG")
    return {name.strip(): level.strip().upper() for name, _, level in named}


def _named_secrets(value: object) -> object:
    """`vllm=secret, groq=other`: names of keys and the keys. What is wrong is told without repeating a key."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    named = {name.strip(): secret.strip() for name, _, secret in pairs}
    if len(named) < len(pairs) or not all(secret and re.fullmatch(KEY_NAME, name) for name, secret in named.items()):
        raise ValueError("expected name=key, with commas between several; a name has letters, digits, - and _")
    return named


class Settings(BaseSettings):
    """Read once, at start. Each field is `LAB_<NAME>` in the environment or in `.env`; see `.env.example`."""

    model_config = SettingsConfigDict(
        env_prefix="LAB_",
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # an error, and its traceback, must not show a key
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("agent-lab"))
    config: Path | None = None
    workers: int = Field(1, ge=0, le=64)
    lease_seconds: float = Field(10.0, ge=1.0, le=3600.0)
    outputs_dir: Path | None = None
    database_url: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int = Field(8001, ge=0, le=65535)
    log_level: LogLevel = Field("INFO", validation_alias=AliasChoices("LAB_LOG_LEVEL", "LOG_LEVEL"))
    log_levels: Annotated[dict[str, LogLevel], NoDecode, BeforeValidator(_named_levels)] = {}
    log_format: Literal["auto", "json", "console"] = "auto"
    log_dir: Path | None = None
    log_size: Annotated[Size, Field(ge=10_000)] = ByteSize(20_000_000)
    log_days: float = Field(14.0, ge=1.0, le=36_500.0)
    log_total: Size = ByteSize(1_000_000_000)
    allowed_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)] = (
        "http://localhost:3000",
        "http://localhost:8001",
    )
    max_body: Size = ByteSize(20_000_000)
    max_concurrent: int = Field(256, ge=1, le=100_000)
    metrics_port: int | None = Field(None, ge=1, le=65_400)
    allowed_networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_comma_separated)] = ()
    default_model: str = "demo"
    default_strategy: Strategy | None = Field(
        None, validation_alias=AliasChoices("LAB_DEFAULT_STRATEGY", "DEFAULT_STRATEGY")
    )
    max_vram_usage: Size | None = Field(None, validation_alias=AliasChoices("LAB_MAX_VRAM_USAGE", "MAX_VRAM_USAGE"))
    keep_alive: float = Field(300.0, ge=-1.0)
    request_timeout: float = Field(
        300.0, gt=0.0, validation_alias=AliasChoices("LAB_REQUEST_TIMEOUT", "REQUEST_TIMEOUT")
    )
    models_file: Path | None = None
    plugins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)] = ()
    agents_dir: Path | None = None
    agents_reload: bool = False
    agent_packages: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)] = ()
    flows_dir: Path | None = None
    mcp_servers: Path | None = None
    health_interval: float = Field(30.0, ge=1.0, le=86_400.0)
    message_queue: int = Field(1_000, ge=1, le=1_000_000)
    message_days: float = Field(30.0, gt=0.0, le=36_500.0)
    history_days: float | None = Field(None, gt=0.0, le=36_500.0)
    offline: bool = False
    hub_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    hf_token: SecretStr | None = Field(None, validation_alias="HF_TOKEN")
    openai_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("LAB_OPENAI_API_KEY", "OPENAI_API_KEY")
    )
    anthropic_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("LAB_ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY")
    )
    provider_keys: Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_named_secrets)] = {}
    embedder: str = Field("hashing", min_length=1)
    response_cache: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _only_ours(cls, given: dict[str, object]) -> dict[str, object]:
        """Applications keep their own keys in `.env`: only a name that begins like ours is a misspelt one of ours."""
        named = (field.validation_alias for field in cls.model_fields.values())
        aliases = {choice for alias in named for choice in getattr(alias, "choices", [alias])}
        known = {name.lower() for name in (*cls.model_fields, *map(str, aliases))}
        return {
            name: value for name, value in given.items() if name.lower() in known or name.lower().startswith("lab_")
        }

    @field_validator("log_total")
    @classmethod
    def _room_for_a_file(cls, total: ByteSize, info: ValidationInfo) -> ByteSize:
        size = info.data.get("log_size", 0)
        if total >= size:
            return total
        raise ValueError(f"{total:,} bytes are less than one file may have, LAB_LOG_SIZE: {size:,}")

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        """Authentication is not built yet, so nobody else's machine may reach the server."""
        if host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback):
            return host
        raise ValueError("only a loopback address (127.0.0.1, ::1, localhost) is served until authentication exists")

    @property
    def keys(self) -> dict[str, SecretStr]:
        """Keys of model providers, by the names that cards use."""
        own = {"openai": self.openai_api_key, "anthropic": self.anthropic_api_key}
        return {**self.provider_keys, **{name: key for name, key in own.items() if key is not None}}

    @property
    def address(self) -> str:
        """Where this server is reached on its own machine."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def saved_outputs(self) -> Path:
        """Where the tool `save_output` writes."""
        return self.outputs_dir or self.data_dir / "outputs"

    @property
    def pg_dir(self) -> Path:
        """Where the embedded Postgres keeps its cluster."""
        return self.data_dir / "postgres"


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def read_settings(**overrides: object) -> Settings:
    """Settings from the environment and `.env`, with `overrides` (None values are ignored) on top.

    Raises BadRequest with one line that names the variable and what it would accept.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise BadRequest("; ".join(_explain(item["loc"], item["msg"]) for item in error.errors())) from error


def _explain(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0]).upper() if location else "?"
    known = {field.upper() for field in Settings.model_fields}
    variable = f"LAB_{name}" if name in known else name
    return f"{variable}: {message} (see .env.example)"


def process_environment() -> MutableMapping[str, str]:
    """The environment itself, for what an application's file says of it: variables for its graphs, header templates."""
    return os.environ
