"""Composing a notice: the form of an automatic response (RFC 3834 §3, RFC 5230 §5, safety AR-14, AR-15).

Nothing of the message answered is quoted but its subject, made harmless and short. Reverse-path (null) and
NOTIFY=NEVER belong to the envelope, which the pipeline makes.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from email.utils import format_datetime

from gateway.envelope.address import Mailbox
from gateway.envelope.author import AuthorError, parse_mailbox_list
from gateway.envelope.header import HeaderError, encode_words, make_field
from gateway.envelope.message import Message
from gateway.envelope.transaction import Transaction
from gateway.identity.identity import Identity
from gateway.policy.directive import Directive
from gateway.responder.eligibility import addressed_to
from gateway.responder.sign import Signer
from gateway.responder.template import NoticeError, language_of, render
from gateway.responder.wording import NoticeFacts, plain, values

REFERENCES_MAX = 10  # message ids
MESSAGE_ID_MAX = 250  # octets; a longer one is not repeated
_SEPARATOR = "\n" + "―" * 20 + "\n\n"

_MESSAGE_ID = re.compile(rb"<[\x21-\x3b\x3d\x3f-\x7e]{1,200}@[\x21-\x3b\x3d\x3f\x41-\x7e]{1,200}>")
_TOKEN = re.compile(r"[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*\Z")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*\Z")


@dataclass(frozen=True, slots=True)
class Sender:
    """From of our notices, read from `settings.notice.sender`."""

    mailbox: Mailbox
    name: str = ""

    @property
    def header(self) -> str:
        """As it stands in From: ASCII, the display name as atoms, quoted string or encoded-words."""
        name = self.name
        if not name.isascii() or "=?" in name:
            name = encode_words(name)
        elif not _ATOMS.match(name):
            name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{name} <{self.mailbox}>" if name else str(self.mailbox)


@dataclass(frozen=True, slots=True)
class ComposedNotice:
    """A notice ready for the outbox, to be sent from the null reverse-path to `recipient` alone."""

    recipient: Mailbox
    content: bytes  # CRLF line ends, ASCII
    directive: str  # its id
    message_id: str  # with angle brackets


def parse_sender(text: str) -> Sender:
    """Read `Cổng thư điện tử <no-reply@longan.edu.vn>`. Raises NoticeError."""
    try:
        ((mailbox, name),) = parse_mailbox_list(text.encode())
    except (AuthorError, ValueError) as error:
        raise NoticeError('notice.from: not one mailbox; write "Name <address>", or the address alone') from error
    if not mailbox.is_ascii or not mailbox.domain:
        raise NoticeError("notice.from: not an ASCII address with a domain")
    return Sender(mailbox, plain(name))


def notice_for(
    transaction: Transaction,
    identity: Identity,
    directive: Directive,
    templates: Mapping[str, str],
    *,
    sender: Sender,
    zone: tzinfo,
    now: datetime,
    token: str,
    kept_until: datetime | None,
    unit_mailbox: str = "",
    recipient: Mailbox | None = None,
    signer: Signer | None = None,
) -> ComposedNotice:
    """The notice about one transaction that why_not() lets pass.

    `templates` maps the names in `directive.templates` to their texts. `token` is the unguessable left side of the
    Message-ID. `kept_until` is the end of the held entry's retention, None when the message was delivered.
    `unit_mailbox` is the official mailbox of `identity.unit`, when known. `recipient` is the one whose fate is told;
    by default the first that To or Cc names. Raises NoticeError.
    """
    if transaction.reverse_path is None or not transaction.forward_paths:
        raise NoticeError("nobody to answer")
    facts = NoticeFacts(
        sender=transaction.reverse_path,
        recipient=recipient or addressed_to(transaction) or transaction.forward_paths[0].mailbox,
        subject=transaction.message.subject,
        received_at=transaction.received_at,
        entry=transaction.id,
        kept_until=kept_until,
        unit_name=identity.unit.name if identity.unit else "",
        unit_mailbox=unit_mailbox,
    )
    thread = thread_of(transaction.message)
    content = compose(facts, directive, templates, sender=sender, zone=zone, now=now, token=token, thread=thread)
    if signer:
        content = signer.sign(content, now)
    return ComposedNotice(facts.sender, content, directive.id, _message_id(sender, token))


def compose(
    facts: NoticeFacts,
    directive: Directive,
    templates: Mapping[str, str],
    *,
    sender: Sender,
    zone: tzinfo,
    now: datetime,
    token: str,
    thread: tuple[str, ...] = (),
) -> bytes:
    """The octets of the notice, unsigned: one text/plain part with each language in turn. Raises NoticeError."""
    subject, text = _text(facts, directive, templates, zone)
    try:
        fields = [
            make_field("From", sender.header),
            make_field("To", str(facts.sender)),
            make_field("Subject", encode_words(plain(subject))),
            make_field("Date", format_datetime(now.astimezone(zone))),
            make_field("Message-ID", _message_id(sender, token)),
            *([make_field("In-Reply-To", thread[-1]), make_field("References", " ".join(thread))] if thread else []),
            make_field("Auto-Submitted", "auto-replied"),
            make_field("X-Auto-Response-Suppress", "All"),
            make_field("Precedence", "bulk"),
            make_field("X-Loop", str(sender.mailbox)),
            make_field("MIME-Version", "1.0"),
            make_field("Content-Language", ", ".join(dict.fromkeys(map(language_of, directive.templates)))),
            make_field("Content-Type", "text/plain; charset=utf-8"),
            make_field("Content-Transfer-Encoding", "quoted-printable"),
        ]
    except HeaderError as error:
        raise NoticeError(str(error)) from error
    return b"".join(fields) + b"\r\n" + _quoted_printable(text)


def thread_of(message: Message) -> tuple[str, ...]:
    """Message ids for References, the one answered last (RFC 5322 §3.6.4); empty when it has none that can be written."""
    own = _message_ids(message, b"message-id")
    if not own:
        return ()
    parents = _message_ids(message, b"references") or _message_ids(message, b"in-reply-to")
    kept = [i for i in parents if i != own[0]]
    return (*kept[:1], *kept[1:][-(REFERENCES_MAX - 2) :], own[0])


def _message_ids(message: Message, name: bytes) -> list[str]:
    field = message.first(name)
    found = _MESSAGE_ID.findall(field.unfolded) if field else []
    return [i.decode("ascii") for i in found if len(i) <= MESSAGE_ID_MAX]


def _message_id(sender: Sender, token: str) -> str:
    if not _TOKEN.match(token):
        raise NoticeError("token is no dot-atom")
    return f"<{token}@{sender.mailbox.domain}>"


def _text(facts: NoticeFacts, directive: Directive, templates: Mapping[str, str], zone: tzinfo) -> tuple[str, str]:
    """Subject of the first template, and the texts of all."""
    missing = [name for name in directive.templates if name not in templates]
    if missing or not directive.templates:
        raise NoticeError(f"no template {missing[0]}" if missing else f"{directive.id} names no template")
    rendered = [
        render(templates[name], values(facts, directive, language_of(name), zone)) for name in directive.templates
    ]
    return rendered[0][0], _SEPARATOR.join(text for _, text in rendered)


def _quoted_printable(text: str) -> bytes:
    """RFC 2045 §6.7: lines of at most 76 characters. What servers without 8BITMIME would garble is ASCII (AR-14)."""
    lines = text.rstrip("\n").split("\n")
    return b"".join(binascii.b2a_qp(line.encode(), istext=True).replace(b"\n", b"\r\n") + b"\r\n" for line in lines)
