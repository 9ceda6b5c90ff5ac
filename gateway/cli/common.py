"""What the verbs share: options, settings, one-shot access to the store, output for people and for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.sqlite import SqliteStore

EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_CANTCREAT, EX_CONFIG = 65, 66, 69, 73, 78  # sysexits.h

Language = Literal["en", "vi"]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="GATEWAY_CONFIG", help="gateway.toml; default: the one in this folder, if any."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Lang = Annotated[str, typer.Option("--lang", help="vi or en; default: by LANG.")]
_T = TypeVar("_T")


def reference(text: str) -> str:
    """A reference as it was typed after a telephone call: in small letters, with O for 0, with I or L for 1."""
    return text.strip().upper().translate(str.maketrans("OIL", "011"))


def fail(sentence: str, code: int) -> NoReturn:
    """Say what is wrong on standard error and end."""
    typer.echo("\n".join(map(safe, sentence.split("\n"))), err=True)
    raise typer.Exit(code)


def language(choice: str) -> Language:
    """The language asked for, or that of the environment: Vietnamese unless LANG names English."""
    if choice not in ("", "vi", "en"):
        fail("--lang is vi or en", 2)
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if choice == "en" or (not choice and locale.startswith("en")) else "vi"


def settings_of(config: Path | None) -> Settings:
    """Read gateway.toml; every problem is shown at once, and the exit status is 78 (EX_CONFIG)."""
    from gateway.settings import SettingsError, load_settings

    try:
        return load_settings(config, os.environ)
    except SettingsError as error:
        fail("\n".join(error.problems), EX_CONFIG)


def with_store(config: Path | None, work: Callable[[SqliteStore, Settings], Awaitable[_T]]) -> _T:
    """Open the store of a gateway that has run, do one thing, close it."""
    import asyncio

    from gateway.ports import StoreError
    from gateway.quarantine.entry import MoveRefused, UnknownEntry
    from gateway.store.migrate import CannotStart
    from gateway.store.sqlite import open_store

    settings = settings_of(config)

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
        fail(f"no entry {error}", EX_NOINPUT)
    except MoveRefused as error:
        fail(str(error), EX_DATAERR)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(value, default=_plain, option=options).decode())


def _plain(value: Any) -> Any:
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """A table that fits the terminal; without colours when piped."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def safe(text: str) -> str:
    """Mail's own words on a terminal: control and direction characters are shown, not obeyed (safety S-44)."""
    return "".join(c if c.isprintable() or c == " " else f"\\u{ord(c):04x}" for c in text)


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
    fail(f"{text!r} is no date: write 2026-11-21 or 21/11/2026", 2)
