"""DATA: the message comes in, is judged by the pipeline, and the client hears the reply, or we note that it did not."""

# ruff: noqa: N802 - aiosmtpd's table of commands goes by the names smtp_VERB

from __future__ import annotations

import asyncio
import math

from gateway.endpoint import refusal as say
from gateway.endpoint.budget import Budget
from gateway.endpoint.heard import acknowledged
from gateway.endpoint.refusal import Refusal
from gateway.endpoint.smtp_admission import Admission
from gateway.endpoint.smtp_data import END_OF_DATA, Body
from gateway.endpoint.transactions import OpenTransaction
from gateway.endpoint.whole import refusal_of
from gateway.envelope.message import Message
from gateway.envelope.reply import STORAGE_ERROR, Reply


class Receiving(Admission):
    """A session that takes messages."""

    _mail: OpenTransaction | None = None
    _broken: Reply | None = None  # our 451 to MAIL or RCPT, for as long as the client may think the transaction open
    _budget: Budget

    @property
    def _in_transaction(self) -> bool:
        return self._mail is not None

    async def smtp_DATA(self, argument: str) -> None:
        mail = self._mail
        if argument:
            raise Refusal(say.NO_ARGUMENT)
        if mail is None:
            raise self._without_mail()
        if not mail.forward_paths:
            if not mail.refused:
                raise Refusal(say.RCPT_FIRST)
            await self._end_transaction()  # F-7; the next MAIL needs no RSET
            raise Refusal(say.NO_VALID_RECIPIENTS)
        self._expect_silence()
        if self._at_eof:
            raise ConnectionResetError("the client sends no message")
        settings, shared = self.shared.settings, self.shared
        body = Body(
            max_size=int(settings.max_size), max_line=settings.max_line, memory=shared.memory, spool=shared.spool
        )
        try:
            # The CRLF of the DATA line counts as the first half of an end of data that comes at once: put it back.
            self._reader.feed_data(b"\r\n")
            self._say(say.START_MAIL_INPUT)
            await self._flush()
            await self._receive(body)
            self._reset_timeout(math.inf)
            await self._answer(mail, body)
        finally:
            body.close()

    async def _receive(self, body: Body) -> None:
        """Read up to the end of data. Raises Refusal, IncompleteReadError, OSError."""
        reader = self._reader
        self._expect_data()
        try:
            while True:
                try:
                    body.finish(await reader.readuntil(END_OF_DATA))
                    return
                except asyncio.LimitOverrunError as more:
                    body.feed(await reader.read(more.consumed))
                if body.octets > 2 * self.shared.settings.max_size:
                    raise Refusal(say.TOO_BIG, close=True)  # no end in sight
        finally:
            self._data_from = None

    async def _answer(self, mail: OpenTransaction, body: Body) -> None:
        """The reply to the end of data. The transaction is over before it is given (S-5)."""
        self._mail = None
        refuse_bare = self.shared.settings.bare_newlines == "refuse"
        refusal = body.verdict(refuse_bare=refuse_bare)
        message: Message | None = None
        if refusal is None:
            try:
                message = Message(body.content())
            except OSError:
                refusal = STORAGE_ERROR
            except Exception as error:
                raise await mail.broke(error, body.octets) from error
            else:
                refusal = refusal_of(message)
        if refusal is not None or message is None:
            reply = await mail.refuse(refusal or STORAGE_ERROR, body.octets)
            raise Refusal(reply, close=body.bare and refuse_bare)
        if body.bare:
            mail.note_bare()
        reply = await mail.data(message)
        if not reply.is_positive:
            raise Refusal(reply)
        self._budget.refill()
        if not await self._give(reply):
            await mail.unheard()

    async def _give(self, reply: Reply) -> bool:
        """Send a final reply. Whether the client heard it, as far as can be known (R-12)."""
        if self.is_gone:
            return False
        self._say(reply)
        try:
            await self._flush()
        except OSError:
            return False
        if self.is_gone or not self._at_eof:
            return not self.is_gone
        transport = self.transport
        return await acknowledged(transport.get_extra_info("socket") if transport else None)

    def _without_mail(self) -> Refusal:
        """Why RCPT and DATA find no transaction. Where we broke it, what a client pipelined behind is 451, not 503:
        it must not bounce a recipient for our fault."""
        broken, self._broken = self._broken, None
        return Refusal(broken or say.MAIL_FIRST)

    async def _end_transaction(self) -> None:
        """Abandon what is open."""
        self._broken = None
        mail, self._mail = self._mail, None
        if mail is not None:
            await mail.abandon()
