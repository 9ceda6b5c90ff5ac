"""What a mail server is told to change in a message whose milter we are, as packets in the order in which they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.endpoint.milter_codec import add_recipient, change_header, delete_recipient, insert_header
from gateway.envelope.address import Mailbox
from gateway.envelope.header import Field, locate
from gateway.envelope.message import Message
from gateway.policy.plan import Group

TOP: Final = 0  # above every other field, the mail server's own Received too


def header_edits(message: Message, group: Group) -> Iterator[bytes]:
    """Delete the group's dropped fields, then put its own on top.

    Fields are deleted by their place among those of their name, last ones first, so that no place shifts under the next.
    """
    for name, place in reversed(_places(message, group.drop)):
        yield change_header(place, name, b"")
    fields, _ = locate(group.prepend)
    for field in reversed(fields):  # each goes above those that are there
        yield insert_header(TOP, field.name, field.value)


def recipient_edits(group: Group | None, ours: Sequence[tuple[Mailbox, bytes]]) -> Iterator[bytes]:
    """Take off our recipients whom the group does not name, and add those whom only the group names.

    `ours` are the recipients of our domains with their paths as the mail server gave them: it knows them by no other,
    but that Postfix tells a source route and does not keep it. A name that a mail server does not know it passes over.
    """
    if group and [path.mailbox for path in group.paths] == [mailbox for mailbox, _ in ours]:
        return  # nearly every message
    wanted = {path.mailbox.key: path.mailbox for path in group.paths} if group else {}
    for mailbox, path in ours:
        if mailbox.key not in wanted:
            yield delete_recipient(path)
            if (bare := _without_route(path)) != path:
                yield delete_recipient(bare)
    named = {mailbox.key for mailbox, _ in ours}
    for key, mailbox in wanted.items():
        if key not in named:
            yield add_recipient(f"<{mailbox}>".encode())


def _without_route(path: bytes) -> bytes:
    """The path less its source route (RFC 5321 appendix C); it has been parsed, so an at sign in front begins one."""
    return b"<" + path.partition(b":")[2] if path.startswith(b"<@") else path


def _places(message: Message, dropped: Iterable[Field]) -> list[tuple[bytes, int]]:
    """Name and place, from 1, of each dropped field among the fields of its name."""
    starts = {field.start for field in dropped}
    if not starts:
        return []
    seen: Counter[bytes] = Counter()
    found = []
    for field in message.fields:
        seen[field.key] += 1
        if field.start in starts:
            found.append((field.name.rstrip(b" \t"), seen[field.key]))
    return found
