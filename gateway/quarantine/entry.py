"""One held message: its facts, its states, and every move that is allowed (docs/states.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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
    State.UNCERTAIN: frozenset({State.HELD, State.RELEASING, State.REJECTED, State.DELETED, State.EXPIRED}),
    State.RELEASED: frozenset(),
    State.REJECTED: frozenset(),
    State.DELETED: frozenset(),
    State.EXPIRED: frozenset(),
}


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
