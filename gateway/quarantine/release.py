"""What a release puts back on its way: the octets as received, less forged fields, to those it was held for only."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.envelope.address import Mailbox
from gateway.envelope.transaction import ForwardPath, Parameters
from gateway.quarantine.entry import Entry, MoveRefused, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinjection:
    """The envelope of a released message and the blob that is its content, unchanged."""

    reverse_path: Mailbox | None  # the original one, so that a bounce reaches whom it would have reached
    parameters: Parameters
    recipients: tuple[ForwardPath, ...]
    route: str
    digest: str  # of the blob: the octets as received (safety R-16)
    drop: tuple[tuple[int, int], ...] = ()  # ranges of it that are forged fields (safety S-27, S-28)


def reinjection(entry: Entry) -> Reinjection:
    """The envelope that releases this entry.

    Other recipients of the same transaction had the message when it came, so only the held ones are named.
    Raises MoveRefused when the octets are deleted already.
    """
    if not entry.has_body:
        raise MoveRefused(entry.id, entry.state, State.RELEASING)
    return Reinjection(
        reverse_path=entry.reverse_path,
        parameters=entry.parameters,
        recipients=entry.recipients,
        route=entry.route,
        digest=entry.digest,
        drop=tuple((start, end) for start, end in entry.evidence.get("forged", ())),
    )
