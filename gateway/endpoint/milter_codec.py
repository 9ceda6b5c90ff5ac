"""Milter packets as octets: length, command, payload. No I/O. What we answer is written by milter_answers.

Lengths are capped by command before a single octet is kept (safety S-34), and a packet is copied once or twice however
finely the network cut it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final, TypeAlias

from gateway.endpoint.milter_answers import (
    accept,
    add_recipient,
    change_header,
    continue_,
    delete_recipient,
    discard,
    insert_header,
    negotiate,
    progress,
    reject,
    replycode,
    skip,
    tempfail,
)
from gateway.endpoint.milter_events import Connected
from gateway.endpoint.milter_protocol import CHUNK_SIZE, VERSION, Action, Command, MacroStage, MilterError, Step

__all__ = [
    "CHUNK_SIZE",
    "VERSION",
    "Action",
    "Command",
    "Frames",
    "MacroStage",
    "MilterError",
    "Packet",
    "Step",
    "accept",
    "add_recipient",
    "change_header",
    "continue_",
    "delete_recipient",
    "discard",
    "insert_header",
    "negotiate",
    "progress",
    "read_connect",
    "read_header",
    "read_helo",
    "read_macros",
    "read_negotiation",
    "read_path",
    "reject",
    "replycode",
    "skip",
    "tempfail",
]

Packet: TypeAlias = tuple[Command, bytes]  # a command and its payload

_SMALL: Final = 4096  # octets of payloads that hold names, numbers or nothing
_TEXT: Final = 64 * 1024  # of those that hold lines of a client, which Postfix limits to 2048
_HEADER: Final = 1024 * 1024  # of one header field: Postfix's header_size_limit is 102400, and may be raised
_BODY: Final = CHUNK_SIZE + 1

_CAPS: Final[Mapping[int, tuple[Command, int]]] = {
    **{command.value: (command, _SMALL) for command in Command},
    **{
        command.value: (command, _TEXT)
        for command in (Command.MACRO, Command.HELO, Command.MAIL, Command.RCPT, Command.UNKNOWN)
    },
    Command.HEADER.value: (Command.HEADER, _HEADER),
    Command.BODY.value: (Command.BODY, _BODY),
    Command.BODYEOB.value: (Command.BODYEOB, _BODY),
}
_HEAD: Final = Struct("!IB")  # length of all that follows it, command
_LENGTH: Final = Struct("!I")
_OPTIONS: Final = Struct("!III")  # version, actions, steps


class Frames:
    """Cuts a stream into packets."""

    def __init__(self) -> None:
        self._head = b""  # of a packet that has begun
        self._command: Command | None = None  # whose payload is not complete
        self._payload = bytearray()
        self._missing = 0  # octets of it that are still to come

    def feed(self, octets: bytes) -> list[Packet]:
        """The packets that these octets complete. Raises MilterError for what cannot be a packet."""
        packets: list[Packet] = []
        position = self._resume(octets, packets) if self._head or self._command else 0
        size = len(octets)
        while size - position >= _HEAD.size:
            length, octet = _HEAD.unpack_from(octets, position)
            command = _check(length, octet)
            start, position = position + _HEAD.size, position + _LENGTH.size + length
            if position > size:
                self._command, self._missing = command, position - size
                self._payload += memoryview(octets)[start:]
                return packets
            packets.append((command, octets[start:position]))
        self._head += octets[position:]
        if len(self._head) == _LENGTH.size:
            _check_length(_LENGTH.unpack(self._head)[0])
        return packets

    def _resume(self, octets: bytes, packets: list[Packet]) -> int:
        """Go on with the packet that has begun; how many of the octets belong to it."""
        position = 0
        if self._command is None:
            position = _HEAD.size - len(self._head)
            if len(octets) < position:
                return 0  # the caller keeps what there is
            length, octet = _HEAD.unpack(self._head + octets[:position])
            self._command, self._missing, self._head = _check(length, octet), length - 1, b""
        taken = memoryview(octets)[position : position + self._missing]
        self._payload += taken
        self._missing -= len(taken)
        if not self._missing:
            packets.append((self._command, bytes(self._payload)))
            self._command = None
            self._payload.clear()
        return position + len(taken)


def _check_length(length: int) -> None:
    if not 1 <= length <= _HEADER + 1:
        raise MilterError(f"a packet of {length} octets")


def _check(length: int, octet: int) -> Command:
    """The command, when a packet of it may be that long."""
    command, cap = _CAPS.get(octet, (None, 0))
    if command is None:
        _check_length(length)
        raise MilterError(f"no command has the octet 0x{octet:02x}")
    if not 1 <= length <= cap + 1:
        raise MilterError(f"a packet of {length} octets for {command.name}")
    return command


# ---- payloads; all readers raise MilterError ------------------------------------------------------------------------


def read_negotiation(payload: bytes) -> tuple[int, Action, Step]:
    """OPTNEG: version, and the actions and steps that the mail server offers."""
    if len(payload) < _OPTIONS.size:
        raise MilterError("OPTNEG is cut short")
    version, actions, steps = _OPTIONS.unpack_from(payload)
    return version, Action(actions), Step(steps)


def read_connect(payload: bytes) -> Connected:
    """CONNECT: host name, family, and where the family has them port and address."""
    name, nul, rest = payload.partition(b"\0")
    family, port, address = rest[:1].decode("latin-1"), int.from_bytes(rest[1:3], "big"), rest[3:]
    text = name.decode("utf-8", "replace")
    if nul and family == "U":
        return Connected(text, "", 0, "U")
    if not nul or family not in ("L", "4", "6") or not address.endswith(b"\0"):
        raise MilterError("CONNECT is malformed")
    return Connected(text, _address(address[:-1].decode("utf-8", "replace"), family), port, family)


def _address(text: str, family: str) -> str:
    if family == "L":
        return text
    if text[:5].lower() == "ipv6:":  # Sendmail writes it, Postfix does not
        text = text[5:]
    try:
        return str(IPv4Address(text) if family == "4" else IPv6Address(text))
    except ValueError as error:
        raise MilterError(f"CONNECT with the address {text[:100]!r}") from error


def read_helo(payload: bytes) -> str:
    """HELO: the name the client gave; what is no UTF-8 in it comes as U+FFFD."""
    return _text(payload, Command.HELO).decode("utf-8", "replace")


def read_path(payload: bytes, command: Command) -> tuple[bytes, tuple[bytes, ...]]:
    """MAIL or RCPT: the path as written, and the ESMTP arguments."""
    path, *arguments = _text(payload, command).split(b"\0")
    return path, tuple(arguments)


def read_header(payload: bytes) -> tuple[bytes, bytes]:
    """HEADER: name and value. A NUL within the value is the sender's, and stays."""
    name, nul, value = payload.partition(b"\0")
    if not nul or value[-1:] != b"\0":
        raise MilterError("HEADER is not two strings")
    return name, value[:-1]


def read_macros(payload: bytes) -> dict[str, str]:
    """MACRO: values by name without braces; octets that are no UTF-8 are kept as surrogates (PEP 383)."""
    if payload[1:] and (payload[-1] != 0 or payload.count(0, 1) % 2):
        raise MilterError("MACRO is not pairs of strings")
    words = payload[1:-1].decode("utf-8", "surrogateescape").split("\0")
    return {name.strip("{}"): value for name, value in zip(words[::2], words[1::2], strict=False)}


def _text(payload: bytes, command: Command) -> bytes:
    if payload[-1:] != b"\0":
        raise MilterError(f"{command.name} does not end with NUL")
    return payload[:-1]
