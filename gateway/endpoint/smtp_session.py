"""An SMTP session (RFC 5321): the conversation and its commands. Messages are taken in smtp_receiving.py."""

# ruff: noqa: N802 - aiosmtpd's table of commands goes by the names smtp_VERB

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Awaitable
from typing import Any, Final

from gateway import metrics
from gateway.endpoint import refusal as say
from gateway.endpoint.budget import Budget, Tarpit
from gateway.endpoint.limits import has_room
from gateway.endpoint.parameters import mail_parameters, rcpt_parameters
from gateway.endpoint.proxy_protocol import ProxyError
from gateway.endpoint.refusal import Refusal
from gateway.endpoint.shared import Shared
from gateway.endpoint.smtp_receiving import Receiving
from gateway.endpoint.transactions import OpenTransaction, report_fault
from gateway.endpoint.xclient import HELO
from gateway.envelope.address import AddressError, parse_forward_path, parse_reverse_path
from gateway.envelope.reply import STORAGE_ERROR, Reply
from gateway.envelope.transaction import ForwardPath
from gateway.ports import Features

OTHER_PROTOCOL: Final = (
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PATCH",
    b"PRI",
)
NOT_FOR_US: Final = (b"AUTH", b"HELP", b"EXPN", b"ETRN", b"ATRN", b"TURN", b"SEND", b"SOML", b"SAML", b"BDAT", b"BURL")


