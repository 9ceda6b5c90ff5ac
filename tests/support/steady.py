"""Mail that keeps coming, so many connections a second, while something is done to the gateway; and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.node import stuffed

INSPECTORS, OFFICE = "thanhtra.phong@longan.edu.vn", "vanthu@longan.edu.vn"
OVERLAY = {
    "rules_first": [
        {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"hold": {"reason": "inspection"}}}
    ]
}
ENVELOPES = ((OFFICE,), (INSPECTORS,), (INSPECTORS, OFFICE))
PATIENCE = 30.0  # seconds that a client waits for anything
_TOKEN = re.compile(rb"token-(\d+)-")


@dataclass
class Steady:
    """One message on each connection, never tried again: what goes wrong is seen. Outcomes by message."""

    port: int
    rate: float = 50.0  # connections a second
    outcome: dict[int, str] = field(default_factory=dict)  # first word of the last reply, or how the connection failed
    longest: float = 0.0  # seconds that a client was there
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """For ever: the next client comes on time, however long the others take."""
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        while True:
            number += 1
            task = asyncio.create_task(self._client(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            due += 1 / self.rate
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def finish(self) -> None:
        """Wait for those who are there."""
        await asyncio.gather(*self._tasks)

    async def until(self, number: int) -> None:
        """Until so many have got their answer."""
        while len(self.outcome) < number:
            await asyncio.sleep(0.01)

    async def caught_up(self) -> None:
        """Until those who had to wait have been served, and only those are there who come anyway."""
        while len(self._tasks) > self.rate / 2:
            await asyncio.sleep(0.01)

    @property
    def tally(self) -> Counter[str]:
        return Counter(self.outcome.values())

    def answered(self, recipient: str) -> set[int]:
        """Messages for this recipient that got 250."""
        return {number for number, code in self.outcome.items() if code == "250" and recipient in recipients_of(number)}

    async def _client(self, number: int) -> None:
        begin = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(PATIENCE):
                self.outcome[number] = await self._bring(number)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.outcome[number] = type(error).__name__
        self.longest = max(self.longest, asyncio.get_running_loop().time() - begin)

    async def _bring(self, number: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)

        async def ask(line: str = "") -> str:
            writer.write(f"{line}\r\n".encode() if line else b"")
            while (reply := await reader.readuntil(b"\r\n"))[3:4] == b"-":
                pass
            return reply[:3].decode()

        steps = ["", "EHLO mail.example.org", "MAIL FROM:<a@example.org>"]
        steps += [f"RCPT TO:<{recipient}>" for recipient in recipients_of(number)]
        try:
            for step in [*steps, "DATA"]:
                if (code := await ask(step)) not in ("220", "250", "354"):
                    return code
            body = b"From: <a@example.org>\r\nSubject: token-%d-\r\n\r\n" % number + b"Kinh gui Van phong So\r\n" * 20
            writer.write(stuffed(body))
            code = await ask()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # it has what it wanted
                await ask("QUIT")
            return code
        finally:
            writer.close()


def recipients_of(number: int) -> tuple[str, ...]:
    return ENVELOPES[number % len(ENVELOPES)]


def numbers(messages: Iterable[bytes]) -> Counter[int]:
    """How often each message is there."""
    return Counter(int(found[1]) for octets in messages if (found := _TOKEN.search(octets)))


@contextlib.asynccontextmanager
async def coming(port: int, rate: float = 50.0) -> AsyncIterator[Steady]:
    """Within the block mail comes; after it, every client has got an answer or has failed."""
    steady = Steady(port, rate)
    task = asyncio.create_task(steady.run())
    try:
        yield steady
    finally:
        task.cancel()
        await steady.finish()


def check(steady: Steady, delivered: Iterable[bytes], json: Callable[..., Any]) -> None:
    """Whatever got 250 is there exactly once, held or delivered, and in the register; `json` runs a verb of `gateway`."""
    entries = json("quarantine", "list", "--all", "--limit", "100000")
    held = Counter(int(entry["subject"].split("-")[1]) for entry in entries if entry["state"] == "held")
    records = json("register", "search", "--limit", "100000")
    known = Counter(int(record["subject"].split("-")[1]) for record in records)
    assert numbers(delivered) == Counter(steady.answered(OFFICE))
    assert held == Counter(steady.answered(INSPECTORS))
    assert known == Counter(number for number, code in steady.outcome.items() if code == "250")
