"""A receiving server that takes all and keeps nothing: `python -m tests.bench.sink PORT`; it prints its counts at the end."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

EHLO = b"".join(
    b"250-%s\r\n" % word for word in (b"sink", b"PIPELINING", b"SIZE 104857600", b"8BITMIME", b"SMTPUTF8", b"DSN")
) + b"250 ENHANCEDSTATUSCODES\r\n"  # fmt: skip
counts = {"messages": 0, "spf=pass": 0, "dkim=pass": 0, "dmarc=pass": 0}


class Sink(asyncio.Protocol):
    """One connection: commands until DATA, then octets until CRLF.CRLF."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.buffer = bytearray()
        self.in_data = False
        self.searched = 0
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        out = bytearray()
        while True:
            mark = b"\r\n.\r\n" if self.in_data else b"\r\n"
            end = self.buffer.find(mark, max(0, self.searched - 4))
            if end < 0:
                self.searched = len(self.buffer)
                break
            self.searched = 0
            if self.in_data:
                self._count(bytes(self.buffer[:6000]))
                self.in_data = False
                out += b"250 2.0.0 taken\r\n"
            else:
                out += self._command(bytes(self.buffer[:4]).upper())
            del self.buffer[: end + len(mark)]
        if out:
            self.transport.write(bytes(out))

    def _command(self, verb: bytes) -> bytes:
        if verb in (b"EHLO", b"LHLO"):
            return EHLO
        if verb == b"DATA":
            self.in_data = True
            return b"354 go\r\n"
        if verb == b"QUIT":
            self.transport.write(b"221 2.0.0 bye\r\n")
            self.transport.close()
            return b""
        return b"250 2.0.0 ok\r\n"

    @staticmethod
    def _count(head: bytes) -> None:
        counts["messages"] += 1
        for word in ("spf=pass", "dkim=pass", "dmarc=pass"):
            counts[word] += word.encode() in head


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await loop.create_server(Sink, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await stop.wait()
    print(counts, flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
