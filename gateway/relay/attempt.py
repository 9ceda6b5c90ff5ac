"""One attempt to send one outbox row, and what its outcome means for the row's state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.envelope.message import Octets
from gateway.envelope.reply import DOWNSTREAM_LOST, LOCAL_ERROR, MISCONFIGURED, Reply
from gateway.envelope.transaction import ForwardPath
from gateway.maillog import Verb
from gateway.policy.route import Route
from gateway.ports import Content, Downstream, Leased, Outgoing, OutgoingKind, Session, StoreError
from gateway.relay.schedule import next_attempt
from gateway.relay.xclient_out import OURSELVES

State = Literal["sent", "failed", "abandoned", "unknown", "due"]

_SENT: dict[OutgoingKind, Verb] = {
    OutgoingKind.NOTICE: "replied",
    OutgoingKind.RELEASE: "released",
    OutgoingKind.RELAY: "relayed",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The row's new state, with the words for the log and for the clerk."""

    state: State
    verb: Verb
    reply: str
    next_attempt: datetime | None = None


class Attempt:
    """Sends one row once. `make` raises only for faults of our own; `cut_short` then says what is known."""

    def __init__(
        self,
        row: Leased,
        downstream: Downstream,
        routes: Mapping[str, Route],
        open_blob: Callable[[str], Octets],
        clock: Callable[[], datetime],
    ) -> None:
        self._row = row
        self._downstream = downstream
        self._routes = routes
        self._open_blob = open_blob
        self._clock = clock
        self._delivering = False

    async def make(self) -> Outcome:
        """Send the row, to all its recipients that the server takes."""
        outgoing = self._row.outgoing
        route = self._routes.get(outgoing.route)
        if route is None:  # a policy without this route; the postmaster may bring it back
            return self._again(MISCONFIGURED)
        try:
            content = await asyncio.to_thread(_content, outgoing, self._open_blob)
        except StoreError as error:
            return self._again(error.reply)
        except (OSError, ValueError):
            return self._again(LOCAL_ERROR)
        session = self._downstream.begin(route, OURSELVES)
        try:
            return await self._transact(session, outgoing, content)
        finally:
            await session.abandon()

    def cut_short(self) -> Outcome:
        """The attempt did not end: before the content nothing has happened, during it nobody knows."""
        return self._unknown(DOWNSTREAM_LOST) if self._delivering else self._again(LOCAL_ERROR)

    async def _transact(self, session: Session, outgoing: Outgoing, content: Content) -> Outcome:
        reply = await session.mail(outgoing.reverse_path, outgoing.parameters)
        if not reply.is_positive:
            return self._refused(reply)
        answers = {path: await session.rcpt(path) for path in outgoing.recipients}
        accepted = [path for path, answer in answers.items() if answer.is_positive]
        deferred = [answer for answer in answers.values() if not (answer.is_positive or answer.is_permanent)]
        if deferred and self._next() is not None:  # all together later, for a row has one state
            return self._again(deferred[0])
        if not accepted:
            return self._refused(next(iter(answers.values()), LOCAL_ERROR))
        self._delivering = True
        delivery = await session.deliver(accepted, content)
        self._delivering = False
        if delivery.unknown:
            return self._unknown(delivery.reply)
        if not delivery.reply.is_positive:
            return self._refused(delivery.reply)
        return self._sent(answers | dict(delivery.replies), delivery.reply)

    def _sent(self, answers: Mapping[ForwardPath, Reply], reply: Reply) -> Outcome:
        """At least one has it. Who has not is named, and tried again only where a second copy is allowed."""
        missed = {path: answer for path, answer in answers.items() if not answer.is_positive}
        if not missed:
            return Outcome("sent", _SENT[self._row.outgoing.kind], str(reply))
        words = "; ".join(f"{path.mailbox}: {answer}" for path, answer in missed.items())
        again = self._next()
        if self._row.outgoing.kind is OutgoingKind.RELAY and again and any(a.is_temporary for a in missed.values()):
            return Outcome("due", "deferred", words, again)
        return Outcome("failed", "refused", f"not delivered to all: {words}")

    def _refused(self, reply: Reply) -> Outcome:
        return Outcome("failed", "refused", str(reply)) if reply.is_permanent else self._again(reply)

    def _again(self, reply: Reply) -> Outcome:
        due = self._next()
        if due is not None:
            return Outcome("due", "deferred", str(reply), due)
        # A notice that is late is of no use to anybody; mail that we took is shown to a person.
        state: State = "abandoned" if self._row.outgoing.kind is OutgoingKind.NOTICE else "failed"
        return Outcome(state, "expired", str(reply))

    def _unknown(self, reply: Reply) -> Outcome:
        words = f"{reply} (may have been delivered)"
        match self._row.outgoing.kind:
            case OutgoingKind.NOTICE:
                return Outcome("abandoned", "deferred", words)
            case OutgoingKind.RELEASE:
                return Outcome("unknown", "deferred", words)
            case OutgoingKind.RELAY:
                return self._again(reply)

    def _next(self) -> datetime | None:
        row = self._row
        return next_attempt(row.outgoing.kind, row.attempts + 1, row.first_due, self._clock())


def _content(outgoing: Outgoing, open_blob: Callable[[str], Octets]) -> Content:
    """Our octets first, then the blob without the dropped ranges. Blocking."""
    parts: list[bytes | memoryview] = [outgoing.content] if outgoing.content else []
    if outgoing.digest:
        blob = memoryview(open_blob(outgoing.digest))
        position = 0
        for start, end in sorted(outgoing.drop):
            if start > position:
                parts.append(blob[position:start])
            position = max(position, end)
        parts.append(blob[position:])
    return parts
