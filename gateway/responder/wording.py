"""The words that a notice may use: what each variable is, and how text from mail is made harmless (safety S-41, AR-15)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, TypeAlias

from gateway.envelope.address import Mailbox
from gateway.policy.directive import Directive, Document
from gateway.responder.localtime import english_date, english_moment, vietnamese_date, vietnamese_moment

VALUE_MAX = 200  # characters of what comes from mail
TRUSTED_MAX = 500  # characters of a sentence that an admin wrote
SHORT_MAX = 60  # characters of a subject echoed in a subject, before links are broken up
LIST_MAX = 20  # values of a list

Language: TypeAlias = Literal["vi", "en"]
Value: TypeAlias = str | bool | tuple[str, ...]

# name: (kind, meaning in English, meaning in Vietnamese). Every variable that a template may name, and no other.
VARIABLES: dict[str, tuple[Literal["text", "truth", "list"], str, str]] = {
    "subject": ("text", "subject of the message answered", "tiêu đề của thư được trả lời"),
    "subject_short": ("text", "the same, cut after about 60 characters", "tiêu đề rút gọn, khoảng 60 ký tự"),
    "sender": ("text", "mailbox that is answered", "hộp thư được trả lời"),
    "recipient": ("text", "our mailbox that was written to", "hộp thư nhận của cơ quan"),
    "received": ("text", "local time of receipt", "thời điểm nhận, giờ địa phương"),
    "entry": ("text", "id to look the message up by", "mã tra cứu của thư"),
    "held": ("truth", "held (true) or delivered (false)", "thư bị tạm giữ (đúng) hay đã chuyển đi (sai)"),
    "kept_until": ("text", "local time until which it is held; empty when delivered", "thời điểm hết hạn tạm giữ"),
    "unit_name": ("text", "sending unit; empty when unknown", "tên đơn vị gửi; trống nếu không rõ"),
    "unit_mailbox": (
        "text",
        "the unit's own mailbox; empty when unknown",
        "hộp thư công vụ của đơn vị; trống nếu không rõ",
    ),
    "directive": ("text", "citation of the directive", "trích dẫn văn bản chỉ đạo"),
    "asks": ("text", "what the directive asks, one sentence", "nội dung văn bản yêu cầu, một câu"),
    "grounds": ("list", "citations of what it rests on", "các căn cứ của văn bản"),
    "official_domains": ("list", "domains of official mailboxes", "các tên miền công vụ"),
    "office": ("text", "issuer of the directive", "cơ quan ban hành văn bản"),
    "contact_office": ("text", "office to ask", "bộ phận liên hệ"),
    "contact_phone": ("text", "its telephone", "số điện thoại liên hệ"),
    "contact_mailbox": ("text", "its mailbox; may be empty", "hộp thư liên hệ; có thể trống"),
}

_KINDS = {"công văn": "Official Letter", "chỉ thị": "Directive", "quyết định": "Decision", "thông tư": "Circular",
          "nghị định": "Decree", "kế hoạch": "Plan", "thông báo": "Notification"}  # fmt: skip

_SCHEME = re.compile(r"(?i)\b([a-z][a-z0-9+-]*):(?=//)|\b(mailto|tel|javascript):")
_DOTTED = re.compile(r"(?<=\w)[.。．｡](?=(?:[\w-]+[.。．｡])*(?:[A-Za-z]{2,}|xn--[\w-]+)(?![\w-]))")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFacts:
    """What one notice is about."""

    sender: Mailbox  # the reverse-path, which is answered
    recipient: Mailbox
    subject: str  # decoded, as received
    received_at: datetime  # aware
    entry: str  # transaction id
    kept_until: datetime | None = None  # aware; None: the message was delivered
    unit_name: str = ""
    unit_mailbox: str = ""


def plain(text: str, limit: int = VALUE_MAX) -> str:
    """One line of visible characters, NFC, at most `limit` long; what is cut off shows as "…".

    Controls, line ends, bidirectional overrides, zero-width and private characters go: nothing can break out of its
    line or show in another order than it is written.
    """
    text = unicodedata.normalize("NFC", text[: 8 * limit])
    visible = "".join(" " if char.isspace() else char for char in text if char.isspace() or _visible(char))
    line = " ".join(visible.split())
    if len(line) <= limit:
        return line
    cut = limit - 1
    while cut and unicodedata.combining(line[cut]):
        cut -= 1
    return line[:cut].rstrip() + "…"


def _visible(char: str) -> bool:
    return not unicodedata.category(char).startswith("C")


def unlinked(text: str) -> str:
    """Text in which no mail reader finds a link: `evil[.]example`, `https[:]//evil[.]example` (AR-15)."""
    return _DOTTED.sub("[.]", _SCHEME.sub(r"\1\2[:]", text))


def cite(document: Document, language: Language) -> str:
    """`Công văn số 1077/SGDĐT-KTQLCL ngày 02/5/2019 của …`, with its subject where that is known."""
    if language == "vi":
        issuer, about = (f" của {document.issuer}" if document.issuer else ""), " về việc "
        start = f"{document.kind} số {document.number} ngày {vietnamese_date(document.date)}{issuer}"
    else:
        kind = _KINDS.get(document.kind.lower(), document.kind)
        issuer, about = (f" ({document.issuer})" if document.issuer else ""), ", subject: "
        start = f"{kind} No. {document.number} of {english_date(document.date)}{issuer}"
    return plain(f"{start}{about}{document.subject}" if document.subject else start, TRUSTED_MAX)


def values(facts: NoticeFacts, directive: Directive, language: Language, zone: tzinfo) -> dict[str, Value]:
    """A value for every name in VARIABLES, each harmless and short."""
    moment = vietnamese_moment if language == "vi" else english_moment
    subject = plain(facts.subject)
    return {
        "subject": plain(unlinked(subject)),
        "subject_short": plain(unlinked(plain(subject, SHORT_MAX)), SHORT_MAX + 20),
        "sender": plain(str(facts.sender)),
        "recipient": plain(str(facts.recipient)),
        "received": moment(facts.received_at, zone),
        "entry": plain(facts.entry),
        "held": facts.kept_until is not None,
        "kept_until": moment(facts.kept_until, zone) if facts.kept_until else "",
        "unit_name": plain(facts.unit_name),
        "unit_mailbox": _one_address(facts.unit_mailbox),
        "directive": cite(directive.document, language),
        "asks": plain(directive.asks, TRUSTED_MAX).rstrip(". "),
        "grounds": tuple(cite(document, language) for document in directive.grounds[:LIST_MAX]),
        "official_domains": tuple(plain(domain) for domain in directive.official_domains[:LIST_MAX]),
        "office": plain(directive.document.issuer),
        "contact_office": plain(directive.contact_office),
        "contact_phone": plain(directive.contact_phone),
        "contact_mailbox": plain(directive.contact_mailbox),
    }


def _one_address(text: str) -> str:
    """The address, or "" for a row of mailboxes.csv that is a domain or a pattern: nobody can log in to that."""
    return plain(text) if "@" in text and "*" not in text else ""
