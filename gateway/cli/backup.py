"""gateway backup, gateway verify: copies of the store, and whether they are whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import common
from gateway.cli.backup_progress import line
from gateway.cli.common import EX_DATAERR, Config, Json, print_json, safe, settings_of
from gateway.cli.copies import KeyFile, Quiet, fail, plain_finding, source_of, step_text, tell_findings
from gateway.cli.speech import count, say

if TYPE_CHECKING:
    from gateway.store.backup.create import Made

_MIB: Final = 1024 * 1024


def backup(
    target: Annotated[
        Path, typer.Argument(help="A folder outside the state folder, best on another disk.", readable=False)
    ],
    keep: Annotated[int, typer.Option("--keep", min=0, help="Delete all but this many newest backups; 0: none.")] = 0,
    full: Annotated[bool, typer.Option("--full", help="Copy every message again, link nothing.")] = False,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Put the key of encrypted mail in too: whoever has the backup can read.")
    ] = False,
    quiet: Quiet = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Copy the store while the gateway runs: each backup is whole, and costs only what is new.

    Exit status 65 when the store itself lacks messages: what there is was copied, and the backup counts.
    """
    from gateway.store.backup.create import Order, back_up
    from gateway.store.backup.words import Trouble

    settings = settings_of(config)
    if with_key and not settings.store.key_file:
        fail(Trouble("no-key-file"))
    order = Order(
        source=source_of(settings),
        target=target,
        keep=keep,
        full=full,
        key_file=settings.store.key_file if with_key else None,
        hostname=settings.hostname,
    )
    try:
        with line(step_text, quiet=quiet or as_json) as look:
            made = back_up(order, look)
    except Trouble as trouble:
        fail(trouble)
    lacking = [*made.manifest.missing, *made.damaged]
    if as_json:
        print_json(_plain_backup(made))
    elif not quiet:
        _tell_backup(made)
    if lacking:
        told = count(len(lacking), "{n} message is not whole in the store", "{n} messages are not whole in the store")
        common.fail(
            say("{told}: gateway verify tells which, and an earlier backup may have them", told=told), EX_DATAERR
        )


def _plain_backup(made: Made) -> dict[str, object]:
    told = made.manifest
    return {
        "backup": made.folder,
        "created": told.created,
        "schema": told.schema,
        "files": len(told.files),
        "octets": told.octets,
        "copied": made.copied,
        "linked": made.linked,
        "missing": told.missing,
        "damaged": made.damaged,
        "left_out": told.left_out,
        "purge_paused": made.paused,
        "pruned": made.pruned,
    }


def _tell_backup(made: Made) -> None:
    told = made.manifest
    sizes = say("{new} MiB new, {old} MiB as before", new=_mib(made.copied), old=_mib(made.linked))
    files = count(len(told.files), "{n} file", "{n} files")
    typer.echo(safe(f"{made.folder}: {files}, {sizes}"))
    if told.left_out:
        typer.echo(safe(say("not copied, for it is not the gateway's: {names}", names=", ".join(told.left_out))))


def verify(
    place: Annotated[
        Path | None,
        typer.Argument(
            help="A backup, a folder of backups (the newest is meant), or a state folder; default: the store.",
            readable=False,  # who reads it says what is wrong
        ),
    ] = None,
    key_file: KeyFile = None,
    quiet: Quiet = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Prove that every row has its message, whole, and that nobody changed the audit log; writes nothing.

    Exit status 65 when something is wrong.
    """
    from gateway.store.backup.manifest import choose
    from gateway.store.backup.verify import verify_backup, verify_state
    from gateway.store.backup.words import Trouble

    source = source_of(settings_of(config), place, key_file)
    try:
        with line(step_text, quiet=quiet or as_json) as look:
            if place is None or _is_state(place, source.database.name):
                where, found = source.state, verify_state(source, look)
            else:
                where = choose(place)
                found = verify_backup(where, source.keys, look)
    except Trouble as trouble:
        fail(trouble)
    errors = [one for one in found if one.level == "error"]
    if as_json:
        print_json({"place": where, "whole": not errors, "findings": [plain_finding(one) for one in found]})
    else:
        tell_findings(errors if quiet else found)
        if errors:
            told = count(len(errors), "{n} thing to mend", "{n} things to mend")
            typer.echo(safe(f"{where}: {told}"))
        elif not quiet:
            typer.echo(safe(say("{place}: whole", place=where)))
    if errors:
        raise typer.Exit(EX_DATAERR)


def _is_state(place: Path, database: str) -> bool:
    """Whether it is a state folder; what we may not look into is told by who reads it."""
    from gateway.store.backup.manifest import is_backup

    try:
        return (place / database).is_file() and not is_backup(place)
    except PermissionError:
        return False


def _mib(octets: int) -> str:
    return f"{octets / _MIB:.1f}"
