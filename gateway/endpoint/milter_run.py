"""A run of header fields, one packet behind the other, read in one go: half of all packets are HEADER.

Only what is plain is read here: fields of up to 64 KiB without a NUL in their values, and between them, as Postfix does
it, the same MACRO packet of at most one name and value. Whatever else comes is read packet by packet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import itemgetter
from struct import Struct, unpack
from typing import Final

from gateway.values import value

_MACROS: Final = rb"(?:\0\0\0.DL(?:[^\0]+\0[^\0]*\0)?)?"
_RUN: Final = re.compile(rb"(?:%b\0\0..L[^\0]*\0[^\0]*\0){2,500}" % _MACROS, re.S)
_FIELD: Final = re.compile(rb"(%b)\0\0(..)L([^\0]*)\0([^\0]*)\0" % _MACROS, re.S)  # MACRO packet, length, name, value
_WRITTEN: Final = b"%.0b%.0b%b:%b\r\n".__mod__  # of a match's four groups; as long as the packet says that it is
_FIRST: Final = itemgetter(0)
_SECOND: Final = itemgetter(1)
_NOTHING: Final = frozenset({b""})
_HEAD: Final = Struct("!IB")  # length of all that follows it, command


@value
class Run:
    """HEADER packets, each perhaps with its MACRO packet before it."""

    octets: bytes  # of all the packets
    macros: bytes  # payload of each MACRO packet; b"" where there are none
    fields: list[bytes]  # each with its CRLF, its folds as the mail server wrote them

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """Command and payload of each packet."""
        position = 0
        while position < len(self.octets):
            length, octet = _HEAD.unpack_from(self.octets, position)
            yield octet, self.octets[position + 5 : position + 4 + length]
            position += 4 + length


def read_run(octets: bytes, position: int) -> Run | None:
    """The run that begins with the HEADER packet there; None where there are fewer than two packets, or they are not plain."""
    run = _RUN.match(octets, position)
    if run is None:
        return None
    found = _FIELD.findall(octets, position, run.end())
    fields = list(map(_WRITTEN, found))
    sizes = unpack(f"!{len(fields)}H", b"".join(map(_SECOND, found)))
    macros = set(map(_FIRST, found)) - _NOTHING
    if sizes != tuple(map(len, fields)) or len(macros) > 1:
        return None
    macro = macros.pop() if macros else b""
    if macro and macro[3] != len(macro) - 4:
        return None
    return Run(run[0], macro[5:], fields)
