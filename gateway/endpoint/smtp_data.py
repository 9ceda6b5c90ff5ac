"""The octets between DATA and the end of data: counted, checked, unstuffed, and kept in a spool.

No octet is looked at by Python code of its own: chunks go through bytes methods only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.endpoint.limits import MemoryBudget
from gateway.endpoint.refusal import BARE_NEWLINE, LONG_LINE, TOO_BIG
from gateway.endpoint.spool import Spool
from gateway.envelope.message import Octets
from gateway.envelope.reply import STORAGE_ERROR, Reply

END_OF_DATA: Final = b"\r\n.\r\n"  # RFC 5321 §4.1.1.4, and nothing else (S-1)


class Body:
    """Collects one message. feed() takes the stream from the CRLF that ended the DATA line on, in any pieces.

    RFC 5321 counts that CRLF as the first half of an end of data that comes at once, so the stream has one shape.
    `refusal` is the reply that the message has earned so far; what is refused is no longer kept, only counted.
    """

    def __init__(self, *, max_size: int, max_line: int, memory: MemoryBudget, spool: Path) -> None:
        self._max_size = max_size
        self._max_line = max_line
        self._spool = Spool(memory, spool)
        self._carry = b""  # CR or CR LF that ended the last chunk: a dot may follow
        self._skip = 2  # the CRLF of the DATA line
        self._column = 0  # octets since the last LF
        self.octets = -2  # as sent: dots that were stuffed count too (S-12)
        self.bare = False
        self.refusal: Reply | None = None

    def feed(self, chunk: bytes) -> None:
        """Take a chunk that does not hold the end of data."""
        self.octets += len(chunk)
        chunk = self._carry + chunk
        kept = 2 if chunk.endswith(b"\r\n") else 1 if chunk.endswith(b"\r") else 0
        self._carry = chunk[len(chunk) - kept :]
        self._take(chunk[: len(chunk) - kept])

    def finish(self, chunk: bytes) -> None:
        """Take the last chunk, which ends with the end of data and holds it nowhere else."""
        self.octets += len(chunk) - 3
        self._take((self._carry + chunk)[:-3])

    def _take(self, piece: bytes) -> None:
        piece = piece.replace(b"\r\n.", b"\r\n")
        if self._skip:
            piece, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
        if not self.bare:
            pairs = piece.count(b"\r\n")
            self.bare = piece.count(b"\n") != pairs or piece.count(b"\r") != pairs or b"\0" in piece
        if self.octets > self._max_size:
            self._refuse(TOO_BIG)
        elif not self.refusal and self._has_long_line(piece):
            self._refuse(LONG_LINE)
        if not self.refusal and not self._spool.keep(piece):
            self._refuse(STORAGE_ERROR)

    def _has_long_line(self, piece: bytes) -> bool:
        """Whether a line is longer than the limit, looking at the last LF in each stretch of that length only."""
        start, room, reach = 0, self._max_line + 2, -self._column
        while len(piece) - reach > room:
            newline = piece.rfind(b"\n", start, reach + room)
            if newline < 0:
                return True
            start = reach = newline + 1
        newline = piece.rfind(b"\n", start)
        self._column = len(piece) - (newline + 1 if newline >= 0 else reach)
        return False

    def _refuse(self, reply: Reply) -> None:
        self.refusal = self.refusal or reply
        self._spool.close()

    def verdict(self, *, refuse_bare: bool) -> Reply | None:
        """After finish(): the reply that refuses the message, or None."""
        return self.refusal or (BARE_NEWLINE if self.bare and refuse_bare else None)

    def content(self) -> Octets:
        """After finish(): the message, CRLF line ends and no stuffed dots. Raises OSError."""
        return self._spool.content()

    def close(self) -> None:
        """Give everything back. A map that content() returned stays good: the kernel keeps the file for it."""
        self._spool.close()
