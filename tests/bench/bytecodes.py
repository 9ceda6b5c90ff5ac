"""`python -m tests.bench.bytecodes [--size "3 KB"] [--top 40]`: what a message costs the interpreter, without a clock.

Bytecodes and calls of Python functions, counted while messages that differ in all but their sender pass the milter door
inside this process. The figures are the same on a busy machine and on a quiet one, so that a change can be judged
where time cannot be trusted. What C code does, in libraries and in the interpreter, is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from gateway import maillog
from gateway.app import open_milter, open_node
from gateway.demo.dns import DnsServer
from gateway.endpoint.milter_connection import MilterConnection
from gateway.endpoint.milter_protocol import CHUNK_SIZE, Step
from gateway.endpoint.milter_shared import Shared
from gateway.reloader import Reloader
from gateway.settings import Settings
from tests.bench import workload
from tests.bench.milter_packets import ABORT, NEGOTIATION, Speech, content, envelope, greeting
from tests.support.node import policy_folder
from tests.support.signing import rsa_key

ROOT = Path(__file__).parents[2]
WARM = 20  # messages that fill the caches before we count
ACCEPTED = b"\0\0\0\1c"  # CONTINUE, the last octets of a verdict


@dataclass(frozen=True)
class Cost:
    """Of all messages together, by code object."""

    messages: int
    bytecodes: Counter[CodeType]
    calls: Counter[CodeType]

    @property
    def bytecodes_a_message(self) -> float:
        return self.bytecodes.total() / self.messages

    @property
    def calls_a_message(self) -> float:
        return self.calls.total() / self.messages


class Wire(asyncio.Transport):
    """The mail server's end of one connection."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = bytearray()
        self.answered = asyncio.Event()

    def write(self, data: Any) -> None:
        self.heard += data
        self.answered.set()

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


async def _pass(connection: MilterConnection, wire: Wire, speech: Speech) -> None:
    wire.heard.clear()
    wire.answered.clear()
    for start in range(0, len(speech.octets), CHUNK_SIZE):
        connection.data_received(speech.octets[start : start + CHUNK_SIZE])
    if speech.answers:
        await wire.answered.wait()


async def _messages(shared: Shared, jobs: Iterator[tuple[str, bytes]], count: _Counting | None = None) -> None:
    """Let them pass on one connection; `count` what the gateway does, and not the making of the packets."""
    connection, wire = MilterConnection(shared), Wire()
    connection.connection_made(wire)
    connection.data_received(NEGOTIATION)
    steps = Step(struct.unpack_from("!I", wire.heard, 13)[0])  # length, command, version, actions
    connection.data_received(greeting(steps).octets)
    for name, raw in jobs:
        speeches = (
            envelope(steps, f"bounce-{name}@{workload.DOMAIN}", workload.RECIPIENT, name),
            content(steps, raw),
        )
        with count or nullcontext():
            for speech in speeches:
                await _pass(connection, wire, speech)
        assert wire.heard.endswith(ACCEPTED), bytes(wire.heard)
        connection.data_received(ABORT)
    connection.connection_lost(None)


async def measure(folder: Path, size: str = "3 KB", messages: int = 50) -> Cost:
    """Let messages pass, after some that warm the caches; count the second part of them."""
    key = rsa_key()
    policy_folder(folder / "policies", 10025)
    async with DnsServer(workload.zone(key)) as dns:
        settings = Settings.model_validate(
            {"policies": folder / "policies", "state": folder / "var", "dns": {"nameservers": (dns.address,)}}
        )
        reloader = Reloader(settings.policies, settings.state)
        reloader.start()
        async with open_node(settings, reloader) as node:
            door = await open_milter(node, [])
            made = workload.jobs(workload.SIZES[size], key, messages + WARM)
            jobs = ((f"q{number}", job.raw) for number, job in enumerate(made))
            await _messages(door._shared, islice(jobs, WARM))
            cost = Cost(messages, Counter(), Counter())
            await _messages(door._shared, jobs, _Counting(cost))
            await door.close()
    return cost


class _Counting:
    """Counts what this thread executes in the gateway and in libraries, not in the benchmark itself."""

    def __init__(self, cost: Cost) -> None:
        self._cost = cost

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if event == "call":
            if code.co_filename == __file__:
                return None
            self._cost.calls[code] += 1
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self._cost.bytecodes[code] += 1
        return self._trace


def _place(code: CodeType) -> str:
    path = code.co_filename
    for cut in (f"{ROOT}/", "/site-packages/", "/lib/python3"):
        path = path.rpartition(cut)[2]
    return f"{path}:{code.co_firstlineno} {code.co_qualname}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bytecodes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", choices=workload.SIZES, default="3 KB")
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--top", type=int, default=40, help="functions to show")
    options = parser.parse_args()
    with open("/dev/null", "wb") as nowhere, tempfile.TemporaryDirectory() as folder:
        maillog.write_to(nowhere)
        cost = asyncio.run(measure(Path(folder), options.size, options.messages))
    print(f"{options.size}: {cost.bytecodes_a_message:.0f} bytecodes, {cost.calls_a_message:.0f} calls a message\n")
    for code, count in cost.bytecodes.most_common(options.top):
        print(f"{count / cost.messages:8.0f}  {cost.calls[code] / cost.messages:6.1f} calls  {_place(code)}")


if __name__ == "__main__":
    main()
