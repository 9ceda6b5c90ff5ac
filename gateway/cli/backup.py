"""gateway backup, gateway verify, gateway restore: copies of the store, and whether they are whole."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from gateway.cli.backup_progress import line
from gateway.cli.common import (
    EX_CANTCREAT,
    EX_DATAERR,
    EX_NOINPUT,
    EX_UNAVAILABLE,
    Config,
    Json,
    fail,
    print_json,
    safe,
    settings_of,
)
from gateway.cli.speech import count, say, used

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.backup.copying import Source
    from gateway.store.backup.create import Made
    from gateway.store.backup.restore import Restored
    from gateway.store.backup.verify import Finding
    from gateway.store.backup.words import Trouble

EX_TEMPFAIL: Final = 75
_MIB: Final = 1024 * 1024
_STATUS: Final = {
    "no-state": EX_NOINPUT,
    "no-backup": EX_NOINPUT,
    "no-key-file": 78,
    "target-busy": EX_TEMPFAIL,
    "schema-newer": EX_UNAVAILABLE,
    "backup-newer": EX_UNAVAILABLE,
    "database-unreadable": EX_UNAVAILABLE,
    "cannot-read": EX_UNAVAILABLE,
    "manifest-damaged": EX_DATAERR,
    "backup-damaged": EX_DATAERR,
    "database-hopeless": EX_DATAERR,
}
_STEPS: Final = {
    "database": "database",
    "files": "messages",
    "rows": "rows",
    "manifest": "files of the backup",
}

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while all is well, for cron and timers.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="The key of encrypted mail; default: store.key_file of the settings.")
]


def backup(
    target: Annotated[Path, typer.Argument(help="A folder outside the state folder, best on another disk.")],
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
        _fail(Trouble("no-key-file"))
    order = Order(
        source=_source(settings),
        target=target,
        keep=keep,
        full=full,
        key_file=settings.store.key_file if with_key else None,
        hostname=settings.hostname,
    )
    try:
        with line(_told, quiet=quiet or as_json) as look:
            made = back_up(order, look)
    except Trouble as trouble:
        _fail(trouble)
    lacking = [*made.manifest.missing, *made.damaged]
    if as_json:
        print_json(_plain_backup(made))
    elif not quiet:
        _tell_backup(made)
    if lacking:
        told = count(len(lacking), "{n} message is not whole in the store", "{n} messages are not whole in the store")
        fail(say("{told}: gateway verify tells which, and an earlier backup may have them", told=told), EX_DATAERR)


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
            help="A backup, a folder of backups (the newest is meant), or a state folder; default: the store."
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

    source = _source(settings_of(config), place, key_file)
    try:
        with line(_told, quiet=quiet or as_json) as look:
            if place is None or ((place / source.database.name).is_file() and not _is_backup(place)):
                where, found = source.state, verify_state(source, look)
            else:
                where = choose(place)
                found = verify_backup(where, source.keys, look)
    except Trouble as trouble:
        _fail(trouble)
    errors = [one for one in found if one.level == "error"]
    if as_json:
        print_json({"place": where, "whole": not errors, "findings": [_plain_finding(one) for one in found]})
    else:
        _tell_findings(errors if quiet else found)
        if errors:
            told = count(len(errors), "{n} thing to mend", "{n} things to mend")
            typer.echo(safe(f"{where}: {told}"))
        elif not quiet:
            typer.echo(safe(say("{place}: whole", place=where)))
    if errors:
        raise typer.Exit(EX_DATAERR)


def restore(
    place: Annotated[Path, typer.Argument(help="A backup, or a folder of backups: then the newest one.")],
    state: Annotated[
        Path | None,
        typer.Option("--state", help="The folder to make, empty or not there; default: that of the settings."),
    ] = None,
    accept_damage: Annotated[
        bool, typer.Option("--accept-damage", help="Restore what is whole of a damaged backup.")
    ] = False,
    key_file: KeyFile = None,
    quiet: Quiet = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Put a backup back into an empty state folder. Nothing is overwritten; nothing is sent twice by itself.

    Run it while the gateway is stopped, then start the gateway.
    """
    from gateway.store.backup.manifest import choose
    from gateway.store.backup.restore import Damaged, Wish, restore
    from gateway.store.backup.words import Trouble

    settings = settings_of(config)
    keys = _source(settings, None, key_file).keys
    folder = state or settings.state
    try:
        chosen = choose(place)
        wish = Wish(backup=chosen, state=folder, by=getpass.getuser(), keys=keys, accept_damage=accept_damage)
        with line(_told, quiet=quiet or as_json) as look:
            done = restore(wish, look)
    except Damaged as damaged:
        _tell_findings(damaged.findings)
        _fail(damaged)
    except Trouble as trouble:
        _fail(trouble)
    if as_json:
        plain = {"backup": chosen, "state": folder, "created": done.manifest.created, **asdict(done.aftermath)}
        print_json({**plain, "damage": [_plain_finding(one) for one in done.damage]})
    elif not quiet:
        _tell_restored(chosen, folder, done)


