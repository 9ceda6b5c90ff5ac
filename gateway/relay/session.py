"""One live downstream transaction over SMTP or LMTP (`ports.Session`).

Each MAIL and RCPT is asked of the server at once, so that its own answer is the client's. The content goes out only after it
is complete and judged; if the connection went away meanwhile, the envelope is sent anew on another one (safety R-14, R-15).
Whatever goes wrong leaves here as a reply, and a connection about which anything is unclear is closed, never kept.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from gateway import metrics
from gateway.envelope.address import Mailbox
from gateway.envelope.reply import DOWNSTREAM_BUSY, LOCAL_ERROR, MISCONFIGURED, Reply
from gateway.envelope.transaction import Client, ForwardPath, Parameters
from gateway.policy.route import Route
from gateway.ports import Content, Delivery
from gateway.relay import verdict
from gateway.relay.commands import mail_command, rcpt_command
from gateway.relay.connection import Connection, ConnectionLost, WireError
from gateway.relay.introduce import can_serve, introduce
from gateway.relay.pool import Pool
from gateway.relay.transfer import transfer, unfit
from gateway.relay.verdict import Refused
from gateway.settings import RelaySettings

RSET_PATIENCE = 5.0  # seconds; a server that needs longer for RSET gets a new connection next time


class SmtpSession:
    """A transaction with the server of one route."""

    def __init__(self, route: Route, client: Client, pool: Pool, hostname: str, settings: RelaySettings) -> None:
        self._route = route
        self._client = client
        self._pool = pool
        self._hostname = hostname
        self._settings = settings
        self._reverse_path: Mailbox | None = None
        self._parameters: Parameters = ()
        self._connection: Connection | None = None
        self._live: list[ForwardPath] = []  # accepted on the connection that we have now, in order
        self._accepted: set[ForwardPath] = set()  # accepted at any time
        self._working = 0  # calls under way; between them the pool may take the connection back
        self._used = time.monotonic()
        self._gone: Reply | None = None  # why the connection, once lost, could not be had again

    # ---- ports.Session -----------------------------------------------------------------------------------------------

    async def mail(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply:
        with self._at_work():
            return await self._begin(reverse_path, parameters)

    async def rcpt(self, path: ForwardPath) -> Reply:
        with self._at_work():
            return await self._recipient(path)

    async def deliver(self, recipients: Sequence[ForwardPath], content: Content) -> Delivery:
        with self._at_work():
            return await self._deliver(recipients, content)

    async def abandon(self) -> None:
        with self._at_work():
            await self._end()

    # ---- ports.Borrower, and the connection's use --------------------------------------------------------------------

    def surrender(self, unused_for: float) -> bool:
        """Let the pool have the connection of a silent client; what follows begins anew on another one (R-15)."""
        if self._working or self._connection is None or time.monotonic() - self._used < unused_for:
            return False
        self._drop()
        return True

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self._used = time.monotonic()

    # ---- the transaction ---------------------------------------------------------------------------------------------

    async def _begin(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply:
        await self._end()
        self._reverse_path, self._parameters = reverse_path, parameters
        self._accepted.clear()
        self._gone = None
        return await self._mail()

    async def _recipient(self, path: ForwardPath) -> Reply:
        if self._gone is not None:
            return self._gone  # the client may have hundreds of recipients; one of them has waited
        if not self._alive and (refusal := await self._mail_again()):
            self._gone = refusal
            return refusal
        reply = (await self._ask_rcpt([path]))[0]
        if reply.is_positive:
            self._accepted.add(path)
        return reply

    async def _deliver(self, recipients: Sequence[ForwardPath], content: Content) -> Delivery:
        wanted = list(dict.fromkeys(recipients))
        if not wanted:
            await self._end()
            return Delivery(verdict.NO_RECIPIENTS)
        refusal = await self._offer_data(wanted, content)
        if refusal is None and self._connection is not None:
            return await self._transfer(self._connection, content)
        await self._end()
        reply = refusal or LOCAL_ERROR
        return Delivery(reply, tuple((path, reply) for path in wanted))

    async def _end(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if connection.usable:
            try:
                reply = await connection.command(b"RSET", min(RSET_PATIENCE, self._settings.command_timeout))
            except WireError:
                connection.abort()
            except BaseException:
                self._drop()
                raise
            else:
                if not reply.is_positive:
                    connection.abort()
        self._give_back()

    # ---- the envelope ------------------------------------------------------------------------------------------------

    @property
    def _alive(self) -> bool:
        return self._connection is not None and self._connection.usable

    async def _mail(self) -> Reply:
        """Begin a transaction; without one, no connection is kept from others."""
        self._drop()
        reply = await self._mail_twice()
        if not reply.is_positive:
            await self._end()  # with RSET: Postfix holds the SIZE of a refused MAIL against the next one
        return reply

    async def _mail_again(self) -> Reply | None:
        """Begin anew after a loss. None, or why not, which can only be temporary: the server took this before (R-15)."""
        reply = await self._mail()
        return None if reply.is_positive else _same_or_changed(reply)

    async def _mail_twice(self) -> Reply:
        """MAIL on a kept or a new connection; once more on a new one when a kept one proves to have been closed."""
        try:
            self._connection, reused = await self._pool.take(lambda kept: can_serve(kept, self._client))
        except Refused as error:
            return error.reply
        self._pool.lent_to(self)
        reply, stale = await self._try_mail(self._connection)
        if not (reused and stale):
            return reply
        dead, self._connection = self._connection, None
        try:
            self._connection = await self._pool.renew(dead)
        except Refused as error:
            self._pool.forget(self)
            return error.reply
        reply, _ = await self._try_mail(self._connection)
        return reply

    async def _try_mail(self, connection: Connection) -> tuple[Reply, bool]:
        """The reply to MAIL, and whether the connection had been closed by the server before it heard that."""
        seconds = self._settings.command_timeout
        if self._reverse_path and not self._reverse_path.is_ascii and "SMTPUTF8" not in connection.extensions:
            return verdict.NO_SMTPUTF8, False
        try:
            with metrics.child(metrics.downstream_seconds, "mail").time():
                await introduce(connection, self._route, self._client, self._hostname, seconds)
                line = mail_command(self._reverse_path, self._parameters, connection.extensions)
                reply = await connection.command(line, seconds)
        except Refused as error:
            connection.abort()
            return error.reply, False
        except WireError as error:
            connection.abort()
            return verdict.of_error(error, self._route, "mail"), isinstance(error, ConnectionLost)
        except BaseException:
            self._drop()
            raise
        return self._judged(reply, "mail"), reply.code == 421

    async def _ask_rcpt(self, paths: Sequence[ForwardPath]) -> list[Reply]:
        """RCPT for each, in one go where the server takes it; a connection that dies answers for the rest."""
        connection = self._connection
        if connection is None:
            return [LOCAL_ERROR] * len(paths)
        utf8 = "SMTPUTF8" in connection.extensions
        askable = [path for path in paths if utf8 or path.mailbox.is_ascii]
        lines = [rcpt_command(path, connection.extensions) for path in askable]
        with metrics.child(metrics.downstream_seconds, "rcpt").time():
            replies = dict(zip(askable, await self._ask(connection, lines), strict=True))
        self._live += [path for path in askable if replies[path].is_positive]
        return [replies.get(path, verdict.NO_SMTPUTF8_PATH) for path in paths]

    async def _ask(self, connection: Connection, lines: Sequence[bytes]) -> list[Reply]:
        replies: list[Reply] = []
        seconds = self._settings.command_timeout
        try:
            together = "PIPELINING" in connection.extensions
            if together:
                connection.send(b"".join(line + b"\r\n" for line in lines), replies=len(lines))
            for line in lines:
                reply = await (connection.reply(seconds) if together else connection.command(line, seconds))
                replies.append(self._judged(reply, "rcpt"))
        except WireError as error:
            connection.abort()
            # What an earlier 421 announced is not a second fault.
            rest = DOWNSTREAM_BUSY if DOWNSTREAM_BUSY in replies else verdict.of_error(error, self._route, "rcpt")
            replies += [rest] * (len(lines) - len(replies))
        except BaseException:
            self._drop()
            raise
        return replies

    def _judged(self, reply: Reply, step: str) -> Reply:
        """The client's reply; what means that the server and we have lost each other ends the connection."""
        answer = verdict.of_command(reply, self._route, step)
        if answer is not reply and answer != MISCONFIGURED and self._connection is not None:
            self._connection.abort()
        return answer

    async def _complete(self, wanted: Sequence[ForwardPath]) -> Reply | None:
        """Make the accepted recipients of the live transaction exactly these. None, or why that cannot be."""
        if self._alive and not set(self._live) <= set(wanted):
            await self._end()  # RSET, and the next MAIL most likely takes the same connection
        if not self._alive and (refusal := await self._mail_again()):
            return refusal
        missing = [path for path in wanted if path not in self._live]
        for path, reply in zip(missing, await self._ask_rcpt(missing) if missing else [], strict=True):
            if not reply.is_positive:
                return _same_or_changed(reply) if path in self._accepted else reply
        return None

    # ---- the content -------------------------------------------------------------------------------------------------

    async def _offer_data(self, wanted: Sequence[ForwardPath], content: Content) -> Reply | None:
        """Bring the transaction to 354. None, or why that cannot be; tried twice, for nothing has been sent yet (R-15)."""
        refusal: Reply | None = None
        for _ in range(2):
            refusal = await self._complete(wanted)
            if refusal is None and self._connection is not None:
                refusal = unfit(self._route, self._parameters, self._connection, content)
            if refusal is not None or self._connection is None:
                return refusal or LOCAL_ERROR
            try:
                with metrics.child(metrics.downstream_seconds, "data").time():
                    reply = await self._connection.command(b"DATA", self._settings.command_timeout)
            except WireError as error:
                self._drop()
                refusal = verdict.of_error(error, self._route, "data")
                if not isinstance(error, ConnectionLost):
                    return refusal
                continue
            except BaseException:
                self._drop()
                raise
            if reply.code == 354:
                return None
            refusal = verdict.of_data(reply, self._route)
            if refusal is not reply:
                self._drop()
            return refusal
        return refusal

    async def _transfer(self, connection: Connection, content: Content) -> Delivery:
        try:
            delivery = await transfer(connection, self._route, self._live, content, self._settings)
        except BaseException:
            self._drop()
            raise
        self._give_back()
        return delivery

    # ---- the connection ----------------------------------------------------------------------------------------------

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        self._live = []
        if connection is not None:
            self._pool.forget(self)
            self._pool.give(connection)


def _same_or_changed(reply: Reply) -> Reply:
    """For the client there is only 451 when the server takes back what it granted before (safety R-15)."""
    return reply if reply.code == 451 else verdict.CHANGED
