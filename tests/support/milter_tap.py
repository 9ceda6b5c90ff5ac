"""Stands between a mail server and its milter, reads the packets that pass, and can keep a verdict from arriving."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

END_OF_MESSAGE, PROGRESS = b"E", b"p"


def packets(stream: socket.socket) -> Iterator[bytes]:
    """Whole packets as they stand on the wire, until the other side ends."""
    kept = b""
    with contextlib.suppress(OSError):
        while octets := stream.recv(1 << 16):
            kept += octets
            while len(kept) >= 4 and len(kept) >= (size := 4 + int.from_bytes(kept[:4])):
                yield kept[:size]
                kept = kept[size:]


@dataclass
class _Pair:
    server: socket.socket  # the mail server's side
    milter: socket.socket
    ended: bool = False  # the end of the message has been told

    def drop(self) -> None:
        for side in (self.server, self.milter):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


@dataclass
class Tap:
    """Passes packets on. While `armed`, the first packet of a verdict (all but PROGRESS) is kept, and its pair in `caught`."""

    listen: Path
    milter: Path
    armed: bool = False
    caught: list[_Pair] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)  # what milters answered after the end of messages

    def release(self) -> None:
        """Cut the connections whose verdict was kept: the mail server learns that its milter is gone."""
        self.armed = False
        while self.caught:
            self.caught.pop().drop()

    @contextlib.contextmanager
    def open(self) -> Iterator[Tap]:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.listen))
            os.chmod(self.listen, 0o660)
            listener.listen()
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            try:
                yield self
            finally:
                self.listen.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                server, _ = listener.accept()
                milter = socket.socket(socket.AF_UNIX)
                pair = _Pair(server, milter)
                try:
                    milter.connect(str(self.milter))
                except OSError:
                    pair.drop()
                    continue
                threading.Thread(target=self._from_server, args=(pair,), daemon=True).start()
                threading.Thread(target=self._from_milter, args=(pair,), daemon=True).start()

    def _from_server(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            for packet in packets(pair.server):
                pair.ended = packet[4:5] == END_OF_MESSAGE
                pair.milter.sendall(packet)
        if pair not in self.caught:
            pair.drop()

    def _from_milter(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            for packet in packets(pair.milter):
                if pair.ended and packet[4:5] != PROGRESS:
                    self.told.append(packet)
                    if self.armed:
                        self.caught.append(pair)
                        return
                pair.server.sendall(packet)
        pair.drop()
