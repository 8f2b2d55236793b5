"""The port on which a process without HTTP tells its metrics."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from server.settings import Settings
from server.telemetry.exposition import CONTENT_TYPE
from server.telemetry.port import open_metrics_port
from server.worker_processes import command_of
from state.errors import BadRequest


async def _scrape() -> bytes:
    return b"lab_told 1.0\n"


async def test_the_port_tells_metrics_to_this_machine_alone() -> None:
    async with open_metrics_port(_scrape, "127.0.0.1", 0) as port, httpx.AsyncClient() as http:
        address = f"http://127.0.0.1:{port}"
        told = await http.get(f"{address}/metrics")
        assert (told.status_code, told.text, told.headers["content-type"]) == (200, "lab_told 1.0\n", CONTENT_TYPE)
        assert (await http.head(f"{address}/metrics")).status_code == 200
        assert (await http.get(address)).status_code == 404
        assert (await http.get(f"{address}/metrics", headers={"host": "evil.example"})).status_code == 403
        assert (await http.get(f"{address}/metrics", headers={"origin": "https://evil.example"})).status_code == 403
        assert (await http.post(f"{address}/metrics", content=b"x")).status_code == 413
        with pytest.raises(BadRequest, match=f"127.0.0.1:{port} .*LAB_METRICS_PORT"):
            async with open_metrics_port(_scrape, "127.0.0.1", port):
                pass
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(address)


async def test_without_a_port_nothing_is_served() -> None:
    async with open_metrics_port(_scrape, "127.0.0.1", None) as port:
        assert port is None


def test_each_worker_process_has_the_next_port(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, metrics_port=9100)
    assert [command_of(settings, index)[-2:] for index in (1, 2)] == [
        ["--metrics-port", "9101"],
        ["--metrics-port", "9102"],
    ]
    assert "--metrics-port" not in command_of(Settings(data_dir=tmp_path), 1)
