"""The fields by which we tag relayed mail, and the removal of forged ones (safety S-27, S-28)."""

from __future__ import annotations

import re

from gateway.envelope.header import Field, encode_words, make_field, spelled_with
from gateway.envelope.message import Message
from gateway.evidence.authres import forged
from gateway.identity.identity import Identity
from gateway.policy.decision import Relay

UNIT_HEADERS = "unit-headers"
OUR_PREFIXES = (b"x-sending-unit", b"x-gateway-")
_OURS = re.compile(b"|".join(spelled_with(b"a-z0-9-", prefix) for prefix in OUR_PREFIXES))


def forged_fields(message: Message, authserv_id: str) -> list[Field]:
    """Fields of the incoming message that only we may write, in whatever spelling they come."""
    return [*forged(message, authserv_id), *message.named_like(_OURS)]


def tag_fields(relay: Relay, identity: Identity, transaction_id: str, generation: int) -> bytes:
    """The fields for one way of relaying: the decision always, the unit where the rule tags it."""
    fields, level = b"", str(identity.level)
    if UNIT_HEADERS in relay.tags and identity.unit:
        fields += make_field("X-Sending-Unit", encode_words(identity.unit.id))
        fields += make_field("X-Sending-Unit-Name", encode_words(identity.unit.name))
        fields += make_field("X-Sending-Unit-Level", level)
    decision = f"id={transaction_id}; level={level}; policy={generation}"
    return fields + make_field("X-Gateway-Decision", decision)


def prefixed_subject(message: Message, prefix: str) -> tuple[bytes, list[Field]]:
    """A new Subject with the prefix, and the field it stands for. A reply keeps one prefix, not two."""
    subject = message.subject
    if prefix in subject:
        return b"", []
    return make_field("Subject", encode_words(f"{prefix} {subject}".strip())), message.all(b"subject")
