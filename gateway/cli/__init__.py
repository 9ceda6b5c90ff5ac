"""The command `gateway`: thin verbs, each calling one function. What a verb needs is imported when it runs."""

from __future__ import annotations

import typer

from gateway.cli import policy, quarantine, register, service

app = typer.Typer(
    name="gateway",
    help="Inbound mail gateway: proves who sent, names the sending unit, holds what breaks the directive, loses nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(service.demo)
app.command()(service.run)
app.command()(policy.check)
app.command()(policy.explain)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(register.app, name="register")


def main() -> None:
    """Entry point."""
    app()
