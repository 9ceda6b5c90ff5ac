"""One held message: its facts, its states, and every move that is allowed (docs/states.md)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.envelope.address import Mailbox
from gateway.envelope.transaction import Client, ForwardPath, Parameters


class State(StrEnum):
    PENDING = "pending"  # durable, but the transaction has not been answered 250 yet
    HELD = "held"
    RELEASING = "releasing"
    RELEASED = "released"
    REJECTED = "rejected"
    DELETED = "deleted"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"  # a crash or an unknown downstream outcome: a person decides


MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.HELD, State.UNCERTAIN}),  # or the row is withdrawn with its transaction
    State.HELD: frozenset({State.RELEASING, State.REJECTED, State.DELETED, State.EXPIRED}),
    State.RELEASING: frozenset({State.RELEASED, State.HELD, State.UNCERTAIN}),
    State.UNCERTAIN: frozenset(  # released: the late answer of a delivery whose outcome had been unknown
        {State.HELD, State.RELEASING, State.RELEASED, State.REJECTED, State.DELETED, State.EXPIRED}
    ),
    State.RELEASED: frozenset(),
    State.REJECTED: frozenset(),
    State.DELETED: frozenset(),
    State.EXPIRED: frozenset(),
}

OPEN = (State.PENDING, State.HELD, State.RELEASING, State.UNCERTAIN)  # what still waits for something or somebody
SAME_WITHIN = timedelta(hours=48)  # a client whose 250 was lost comes back within this time (safety R-12)

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}\Z")


def is_id(text: str) -> bool:
    """Whether the text can be an entry's id at all; what cannot is never looked up (safety S-37)."""
    return bool(_ID.match(text))


class MoveRefused(Exception):
    """The entry is in a state from which this move is not allowed, or another was quicker; `state` is its state now."""

    def __init__(self, entry_id: str, state: State, target: State) -> None:
        super().__init__(f"entry {entry_id} is {state}; it cannot become {target}")
        self.state = state
        self.target = target


class UnknownEntry(LookupError):
    """There is no entry of this id, which is its only argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A held message as the clerk sees it; its octets are the blob named by `digest`."""

    id: str  # the transaction's id: one entry holds all held recipients of one transaction
    state: State
    held_at: datetime  # aware, UTC
    retain_until: datetime
    reason: str  # of the Hold: "free-provider" ...
    rule: str
    digest: str  # SHA-256 of the octets as received, hex
    size: int
    client: Client
    reverse_path: Mailbox | None
    parameters: Parameters  # of MAIL FROM
    recipients: tuple[ForwardPath, ...]  # the held ones only; release goes to these and to nobody else
    route: str  # where release re-injects
    author: str  # "" when malformed
    author_name: str
    subject: str
    unit_id: str
    unit_name: str
    level: str
    provider: str
    generation: int  # of the policy set that decided
    evidence: dict[str, Any]  # evidence.codec.plain(...): results and the zone, for exact replay
    trace: list[Any]  # decision trace, plain
    note: str = ""  # what the last move said: a reason, or the downstream's reply
    has_body: bool = True  # False once the octets are deleted; what else is kept is the tombstone

    @property
    def merge_key(self) -> str:
        """Hex SHA-256 of digest, reverse-path and held recipients: equal for a client's retry of the same message."""
        recipients = sorted(path.mailbox.key for path in self.recipients)
        parts = [self.digest, str(self.reverse_path or ""), *recipients]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries to list; empty conditions do not limit. Newest first."""

    states: tuple[State, ...] = OPEN
    unit_ids: tuple[str, ...] | None = None  # None: every unit's; () shows nothing, as to a clerk of no unit (P-4)
    reason: str = ""
    rule: str = ""
    author: str = ""  # exact, without case
    words: str = ""  # each word must occur in subject, author or unit name, without accents and case
    since: datetime | None = None  # held_at, inclusive
    until: datetime | None = None  # exclusive
    limit: int = 100
