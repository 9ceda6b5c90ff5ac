"""Letters as RFC 5322 messages: composed, with small PDF files, and signed by the domain they come from."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from gateway.demo.keys import Key
from gateway.demo.pdf import pdf
from gateway.envelope.header import encode_words, make_field

LIST_DOMAIN: Final = "lists.example.org"
LIST_HEADERS: Final = (
    ("List-Id", f"<tinhoc.{LIST_DOMAIN}>"),
    ("List-Post", f"<mailto:tinhoc@{LIST_DOMAIN}>"),
    ("Precedence", "list"),
)
LIST_FOOTER: Final = f"\n--\nDanh sách thư Tin học phổ thông, tinhoc@{LIST_DOMAIN}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What somebody writes."""

    author: str  # "Nguyễn Thị Hoa <hoa@gmail.com>"
    to: tuple[str, ...]
    subject: str
    body: str
    files: tuple[str, ...] = ()  # names of PDF files
    headers: tuple[tuple[str, str], ...] = ()
    signed_by: str = ""  # domain whose key signs; "" for none
    through_list: bool = False  # a mailing list changes subject and body, and signs for itself
    second_author: str = ""  # another From field

    @property
    def address(self) -> str:
        """The author's address."""
        return self.author.rpartition("<")[2].rstrip(">")


@dataclass(frozen=True, slots=True)
class Posted:
    octets: bytes  # CRLF line ends
    message_id: str  # with angle brackets


def post(letter: Letter, keys: Mapping[str, Key], now: datetime) -> Posted:
    """The letter as it leaves its author's mail server, or the list's. `now` is aware."""
    message_id = f"<{secrets.token_hex(8)}@{letter.address.rpartition('@')[2]}>"
    octets = _composed(letter, message_id, now)
    if letter.through_list:
        octets = _through_list(letter, octets, message_id, keys, now)
    elif letter.signed_by:
        octets = keys[letter.signed_by].signer.sign(octets, now)
    if letter.second_author:
        octets = f"From: {letter.second_author}\r\n".encode("ascii") + octets
    return Posted(octets, message_id)


def _composed(letter: Letter, message_id: str, now: datetime) -> bytes:
    """The fields are written by the gateway's own words: EmailMessage of Python 3.11 loses blanks between encoded ones."""
    name, _, address = letter.author.rpartition(" <")
    content = EmailMessage(policy=SMTP)
    content.set_content(letter.body, cte="quoted-printable")
    for file in letter.files:
        content.add_attachment(pdf(file), maintype="application", subtype="pdf", filename=file)
    head = (
        ("From", f"{encode_words(name)} <{address}"),
        ("To", ", ".join(letter.to)),
        ("Subject", encode_words(letter.subject)),
        ("Date", format_datetime(now)),
        ("Message-ID", message_id),
        *letter.headers,
    )
    return b"".join(make_field(field, value) for field, value in head) + content.as_bytes()


def _through_list(letter: Letter, original: bytes, message_id: str, keys: Mapping[str, Key], now: datetime) -> bytes:
    """The author's signature stays on top of changed text, where it proves nothing any more; the list adds its own."""
    signed = keys[letter.signed_by].signer.sign(original, now)
    signature = signed[: len(signed) - len(original)]
    changed = replace(
        letter,
        subject=f"[tinhoc] {letter.subject}",
        body=letter.body + LIST_FOOTER,
        headers=(*letter.headers, *LIST_HEADERS),
    )
    return keys[LIST_DOMAIN].signer.sign(signature + _composed(changed, message_id, now), now)
