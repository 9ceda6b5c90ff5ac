"""gateway register: who has sent what, and who has not."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from gateway.cli.common import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_NOINPUT,
    Config,
    Json,
    day,
    fail,
    json_lines,
    local,
    note,
    print_json,
    print_table,
    reference,
    with_store,
)
from gateway.cli.facts import print_facts
from gateway.cli.progress import counted
from gateway.cli.speech import count, say, used
from gateway.cli.tables import Column

if TYPE_CHECKING:
    from gateway.register.record import Record
    from gateway.register.search import RecordFilter
    from gateway.settings import Settings
    from gateway.store.sqlite import SqliteStore

app = typer.Typer(help="What was sent: search, show, export, and which unit has (not) sent.", no_args_is_help=True)
Words = Annotated[str, typer.Argument(help="Words of subject, sender, unit or file names; accents do not matter.")]
Unit = Annotated[str, typer.Option(help="Unit id, as in units.csv.")]
Since = Annotated[str, typer.Option(help="First day: 2026-11-01 or 01/11/2026.")]
Until = Annotated[str, typer.Option(help="Last day, included.")]
Number = Annotated[str, typer.Option(help="Document number or a part of it: 123/BC.")]
Limit = Annotated[int, typer.Option(min=1, help="Rows at most.")]
FOUND = (
    Column("ID"),
    Column("Received", rank=1),
    Column("Unit", 14, rank=2),
    Column("Level", rank=5),
    Column("From", 12),
    Column("Number", 10, rank=3),
    Column("Subject", 16),
    Column("Fate", rank=4),
)
UNITS = (
    Column("Unit", rank=2),
    Column("Name", 20),
    Column("Official"),
    Column("Free provider"),
    Column("Held"),
    Column("Last", rank=1),
)


def _filter(settings: Settings, words: str, unit: str, since: str, until: str, number: str, limit: int) -> RecordFilter:
    from gateway.register.search import RecordFilter

    return RecordFilter(
        words=words,
        unit_id=unit,
        since=day(since, settings),
        until=day(until, settings, end=True),
        document_number=number,
        limit=limit,
    )


@app.command()
def search(
    words: Words = "",
    unit: Unit = "",
    since: Since = "",
    until: Until = "",
    number: Number = "",
    limit: Limit = 50,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Find messages, newest first."""

    async def work(store: SqliteStore, settings: Settings) -> None:
        records = await store.search(_filter(settings, words, unit, since, until, number, limit))
        if as_json:
            print_json([asdict(record) for record in records])
            return
        print_table(FOUND, [_row(record, settings) for record in records], say("Nothing found."))

    with_store(config, work)


def _row(record: Record, settings: Settings) -> list[str]:
    numbers, fates = ", ".join(record.document_numbers), ", ".join(sorted({say(fate) for _, fate, _ in record.fates}))
    received = local(record.received_at, settings)
    return [record.id, received, record.unit_name, say(record.level), record.author, numbers, record.subject, fates]


@app.command()
def show(
    record_id: Annotated[str, typer.Argument(metavar="ID", parser=reference, help="Reference of the message.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show all that the register knows of one message."""

    async def work(store: SqliteStore, settings: Settings) -> None:
        record = await store.show(record_id)
        if record is None:
            fail(say("no message {value} in the register", value=record_id), EX_NOINPUT)
        if as_json:
            print_json(asdict(record))
            return
        print_facts(_facts(record, settings))

    with_store(config, work)


def _facts(record: Record, settings: Settings) -> list[tuple[str, str]]:
    facts = [
        ("ID", record.id),
        ("Received", local(record.received_at, settings)),
        ("Unit", f"{record.unit_name} ({record.unit_id})" if record.unit_id else say("not known")),
        ("Office", record.function),
        ("Level", f"{say(record.level)}, {say(record.provider)}"),
        ("From", f"{record.author_name} <{record.author}>" if record.author_name else record.author),
        ("Reverse-path", f"<{record.reverse_path}>"),
        ("Client", record.client_address),
        ("Subject", record.subject),
        ("Document", ", ".join(record.document_numbers)),
        ("Administrative", say("yes" if record.administrative else "no")),
        ("Reply", record.reply),
        ("Notice", record.notice or say("none")),
        ("SHA-256", record.digest),
    ]
    facts += [
        ("Recipient", say("{recipient}: {fate} by rule {rule}", recipient=recipient, fate=say(fate), rule=rule))
        for recipient, fate, rule in record.fates
    ]
    facts += [
        ("Attachment", say("{name} ({type}, {size} octets) {digest}", **asdict(attachment)))
        for attachment in record.attachments
    ]
    return [(name, value) for name, value in facts if value]


@app.command()
def export(
    words: Words = "",
    unit: Unit = "",
    since: Since = "",
    until: Until = "",
    number: Number = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; default: standard output.")] = None,
    limit: Limit = 1_000_000,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write CSV that Excel opens as it is, or JSON."""
    from gateway.register.export import csv_lines

    async def work(store: SqliteStore, settings: Settings) -> None:
        records = await store.search(_filter(settings, words, unit, since, until, number, limit))
        lines = json_lines(map(asdict, records)) if as_json else csv_lines(records, ZoneInfo(settings.timezone))
        told = counted(lines, lambda n: count(n, "{n} message", "{n} messages"), quiet=output is None)
        if output is None:
            sys.stdout.flush()
            sys.stdout.buffer.writelines(told)
            sys.stdout.buffer.flush()
            return
        try:
            with output.open("wb") as stream:
                stream.writelines(told)
        except OSError as error:
            sentence = say("{file} cannot be written: {why}", file=output, why=error.strerror)
            fail(sentence, EX_CANTCREAT)
        note(f"{output}: {count(len(records), '{n} message', '{n} messages')}")

    with_store(config, work)


@app.command()
def units(
    since: Since = "",
    until: Until = "",
    kind: Annotated[str, typer.Option(help="Only units of this kind, as in units.csv.")] = "",
    missing: Annotated[bool, typer.Option("--missing", help="Only units that have sent nothing.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show for each unit what it has sent, and which have sent nothing."""
    from datetime import UTC, datetime

    from gateway.reloader import inspect

    async def work(store: SqliteStore, settings: Settings) -> None:
        now = datetime.now(UTC)
        policy, problems = inspect(settings.policies, now)
        if policy is None:
            fail("\n".join(problem.text(used()) for problem in problems), EX_CONFIG)
        registry = policy.grounds.registry
        current = [unit for unit in registry.units.values() if registry.current(unit.id, policy.day(now)) is unit]
        chosen = [unit for unit in current if not kind or unit.kind == kind]
        if kind and not chosen:
            kinds = ", ".join(sorted({unit.kind for unit in current}))
            fail(say("no unit of kind {kind}; there are: {kinds}", kind=kind, kinds=kinds), EX_NOINPUT)
        begin = day(since, settings) or datetime(2000, 1, 1, tzinfo=UTC)
        tallies = await store.who_has_sent([u.id for u in chosen], begin, day(until, settings, end=True) or now)
        names = {unit.id: unit.name for unit in chosen}
        shown = [tally for tally in tallies if not (missing and tally.has_sent)]
        if as_json:
            print_json([{"name": names[tally.unit_id], **asdict(tally)} for tally in shown])
            return
        rows = [
            [t.unit_id, names[t.unit_id], str(t.official), str(t.free), str(t.held), local(t.last, settings) or "—"]
            for t in shown
        ]
        print_table(UNITS, rows, say("Every unit has sent."))

    with_store(config, work)
