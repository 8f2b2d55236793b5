"""What agents at another address have in common: where they are, how long they may take, what they are sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from nodes.agents.words import hidden, one_line
from state.agents import AGENT_ID, AgentRecord
from state.errors import AgentFailed, BadRequest
from state.flows import AgentSpec

MAX_ENDPOINT_CHARS = 2_000
MAX_TIMEOUT_SEC = 86_400.0
MAX_KEY_CHARS = 4_096
"""Of a key: servers refuse headers that are longer than a few kilobytes."""
_LATER = frozenset({408, 425, 429})
_SECRETS = frozenset({"api_key", "apikey", "x_api_key", "authorization", "token"})


def endpoint_of(url: str) -> str:
    """`url` in the one form that is kept and called: lower-case host, no default port, no slash at the end.

    Raises BadRequest: not http or https, no host, a password, query or fragment, too long, readable in two ways.
    """
    problem = _problem(url)
    if problem is not None:
        shown = "" if re.search("[@?#]", url) else f" '{one_line(url, 100)}'"  # which may hold a password
        raise BadRequest(f"endpoint{shown}: {problem}; expected such as https://agents.example.com/writer")
    # Twice: a default port goes only below a scheme in small letters.
    return str(httpx.URL(str(httpx.URL(url)))).rstrip("/")


def _problem(url: str) -> str | None:
    if len(url) > MAX_ENDPOINT_CHARS:
        return f"{len(url)} characters, at most {MAX_ENDPOINT_CHARS}"
    if re.search(r"[\\\x00-\x20\x7f-\x9f]", url) or not url.isprintable():
        return "holds a character that no URL has"
    try:
        parsed = httpx.URL(url)
        host = parsed.host  # decoded only here, where the `xn--` of a name may turn out to be none
    except (httpx.InvalidURL, UnicodeError) as error:
        return one_line(str(error))
    if parsed.scheme not in ("http", "https"):
        return "is not http or https"
    if host == "" or not re.match(r"https?://[^/?#]", url, re.IGNORECASE):
        return "names no host"
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", parsed.raw_host.decode()):
        return "names a host that is none"
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        return f"port {parsed.port} is not from 1 to 65535"
    if "@" in url.split("/")[2]:
        return "holds a user or a password; register the agent with an api_key"
    return "holds a query or a fragment" if "?" in url or "#" in url else None


def timeout_of(config: Mapping[str, Any], default: float) -> float:
    """`config.timeout`, in seconds. Raises BadRequest: no positive number, or more than a day."""
    said = config.get("timeout")
    if said is None:
        return default
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= MAX_TIMEOUT_SEC:
        shown = one_line(repr(said), 40)
        raise BadRequest(f"config.timeout is {shown}; expected seconds above 0, at most {MAX_TIMEOUT_SEC:.0f}")
    return float(said)


def travelling(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a definition's config an agent is sent: all but where it is."""
    return {key: value for key, value in config.items() if key not in ("agent_id", "endpoint")}


def check_address(spec: AgentSpec) -> None:
    """Refuse a config that does not say where the agent is, or says it twice, or holds a key. Raises BadRequest."""
    agent_id, endpoint = spec.config.get("agent_id"), spec.config.get("endpoint")
    if not isinstance(agent_id if agent_id is not None else endpoint, str):
        raise BadRequest(
            f"agent '{spec.agent_id}' of class {spec.agent_class}: config needs agent_id, a registered agent, or "
            "endpoint, a URL"
        )
    if agent_id is not None and endpoint is not None:
        raise BadRequest(f"agent '{spec.agent_id}': config has agent_id and endpoint; leave one of them out")
    if secret := secret_in(spec.config):
        raise BadRequest(f"agent '{spec.agent_id}': config.{secret}")
    if agent_id is not None and not re.fullmatch(AGENT_ID, agent_id):
        raise BadRequest(f"agent '{spec.agent_id}': config.agent_id '{one_line(agent_id, 100)}' is no agent's id")
    if agent_id is None:
        endpoint_of(str(endpoint))
    timeout_of(spec.config, 1.0)


def secret_in(config: Mapping[str, Any]) -> str:
    """That a config, which everybody can read, holds a key, and where that belongs; empty where it has none."""
    for name in config:
        if name.lower().replace("-", "_") in _SECRETS:
            return f"{name} would be shown to whoever reads this; register the agent with its api_key instead"
    return ""


def address_of(spec: AgentSpec, record: AgentRecord | None) -> tuple[str, str | None]:
    """Where the agent is, and its key. Raises BadRequest."""
    endpoint = record.endpoint if record is not None else spec.config.get("endpoint")
    if not isinstance(endpoint, str):
        raise BadRequest(f"agent '{spec.agent_id}' has no endpoint; give it one, or another agent_class")
    return endpoint_of(endpoint), key_text(record.api_key) if record is not None else None


def key_text(key: SecretStr | None) -> str | None:
    """The key as a header can carry it. Raises BadRequest, which does not show it."""
    if key is None or not key.get_secret_value():
        return None
    text = key.get_secret_value()
    if len(text) > MAX_KEY_CHARS:
        raise BadRequest(f"api_key has {len(text)} characters, at most {MAX_KEY_CHARS}")
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise BadRequest("api_key holds a blank or a character that no header can carry; printable ASCII is accepted")
    return text


def status_error(status: int, words: str) -> AgentFailed | BadRequest:
    """What an agent's HTTP status means that is none of success: it may be asked again, or it refused the request."""
    if 300 <= status < 400:
        return BadRequest(f"status {status}: a redirect, which is not followed; register the address it leads to")
    if status in _LATER or status >= 500:
        return AgentFailed(f"status {status}: {words}")
    return BadRequest(f"refused the request, status {status}: {words}")


def words_of(text: str, key: str | None) -> str:
    """An agent's words for a message: one line, without its key."""
    return one_line(hidden(text, [key])) or "(no words)"
