"""The header section of a message, put together again from the fields that a mail server sends one by one."""

from __future__ import annotations

import re
from collections.abc import Collection
from operator import itemgetter
from typing import Final

from gateway.envelope.header import FIELDS_MAX, HEADER_MAX

_END: Final = re.compile(rb"\n(?![ \t])")  # of a field: what follows is no fold
_FIRST: Final = itemgetter(0)
_SPACE: Final = frozenset(b" \t")


class Section:
    """Fields in their order."""

    def __init__(self) -> None:
        self._fields: list[bytes] = []
        self._size = 0
        self.is_broken = False  # it is not what the client sent: too large, or a field that is not one field

    def add(self, name: bytes, value: bytes) -> None:
        """One field; the value with its leading space and its folds, which end with LF (Postfix) or CRLF."""
        self.extend((b"%b:%b\r\n" % (name, value),))

    def extend(self, fields: Collection[bytes]) -> None:
        """Fields, each with its CRLF."""
        if self.is_broken:
            return
        self._fields += fields
        self._size += sum(map(len, fields))
        if self._size > HEADER_MAX or len(self._fields) > FIELDS_MAX:
            self.is_broken = True
            self._fields.clear()

    def octets(self) -> bytes:
        """The section as on the wire, with the empty line that ends it; without a field when it is broken."""
        octets, fields = b"".join(self._fields), len(self._fields)
        if octets.count(b"\n") > fields:
            octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            self.is_broken = self.is_broken or len(_END.findall(octets)) != fields
        if self.is_broken or not _SPACE.isdisjoint(map(_FIRST, self._fields)):
            self.is_broken = True
            return b"\r\n"
        return octets + b"\r\n"
