"""What gateway backup, verify and restore share: options, exit statuses, sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from gateway.cli import common
from gateway.cli.common import EX_CANTCREAT, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, safe
from gateway.cli.speech import say, used

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.backup.copying import Source
    from gateway.store.backup.verify import Finding
    from gateway.store.backup.words import Trouble

EX_TEMPFAIL: Final = 75
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


def source_of(settings: Settings, place: Path | None = None, key_file: Path | None = None) -> Source:
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
        common.fail(str(error), 78)
    return Source(place / database.name, place, keys) if place else Source(database, settings.state, keys)


def fail(trouble: Trouble) -> NoReturn:
    common.fail(trouble.text(used()), _STATUS.get(trouble.word, EX_CANTCREAT))


def tell_findings(found: Sequence[Finding]) -> None:
    for one in found:
        typer.echo(safe(one.text(used())), err=True)


def plain_finding(one: Finding) -> dict[str, object]:
    return {"level": one.level, "word": one.word, "place": one.place, **one.values, "text": one.text("en")}


def step_text(step: str, done: int, of: int) -> str:
    return say("{what}: {done} of {of}", what=say(_STEPS[step]), done=done, of=of)
