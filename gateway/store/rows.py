"""Values as rows: which of their facts are columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from gateway.envelope.folding import fold
from gateway.ports import Outgoing, OutgoingKind, Settlement
from gateway.quarantine.entry import Entry
from gateway.register.record import Record
from gateway.register.search import folded, haystack
from gateway.store.codec import clean, dumps, micros
from gateway.store.schema import OutState, unheard

HELD = "held"  # the fate of a recipient whose copy we keep
_VERB: Final = itemgetter(1)  # of a recipient's fate


def entry_row(entry: Entry, owner: str, digest: str) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": entry.state.value,
        "merge_key": entry.merge_key,
        "owner": owner,
        "held_at": micros(entry.held_at),
        "retain_until": micros(entry.retain_until),
        "moved_at": micros(entry.held_at),
        "unit_id": clean(entry.unit_id),
        "reason": clean(entry.reason),
        "rule": clean(entry.rule),
        "author": clean(entry.author.lower()),
        "folded": fold(f"{entry.subject}\n{entry.author}\n{entry.author_name}\n{entry.unit_name}"),
        "digest": digest,
        "has_body": 1,
        "note": clean(entry.note),
        "plain": dumps(entry),
    }


def outgoing_row(outgoing: Outgoing, state: OutState, now: datetime, owner: str = "") -> dict[str, Any]:
    notified = outgoing.kind is OutgoingKind.NOTICE and outgoing.recipients
    return {
        "id": outgoing.id,
        "kind": outgoing.kind.value,
        "state": state.value,
        "cause": outgoing.cause,
        "owner": owner,
        "target": clean(outgoing.recipients[0].mailbox.key) if notified else "",
        "digest": outgoing.digest,
        "attempts": 0,
        "first_due": micros(now),
        "next_attempt": micros(now),
        "lease_until": 0,
        "reply": "",
        "plain": dumps(replace(outgoing, content=b"") if outgoing.content else outgoing),
        "content": outgoing.content,
    }


def record_row(record: Record) -> dict[str, Any]:
    """In the order of the table's columns."""
    return {
        "id": record.id,
        "received_at": micros(record.received_at),
        "unit_id": clean(record.unit_id),
        "level": record.level,
        "provider": record.provider,
        "author": clean(record.author.lower()),
        "administrative": int(record.administrative),
        "document_kind": clean(record.document_kind),
        "document_numbers": "".join([f" {folded(number)} \n" for number in record.document_numbers]),
        "held": int(HELD in map(_VERB, record.fates)),
        "notice": clean(record.notice),
        "folded": haystack(record),
        "plain": dumps(record),
    }


def record_values(record: Record) -> tuple[Any, ...]:
    """The same by position."""
    return tuple(record_row(record).values())


def ledger_row(settlement: Settlement) -> dict[str, Any]:
    """That a message of this key has been settled, under which id (safety R-23)."""
    return dict(zip(unheard.c.keys(), ledger_values(settlement), strict=True))


def ledger_values(settlement: Settlement) -> tuple[Any, ...]:
    """The same by position: key, code, enhanced, text, until."""
    until = micros(settlement.key_until) if settlement.key_until else 0
    return (settlement.key, 250, "2.0.0", settlement.record.id, until)


def spill_line(settlement: Settlement) -> bytes:
    """One line of the spill file; JSON escapes every line break."""
    return dumps(settlement).encode() + b"\n"
