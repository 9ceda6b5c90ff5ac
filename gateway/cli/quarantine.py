"""gateway quarantine: what is held, why, and what becomes of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    EX_CONFIG,
    Config,
    Json,
    fail,
    local,
    operator,
    print_json,
    print_table,
    reference,
    safe,
    with_store,
)
from gateway.cli.facts import print_facts
from gateway.cli.speech import heard, say, used
from gateway.cli.tables import Column

if TYPE_CHECKING:
    from gateway.quarantine.entry import Entry
    from gateway.settings import Settings
    from gateway.store.sqlite import SqliteStore

app = typer.Typer(help="Held mail: list, show, release, reject, delete.", no_args_is_help=True)
Id = Annotated[
    str,
    typer.Argument(metavar="ID", parser=reference, help="The reference that is also in the SMTP reply and the notice."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit log, and asked for when missing.")]
Unit = Annotated[str, typer.Option(help="Unit id, as in units.csv.")]
COLUMNS = (
    Column("ID"),
    Column("Held at", rank=1),
    Column("State", rank=5),
    Column("From", 12),
    Column("Unit", 14, rank=2),
    Column("Subject", 16),
    Column("Reason", rank=4),
    Column("To", 14, rank=3),
)


@app.command("list")
def list_(
    unit: Unit = "",
    words: Annotated[str, typer.Option(help="Words of subject, author or unit, without accents if you like.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Released, rejected, deleted and expired mail too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 100,
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
        print_table(COLUMNS, [_row(entry, settings) for entry in entries], say("Nothing is held."))

    with_store(config, work)


def _row(entry: Entry, settings: Settings) -> list[str]:
    to = ", ".join(str(path.mailbox) for path in entry.recipients)
    held_at = local(entry.held_at, settings)
    return [entry.id, held_at, say(entry.state), entry.author, entry.unit_name, entry.subject, entry.reason, to]


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
        print_facts(_facts(entry, settings))
        _print_trace(entry)
        for act in acts:
            typer.echo(f"{local(act.at, settings)}  {safe(act.who)}: {say(act.what)} {safe(act.note)}".rstrip())

    with_store(config, work)


def _print_trace(entry: Entry) -> None:
    typer.echo(say("Rules"))
    for step in entry.trace:
        answer = say({True: "yes", False: "no", None: "not knowable yet"}[step["answer"]])
        phase = f" [{step['phase']}]" if step["phase"] else ""
        typer.echo(safe(f"  {step['rule']}{phase}: {answer}"))
        for fact in step["facts"]:
            typer.echo(f"    {safe(_fact(str(fact)))}")


def _fact(stored: str) -> str:
    """`submission: yes: administrative`, as the reader says it."""
    condition, between, answer = stored.partition(": ")
    word, colon, detail = answer.partition(": ")
    if used() == "en" or word not in ("yes", "no"):
        return stored
    from gateway.policy.phrases import in_vietnamese

    return f"{condition}{between}{say(word)}{colon}{in_vietnamese(detail)}"


def _facts(entry: Entry, settings: Settings) -> list[tuple[str, str]]:
    reason = say("{reason} (rule {rule}, policy {generation})", **_named(entry, "reason", "rule", "generation"))
    return [
        ("ID", entry.id),
        ("State", f"{say(entry.state)} {heard(entry.note)}".strip()),
        ("Held at", local(entry.held_at, settings)),
        ("Kept until", local(entry.retain_until, settings)),
        ("Reason", reason),
        ("From", f"{entry.author_name} <{entry.author}>" if entry.author_name else entry.author),
        ("Reverse-path", f"<{entry.reverse_path or ''}>"),
        ("Client", f"{entry.client.address} ({entry.client.helo})"),
        ("To", ", ".join(str(path.mailbox) for path in entry.recipients)),
        ("Subject", entry.subject),
        ("Unit", f"{entry.unit_name} ({entry.unit_id})" if entry.unit_id else say("not known")),
        ("Level", f"{say(entry.level)}, {say(entry.provider)}"),
        ("Size", say("{size} octets, SHA-256 {digest}", **_named(entry, "size", "digest"))),
    ]


def _named(entry: Entry, *names: str) -> dict[str, object]:
    return {name: getattr(entry, name) for name in names}


def _told(entry: Entry, as_json: bool) -> None:
    """What has become of an entry."""
    if as_json:
        print_json(_plain(entry))
    else:
        typer.echo(f"{entry.id}: {say(entry.state)} {safe(heard(entry.note))}".rstrip())


@app.command()
def release(entry_id: Id, config: Config = None, as_json: Json = False) -> None:
    """Deliver the original, unchanged, to the recipients it was held for, exactly once."""
    from gateway.app import release_now
    from gateway.quarantine.entry import State

    async def work(store: SqliteStore, settings: Settings) -> None:
        sentence = await release_now(store, settings, entry_id, operator())
        entry = await store.entry(entry_id)
        if entry.state is State.HELD and not sentence.startswith(f"{entry.id}: "):  # the policies are broken
            fail(sentence, EX_CONFIG)
        _told(entry, as_json)

    with_store(config, work)


@app.command()
def reject(entry_id: Id, reason: Reason = "", config: Config = None, as_json: Json = False) -> None:
    """Close the entry without delivering it. The octets stay until the end of retention."""
    from gateway.app import utc_now

    why = reason or typer.prompt(say("Reason"), err=True)

    async def work(store: SqliteStore, settings: Settings) -> None:
        _told(await store.reject(entry_id, operator(), why, utc_now()), as_json)

    with_store(config, work)


@app.command()
def delete(entry_id: Id, reason: Reason = "", config: Config = None, as_json: Json = False) -> None:
    """Delete the octets now; who, when and why stay in the audit log."""
    from gateway.app import utc_now

    why = reason or typer.prompt(say("Reason"), err=True)

    async def work(store: SqliteStore, settings: Settings) -> None:
        _told(await store.delete(entry_id, operator(), why, utc_now()), as_json)

    with_store(config, work)
