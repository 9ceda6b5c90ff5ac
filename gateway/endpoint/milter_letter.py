"""One message as a milter gets it: envelope, content, and the verdict with its edits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import repeat

from gateway import metrics
from gateway.endpoint import refusal as say
from gateway.endpoint.milter_edits import header_edits, recipient_edits
from gateway.endpoint.milter_shared import Shared
from gateway.endpoint.milter_words import known_parameters, text_of
from gateway.endpoint.refusal import Refusal
from gateway.endpoint.spool import Spool
from gateway.endpoint.transactions import OpenTransaction, report_fault
from gateway.endpoint.whole import refusal_of
from gateway.envelope.address import AddressError, Mailbox, parse_forward_path, parse_reverse_path
from gateway.envelope.message import Message
from gateway.envelope.reply import ELSEWHERE, MISCONFIGURED, STORAGE_ERROR, Reply
from gateway.envelope.transaction import Client, ForwardPath
from gateway.policy.plan import Group
from gateway.ports import Delivery
from gateway.values import value

LEFT: Reply = Reply(250, "2.0.0", "Left to the mail server")
GONE: Reply = Reply(451, "4.4.2", "The mail server has gone, please try again later")
PATH_SHOWN = 256  # octets of a path in a reply
_BARE_CR = re.compile(rb"\r(?!\n)")


@value
class Verdict:
    """What the mail server is told in the end: a refusal, or the edits; `discard` when nobody is left to get it."""

    refusal: Reply | None = None
    edits: bytes = b""
    discard: bool = False


class Letter:
    """From MAIL to the verdict. It is the `ports.Host` of its transaction: the mail server relays."""

    def __init__(self, shared: Shared, client: Client | None, is_awaited: Callable[[], bool]) -> None:
        self._shared = shared
        self._client = client
        self._is_awaited = is_awaited  # whether the mail server still wants a verdict
        self._transaction: OpenTransaction | None = None
        self._spool: Spool | None = None
        self._size = 0
        self._ours: list[tuple[Mailbox, bytes]] = []
        self._elsewhere = False  # there are recipients who are not ours
        self._refusal: Reply | None = None  # of the whole message, so far
        self._group: Group | None = None

    # ---- envelope ---------------------------------------------------------------------------------------------------

    async def mail(self, path: bytes, arguments: Sequence[bytes]) -> Reply | None:
        """MAIL: the refusal, or None. A refusal is kept, and is the answer to RCPT and to the end of the message too."""
        try:
            await self._mail(path, arguments)
        except Refusal as refusal:
            self._refusal = refusal.reply
        return self._refusal

    async def _mail(self, path: bytes, arguments: Sequence[bytes]) -> None:
        shared = self._shared
        if self._client is None:  # without an address nothing can be proven: the mail server must be set right
            raise Refusal(MISCONFIGURED)
        if not shared.has_room():
            raise Refusal(STORAGE_ERROR)
        parameters = known_parameters(arguments, ("SIZE", "BODY", "SMTPUTF8", "RET", "ENVID"))
        utf8 = ("SMTPUTF8", None) in parameters
        try:
            mailbox = parse_reverse_path(text_of(path), utf8=utf8).mailbox
        except AddressError as error:
            raise Refusal(Reply(501, "5.1.7", f"Sender: {error}")) from error
        self._transaction = OpenTransaction(shared.reception, self._client, utf8=utf8, host=self)
        reply = await self._transaction.mail(mailbox, parameters)
        if not reply.is_positive:
            raise Refusal(reply)

    async def rcpt(self, path: bytes, arguments: Sequence[bytes]) -> Reply | None:
        """RCPT: the refusal, or None where the recipient is ours or not our affair."""
        transaction = self._transaction
        if self._refusal or transaction is None:
            return self._refusal or say.MAIL_FIRST
        try:
            mailbox = parse_forward_path(text_of(path), utf8=transaction.utf8).mailbox
        except AddressError as error:
            return Reply(501, "5.1.3", f"Recipient {_shown(path)}: {error}")
        if mailbox is None:
            return say.RCPT_SYNTAX
        try:
            reply = await transaction.rcpt(ForwardPath(mailbox, known_parameters(arguments, ("NOTIFY", "ORCPT"))))
        except Refusal as refusal:
            self._refusal = refusal.reply
            return refusal.reply
        if not reply.is_positive:
            return reply
        if reply is ELSEWHERE:
            self._elsewhere = True
            self._shared.tell_elsewhere(mailbox.domain)
        else:
            self._ours.append((mailbox, path))
        return None

    # ---- content ----------------------------------------------------------------------------------------------------

    def content(self, octets: bytes) -> None:
        """A piece of the message, with CRLF line ends."""
        if self._refusal is not None or not self._ours:  # no more of it would change the verdict
            return
        shared = self._shared
        self._size += len(octets)
        if self._spool is None:
            self._spool = Spool(shared.memory, shared.spool)
        if self._size > shared.settings.max_size:
            self.refuse(say.TOO_BIG)
        elif not self._spool.keep(octets):
            self.refuse(STORAGE_ERROR)

    def malformed(self) -> None:
        """The header section is larger than we read, or is none: nothing in it may be believed."""
        if self._ours:
            self.refuse(say.HEADER_TOO_BIG)

    def refuse(self, reply: Reply) -> None:
        """Refuse the whole message, at its end; what was said first counts."""
        self._refusal = self._refusal or reply
        if self._spool:
            self._spool.close()

    # ---- verdict ----------------------------------------------------------------------------------------------------

    async def verdict(self, queue_id: str) -> Verdict:
        """The end of the message. Nothing raises: a fault is a 451 with an id."""
        transaction = self._transaction
        if transaction:
            transaction.queued_as(queue_id)
        if transaction is None or self._refusal:
            return await self._refused(self._refusal or say.MAIL_FIRST)
        if not self._ours:
            metrics.child(metrics.milter_unseen, "elsewhere").inc()
            await self.abandon()
            return Verdict()
        message: Message | None = None
        try:
            message = Message(self._spool.content() if self._spool else b"\r\n")
            if refusal := _refusal_of(message):
                return await self._refused(refusal)
            reply = await transaction.data(message, queue_id)
            return self._accepted(message) if reply.is_positive else Verdict(reply)
        except Refusal as broken:
            return Verdict(broken.reply)
        except OSError:
            return await self._refused(STORAGE_ERROR)
        except Exception as error:
            if message is None:
                return Verdict((await transaction.broke(error, self._size)).reply)
            return Verdict(report_fault(error, transaction.id, "milter", queue_id=queue_id))
        finally:
            self.close()

    async def _refused(self, reply: Reply) -> Verdict:
        if self._transaction:
            reply = await self._transaction.refuse(reply, self._size)
        self.close()
        return Verdict(reply)

    def _accepted(self, message: Message) -> Verdict:
        """Edits of the header first: a recipient more or less does not matter to them."""
        group = self._group
        if group is None and not self._elsewhere:
            return Verdict(discard=True)
        edits = [*(header_edits(message, group) if group else ()), *recipient_edits(group, self._ours)]
        return Verdict(edits=b"".join(edits))

    def edit(self, group: Group | None) -> Delivery:
        """ports.Host: what the mail server shall pass on. It hears of it when everything durable has been done."""
        if not self._is_awaited():
            return Delivery(GONE)
        self._group = group
        return Delivery(LEFT, tuple(zip(group.paths, repeat(LEFT))) if group else ())

    async def abandon(self) -> None:
        """ABORT, or the mail server is gone. Nothing happens where the message has been judged."""
        if self._transaction:
            await self._transaction.abandon()
        self.close()

    def close(self) -> None:
        """Give memory and disk back. The transaction knows us too: nothing of the two is left to the garbage collector."""
        if self._spool:
            self._spool.close()
        self._transaction = None


def _shown(path: bytes) -> str:
    """A path for a reply: at the end of a message nobody could tell which of many is meant."""
    return text_of(path[:PATH_SHOWN]).replace("\n", "?")


def _refusal_of(message: Message) -> Reply | None:
    """What the SMTP door refuses too. Older Postfix shows a bare CR, behind which others see a field (S-28)."""
    return say.BARE_NEWLINE if _BARE_CR.search(message.header) else refusal_of(message)
