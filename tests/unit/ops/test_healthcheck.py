"""`python -m gateway.healthcheck`: whom it asks, what it says, what it costs (O-5, O-8)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.healthcheck import DEFAULT, ask, listen_of, main
from gateway.settings import Settings
from gateway.supervisor import Health
from tests.support.ports import free_port


@asynccontextmanager
async def health(reason: str, path: str = "") -> AsyncIterator[str]:
    """The real health server; gives the address to ask."""
    import socket

    opened = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    opened.bind(path or ("127.0.0.1", 0))
    opened.listen()
    task = asyncio.create_task(Health(None, lambda: reason, {}).serve([opened]))
    try:
        yield f"unix:{path}" if path else f"0.0.0.0:{opened.getsockname()[1]}"
    finally:
        task.cancel()
        opened.close()


async def test_a_gateway_that_lives_is_well() -> None:
    """Asked on loopback where it listens at all addresses."""
    async with health("") as address:
        assert await asyncio.to_thread(ask, address) == ""


async def test_a_gateway_that_hangs_is_not_and_the_reason_is_told() -> None:
    async with health("no heartbeat of process 1 for 20 s") as address:
        assert "no heartbeat of process 1 for 20 s" in await asyncio.to_thread(ask, address)


async def test_a_unix_socket_can_be_asked(tmp_path: Path) -> None:
    async with health("", str(tmp_path / "http.sock")) as address:
        assert await asyncio.to_thread(ask, address) == ""


def test_nobody_there_is_exit_1_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main({"GATEWAY_HTTP__LISTEN": f"127.0.0.1:{free_port()}"}) == 1
    assert capsys.readouterr().err == "gateway: not well: [Errno 111] Connection refused\n"


def test_without_a_health_server_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main({"GATEWAY_HTTP__LISTEN": ""}) == 1
    assert "--no-healthcheck" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[http", "http = 1\n", '[http]\nlisten = "nowhere"\n', None])
def test_a_file_that_cannot_be_read_is_a_sentence(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    if text is not None:
        file.write_text(text)
    assert main({"GATEWAY_CONFIG": str(file)}) == 1
    assert capsys.readouterr().err.startswith("gateway: not well: ")


def test_the_address_is_that_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variable before file before default, as gateway.settings reads them; a missing gateway.toml is no error."""
    monkeypatch.chdir(tmp_path)
    assert listen_of({}) == DEFAULT == Settings().http.listen
    (tmp_path / "gateway.toml").write_bytes(b'\xef\xbb\xbf[http]\nlisten = "192.0.2.1:80"\n')
    assert listen_of({}) == "192.0.2.1:80"
    (tmp_path / "other.toml").write_text("workers = 2\n")
    assert listen_of({"GATEWAY_CONFIG": str(tmp_path / "other.toml")}) == DEFAULT
    assert listen_of({"gateway_http__listen": "192.0.2.2:80"}) == "192.0.2.2:80"


def test_it_imports_nothing_heavy() -> None:
    """It runs every few seconds for years beside the service."""
    look = "import sys, gateway.healthcheck; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "ssl", "http.client", "pydantic", "typer", "uvloop", "gateway.settings"} & set(loaded)
