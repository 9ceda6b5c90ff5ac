"""gateway run, gateway demo."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from gateway.cli.common import EX_UNAVAILABLE, Config, fail, settings_of
from gateway.cli.speech import heard, used


def run(config: Config = None) -> None:
    """Run the gateway: worker processes for mail, one process for health, metrics and the outbox."""
    # they mean something as soon as the processes are watched, and would end us until then
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGUSR2})
    from gateway.app import run_service
    from gateway.settings.whereabouts import placed

    is_read = sys.stderr.isatty()  # a journal stays English, like the log that it is read with

    def told(sentence: str) -> str:
        return placed(heard(sentence) if is_read else sentence, config, os.environ)

    raise typer.Exit(run_service(settings_of(config), told))


def demo(
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep everything running afterwards, to be tried by hand.")
    ] = False,
) -> None:
    """Show the gateway on loopback: its own DNS, a receiving server, and real signed messages that tell the story."""
    from gateway.demo.show import DemoFailed, show

    try:
        show(used(), stay=stay)
    except DemoFailed as error:
        fail(str(error), EX_UNAVAILABLE)
