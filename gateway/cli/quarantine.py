"""gateway quarantine: what is held, why, and what becomes of it."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import Config, Json, local, print_json, print_table, reference, safe, with_store

if TYPE_CHECKING:
    from gateway.quarantine.entry import Entry
    from gateway.settings import Settings
    from gateway.store.sqlite import SqliteStore

app = typer.Typer(help="Held mail: list, show, release, reject, delete.", no_args_is_help=True)
Id = Annotated[
    str,
    typer.Argument(metavar="ID", parser=reference, help="The reference that is also in the SMTP reply and the notice."),
]
Reason = Annotated[str, typer.Option("--reason", prompt="Reason", help="Kept in the audit log.")]


@app.command("list")
def list_(
    unit: Annotated[str, typer.Option(help="Unit id.")] = "",
    words: Annotated[str, typer.Option(help="Words of subject, author or unit, without accents if you like.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Released, rejected, deleted and expired mail too.")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List held mail, newest first."""
    from gateway.quarantine.entry import OPEN, EntryFilter, State

    wanted = EntryFilter(
        states=tuple(State) if every else OPEN, unit_ids=(unit,) if unit else None, words=words, limit=limit
    )

    async def work(store: SqliteStore, settings: Settings) -> None:
        entries = await store.list_entries(wanted)
        if as_json:
            print_json([_plain(entry) for entry in entries])
            return
        columns = ("ID", "Held at", "State", "From", "Unit", "Subject", "Reason", "To")
        print_table(columns, [_row(entry, settings) for entry in entries], "Nothing is held.")

    with_store(config, work)


def _row(entry: Entry, settings: Settings) -> list[str]:
    to = ", ".join(str(path.mailbox) for path in entry.recipients)
    held_at = local(entry.held_at, settings)
    return [entry.id, held_at, entry.state, entry.author, entry.unit_name, entry.subject, entry.reason, to]


def _plain(entry: Entry) -> dict[str, object]:
    return {**asdict(entry), "recipients": [str(path.mailbox) for path in entry.recipients]}


@app.command()
def show(entry_id: Id, config: Config = None, as_json: Json = False) -> None:
    """Show one held message: envelope, evidence, every rule that was looked at, what was done with it."""

    async def work(store: SqliteStore, settings: Settings) -> None:
        entry = await store.entry(entry_id)
        acts = await store.acts(entry_id)
        if as_json:
            print_json({**_plain(entry), "acts": acts})
            return
        for name, value in _facts(entry, settings):
            typer.echo(f"{name:<14} {safe(value)}")
        typer.echo("Rules")
        for step in entry.trace:
            answer = {True: "yes", False: "no", None: "not knowable yet"}[step["answer"]]
            phase = f" [{step['phase']}]" if step["phase"] else ""
            typer.echo(f"  {step['rule']}{phase}: {answer}")
            for fact in step["facts"]:
                typer.echo(f"    {safe(str(fact))}")
        for act in acts:
            typer.echo(f"{local(act.at, settings)}  {safe(act.who)}: {act.what} {safe(act.note)}".rstrip())

    with_store(config, work)


def _facts(entry: Entry, settings: Settings) -> list[tuple[str, str]]:
    return [
        ("ID", entry.id),
        ("State", f"{entry.state} {entry.note}".strip()),
        ("Held at", local(entry.held_at, settings)),
        ("Kept until", local(entry.retain_until, settings)),
        ("Reason", f"{entry.reason} (rule {entry.rule}, policy {entry.generation})"),
        ("From", f"{entry.author_name} <{entry.author}>" if entry.author_name else entry.author),
        ("Reverse-path", f"<{entry.reverse_path or ''}>"),
        ("Client", f"{entry.client.address} ({entry.client.helo})"),
        ("To", ", ".join(str(path.mailbox) for path in entry.recipients)),
        ("Subject", entry.subject),
        ("Unit", f"{entry.unit_name} ({entry.unit_id})" if entry.unit_id else "not known"),
        ("Level", f"{entry.level}, {entry.provider}"),
        ("Size", f"{entry.size} octets, SHA-256 {entry.digest}"),
    ]


@app.command()
def release(entry_id: Id, config: Config = None) -> None:
    """Deliver the original, unchanged, to the recipients it was held for, exactly once."""
    from gateway.app import release_now

    async def work(store: SqliteStore, settings: Settings) -> str:
        return await release_now(store, settings, entry_id, getpass.getuser())

    typer.echo(with_store(config, work))


@app.command()
def reject(entry_id: Id, reason: Reason, config: Config = None) -> None:
    """Close the entry without delivering it. The octets stay until the end of retention."""
    from gateway.app import utc_now

    async def work(store: SqliteStore, settings: Settings) -> None:
        entry = await store.reject(entry_id, getpass.getuser(), reason, utc_now())
        typer.echo(f"{entry.id}: {entry.state}")

    with_store(config, work)


@app.command()
def delete(entry_id: Id, reason: Reason, config: Config = None) -> None:
    """Delete the octets now; who, when and why stay in the audit log."""
    from gateway.app import utc_now

    async def work(store: SqliteStore, settings: Settings) -> None:
        entry = await store.delete(entry_id, getpass.getuser(), reason, utc_now())
        typer.echo(f"{entry.id}: {entry.state}")

    with_store(config, work)
