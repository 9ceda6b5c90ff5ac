"""gateway check, gateway explain."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import EX_CONFIG, EX_NOINPUT, Config, Json, fail, print_json, safe, settings_of
from gateway.cli.speech import count, heard, say, used

if TYPE_CHECKING:
    from gateway.policy.policyset import PolicySet

Folder = Annotated[Path | None, typer.Option("--policies", help="The policy folder; default: the one of the settings.")]


def check(config: Config = None, policies: Folder = None, as_json: Json = False) -> None:
    """Check settings and policies: every problem with its place and how to mend it. Exit status 78 on errors."""
    from gateway.app import contradictions
    from gateway.reloader import inspect
    from gateway.settings import advice
    from gateway.settings.whereabouts import placed

    settings = None if policies else settings_of(config)
    folder = settings.policies if settings else policies or Path()
    if not folder.is_dir():
        fail(say("{folder}: no such folder", folder=folder), EX_NOINPUT)
    policy, problems = inspect(folder, datetime.now(UTC))
    wrong = contradictions(settings, policy) if settings else []
    advised = advice(settings) if settings else []
    if as_json:
        print_json(
            {
                "usable": policy is not None and not wrong,
                "problems": problems,
                "settings": wrong,
                "advice": [each.text() for each in advised],
            }
        )
    else:
        settled = (placed(heard(each), config, os.environ) for each in wrong)
        told = (*settled, *(each.text(used()) for each in advised), *(each.text(used()) for each in problems))
        for line in told:
            typer.echo(safe(line), err=True)
        typer.echo(_verdict(folder, policy, len(problems) + len(advised)))
        if wrong:
            typer.echo(say("the settings cannot be used, mend the errors above"))
    if policy is None or wrong:
        raise typer.Exit(EX_CONFIG)


def _verdict(folder: Path, policy: PolicySet | None, problems: int) -> str:
    if policy is None:
        return say("{folder}: not usable, mend the errors above", folder=folder)
    counts = (
        count(len(policy.rules), "{n} rule", "{n} rules"),
        count(len(policy.grounds.registry.units), "{n} unit", "{n} units"),
        count(problems, "{n} warning", "{n} warnings"),
    )
    return say("{folder}: usable ({counts})", folder=folder, counts=", ".join(counts))


def explain(
    file: Annotated[Path, typer.Argument(help="A message as a file (.eml).")],
    sender: Annotated[str, typer.Option("--from", help="MAIL FROM; empty for the null reverse-path.")] = "",
    to: Annotated[list[str] | None, typer.Option("--to", help="RCPT TO; may be given several times.")] = None,
    client: Annotated[str, typer.Option("--client", help="IP address of the SMTP client.")] = "192.0.2.1",
    helo: Annotated[str, typer.Option("--helo", help="HELO identity.")] = "",
    zone: Annotated[Path | None, typer.Option("--zone", help="DNS answers from a YAML file instead of DNS.")] = None,
    at: Annotated[str, typer.Option("--at", help="Judge as of this moment (ISO 8601).")] = "",
    config: Config = None,
    policies: Folder = None,
    as_json: Json = False,
) -> None:
    """Tell what would happen to a message and why: evidence, sender, every rule. Nothing is sent, held or written."""
    import asyncio

    from gateway.explaining import Question, QuestionError, explained

    settings = settings_of(config)
    if not file.is_file():
        fail(say("{file}: no such file", file=file), EX_NOINPUT)
    question = Question(file.read_bytes(), sender, tuple(to or ()), client, helo, zone, at)
    try:
        answer = asyncio.run(explained(settings, policies or settings.policies, question, used()))
    except QuestionError as error:
        fail(str(error), error.code)
    if as_json:
        print_json(answer.plain)
    else:
        typer.echo("\n".join(map(safe, answer.lines)))
