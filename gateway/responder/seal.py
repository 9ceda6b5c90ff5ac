"""An ARC set of our own (RFC 8617 §5.1), for messages whose signed fields a rule makes us change.

A subject prefix breaks the sender's DKIM signature. The seal tells the servers behind us what we found before that.
"""

from __future__ import annotations

import base64
from datetime import datetime

from gateway.envelope.header import Field, make_field
from gateway.envelope.message import Message
from gateway.evidence.arc import SETS_MAX, sets
from gateway.evidence.canonical import body_hash, relaxed_field
from gateway.evidence.result import Evidence
from gateway.responder.sign import Signer

SIGNED = (b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id", b"in-reply-to", b"references",
          b"mime-version", b"content-type", b"content-transfer-encoding", b"dkim-signature")  # fmt: skip


def seal(message: Message, header: bytes, evidence: Evidence, results: bytes, signer: Signer, now: datetime) -> bytes:
    """The three fields of the next instance, CRLF included; b"" where a chain is broken or at its end already.

    `header` is the header section as it will leave, changes made; the body leaves as it came. `results` is our
    Authentication-Results field. `now` (aware) becomes t=.
    """
    before = sets(message)
    instance = len(before) + 1
    if evidence.arc.result != ("pass" if before else "none") or instance > SETS_MAX:
        return b""
    _, _, value = results.replace(b"\r\n", b"").partition(b":")
    authentication = make_field("ARC-Authentication-Results", f"i={instance}; {value.decode('ascii').strip()}")
    common = f"i={instance}; a={signer.algorithm}; d={signer.domain}; s={signer.selector}; t={int(now.timestamp())}"
    signature = _message_signature(message, Message(header + b"\r\n"), common, signer)
    chain = f"{common}; cv={evidence.arc.result if before else 'none'}; b="
    signed = b"".join(_relaxed(field) + b"\r\n" for one in before for field in one)
    signed += _relaxed_octets(authentication) + b"\r\n" + _relaxed_octets(signature) + b"\r\n"
    signed += _relaxed_octets(make_field("ARC-Seal", chain))
    return make_field("ARC-Seal", chain + signer.signature(signed)) + signature + authentication


def _message_signature(message: Message, leaving: Message, common: str, signer: Signer) -> bytes:
    """ARC-Message-Signature: as a DKIM signature, relaxed/relaxed, without v= (RFC 8617 §4.1.2)."""
    names = [name for name in SIGNED for _ in leaving.all(name)]
    fields = [field for name in SIGNED for field in reversed(leaving.all(name))]  # bottom up, RFC 6376 §5.4.2
    listed = ": ".join(name.decode() for name in names)
    digest = base64.b64encode(body_hash(message, relaxed=True, limit=None)[0]).decode()
    tags = f"{common}; c=relaxed/relaxed; h={listed}; bh={digest}; b="
    signed = b"".join(_relaxed(field) + b"\r\n" for field in fields)
    signed += _relaxed_octets(make_field("ARC-Message-Signature", tags))
    return make_field("ARC-Message-Signature", tags + signer.signature(signed))


def _relaxed(field: Field) -> bytes:
    return relaxed_field(field.name, field.value)


def _relaxed_octets(octets: bytes) -> bytes:
    name, _, value = octets.removesuffix(b"\r\n").partition(b":")
    return relaxed_field(name, value)
