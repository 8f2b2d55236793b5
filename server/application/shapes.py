"""The keys of langgraph.json as its public documentation has them; what no server needs is read and unused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from langgraph.store.base import TTLConfig
from pydantic import BaseModel, ConfigDict, Field, field_validator

Minutes = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Texts = tuple[str, ...]


class _Part(BaseModel):
    """A key that is not known is kept, for a warning with its line."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class GraphSpec(_Part):
    """Where a graph is: "./file.py:name" or "module:name"."""

    path: str
    description: str | None = None


class IndexConfig(_Part):
    """Search by meaning in the store."""

    embed: str
    """Either provider:model, or ./file.py:name of a function or an Embeddings object."""
    dims: int = Field(gt=0, le=16_000)
    fields: Texts | None = None
    """Paths of values that are embedded; None: the whole value."""


class StoreTTL(_Part):
    """How long items live."""

    default_ttl: Minutes | None = None
    refresh_on_read: bool = True
    sweep_interval_minutes: Minutes | None = None


class StoreConfig(_Part):
    index: IndexConfig | None = None
    ttl: StoreTTL | None = None
    path: str | None = None

    def lifetime(self) -> TTLConfig | None:
        """`ttl` as stores of LangGraph take it; None where the file says nothing."""
        if self.ttl is None:
            return None
        kept = TTLConfig(refresh_on_read=self.ttl.refresh_on_read)
        if self.ttl.default_ttl is not None:
            kept["default_ttl"] = self.ttl.default_ttl
        if self.ttl.sweep_interval_minutes is not None:
            kept["sweep_interval_minutes"] = round(self.ttl.sweep_interval_minutes) or 1
        return kept


class ThreadTTL(_Part):
    """How long threads live, and what happens to them then."""

    strategy: Literal["delete", "keep_latest"] = "delete"
    default_ttl: Minutes | None = None
    sweep_interval_minutes: Minutes | None = None
    sweep_limit: int = Field(1_000, gt=0)


class CheckpointerConfig(_Part):
    ttl: ThreadTTL | None = None
    path: str | None = None
    serde: Mapping[str, Any] | None = None


class CorsConfig(_Part):
    """As Starlette's CORSMiddleware takes them; None: as the server does without."""

    allow_origins: Texts | None = None
    allow_methods: Texts | None = None
    allow_headers: Texts | None = None
    allow_credentials: bool | None = None
    allow_origin_regex: str | None = None
    expose_headers: Texts | None = None
    max_age: int | None = Field(None, ge=0)


class HeaderFilter(_Part):
    """Which request headers a run sees in its `configurable`; excludes win, * stands for anything."""

    includes: Texts | None = None
    excludes: Texts | None = None


class HttpConfig(_Part):
    app: str | None = None
    """A Starlette or FastAPI application of the user's, "./file.py:name"."""
    cors: CorsConfig | None = None
    configurable_headers: HeaderFilter | None = None
    logging_headers: HeaderFilter | None = None
    middleware_order: Literal["auth_first", "middleware_first"] | None = None
    enable_custom_route_auth: bool = False
    mount_prefix: str | None = None
    disable_assistants: bool = False
    disable_threads: bool = False
    disable_runs: bool = False
    disable_crons: bool = False
    disable_store: bool = False
    disable_mcp: bool = False
    disable_a2a: bool = False
    disable_meta: bool = False
    disable_ui: bool = False
    disable_webhooks: bool = False

    @field_validator("mount_prefix")
    @classmethod
    def _absolute(cls, prefix: str | None) -> str | None:
        if prefix is not None and not (prefix.startswith("/") and not prefix.endswith("/")):
            raise ValueError('it starts with "/" and does not end with it, such as "/api"')
        return prefix


class WebhookUrlPolicy(_Part):
    """Which addresses a webhook may go to."""

    require_https: bool = False
    allowed_domains: Texts = ()
    """Hosts, or "*.example.com" for those below one; none named: any public host."""
    allowed_ports: tuple[int, ...] = ()
    """None named: any."""
    max_url_length: int | None = Field(None, gt=0)
    disable_loopback: bool = False
    """No relative URLs, which are calls of this server's own routes."""


class WebhooksConfig(_Part):
    url: WebhookUrlPolicy = WebhookUrlPolicy()
    headers: Mapping[str, str] = {}
    """Sent with each; "${{ env.NAME }}" stands for a variable whose name begins with `env_prefix`."""
    env_prefix: str = "LG_WEBHOOK_"


class Document(_Part):
    """langgraph.json, whole."""

    graphs: Mapping[str, GraphSpec]
    dependencies: Texts = ()
    env: Mapping[str, str] = {}
    env_file: str | None = None
    """`env` where it is said as the path of a file of NAME=value lines."""
    store: StoreConfig = StoreConfig()
    checkpointer: CheckpointerConfig = CheckpointerConfig()
    http: HttpConfig = HttpConfig()
    webhooks: WebhooksConfig = WebhooksConfig()
    auth: Mapping[str, Any] | None = None
    encryption: Mapping[str, Any] | None = None

    # For building images and for other hosts.
    schema_: str | None = Field(None, alias="$schema")
    python_version: str | None = None
    node_version: str | None = None
    api_version: str | None = None
    base_image: str | None = None
    image_distro: str | None = None
    pip_config_file: str | None = None
    pip_installer: str | None = None
    source: Any = None
    dockerfile_lines: Any = None
    keep_pkg_tools: Any = None
    internal_docker_tag: Any = Field(None, alias="_INTERNAL_docker_tag")
    ui: Any = None
    ui_config: Any = None
    priority: Any = None
