"""gateway restore: a backup put back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.backup_progress import line
from gateway.cli.common import Config, Json, note, operator, print_json, safe, settings_of
from gateway.cli.copies import KeyFile, Quiet, fail, plain_finding, source_of, step_text, tell_findings
from gateway.cli.speech import count, say

if TYPE_CHECKING:
    from gateway.store.backup.restore import Restored


def restore(
    place: Annotated[
        Path, typer.Argument(help="A backup, or a folder of backups: then the newest one.", readable=False)
    ],
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
    ours = source_of(settings, None, key_file)
    folder = state or settings.state
    try:
        chosen = choose(place)
        wish = Wish(backup=chosen, state=folder, by=operator(), keys=ours.keys, accept_damage=accept_damage)
        with line(step_text, quiet=quiet or as_json) as look:
            done = restore(wish, look)
    except Damaged as damaged:
        tell_findings(damaged.findings)
        fail(damaged)
    except Trouble as trouble:
        fail(trouble)
    if as_json:
        plain = {"backup": chosen, "state": folder, "created": done.manifest.created, **asdict(done.aftermath)}
        print_json({**plain, "owner": done.owner, "damage": [plain_finding(one) for one in done.damage]})
    elif not quiet:
        _tell_restored(chosen, folder, done)
    _tell_of_another_database(ours.database, folder, is_elsewhere=state is not None)


def _tell_restored(chosen: Path, folder: Path, done: Restored) -> None:
    after, created = done.aftermath, f"{done.manifest.created:%Y-%m-%d %H:%M:%S} UTC"
    tell_findings(done.damage)
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
    typer.echo("- " + safe(say("the files belong to {user}, as whom the gateway must run", user=done.owner)))
    typer.echo(say("Now start the gateway; the log of the old one tells what was done in between."))


def _tell_of_another_database(used_one: Path, folder: Path, *, is_elsewhere: bool) -> None:
    """A gateway whose store.url names another file would not see what was restored."""
    from gateway.store.backup.manifest import DATABASE

    restored = folder / DATABASE
    if not is_elsewhere and used_one.resolve() != restored.resolve():
        note(say("store.url names {used}: before the start, move {restored} there", used=used_one, restored=restored))
