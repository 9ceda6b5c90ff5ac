"""/metrics, /livez and /readyz over HTTP/1.1, for Prometheus and for whoever restarts or routes (safety O-5, F-42).

GET and HEAD only, one request a connection, few connections, little time: nothing that a client does here costs mail.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from gateway import maillog, metrics
from gateway.metrics import gauges

Check = Callable[[], Awaitable[str]]  # gives "" when all is well, else the reason

MAX_REQUEST: Final = 8192  # octets of request line and header
MAX_CLIENTS: Final = 32
PATIENCE: Final = 5.0  # seconds for a request to come, and for a response to be taken
CACHED: Final = 10.0  # seconds that the outcome of the checks is kept
CHECK_TIME: Final = 5.0  # seconds of one check

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Readiness:
    """Runs all checks at once, not oftener than every CACHED seconds, and for all who ask meanwhile together."""

    def __init__(self, checks: Mapping[str, Check], clock: Callable[[], float] = time.monotonic) -> None:
        self._checks = checks
        self._clock = clock
        self._until = 0.0
        self._reasons: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def reasons(self) -> Mapping[str, str]:
        """Per check "" or why it failed."""
        async with self._lock:
            if self._clock() >= self._until:
                outcomes = await asyncio.gather(*(_timed(check) for check in self._checks.values()))
                self._reasons = {name: reason for name, (reason, _) in zip(self._checks, outcomes, strict=True)}
                self._until = self._clock() + CACHED
                gauges.check_up.replace({(name,): not reason for name, reason in self._reasons.items()})
                gauges.check_seconds.replace({(n,): took for n, (_, took) in zip(self._checks, outcomes, strict=True)})
            return self._reasons


async def _timed(check: Check) -> tuple[str, float]:
    begin = time.monotonic()
    return await _outcome(check), time.monotonic() - begin


async def _outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIME):
            return await check()
    except TimeoutError:
        return f"no outcome within {CHECK_TIME:.0f} s"
    except Exception as error:  # a check that breaks has failed; the reason is for the log, not for the network
        maillog.event("fault", place="readiness", error=repr(error))
        return f"the check broke: {type(error).__name__}"


class Health:
    """The server: `Health(context.metrics_directory, context.not_alive, checks, is_draining=...)`."""

    def __init__(
        self,
        directory: Path | None,
        not_alive: Callable[[], str],
        checks: Mapping[str, Check],
        *,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        """`directory` is that of metrics.exposition(); `not_alive` gives "" or which process hangs.

        Liveness looks at no other server: a dead database must not end in restarts. Readiness is what `checks` say.
        """
        self._directory = directory
        self._not_alive = not_alive
        self._readiness = Readiness(checks)
        self._is_draining = is_draining
        self._clients = 0
        self._nobody = asyncio.Event()  # is a client at the moment
        self._nobody.set()

    async def reasons(self) -> Mapping[str, str]:
        """Per check "" or why the service is not ready; the gauges of readiness show the same."""
        reasons = dict(await self._readiness.reasons())
        if self._is_draining():
            reasons["stopping"] = "the service is draining"
        gauges.ready.set(not any(reasons.values()))
        return reasons

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these listening sockets until cancelled; requests that have come are answered then."""
        servers = [await asyncio.start_server(self._client, sock=each, limit=MAX_REQUEST) for each in sockets]
        try:
            await asyncio.Event().wait()
        finally:
            for server in servers:
                server.close()
            with contextlib.suppress(TimeoutError):  # another process answers next; who asked us is answered
                async with asyncio.timeout(PATIENCE):
                    await self._nobody.wait()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._clients >= MAX_CLIENTS:
            writer.transport.abort()
            return
        self._clients += 1
        self._nobody.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                request = await _request(reader)
            response = await self._respond(*request)
            async with asyncio.timeout(PATIENCE):
                writer.write(response)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            writer.transport.abort()  # slow or gone: nothing is owed to it
        finally:
            self._clients -= 1
            if not self._clients:
                self._nobody.set()

    async def _respond(self, method: str, path: str) -> bytes:
        if method not in ("GET", "HEAD"):
            status, kind, body = (405 if method else 400), _JSON, b"{}\n"
        else:
            try:
                status, kind, body = await self._resource(path)
            except Exception as error:
                maillog.event("fault", place="health", path=path, error=repr(error))
                status, kind, body = 500, _JSON, b"{}\n"
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        )
        allow = "Allow: GET, HEAD\r\n" if status == 405 else ""
        return f"{head}{allow}\r\n".encode() + (b"" if method == "HEAD" else body)

    async def _resource(self, path: str) -> tuple[int, str, bytes]:
        match path.partition("?")[0]:
            case "/metrics":
                # sums over many series take tens of milliseconds, and the outbox lives in this event loop too
                return 200, _TEXT, await asyncio.to_thread(metrics.exposition, self._directory)
            case "/livez":
                reason = self._not_alive()
                return (503 if reason else 200), _JSON, _document(not reason, {"processes": reason})
            case "/readyz":
                reasons = await self.reasons()
                ready = not any(reasons.values())
                return (200 if ready else 503), _JSON, _document(ready, reasons)
        return 404, _JSON, b"{}\n"


def _document(good: bool, reasons: Mapping[str, str]) -> bytes:
    checks = {name: reason or "ok" for name, reason in reasons.items()}
    return orjson.dumps({"status": "ok" if good else "failed", "checks": checks}, option=orjson.OPT_APPEND_NEWLINE)


async def _request(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Method and path; empty ones for what is not a request."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return "", ""
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1.") or not words[1].startswith(b"/"):
        return "", ""
    return words[0].decode("latin-1"), words[1].decode("latin-1")