def _tell_restored(chosen: Path, folder: Path, done: Restored) -> None:
    after, created = done.aftermath, f"{done.manifest.created:%Y-%m-%d %H:%M:%S} UTC"
    _tell_findings(done.damage)
    typer.echo(safe(say("{state}: restored from {backup}", state=folder, backup=chosen)))
    typer.echo(say("What was received, held, released or deleted after {time} is not in it.", time=created))
    for number, one, many in (
        (
            after.held,
            "{n} held message: see whether it was released since",
            "{n} held messages: see which were released since",
        ),
        (
            after.releases_unknown,
            "{n} release is uncertain: a person decides",
            "{n} releases are uncertain: a person decides",
        ),
        (
            after.in_doubt,
            "{n} message was in hand just then, and is uncertain",
            "{n} messages were in hand just then, and are uncertain",
        ),
        (after.notices_given_up, "{n} notice is not sent", "{n} notices are not sent"),
        (after.relays_due, "{n} message is sent again", "{n} messages are sent again"),
    ):
        if number:
            typer.echo("- " + count(number, one, many))
    typer.echo(say("Now start the gateway; the log of the old one tells what was done in between."))


# ---- shared -----------------------------------------------------------------------------------------------------------


def _source(settings: Settings, place: Path | None = None, key_file: Path | None = None) -> Source:
    """The store of the settings, or that of a state folder; with the keys."""
    from gateway.store.backup.copying import Source
    from gateway.store.migrate import CannotStart
    from gateway.store.sqlite import database_of, keys_of

    try:
        if key_file is not None:
            store = settings.store.model_copy(update={"key_file": key_file})
            settings = settings.model_copy(update={"store": store})
        keys, database = keys_of(settings), database_of(settings)
    except CannotStart as error:
        fail(str(error), 78)
    return Source(place / database.name, place, keys) if place else Source(database, settings.state, keys)


def _is_backup(place: Path) -> bool:
    from gateway.store.backup.manifest import is_backup

    return is_backup(place)


def _fail(trouble: Trouble) -> NoReturn:
    fail(trouble.text(used()), _STATUS.get(trouble.word, EX_CANTCREAT))


def _tell_findings(found: Sequence[Finding]) -> None:
    for one in found:
        typer.echo(safe(one.text(used())), err=True)


def _plain_finding(one: Finding) -> dict[str, object]:
    return {"level": one.level, "word": one.word, "place": one.place, **one.values, "text": one.text("en")}


def _told(step: str, done: int, of: int) -> str:
    return say("{what}: {done} of {of}", what=say(_STEPS[step]), done=done, of=of)


def _mib(octets: int) -> str:
    return f"{octets / _MIB:.1f}"
