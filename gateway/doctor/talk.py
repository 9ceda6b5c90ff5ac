"""One SMTP or LMTP conversation that ends before DATA: what the server says, and no mail."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.doctor.dial import dialled
from gateway.settings import Address

REPLY: Final = 8.0  # seconds; Postfix's postscreen lets a new client wait six for its greeting
WHOLE: Final = 10.0  # seconds of one conversation
LINES: Final = 100  # of one reply


@dataclass(frozen=True, slots=True)
class Talk:
    """Replies as they came, the lines of one joined by line ends; empty where it did not come so far."""

    greeting: str = ""
    hello: str = ""
    mail: str = ""  # to MAIL FROM:<>
    recipients: Mapping[str, str] = field(default_factory=dict)  # mailbox: reply
    failure: str = ""  # what ended it too early, in the system's words

    @property
    def extensions(self) -> dict[str, str]:
        """EHLO keywords in upper case with their parameters (RFC 5321 §4.1.1.1)."""
        lines = [line[4:].strip() for line in self.hello.split("\n")[1:]]
        return {line.partition(" ")[0].upper(): line.partition(" ")[2] for line in lines if line}


@dataclass(slots=True)
class _Heard:
    greeting: str = ""
    hello: str = ""
    mail: str = ""
    recipients: dict[str, str] = field(default_factory=dict)


async def converse(
    address: Address, name: str, recipients: tuple[str, ...] = (), *, lmtp: bool = False, proxy: bool = False
) -> Talk:
    """Greeting, EHLO as `name`, MAIL FROM:<>, each RCPT, RSET, QUIT. Raises nothing.

    `proxy` sends a PROXY header with this very connection's addresses first, to a door that demands one.
    """
    heard, failure = _Heard(), ""
    try:
        async with asyncio.timeout(WHOLE), dialled(address) as (reader, writer):
            if proxy:
                writer.write(_header(writer))
            await _speak(reader, writer, heard, name, recipients, "LHLO" if lmtp else "EHLO")
    except TimeoutError:
        failure = "no reply in time"
    except EOFError:
        failure = "connection closed"
    except (OSError, ValueError) as error:
        failure = words_of(error)
    return Talk(heard.greeting, heard.hello, heard.mail, heard.recipients, failure)


def words_of(error: Exception) -> str:
    """What the operating system says; asyncio puts words of its own in its place."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


async def _speak(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    heard: _Heard,
    name: str,
    recipients: tuple[str, ...],
    verb: str,
) -> None:
    async def command(line: str) -> str:
        writer.write(f"{line}\r\n".encode())
        await writer.drain()
        return await _reply(reader)

    heard.greeting = await _reply(reader)
    if not heard.greeting.startswith("220"):
        return
    heard.hello = await command(f"{verb} {name}")
    if recipients and heard.hello.startswith("250"):
        heard.mail = await command("MAIL FROM:<>")
        if heard.mail.startswith("250"):
            for mailbox in recipients:
                heard.recipients[mailbox] = await command(f"RCPT TO:<{mailbox}>")
            await command("RSET")
    with suppress(OSError, TimeoutError, EOFError):  # all is said; a server that is silent now does not matter
        async with asyncio.timeout(1):
            await command("QUIT")


async def _reply(reader: asyncio.StreamReader) -> str:
    """One reply with all its lines. Raises EOFError, TimeoutError, ValueError."""
    lines: list[str] = []
    async with asyncio.timeout(REPLY):
        while len(lines) < LINES:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            if lines[-1][3:4] != "-":
                return "\n".join(lines)
    raise ValueError(f"a reply of more than {LINES} lines")


def _header(writer: asyncio.StreamWriter) -> bytes:
    """PROXY v1 with the addresses that this connection has (S-33)."""
    name, peer = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
    family = "TCP6" if ":" in name[0] else "TCP4"
    return f"PROXY {family} {name[0]} {peer[0]} {name[1]} {peer[1]}\r\n".encode()
