"""A service of the supervisor for tests, run as a program: `python -m tests.support.service STATE [option ...]`.

Its workers speak lines: `work SECONDS` is answered `250 SLOT PID` after that time, `hang` stops the event loop.
Options: broken (workers crash at once), broken-services, refuse (prepare refuses), deaf (workers do not heed the stop),
refuse-trial (prepare refuses in the trial of a hand-over), slow-trial, passing-fault=FILE (it refuses once, after the
trial, for a reason that may pass, and removes the file), broken-when=FILE (workers crash while it is there),
workers=N, drain=SECONDS, address-in=FILE, address=HOST:PORT, hung=SECONDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

from gateway import maillog, metrics
from gateway.settings import HttpSettings, Settings, SmtpSettings
from gateway.supervisor import Context, Health, Pace, Unusable, run
from gateway.supervisor.handover import VARIABLE

OPTIONS = dict(option.partition("=")[::2] for option in sys.argv[2:])
IS_TRIAL = '"trial":true' in os.environ.get(VARIABLE, "")


async def worker(context: Context) -> None:
    if "broken" in OPTIONS or Path(OPTIONS.get("broken-when", "/nowhere")).exists():
        raise RuntimeError("as told")
    busy: set[asyncio.Task[None]] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        busy.add(task)  # who has only just connected is answered too
        while line := (await reader.readline()).split():
            busy.add(task)
            match line[0]:
                case b"work":
                    await asyncio.sleep(float(line[1]))
                case b"hang":
                    time.sleep(3600)
            metrics.messages.labels("2yz").inc()
            with contextlib.suppress(ConnectionError):
                writer.write(b"250 %d %d\r\n" % (context.slot, os.getpid()))
                await writer.drain()
            busy.discard(task)
        busy.discard(task)
        writer.close()

    servers = [await asyncio.start_server(client, sock=each) for each in context.sockets["smtp"]]
    hangups = asyncio.create_task(hear_hangups(context))
    context.opened()
    await context.stopping.wait()
    hangups.cancel()
    for server in servers:
        server.close()
    await asyncio.sleep(0.05)  # what was accepted is told of in the next turn of the event loop
    while busy or "deaf" in OPTIONS:
        await asyncio.sleep(0.02)


async def hear_hangups(context: Context) -> None:
    while True:
        await context.hangup.wait()
        context.hangup.clear()
        maillog.event("reloaded", slot=context.slot)
        context.reloaded()


async def services(context: Context) -> None:
    if "broken-services" in OPTIONS:
        raise RuntimeError("as told")
    health = Health(context.metrics_directory, context.not_alive, {}, is_draining=lambda: context.is_draining)
    serving = asyncio.create_task(health.serve(context.sockets["http"]))
    hangups = asyncio.create_task(hear_hangups(context))
    context.opened()
    await context.stopping.wait()
    serving.cancel()
    hangups.cancel()


def prepare(is_beside_older: bool) -> None:
    if "slow-trial" in OPTIONS and IS_TRIAL:
        time.sleep(3600)
    passing = Path(OPTIONS.get("passing-fault", "/nowhere"))
    if is_beside_older and not IS_TRIAL and passing.exists():
        passing.unlink()
        raise Unusable(["the store is locked by another process"], may_pass=True)
    if "refuse" in OPTIONS or ("refuse-trial" in OPTIONS and IS_TRIAL):
        raise Unusable(["policies/units.csv:7: unit_id: 'PGD-BENLUC': given twice"])


if __name__ == "__main__":
    address = OPTIONS.get("address", "127.0.0.1:0")
    if "address-in" in OPTIONS:
        address = Path(OPTIONS["address-in"]).read_text()
    settings = Settings(
        state=Path(sys.argv[1]),
        workers=int(OPTIONS.get("workers", 2)),
        drain=float(OPTIONS.get("drain", 20)),
        smtp=SmtpSettings(listen=(address,)),
        http=HttpSettings(listen="127.0.0.1:0"),
    )
    pace = Pace(first_delay=0.05, longest_delay=0.2, steady=3.0, hung=float(OPTIONS.get("hung", 120)))
    sys.exit(run(settings, worker, services, prepare=prepare, pace=pace))
