"""Mail that we answered 250 for and that its server then refused for good: it goes into the quarantine, for a person.

Only rows of kind RELAY come here: recipients on a second route, and those whom LMTP did not take (RFC 5321 §6.1).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from sqlalchemy import Connection, insert

from gateway.envelope.transaction import Client
from gateway.ports import Outgoing
from gateway.quarantine.entry import Entry, State
from gateway.register.record import Record
from gateway.store import finding
from gateway.store.rows import entry_row
from gateway.store.schema import entries

REASON: Final = "undeliverable"
KEPT_FOR: Final = timedelta(days=30)


def hold_undelivered(connection: Connection, outgoing: Outgoing, reply: str, now: datetime) -> None:
    """Make a held entry of the row, under the row's own id, with what the register knows of its message."""
    record = finding.record(connection, outgoing.cause)
    if record is None or not outgoing.digest:  # a row without its message in the register never became due
        return
    entry = _entry(outgoing, record, reply, now)
    connection.execute(insert(entries), entry_row(entry, "", outgoing.digest))


def _entry(outgoing: Outgoing, record: Record, reply: str, now: datetime) -> Entry:
    rules = {recipient.lower(): rule for recipient, _, rule in record.fates}
    return Entry(
        id=outgoing.id,
        state=State.HELD,
        held_at=now,
        retain_until=now + KEPT_FOR,
        reason=REASON,
        rule=next((rules[str(p.mailbox).lower()] for p in outgoing.recipients if str(p.mailbox).lower() in rules), ""),
        digest=outgoing.digest,
        size=record.size,
        client=Client(ip_address(record.client_address)),
        reverse_path=outgoing.reverse_path,
        parameters=outgoing.parameters,
        recipients=outgoing.recipients,
        route=outgoing.route,
        author=record.author,
        author_name=record.author_name,
        subject=record.subject,
        unit_id=record.unit_id,
        unit_name=record.unit_name,
        level=record.level,
        provider=record.provider,
        generation=record.generation,
        evidence={"forged": [list(places) for places in outgoing.drop]},
        trace=[],
        note=reply,
    )
