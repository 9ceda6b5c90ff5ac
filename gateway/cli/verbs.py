"""All verbs. A new one is added here, in guide.py (one line of the front page) and in examples.py; tests tell if not."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli import backup, completion, doctor, generations, policy, quarantine, register, restore, service
from gateway.cli.guide import PURPOSE
from gateway.cli.pages import page
from gateway.cli.tree import commands

_SETTINGS: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "add_completion": False,
    "rich_markup_mode": None,  # our own pages: in two languages, and without the cost of loading rich
    "context_settings": {"help_option_names": []},
}

app = typer.Typer(name="gateway", help=PURPOSE, no_args_is_help=True, **_SETTINGS)
app.command()(service.demo)
app.command()(service.run)
app.command()(policy.check)
app.command()(policy.explain)
app.add_typer(generations.app, name="policy")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(register.app, name="register")
app.command()(backup.backup)
app.command()(backup.verify)
app.command()(restore.restore)
app.command()(doctor.doctor)
app.command("completion")(completion.script)


def _shown(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        typer.echo(page(context.command_path, context.command))
        raise typer.Exit


def _common(
    lang: Annotated[str, typer.Option("--lang", expose_value=False, help="vi or en; default: by LANG.")] = "",
    asked: Annotated[
        bool, typer.Option("--help", "-h", is_eager=True, expose_value=False, callback=_shown, help="Show this page.")
    ] = False,
) -> None:
    """Options that every verb has: the language was chosen before parsing began (speech.py)."""


def command() -> Any:
    """The tree of commands, as the library gives it, with the options that all of them share."""
    root: Any = typer.main.get_command(app)
    alone = typer.Typer(add_completion=False, context_settings={"help_option_names": []})
    alone.command()(_common)
    shared: Any = typer.main.get_command(alone)
    for _, each in commands(root):
        known = {name for option in each.params for name in option.opts}
        each.params.extend(option for option in shared.params if not known & set(option.opts))
    return root
