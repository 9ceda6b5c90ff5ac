"""gateway run, gateway demo."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.common import EX_UNAVAILABLE, Config, fail, settings_of
from gateway.cli.speech import used


def run(config: Config = None) -> None:
    """Run the gateway: worker processes for mail, one process for health, metrics and the outbox."""
    from gateway.app import run_service

    raise typer.Exit(run_service(settings_of(config)))


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
