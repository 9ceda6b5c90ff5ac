"""What Postfix does to a message: how it cuts it into fields and body for a milter, and how it carries out edits.

Rules that are not obvious, all Postfix's: lines end with LF, a CR before it is dropped, and both are written as CRLF.
The header section ends at an empty line, or before the first line that is neither field nor continuation: an empty line
is then put before it. White space before a colon is not shown to the milter but stays in the message. A value is shown
up to its first NUL. Postfix's own Received field is not shown, counts for no CHGHEADER, and is left out here. A
recipient is told as written, source route and all, and kept without the route.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_FIELD = re.compile(rb"([^\x00-\x20\x7f-\xff:]+)[ \t]*:")
_ROUTE = re.compile(r"@[^:]*:")


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field as it is in the message: its lines joined with LF."""

    text: bytes

    @property
    def name(self) -> bytes:
        found = _FIELD.match(self.text)
        assert found is not None, self.text
        return found[1]

    def shown(self, *, leading: bool) -> bytes:
        """The value as the milter gets it; without SMFIP_HDR_LEADSPC one space is eaten."""
        value = self.text.partition(b":")[2].partition(b"\0")[0]
        return value if leading else value.removeprefix(b" ")


@dataclass(frozen=True, slots=True)
class Received:
    """A message as Postfix keeps it."""

    fields: tuple[HeaderField, ...]
    separator: bytes  # the empty line, received or put in; b"" when the message ends within its header section
    body: bytes  # with CRLF line ends

    @classmethod
    def of(cls, message: bytes) -> Received:
        lines = [line.removesuffix(b"\r") for line in message.split(b"\n")]
        if lines[-1] == b"":
            lines.pop()
        fields: list[bytes] = []
        for number, line in enumerate(lines):
            if line[:1] in (b" ", b"\t") and fields:
                fields[-1] += b"\n" + line
            elif _FIELD.match(line):
                fields.append(line)
            else:
                rest = lines[number + 1 :] if line == b"" else lines[number:]
                return cls(tuple(map(HeaderField, fields)), b"\r\n", b"".join(x + b"\r\n" for x in rest))
        return cls(tuple(map(HeaderField, fields)), b"", b"")


@dataclass(frozen=True, slots=True)
class Edit:
    """One modification: the octet of its packet, and what it says."""

    kind: str  # "i" insert, "m" change, "h" add, "+" add recipient, "-" delete recipient
    name: bytes = b""  # of the field; or the recipient's path
    value: bytes = b""
    index: int = 0

    @classmethod
    def read(cls, kind: bytes, payload: bytes) -> Edit:
        assert kind in (b"i", b"m", b"h", b"+", b"-"), f"{kind!r} was not negotiated"
        index = 0
        if kind in (b"i", b"m"):
            (index,) = struct.unpack_from("!I", payload)
            payload = payload[4:]
        assert payload.endswith(b"\0"), payload
        name, *value = payload[:-1].split(b"\0")
        assert len(value) == (0 if kind in (b"+", b"-") else 1), payload
        return cls(kind.decode(), name, b"".join(value), index)


@dataclass(frozen=True, slots=True)
class Answer:
    """A final answer; `text` is the reply of a REPLYCODE."""

    kind: str  # continue, accept, discard, reject, tempfail, replycode, skip
    text: str = ""

    @property
    def code(self) -> int:
        """What the SMTP client hears."""
        defaults = {"continue": 250, "accept": 250, "discard": 250, "skip": 250, "reject": 550, "tempfail": 451}
        return int(self.text[:3]) if self.kind == "replycode" else defaults[self.kind]


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that the filter said about one transaction."""

    mail: Answer
    rcpt: tuple[Answer, ...] = ()
    edits: tuple[Edit, ...] = ()
    answer: Answer | None = None  # the final one; None: no recipient was left, and no message was sent
    recipients: tuple[str, ...] = ()  # those accepted, without angle brackets
    progress: int = 0  # PROGRESS packets
    leading: bool = True  # values come with their leading space

    def applied(self, message: bytes) -> tuple[bytes, tuple[str, ...]]:
        """What the mail server would pass on, and to whom; nothing when the message was refused or discarded."""
        if self.answer is None or self.answer.kind not in ("continue", "accept"):
            return b"", ()
        received = Received.of(message)
        fields = [one.text for one in received.fields]
        recipients = [
            _ROUTE.sub("", recipient, count=1) if recipient[:1] == "@" else recipient for recipient in self.recipients
        ]
        for edit in self.edits:
            if edit.kind in ("+", "-"):
                recipients = _with_recipient(recipients, edit)
            else:
                _edit_field(fields, edit, self.leading)
        header = b"".join(text.replace(b"\n", b"\r\n") + b"\r\n" for text in fields)
        return header + received.separator + received.body, tuple(recipients)


def _with_recipient(recipients: Sequence[str], edit: Edit) -> list[str]:
    """Recipients are compared as they were given at RCPT, letter by letter; deleting takes every copy."""
    address = edit.name.decode().removeprefix("<").removesuffix(">")
    if edit.kind == "-":
        return [recipient for recipient in recipients if recipient != address]
    return [*recipients, address]


def _edit_field(fields: list[bytes], edit: Edit, leading: bool) -> None:
    """Carry out one edit. A CHGHEADER counts the fields of its name as they are at that moment."""
    assert b"\r" not in edit.value, "Postfix writes a CR in a value into the message"
    text = edit.name + b":" + (b"" if leading else b" ") + edit.value
    if edit.kind == "h":
        fields.append(text)
    elif edit.kind == "i":
        fields.insert(edit.index, text)
    else:
        same = [at for at, one in enumerate(fields) if HeaderField(one).name.lower() == edit.name.lower()]
        place = max(edit.index, 1)
        if place <= len(same):
            fields[same[place - 1] : same[place - 1] + 1] = [text] if edit.value else []
        elif edit.value:
            fields.append(text)
