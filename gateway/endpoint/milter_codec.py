"""Milter packets as octets: length, command, payload. No I/O. What we answer is written by milter_answers.

Lengths are capped by command before a single octet is kept (safety S-34), and a packet is copied once or twice however
finely the network cut it.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from operator import methodcaller
from struct import Struct
from typing import Final, NoReturn, TypeAlias

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
from gateway.endpoint.milter_run import Run, read_run

__all__ = [
    "CHUNK_SIZE",
    "VERSION",
    "Action",
    "Command",
    "Frames",
    "MacroStage",
    "MilterError",
    "Packet",
    "Run",
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

Packet: TypeAlias = tuple[int, bytes]  # a command and its payload

_SMALL: Final = 4096  # octets of payloads that hold names, numbers or nothing
_TEXT: Final = 64 * 1024  # of those that hold lines of a client, which Postfix limits to 2048
_FIELD: Final = 1024 * 1024  # of one header field: Postfix's header_size_limit is 102400, and may be raised
_BODY: Final = CHUNK_SIZE + 1

_CAPS: Final[dict[int, int]] = {
    **dict.fromkeys(Command, _SMALL),
    **dict.fromkeys((Command.MACRO, Command.HELO, Command.MAIL, Command.RCPT, Command.UNKNOWN), _TEXT),
    Command.HEADER: _FIELD,
    Command.BODY: _BODY,
    Command.BODYEOB: _BODY,
}
_LONGEST: Final = [1 + _CAPS.get(octet, -1) for octet in range(256)]  # length that a packet may have; 0: no command
_HEAD: Final = Struct("!IB")  # length of all that follows it, command
_unpack_head: Final = _HEAD.unpack_from
_LENGTH: Final = Struct("!I")
_OPTIONS: Final = Struct("!III")  # version, actions, steps

_HEADER: Final = Command.HEADER.value
_BARE: Final = methodcaller("strip", "{}")


class Frames:
    """Cuts a stream into packets."""

    def __init__(self) -> None:
        self._head = b""  # of a packet that has begun
        self._command = 0  # whose payload is not complete; 0: none
        self._payload = bytearray()
        self._missing = 0  # octets of it that are still to come

    def feed(self, octets: bytes) -> list[Packet | Run]:
        """The packets that these octets complete. Raises MilterError for what cannot be a packet."""
        packets: list[Packet | Run] = []
        position = self._resume(octets, packets) if self._head or self._command else 0
        size = len(octets)
        last = size - 5  # where a head may begin
        tries_runs = True  # until one is not plain: octets are not looked at again and again
        while position <= last:
            length, octet = _unpack_head(octets, position)
            if length > _LONGEST[octet] or not length:
                _refuse(length, octet)
            start = position + 5
            if octet == _HEADER and tries_runs:
                if run := read_run(octets, position):
                    packets.append(run)
                    position += len(run.octets)
                    continue
                tries_runs = False
            position += 4 + length
            if position > size:
                self._command, self._missing = octet, position - size
                self._payload += memoryview(octets)[start:]
                return packets
            packets.append((octet, octets[start:position]))
        if position < size:
            self._keep_head(octets[position:])
        return packets

    def _keep_head(self, octets: bytes) -> None:
        self._head += octets
        if len(self._head) == _LENGTH.size:
            _check_length(_LENGTH.unpack(self._head)[0])

    def _resume(self, octets: bytes, packets: list[Packet | Run]) -> int:
        """Go on with the packet that has begun; how many of the octets belong to it."""
        position = 0
        if not self._command:
            position = _HEAD.size - len(self._head)
            if len(octets) < position:
                return 0  # the caller keeps what there is
            length, octet = _HEAD.unpack(self._head + octets[:position])
            if not 0 < length <= _LONGEST[octet]:
                _refuse(length, octet)
            self._command, self._missing, self._head = octet, length - 1, b""
        taken = memoryview(octets)[position : position + self._missing]
        self._payload += taken
        self._missing -= len(taken)
        if not self._missing:
            packets.append((self._command, bytes(self._payload)))
            self._command = 0
            self._payload.clear()
        return position + len(taken)


def _check_length(length: int) -> None:
    if not 1 <= length <= _FIELD + 1:
        raise MilterError(f"a packet of {length} octets")


def _refuse(length: int, octet: int) -> NoReturn:
    """No packet begins like this."""
    if not _LONGEST[octet]:
        _check_length(length)
        raise MilterError(f"no command has the octet 0x{octet:02x}")
    raise MilterError(f"a packet of {length} octets for {Command(octet).name}")


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
    return text if family == "L" else _ip_address(text, family)


@lru_cache(maxsize=1024)  # the same clients come again and again; a text has no more octets than CONNECT may have
def _ip_address(text: str, family: str) -> str:
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
    return dict(zip(map(_BARE, words[::2]), words[1::2], strict=False))


def _text(payload: bytes, command: Command) -> bytes:
    if payload[-1:] != b"\0":
        raise MilterError(f"{command.name} does not end with NUL")
    return payload[:-1]
