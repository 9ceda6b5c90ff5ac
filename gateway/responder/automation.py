"""Signs in the header that a program wrote the message, or asked for no answer (safety AR-5, AR-6, AR-7, AR-9)."""

from __future__ import annotations

import re

from gateway.envelope.header import Field
from gateway.envelope.message import Message

VALUE_MAX = 1000  # octets read of a field whose value is a word or two
BODY_MAX = 64 * 1024  # octets of a multipart body searched for a calendar part

_BULK = frozenset({"bulk", "list", "junk", "auto_reply"})
_SUPPRESS = frozenset({"all", "oof", "autoreply"})
_MARKS = frozenset({b"mailing-list", b"x-mailing-list", b"feedback-id", b"x-loop", b"x-failed-recipients"})
_MARK_PREFIXES = (b"list-", b"x-autore", b"x-auto-reply", b"x-list-")  # X-Autoreply, X-Autorespond, X-Autoresponse ...
_REPORTS = frozenset(
    {
        "multipart/report",
        "message/delivery-status",
        "message/global-delivery-status",
        "message/disposition-notification",
        "message/global-disposition-notification",
        "message/feedback-report",
        "text/calendar",
        "application/ics",
    }
)
_CALENDAR_PART = re.compile(rb"\r\ncontent-type[ \t]*:(?:[ \t]|\r\n[ \t])*(?:text/calendar|application/ics)\b", re.I)


def sign_of_automation(message: Message) -> str:
    """The first sign found, as `AR-n words`; "" when a person seems to have written and to await an answer."""
    return _auto_submitted(message) or _list_or_bulk(message) or _suppressed(message) or _report(message)


def words_of(field: Field) -> str:
    """A structured value in lower case without comments and white space at its ends (RFC 5322 §3.2.2).

    A comment that is not closed swallows the rest, so what is left never says more than the sender wrote.
    """
    text = field.unfolded[:VALUE_MAX].decode("utf-8", "replace")
    if "(" in text or "\\" in text:
        text = _without_comments(text)
    return text.strip().lower()


def _without_comments(text: str) -> str:
    kept: list[str] = []
    depth, escaped = 0, False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "(":
            depth += 1
            kept.append(" ")  # a comment parts two words
        elif char == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(char)
    return "".join(kept)


def _auto_submitted(message: Message) -> str:
    """RFC 3834 §5.2: anything but `no`, with or without parameters, in any of several fields."""
    for field in message.all(b"auto-submitted"):
        if words_of(field).partition(";")[0].strip() != "no":
            return "AR-5 Auto-Submitted is not no"
    return ""


def _list_or_bulk(message: Message) -> str:
    for field in message.fields:
        key = field.key
        if key in _MARKS or key.startswith(_MARK_PREFIXES):
            return f"AR-6 {key.decode('ascii', 'replace')} field"
    for field in message.all(b"precedence"):
        if words_of(field) in _BULK:
            return f"AR-6 Precedence is {words_of(field)}"
    return ""


def _suppressed(message: Message) -> str:
    """[MS-OXCMAIL] 2.1.3.4.12: a list of what the sender does not want; DR, NDR and RN do not mean us."""
    for field in message.all(b"x-auto-response-suppress"):
        if any(word.strip() in _SUPPRESS for word in words_of(field).split(",")):
            return "AR-7 X-Auto-Response-Suppress asks for no automatic response"
    return ""


def _report(message: Message) -> str:
    field = message.first(b"content-type")
    media_type = words_of(field).partition(";")[0].strip() if field else "text/plain"
    if media_type in _REPORTS:
        return f"AR-9 {media_type}"
    beginning = b"\r\n" + bytes(message.body[:BODY_MAX])
    if media_type.startswith("multipart/") and _CALENDAR_PART.search(beginning):
        return "AR-9 calendar part"
    return ""
