"""Each test of this folder runs for every kind of remote model that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llm.models import LocalModels
from tests.integration.providers.models import KINDS, Kind, card_of, open_remotes
from tests.integration.providers.wire import Remote, open_remote


@pytest.fixture(scope="module")
def server() -> Iterator[Remote]:
    with open_remote() as opened:
        yield opened


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def models(tmp_path: Path, kind: Kind, server: Remote) -> Iterator[LocalModels]:
    with open_remotes(tmp_path, {"far": card_of(kind, server)}) as opened:
        yield opened
