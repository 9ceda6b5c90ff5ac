"""Health over real TCP connections: what it says, and that nobody can tie it up (F-42)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.settings import Address, Settings
from gateway.supervisor import Bell, Context, Health, health
from gateway.supervisor.board import Board
from gateway.supervisor.health import Check, Readiness
from gateway.supervisor.sockets import listen


async def fine() -> str:
    return ""


@asynccontextmanager
async def serving(
    checks: dict[str, Check] | None = None, not_alive: Callable[[], str] = lambda: "", **more: object
) -> AsyncIterator[int]:
    listening = listen(Address("127.0.0.1", 0))
    task = asyncio.create_task(Health(None, not_alive, checks or {}, **more).serve([listening]))
    yield listening.getsockname()[1]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def exchange(port: int, octets: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    response = await reader.read()
    writer.close()
    return response


async def get(port: int, path: str) -> tuple[int, bytes]:
    response = await exchange(port, f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
    head, _, body = response.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return int(head.split()[1]), body


async def test_metrics_are_given_in_the_text_format() -> None:
    async with serving() as port:
        status, body = await get(port, "/metrics")
        assert status == 200
        assert b"# TYPE gateway_recipients_total counter\n" in body


async def test_readiness_lists_every_check_and_fails_with_any() -> None:
    async def down() -> str:
        return "no name server answers"

    async with serving({"store": fine, "dns": down}) as port:
        status, body = await get(port, "/readyz")
        assert status == 503
        assert json.loads(body) == {"status": "failed", "checks": {"store": "ok", "dns": "no name server answers"}}
    async with serving({"store": fine}) as port:
        assert await get(port, "/readyz?verbose") == (200, b'{"status":"ok","checks":{"store":"ok"}}\n')


async def test_liveness_looks_at_nothing_but_heartbeats() -> None:
    """O-5: a dead database must not end in restarts."""

    async def down() -> str:
        return "the database is gone"

    async with serving({"store": down}) as port:
        assert (await get(port, "/livez"))[0] == 200
    async with serving(not_alive=lambda: "no heartbeat of process 1 for 20 s") as port:
        status, body = await get(port, "/livez")
        assert status == 503
        assert json.loads(body)["checks"]["processes"] == "no heartbeat of process 1 for 20 s"


async def test_readiness_is_false_while_the_service_drains() -> None:
    """O-1."""
    async with serving({"store": fine}, is_draining=lambda: True) as port:
        assert (await get(port, "/readyz"))[0] == 503


async def test_checks_run_at_once_for_all_who_ask_and_are_remembered() -> None:
    runs: list[int] = []
    now = 100.0

    async def counted() -> str:
        runs.append(1)
        await asyncio.sleep(0.05)
        return "" if len(runs) == 1 else "gone"

    readiness = Readiness({"downstream": counted}, lambda: now)
    answers = await asyncio.gather(*(readiness.reasons() for _ in range(20)))
    assert answers == [{"downstream": ""}] * 20
    assert len(runs) == 1
    now = 109.0
    assert await readiness.reasons() == {"downstream": ""}
    now = 110.0
    assert await readiness.reasons() == {"downstream": "gone"}


async def test_a_check_that_hangs_or_breaks_is_a_check_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIME", 0.05)

    async def hangs() -> str:
        await asyncio.Event().wait()
        return ""

    async def breaks() -> str:
        raise OSError("secret://bimat")

    reasons = await Readiness({"store": hangs, "dns": breaks, "policy": fine}).reasons()
    assert reasons["store"].startswith("no outcome")
    assert reasons["dns"] == "the check broke: OSError"
    assert reasons["policy"] == ""


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", b"400"),
        (b"EHLO mx.longan.edu.vn\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"400"),
    ],
)
async def test_what_is_not_asked_for_rightly_is_refused(request_octets: bytes, status: bytes) -> None:
    async with serving() as port:
        try:
            response = await exchange(port, request_octets)
        except ConnectionResetError:  # the rest of an oversize request was not read
            assert len(request_octets) > health.MAX_REQUEST
        else:
            assert response.split()[1] == status


async def test_head_has_no_body() -> None:
    async with serving() as port:
        response = await exchange(port, b"HEAD /livez HTTP/1.1\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 200 OK\r\n")
        assert response.endswith(b"\r\n\r\n")


async def test_slow_and_too_many_clients_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-42."""
    monkeypatch.setattr(health, "PATIENCE", 0.3)
    monkeypatch.setattr(health, "MAX_CLIENTS", 4)
    async with serving() as port:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        for _, writer in slow:
            writer.write(b"GET /livez HT")
        await asyncio.sleep(0.05)
        with pytest.raises((ConnectionError, IndexError)):  # the fifth finds no room
            await get(port, "/livez")
        for reader, _ in slow:
            assert await reader.read() == b""
        assert (await get(port, "/livez"))[0] == 200


async def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.3)
    monkeypatch.setattr(health.metrics, "exposition", lambda _: b"x" * 20_000_000)
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.8)  # meanwhile nothing but the buffers is taken
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(20_000_000)


def test_a_process_without_a_heartbeat_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = Board(3)
    context = Context(settings=Settings(), slot=2, sockets={}, metrics_directory=tmp_path, board=board, bell=Bell())
    assert context.not_alive() == ""  # none has begun: the supervisor sees to that
    board.beat(0)
    board.beat(1)
    later = time.monotonic() + 20
    monkeypatch.setattr(time, "monotonic", lambda: later)
    board.beat(2)
    board.forget(0)
    assert context.not_alive() == "no heartbeat of process 1 for 20 s"
    assert not context.is_draining
    board.stop()
    assert context.is_draining
