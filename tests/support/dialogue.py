"""SMTP dialogues: a raw client that checks every reply it reads, an open door, and scripts that are text files.

A script holds one thing a line:

    # a comment, or nothing
    @set max_size = 65536              a setting of [smtp]; networks and the like are comma-separated
    @mail 451 4.4.1 text               what the pipeline says to MAIL, DATA, or RCPT of one mailbox ("raise": it breaks)
    @data raise
    @rcpt a@b.vn 550 5.1.1 text
    @offer smtputf8=no dsn=no size=1   what the downstream server lacks
    C: text                            the client sends this and CRLF; C lines that follow each other leave in one segment
    C+ text                            the same without CRLF; \\r \\n \\0 \\xNN \\\\ are understood in both
    S: pattern                         one line of reply; * stands for anything
    S. pattern                         a whole reply, of which the last line fits
    S! closed                          the server has closed
    = messages 1                       in the end: handed over, abandoned, unheard, or the reverse-path, recipients, helo …
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.endpoint.smtp import Door, serve
from gateway.envelope.reply import Reply
from gateway.settings import SmtpSettings
from tests.support.reception import FakeReception

HOSTNAME = "mx.longan.edu.vn"
PATIENCE = 20.0  # seconds; only for a test that would hang otherwise
_WITHOUT_ENHANCED = {b"220", b"250", b"354"}
_REPLY = re.compile(rb"([2-5][0-9]{2})([ -])(?:([245])\.[0-9]{1,3}\.[0-9]{1,3} )?[\x20-\x7e]*\r\n\Z")


def lint(line: bytes) -> None:
    """Fail when this is no line of an SMTP reply by R-18."""
    match = _REPLY.match(line)
    assert match, f"not a reply: {line!r}"
    assert len(line) <= 512, f"too long: {line!r}"
    assert match[3] or match[1] in _WITHOUT_ENHANCED, f"no enhanced code: {line!r}"
    assert not match[3] or match[3] == match[1][:1], f"classes differ: {line!r}"
    assert b"secret" not in line, f"internals: {line!r}"


class RawClient:
    """A client that sends octets as it likes and reads replies with care."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def line(self) -> bytes:
        """One reply line, linted; b"" at the end."""
        try:
            line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        except ConnectionError:
            return b""
        if line:
            lint(line)
        return line

    async def reply(self) -> bytes:
        """One whole reply."""
        lines = [await self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(await self.line())
        return b"".join(lines)

    async def ask(self, command: bytes | str) -> bytes:
        await self.send((command.encode() if isinstance(command, str) else command) + b"\r\n")
        return await self.reply()

    async def rest(self) -> list[bytes]:
        """Every line until the server closes."""
        lines = []
        while line := await self.line():
            lines.append(line)
        return lines

    async def hello(self, name: str = "mail.thcs-tanan.edu.vn") -> bytes:
        assert (await self.reply()).startswith(b"220 ")
        return await self.ask(f"EHLO {name}")

    async def envelope(self, *recipients: str) -> None:
        assert (await self.ask("MAIL FROM:<vanthu@thcs-tanan.edu.vn>")).startswith(b"250 ")
        for recipient in recipients or ("vanthu@longan.edu.vn",):
            assert (await self.ask(f"RCPT TO:<{recipient}>")).startswith(b"250 ")
        assert (await self.ask("DATA")).startswith(b"354 ")

    async def mail(self, octets: bytes) -> bytes:
        """A whole transaction; `octets` end with the end of data."""
        await self.envelope()
        await self.send(octets)
        return await self.reply()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with a TCP reset, not with a FIN."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class OpenDoor:
    door: Door
    reception: FakeReception
    spool: Path
    address: tuple[str, int]
    clients: list[RawClient] = field(default_factory=list)

    async def connect(self) -> RawClient:
        client = RawClient(*await asyncio.open_connection(*self.address, limit=1 << 20))
        self.clients.append(client)
        return client


@asynccontextmanager
async def open_door(reception: FakeReception | None = None, **settings: Any) -> AsyncIterator[OpenDoor]:
    """A door on a free port of the loopback, closed at the end with everything that is still open."""
    reception = reception or FakeReception()
    chosen = SmtpSettings.model_validate({"listen": ("127.0.0.1:0",), **settings})
    with TemporaryDirectory() as folder:
        spool = Path(folder) / "spool"
        door = await serve(chosen, reception, hostname=HOSTNAME, spool=spool)
        opened = OpenDoor(door, reception, spool, door.addresses[0])
        try:
            yield opened
        finally:
            for client in opened.clients:
                client.close()
            await door.close()
            assert door.sessions == 0


# ---- scripts --------------------------------------------------------------------------------------------------------


async def play(script: str) -> None:
    """Run one script against a door of its own. AssertionError names the line."""
    lines = [(number, line) for number, line in enumerate(script.splitlines(), 1) if line and line[0] != "#"]
    settings, reception = _arranged([line for _, line in lines if line.startswith("@")])
    async with open_door(reception, **settings) as opened:
        client, pending = await opened.connect(), b""
        for number, line in lines:
            mark, text = line[:2], line[2:].removeprefix(" ")
            if mark in ("C:", "C+"):
                pending += _octets(text) + (b"\r\n" if mark == "C:" else b"")
                continue
            if pending and mark != "= ":
                await client.send(pending)
                pending = b""
            if mark in ("S:", "S."):
                reply = await (client.line() if mark == "S:" else client.reply())
                found = reply.decode().splitlines()[-1] if reply else ""
                assert fnmatchcase(found, text.replace("[", "[[]")), f"line {number}: {found!r} is not {text!r}"
            elif mark == "S!":
                assert await client.line() == b"", f"line {number}: still open"
        client.close()
        for intake in reception.intakes:
            await asyncio.wait_for(intake.ended.wait(), PATIENCE)
        for number, line in lines:
            if line.startswith("= "):
                _check(number, line[2:], reception)


def _octets(text: str) -> bytes:
    return re.sub(
        rb"\\(r|n|0|\\|x[0-9a-f]{2})",
        lambda m: {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}.get(m[1]) or bytes([int(m[1][1:], 16)]),
        text.encode(),
    )


def _arranged(orders: list[str]) -> tuple[dict[str, Any], FakeReception]:
    settings: dict[str, Any] = {}
    reception = FakeReception()
    for order in orders:
        verb, _, rest = order[1:].partition(" ")
        if verb == "set":
            name, _, value = (part.strip() for part in rest.partition("="))
            many = name.endswith("_from") or name == "exempt"
            settings[name] = tuple(filter(None, value.split(","))) if many else value
        elif verb == "rcpt":
            mailbox, _, reply = rest.partition(" ")
            reception.on_rcpt[mailbox] = _answer(reply)
        elif verb == "offer":
            for word in rest.split():
                name, _, value = word.partition("=")
                known: Any = int(value) if value.isdigit() else value == "yes"
                reception.offered = replace(reception.offered, **{name: known})
        else:
            setattr(reception, f"on_{verb}", _answer(rest))
    return settings, reception


def _answer(text: str) -> Reply | Exception:
    if text == "raise":
        return RuntimeError("secret /etc/gateway/key")
    code, enhanced, words = text.split(" ", 2)
    return Reply(int(code), enhanced, words)


def _check(number: int, wish: str, reception: FakeReception) -> None:
    name, _, wanted = wish.partition(" ")
    last = reception.intakes[-1] if reception.intakes else None
    found: dict[str, Any] = {
        "messages": len(reception.messages),
        "transactions": len(reception.intakes),
        "abandoned": sum("abandon" in intake.calls for intake in reception.intakes),
        "unheard": sum("unheard" in intake.calls for intake in reception.intakes),
    }
    if last:
        found |= {
            "reverse-path": str(last.reverse_path or "<>"),
            "recipients": " ".join(str(path.mailbox) for path in last.asked),
            "parameters": " ".join(k if v is None else f"{k}={v}" for k, v in last.parameters),
            "rcpt-parameters": " ".join(f"{k}={v}" for path in last.asked for k, v in path.parameters),
            "address": str(last.client.address),
            "port": str(last.client.port),
            "helo": last.client.helo,
            "protocol": last.client.protocol,
            "name": last.client.name,
            "content": (last.raw or b"").decode("latin-1").encode("unicode_escape").decode(),
        }
    assert str(found.get(name)) == wanted, f"line {number}: {name} is {found.get(name)!r}"
