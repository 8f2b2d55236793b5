"""What went wrong with a hub, as one of our errors. Pure."""

from __future__ import annotations

import errno

import httpx
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError

from state.errors import BadRequest, LabError, NotFound, TimedOut, Unavailable
from state.models import ModelCard

_FULL = (errno.ENOSPC, errno.EDQUOT)


def explain(error: Exception, card: ModelCard, url: str, *, arrived: str = "nothing") -> LabError:
    """The error of ours for one of httpx, huggingface_hub or the system, with numbers and the way out.

    `arrived`: how much is on the disk (`1.2 GiB of 3.1 GiB`).
    """
    fetching = f"{card.name}: fetching {card.repo} from {url}"
    if isinstance(error, OfflineModeIsEnabled):
        return NotFound(f"{card.name} is not on this machine ({card.repo}) and fetching is off (HF_HUB_OFFLINE)")
    if isinstance(error, HfHubHTTPError):
        return _explain_status(error, card, url, fetching)
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{fetching} stopped: no answer in time; {arrived} is here, the next try goes on from there")
    if isinstance(error, httpx.ConnectError):
        return Unavailable(
            f"{fetching} failed: no connection ({_line(error)}); check the network, set LAB_HUB_URL to a mirror, "
            "or choose a model that is here"
        )
    if isinstance(error, httpx.TransportError):
        return Unavailable(f"{fetching} was cut ({_line(error)}); {arrived} is here, the next try goes on from there")
    if isinstance(error, OSError) and error.errno in _FULL:
        return Unavailable(f"{fetching} stopped: the disk is full; {arrived} is here; free some space and try again")
    if isinstance(error, PermissionError):
        return BadRequest(f"{fetching} failed: {error.filename} cannot be written; set HF_HOME to a folder of yours")
    if isinstance(error, ValueError):
        return BadRequest(f"{fetching} failed: not a hub's answer ({_line(error)}); check LAB_HUB_URL")
    return Unavailable(f"{fetching} failed ({_line(error)}); {arrived} is here, the next try goes on from there")


def _explain_status(error: HfHubHTTPError, card: ModelCard, url: str, fetching: str) -> LabError:
    status = error.response.status_code
    if isinstance(error, RevisionNotFoundError):
        return NotFound(f"{fetching} failed: no commit {card.revision} there (HTTP {status}); check 'revision'")
    if status in (401, 403):
        # A hub does not tell strangers which repositories exist.
        return BadRequest(
            f"{fetching} was refused (HTTP {status}): accept its licence at {url}/{card.repo} and set HF_TOKEN to a "
            "token of that account; a repository that does not exist is refused likewise"
        )
    if status == 404:
        return NotFound(f"{fetching} failed: not there (HTTP 404); check 'repo' and 'revision', or LAB_HUB_URL")
    if is_passing(error):
        return Unavailable(f"{fetching} failed for now (HTTP {status}); try again later")
    return BadRequest(f"{fetching} was refused (HTTP {status}); check 'repo' and LAB_HUB_URL")


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
