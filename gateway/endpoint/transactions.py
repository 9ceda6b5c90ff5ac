"""One mail transaction as a session drives it: asks the pipeline, and turns every exception into 451 (F-37)."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping

from gateway import maillog, metrics
from gateway.endpoint.refusal import Refusal
from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.envelope.reply import ELSEWHERE, LOCAL_ERROR, Reply
from gateway.envelope.transaction import Client, ForwardPath, Parameters
from gateway.ports import Host, Intake, Reception


def report_fault(error: BaseException, fault_id: str, place: str = "smtp", **facts: str) -> Reply:
    """Log what broke, with an id; the client hears the id and nothing of the cause (P-5)."""
    metrics.faults.labels(place).inc()
    trace = "".join(traceback.format_exception(error))[-4000:]
    maillog.event("fault", place=place, id=fault_id, error=repr(error)[:500], trace=trace, **facts)
    return LOCAL_ERROR.with_id(fault_id)


class OpenTransaction:
    """A transaction from MAIL to the end of data, or to its end before that.

    Every method raises Refusal(451 with an id) where the pipeline raised; the transaction is over then.
    """

    def __init__(
        self,
        reception: Reception,
        client: Client,
        *,
        utf8: bool,
        forwarded: Mapping[str, str] | None = None,
        host: Host | None = None,
    ) -> None:
        self.utf8 = utf8
        self._place = "smtp" if host is None else "milter"
        self.forward_paths: list[ForwardPath] = []
        self.refused = 0  # recipients
        self._told: Mapping[str, str] = forwarded or {}  # for the log: what XFORWARD told, the mail server's queue id
        self._given_up = False
        self._judged = False
        try:
            self._intake: Intake = reception.begin(client, host)
        except Exception as error:
            raise Refusal(report_fault(error, secrets.token_hex(6), self._place)) from error

    @property
    def id(self) -> str:
        return self._intake.id

    def queued_as(self, queue_id: str) -> None:
        """By what name the mail server's own log calls the message: our lines about it say it too."""
        if queue_id:
            self._told = {**self._told, "queue_id": queue_id}

    async def mail(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply:
        try:
            return _final(await self._intake.mail(reverse_path, parameters))
        except Exception as error:
            raise self._fault(error) from error

    async def rcpt(self, path: ForwardPath) -> Reply:
        try:
            reply = _final(await self._intake.rcpt(path))
        except Exception as error:
            raise self._fault(error) from error
        if not reply.is_positive:
            self.refused += 1
        elif reply is not ELSEWHERE:
            self.forward_paths.append(path)
        return reply

    async def data(self, message: Message, queue_id: str = "") -> Reply:
        self._judged = True
        try:
            return _final(await self._intake.data(message, queue_id))
        except Exception as error:
            refusal = self._fault(error)
            self._record(refusal.reply, message.size)
            raise refusal from error

    async def unheard(self) -> None:
        """The client left before our 2yz (F-15)."""
        try:
            await self._intake.unheard()
        except Exception as error:
            report_fault(error, self._intake.id, self._place, **self._told)

    async def abandon(self) -> None:
        """End without a message. Nothing happens where the message was judged already, nor the second time."""
        if self._given_up or self._judged:
            return
        self._given_up = True
        try:
            await self._intake.abandon()
        except Exception as error:
            report_fault(error, self._intake.id, self._place, **self._told)

    async def refuse(self, reply: Reply, size: int) -> Reply:
        """The door itself refuses the message."""
        self._record(reply, size)
        await self.abandon()
        return reply.with_id(self._intake.id)

    def _record(self, reply: Reply, size: int) -> None:
        """Count and log, for every recipient, a final reply that is not the pipeline's own."""
        verb: maillog.Verb = "deferred" if reply.is_temporary else "refused"
        metrics.messages.labels(f"{reply.code // 100}yz").inc()
        for path in self.forward_paths:
            metrics.fates.labels(verb).inc()
            facts = {"recipient": str(path.mailbox), "reply": str(reply), "place": self._place, "size": size}
            maillog.fate(verb, self._intake.id, **facts, **self._told)

    def note_bare(self) -> None:
        maillog.event("bare-newline", id=self._intake.id, **self._told)

    async def broke(self, error: Exception, size: int) -> Refusal:
        """The door itself broke on the message."""
        refusal = self._fault(error)
        self._record(refusal.reply, size)
        await self.abandon()
        return refusal

    def _fault(self, error: Exception) -> Refusal:
        return Refusal(report_fault(error, self._intake.id, self._place, **self._told))


def _final(reply: Reply) -> Reply:
    """A reply of the pipeline; ValueError for one that asks for more."""
    if 300 <= reply.code < 400:
        raise ValueError(f"a reply that asks for more: {reply}")
    return reply
