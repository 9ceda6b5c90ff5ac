"""Values that a Tab can offer: references of messages, units, kinds. Read as they lie on disk, changed by nobody."""

from __future__ import annotations

import contextlib
import csv
import os
import sqlite3
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.cli.tree import Parameter

FILES, FOLDERS = ":files", ":folders"
MOST: Final = 50  # references offered
_FOLDERS: Final = frozenset({"policies", "state", "target", "backup"})
_HELD: Final = "SELECT id, plain FROM entries WHERE state IN ('held', 'uncertain') AND id LIKE ? ORDER BY held_at DESC"
_SENT: Final = "SELECT id, plain FROM records WHERE id LIKE ? ORDER BY received_at DESC"


def values_of(parameter: Parameter, verb: tuple[str, ...], config: str, begun: str) -> Iterator[tuple[str, str]]:
    """What may be written for a parameter and begins with `begun`, with its meaning; or FILES or FOLDERS alone."""
    if parameter.choices:
        found = [(choice, "") for choice in parameter.choices]
    elif parameter.name == "lang":
        found = [("vi", "tiếng Việt"), ("en", "English")]
    elif parameter.name in ("entry_id", "record_id"):
        yield from _references(_HELD if parameter.name == "entry_id" else _SENT, config, begun)
        return
    elif parameter.name == "generation":
        found = [*_generations(config)]
    elif parameter.name in ("unit", "kind"):
        found = [*_units(parameter.name, config)]
    elif parameter.value == "PATH" or parameter.name in ("file", "config"):
        found = [(FOLDERS if parameter.name in _FOLDERS else FILES, "")]
        begun = ""
    else:
        found = []
    yield from (each for each in found if each[0].startswith(begun))


def _units(what: str, config: str) -> Iterator[tuple[str, str]]:
    """Unit ids with their names, or kinds of units, from units.csv."""
    folder = _path(config, "policies", "policies")
    with (
        contextlib.suppress(OSError, UnicodeDecodeError, csv.Error),
        (folder / "units.csv").open(encoding="utf-8-sig", newline="") as file,
    ):
        rows = [row for row in csv.reader(file) if len(row) > 2 and not row[0].startswith("#")][1:]
        pairs = ((row[0].strip(), row[1].strip()) if what == "unit" else (row[2].strip(), "") for row in rows)
        yield from dict(pair for pair in pairs if pair[0]).items()


def _generations(config: str) -> Iterator[tuple[str, str]]:
    """Generations that are kept, newest first, with the moment when they came into force."""
    folder = _path(config, "state", "var") / "policies"
    with contextlib.suppress(OSError):
        names = [path.name.removeprefix("generation-") for path in folder.glob("generation-*")]
        for number in sorted((int(name) for name in names if name.isdigit()), reverse=True):
            moment = datetime.fromtimestamp((folder / f"generation-{number}").stat().st_mtime, UTC)
            yield str(number), moment.astimezone().strftime("%d/%m/%Y %H:%M")


def _references(question: str, config: str, begun: str) -> Iterator[tuple[str, str]]:
    """References of the newest messages, with author and subject; from the database itself, which is only read."""
    import json

    database = _path(config, "state", "var") / "gateway.db"
    with contextlib.suppress(sqlite3.Error, OSError, ValueError):
        like = begun.upper().replace("%", "").replace("_", "") + "%"
        with contextlib.closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=1)
        ) as asked:
            for reference, plain in asked.execute(f"{question} LIMIT {MOST}", (like,)):
                facts: dict[str, Any] = json.loads(plain)
                yield reference, f"{facts.get('author', '')}  {facts.get('subject', '')}".strip()


def _path(config: str, key: str, default: str) -> Path:
    """A path of gateway.toml, without the rest of the settings: at a Tab there is no time to judge them."""
    file = Path(config or "gateway.toml").expanduser()
    chosen = os.environ.get(f"GATEWAY_{key.upper()}", "")
    with contextlib.suppress(OSError, ValueError):
        chosen = chosen or str(tomllib.loads(file.read_text(encoding="utf-8-sig")).get(key, ""))
    return file.parent / (chosen or default)
