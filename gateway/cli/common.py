"""What the verbs share: options, settings, one-shot access to the store, output for people and for programs."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import typer

from gateway.cli.speech import Language, UnknownLanguage, heard, named, say, used
from gateway.cli.tables import print_table, safe

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.sqlite import SqliteStore

__all__ = ["Language", "print_table", "safe"]  # of others, named here for verbs

EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_CANTCREAT, EX_CONFIG = 65, 66, 69, 73, 78  # sysexits.h

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="GATEWAY_CONFIG",
        help="gateway.toml; default: the one in this folder, if any.",
        readable=False,  # who reads it says what is wrong, with the exit status of wrong settings
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Lang = Annotated[str, typer.Option("--lang", help="vi or en; default: by LANG.")]
_T = TypeVar("_T")


def reference(text: str) -> str:
    """A reference as it was typed after a telephone call: in small letters, with O for 0, with I or L for 1."""
    return text.strip().upper().translate(str.maketrans("OIL", "011"))


def fail(sentence: str, code: int) -> NoReturn:
    """Say what is wrong on standard error, in the reader's language when the sentence is known, and end."""
    typer.echo("\n".join(map(safe, heard(sentence).split("\n"))), err=True)
    raise typer.Exit(code)


def operator() -> str:
    """Who types, for the audit log; in a container the number may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def note(sentence: str) -> None:
    """Something about the data, which is no data: on standard error, so that programs do not read it."""
    typer.echo(safe(sentence), err=True)


def language(choice: str) -> Language:
    """The language asked for, or the one in use."""
    try:
        return named(choice) if choice else used()
    except UnknownLanguage:
        fail(say("--lang: there is no language {value}; write vi or en", value=repr(choice)), 2)


def settings_of(config: Path | None) -> Settings:
    """Read gateway.toml; every problem is shown at once, and the exit status is 78 (EX_CONFIG)."""
    from gateway.settings import SettingsError, load_settings

    try:
        return load_settings(config, os.environ)
    except SettingsError as error:
        fail("\n".join(error.texts(used())), EX_CONFIG)


def with_store(config: Path | None, work: Callable[[SqliteStore, Settings], Awaitable[_T]]) -> _T:
    """Open the store of a gateway that has run, do one thing, close it."""
    import asyncio

    from gateway import maillog
    from gateway.ports import StoreError
    from gateway.quarantine.entry import MoveRefused, UnknownEntry
    from gateway.store.migrate import CannotStart
    from gateway.store.sqlite import open_store

    settings = settings_of(config)
    if sys.stderr.isatty():  # log lines are for programs; into a file or a pipe they go on
        maillog.write_to(None)

    async def once() -> _T:
        store = await asyncio.to_thread(open_store, settings, create=False)
        try:
            return await work(store, settings)
        finally:
            await store.close()

    try:
        return asyncio.run(once())
    except (CannotStart, StoreError) as error:
        fail(str(error), EX_UNAVAILABLE)
    except UnknownEntry as error:
        fail(say("no entry {value}", value=error), EX_NOINPUT)
    except MoveRefused as error:
        fail(str(error), EX_DATAERR)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(value, default=_plain, option=options).decode())


def json_lines(values: Iterable[object]) -> Iterator[bytes]:
    """One JSON array in pieces, a line for each value."""
    import orjson

    before = b"[\n"
    for value in values:
        yield before + orjson.dumps(value, default=_plain)
        before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"


def _plain(value: Any) -> Any:
    return str(value)


def local(moment: datetime | None, settings: Settings) -> str:
    """A moment as the office reads it."""
    return moment.astimezone(ZoneInfo(settings.timezone)).strftime("%d/%m/%Y %H:%M") if moment else ""


def day(text: str, settings: Settings, *, end: bool = False) -> datetime | None:
    """Read 2026-11-21 or 21/11/2026 as the local day's beginning, or as its end."""
    from datetime import timedelta

    if not text:
        return None
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            found = datetime.strptime(text, form).date()  # noqa: DTZ007 -- a day, placed in its zone below
        except ValueError:
            continue
        midnight = datetime.combine(found, time(), ZoneInfo(settings.timezone))
        return midnight + timedelta(days=1) if end else midnight
    fail(say("{value} is no date; write 2026-11-21 or 21/11/2026", value=repr(text)), 2)