class SmtpSession(Receiving):
    """One session, from the greeting to the close. aiosmtpd's connection_made starts _handle_client as a task."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._budget = Budget(shared.settings.errors_per_session)
        self._tarpit = Tarpit()
        self._offered = Features()
        self._idle = False
        self._has_begun = False  # a transaction, at any time
        self._since = shared.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.shared.sessions.add(self)
        metrics.sessions.inc()

    @property
    def task(self) -> asyncio.Task[None] | None:
        return self._handler_coroutine

    @property
    def is_in_transaction(self) -> bool:
        return self._mail is not None

    def dismiss(self) -> None:
        """The service stops: leave now, if nothing is under way or about to be (O-1)."""
        if self._idle and self._must_go:
            self.hang_up(say.STOPPING)

    @property
    def _must_go(self) -> bool:
        """Whether the service stops, and this session has neither a transaction nor a claim to begin its first."""
        shared = self.shared
        if not shared.draining or self._mail is not None:
            return False
        return shared.is_closed or self._has_begun or self._since < shared.fresh_from

    # ---- the conversation ---------------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        try:
            # OSError, IncompleteReadError: the client is gone; what it left open is abandoned below
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._converse()
        except Exception as error:
            # a fault of the door itself: where in the client's stream we are is not known, so end here
            fault_id = secrets.token_hex(6)
            report_fault(error, fault_id)
            self.hang_up(say.BROKEN.with_id(fault_id))
        finally:
            self._leave()
            self.shared.sessions.discard(self)
            metrics.sessions.dec()
            self.hang_up()
            await self._end_transaction()

    async def _converse(self) -> None:
        try:
            await self._admit()
        except Refusal as refusal:
            return self.hang_up(refusal.reply)
        except ProxyError as error:
            return self._reject_proxy(error)
        while not self.is_gone:
            if self._budget.is_spent:
                return self.hang_up(say.TOO_MANY_ERRORS)
            if self._must_go:
                return self.hang_up(say.STOPPING)
            try:
                await self._obey()
            except Refusal as refusal:
                if refusal.close or refusal.reply.code == 421:
                    return self.hang_up(refusal.reply)
                self._say(refusal.reply)
                if refusal.reply.is_permanent:
                    self._budget.error()
        return None

    async def _obey(self) -> None:
        """Read one command and do what it says. Raises Refusal, IncompleteReadError, OSError."""
        self._idle = True
        verb, octets = await self._read_command()
        self._idle = False
        if verb in OTHER_PROTOCOL:
            return self._abort()  # a browser made to speak to us; say nothing it could use (S-9)
        if not self._is_extended and verb not in (b"EHLO", b"QUIT"):
            self._expect_silence()
        if not verb.isascii():
            raise Refusal(say.NOT_ASCII)
        command = self.shared.commands.get(verb.decode("ascii"))
        if command is None:
            raise Refusal(say.NOT_IMPLEMENTED if verb in NOT_FOR_US else say.NOT_RECOGNIZED)
        self._reset_timeout(math.inf)
        return await command(self, octets.decode("utf-8", "surrogateescape"))

    # ---- greeting -----------------------------------------------------------------------------------------------

    async def smtp_EHLO(self, argument: str) -> None:
        await self._hello(argument)
        try:
            self._offered = self.shared.features()
        except Exception as error:
            raise Refusal(report_fault(error, secrets.token_hex(6))) from error
        session: Any = self.session
        session.host_name, session.extended_smtp = argument, True
        self._say(self.shared.offer(self._offered, bool(self.shared.tls) and session.ssl is None, self._is_trusted))

    async def smtp_HELO(self, argument: str) -> None:
        await self._hello(argument)
        session: Any = self.session
        session.host_name = argument
        self._say(self.shared.hello)

    async def _hello(self, argument: str) -> None:
        self._expect_silence()
        self._budget.idle()
        if not HELO.match(argument):
            raise Refusal(say.HELLO_SYNTAX)
        await self._forget()

    async def _forget(self) -> None:
        session: Any = self.session
        session.host_name, session.extended_smtp = None, False
        self._offered = Features()
        await self._end_transaction()

    # ---- envelope -----------------------------------------------------------------------------------------------

    async def smtp_MAIL(self, argument: str) -> None:
        session: Any = self.session
        if not session.host_name:
            raise Refusal(say.HELLO_FIRST)
        if self._mail is not None:
            raise Refusal(say.NESTED_MAIL)
        try:
            path = parse_reverse_path(_after(argument, "FROM:", say.MAIL_SYNTAX), utf8=self._offered.smtputf8)
        except AddressError as error:
            raise Refusal(Reply(501, "5.1.7", f"Sender: {error}")) from error
        parameters = mail_parameters(path.rest, self._offered)
        utf8 = ("SMTPUTF8", None) in parameters
        if not argument.isascii() and not utf8:
            raise Refusal(say.UTF8_NEEDED)
        if not has_room(self.shared.memory, self.shared.disk, self.loop.time()):
            raise Refusal(STORAGE_ERROR)
        client = self._client(utf8=utf8)
        self._broken = None
        self._has_begun = True
        self._mail = OpenTransaction(self.shared.reception, client, utf8=utf8, forwarded=self._forwarded)
        reply = await self._asked(self._mail.mail(path.mailbox, parameters))
        if not reply.is_positive:
            await self._end_transaction()
            raise Refusal(reply)
        self._say(reply)

    async def smtp_RCPT(self, argument: str) -> None:
        mail = self._mail
        if mail is None:
            raise Refusal(self._broken or say.MAIL_FIRST)
        try:
            path = parse_forward_path(_after(argument, "TO:", say.RCPT_SYNTAX), utf8=mail.utf8)
        except AddressError as error:
            if not argument.isascii() and not mail.utf8:
                raise Refusal(say.UTF8_NEEDED) from error
            raise Refusal(Reply(501, "5.1.3", f"Recipient: {error}")) from error
        if path.mailbox is None:
            raise Refusal(say.RCPT_SYNTAX)
        parameters = rcpt_parameters(path.rest, self._offered)
        if len(mail.forward_paths) >= self.shared.settings.max_recipients:
            raise Refusal(say.TOO_MANY_RECIPIENTS)
        reply = await self._asked(mail.rcpt(ForwardPath(path.mailbox, parameters)))
        if not reply.is_positive:
            if wait := self._tarpit.delay(reply):
                await asyncio.sleep(wait)
            raise Refusal(reply)
        self._say(reply)

    async def _asked(self, answer: Awaitable[Reply]) -> Reply:
        """The pipeline's reply to MAIL or RCPT; where the pipeline broke, the transaction is over."""
        try:
            return await answer
        except Refusal as refusal:
            await self._end_transaction()
            self._broken = refusal.reply
            raise

    # ---- the rest -----------------------------------------------------------------------------------------------

    async def smtp_RSET(self, argument: str) -> None:
        if argument:
            raise Refusal(say.NO_ARGUMENT)
        self._budget.idle()
        await self._end_transaction()
        self._say(say.DONE)

    async def smtp_NOOP(self, argument: str) -> None:
        self._budget.idle()
        self._say(say.DONE)

    async def smtp_VRFY(self, argument: str) -> None:
        self._budget.idle()
        self._say(say.CANNOT_VERIFY)

    async def smtp_QUIT(self, argument: str) -> None:
        if argument:
            raise Refusal(say.NO_ARGUMENT)
        await self._end_transaction()
        self.hang_up(say.BYE)


def _after(argument: str, word: str, syntax: Reply) -> str:
    """What follows FROM: or TO:. A space after the colon is against RFC 5321 §3.3, but common and harmless."""
    if argument[: len(word)].upper() != word:
        raise Refusal(syntax)
    return argument[len(word) :].lstrip(" ")
