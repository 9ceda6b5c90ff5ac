"""The header section of a message, put together again from the fields that a mail server sends one by one."""

from __future__ import annotations

import re
from typing import Final

SECTION_MAX: Final = 2 * 1024 * 1024  # octets; our own reader looks at 256 KiB

_END: Final = re.compile(rb"\n(?![ \t])")  # of a field: what follows is no fold


class Section:
    """Fields in their order."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._fields = 0
        self.is_broken = False  # it is not what the client sent: too large, or a field that holds more than one field

    def add(self, name: bytes, value: bytes) -> None:
        """One field; the value with its leading space and its folds, which end with LF (Postfix) or CRLF."""
        self._size += len(name) + len(value) + 3
        if self._size > SECTION_MAX:
            self.is_broken = True
            return
        self._fields += 1
        self._pieces += (name, b":", value, b"\r\n")

    def octets(self) -> bytes:
        """The section as on the wire, with the empty line that ends it; without a field when it is broken."""
        octets = b"".join(self._pieces)
        if octets.count(b"\n") > self._fields:
            octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            self.is_broken = self.is_broken or len(_END.findall(octets)) > self._fields
        return b"\r\n" if self.is_broken else octets + b"\r\n"
