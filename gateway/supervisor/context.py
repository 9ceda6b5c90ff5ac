"""What a process of the service is given, and how it lives: from fork to exit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import uvloop

from gateway import maillog, metrics
from gateway.metrics.vitals import Vitals
from gateway.settings import Settings
from gateway.supervisor.bell import Bell
from gateway.supervisor.board import Board

SIGNALS: Final = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2}
)
BEAT: Final = 1.0  # seconds
LAG: Final = 15.0  # seconds without a beat after which a process is not alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`slot` is 0 ... workers-1 in workers; the services process has the next one."""

    settings: Settings
    slot: int
    sockets: Mapping[str, Sequence[socket.socket]]  # listening, by table of the settings; shared with the other workers
    metrics_directory: Path  # for metrics.exposition()
    board: Board
    bell: Bell  # workers ring it when the outbox has something to send, which the services process does
    base: int = 0  # of our metrics: processes of an older program, which still drain, have slots of their own
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # accept no more, finish, return
    hangup: asyncio.Event = field(default_factory=asyncio.Event)  # SIGHUP came: clear it, reload

    @property
    def is_draining(self) -> bool:
        """The service is stopping: readiness is false, though this process may live on for a while (safety O-1)."""
        return self.board.is_stopping

    @property
    def name(self) -> str:
        """Of this process, in metrics."""
        return self._name(self.slot)

    def heartbeats(self) -> dict[str, float | None]:
        """Seconds since the last sign of life by process; None: not begun, or being begun anew."""
        return {self._name(slot): self.board.age(slot) for slot in range(self.board.slots)}

    def _name(self, slot: int) -> str:
        return f"worker-{slot}" if slot < self.board.slots - 1 else "services"

    def opened(self) -> None:
        """The doors are open. When all processes have said so the service is ready, and an older program may go (O-2)."""
        self.board.open(self.slot)

    def reloaded(self) -> None:
        """What SIGHUP asked for is done."""
        self.board.reloaded(self.slot)

    def drained(self, finished: int, cut: int) -> None:
        """Tell the log and the supervisor how many transactions were finished, and how many had to be cut."""
        self.board.drained(self.slot, finished, cut)
        maillog.event("drained", slot=self.slot, process=os.getpid(), finished=finished, cut=cut)

    def not_alive(self) -> str:
        """Which process has not turned its event loop for LAG seconds; empty when all do (safety O-5).

        One that is being begun anew is not counted: the supervisor sees to it.
        """
        ages = ((slot, self.board.age(slot)) for slot in range(self.board.slots))
        late = [f"process {slot} for {age:.0f} s" for slot, age in ages if age is not None and age > LAG]
        return f"no heartbeat of {', '.join(late)}" if late else ""


Main = Callable[[Context], Coroutine[Any, Any, None]]


def live(make: Callable[[], Context], main: Main, parent: int) -> NoReturn:
    """The whole life of a process after fork; signals are still blocked. Never returns into the supervisor's code."""
    code = 70  # EX_SOFTWARE
    try:
        for number in (signal.SIGINT, signal.SIGUSR2):  # they reach the whole group, and are the supervisor's business
            signal.signal(number, signal.SIG_IGN)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_main(make, main, parent))
    except BaseException as error:
        frames = reversed(traceback.extract_tb(error.__traceback__)[-5:])
        at = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        maillog.event("crashed", process=os.getpid(), error=repr(error), at=at)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)


async def _main(make: Callable[[], Context], main: Main, parent: int) -> int:
    context = make()
    metrics.use_slot(context.metrics_directory, context.base + context.slot)
    maillog.on_drop(metrics.log_dropped.inc)
    loop = asyncio.get_running_loop()
    task = loop.create_task(main(context))
    loop.add_signal_handler(signal.SIGTERM, _drain, context, task)
    loop.add_signal_handler(signal.SIGUSR1, task.cancel)
    loop.add_signal_handler(signal.SIGHUP, context.hangup.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    heart = loop.create_task(_beat(context, parent))
    try:
        await task
    except asyncio.CancelledError:
        return 0 if context.stopping.is_set() else 70
    finally:
        heart.cancel()
    return 0 if context.stopping.is_set() else 70  # nobody asked it to end


def _drain(context: Context, task: asyncio.Task[None]) -> None:
    if not context.stopping.is_set():
        context.stopping.set()
        asyncio.get_running_loop().call_later(context.settings.drain, task.cancel)


async def _beat(context: Context, parent: int) -> None:
    vitals = Vitals(context.name, BEAT)
    while True:
        context.board.beat(context.slot)
        vitals.beat()
        if os.getppid() != parent and not context.stopping.is_set():
            maillog.event("orphaned", slot=context.slot)  # the supervisor was killed: end as it would have told us to
            os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(BEAT)
