"""gateway doctor."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.cli.common import EX_CONFIG, EX_UNAVAILABLE, Config, Json, fail, print_json, safe
from gateway.cli.speech import say, used
from gateway.cli.terminal import wants_colours

CONFIGURATION = ("settings.file", "policies.files")  # without which the gateway does not start: exit status 78


def doctor(
    only: Annotated[str, typer.Option("--only", metavar="NAMES", help="Groups or ids, as dns,store.disk.")] = "",
    show_list: Annotated[bool, typer.Option("--list", help="List the checks and end.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 for warnings too.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Look at everything that an installation gets wrong: what was found, why it matters, how to mend it.

    Changes nothing, sends no mail, and may run beside the gateway.

    Exit status 1 for warnings, with --strict; 69 for errors; 78 when settings or policies cannot be used.
    """
    from gateway.doctor.examine import GROUPS, chosen, examine
    from gateway.doctor.report import catalogue, lines, plain, worst

    try:
        checks = chosen([word.strip() for word in only.split(",") if word.strip()])
    except ValueError as unknown:
        sentence = "--only: there is no check {word}; groups: {groups}; all: gateway doctor --list"
        fail(say(sentence, word=unknown, groups=", ".join(GROUPS)), 2)
    if show_list:
        if as_json:
            print_json([{"id": check.id, "title": check.title.of(used())} for check in checks])
        else:
            typer.echo("\n".join(catalogue(checks, used())))
        return
    findings = examine(config, checks)
    if as_json:
        print_json(plain(findings, used(), _version()))
    else:
        colour = wants_colours(sys.stdout)
        typer.echo("\n".join(lines(findings, used(), safe, colour=colour)), color=colour)
    result = worst(findings)
    if any(each.check.id in CONFIGURATION and each.outcome.result == "error" for each in findings):
        raise typer.Exit(EX_CONFIG)
    if result == "error":
        raise typer.Exit(EX_UNAVAILABLE)
    if strict and result == "warning":
        raise typer.Exit(1)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mail-gateway")
    except PackageNotFoundError:
        return ""
