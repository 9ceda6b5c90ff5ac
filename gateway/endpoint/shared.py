"""What all SMTP sessions of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP

from gateway.endpoint.limits import ClientLimits, FreeSpace, MemoryBudget, room_for
from gateway.endpoint.tls import certificate_or
from gateway.endpoint.xclient import XCLIENT_OFFER, XFORWARD_OFFER
from gateway.envelope.reply import Reply
from gateway.ports import Features, Reception
from gateway.settings import SmtpSettings

if TYPE_CHECKING:
    from gateway.endpoint.smtp_session import SmtpSession

Command = Callable[[Any, str], Awaitable[None]]

VERBS = ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "QUIT", "STARTTLS", "XCLIENT", "XFORWARD")
"""The commands we serve. aiosmtpd knows AUTH, HELP and EXPN too; an MX has no use for them (S-10, S-46)."""


class Shared:
    """Settings, limits and the state of the worker's SMTP door."""

    def __init__(
        self,
        session: type[SMTP],
        settings: SmtpSettings,
        reception: Reception,
        *,
        hostname: str,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.settings = settings
        self.reception = reception
        self.hostname = hostname
        self.spool = spool
        self.loop = loop
        self.limits = ClientLimits(settings)
        self.memory = MemoryBudget(settings.memory)
        self.disk = FreeSpace(spool, room_for(settings.max_size))
        self.tls, _ = certificate_or(None, settings)
        self.sessions: set[SmtpSession] = set()
        self.draining = False
        self.fresh_from = 0.0  # loop time: while draining, who has connected since then
        self.patient_until = 0.0  # may begin a first transaction up to then
        self.greeting = Reply(220, "", f"{hostname} ESMTP")
        self.hello = Reply(250, "", hostname)
        self.template, self.commands = _template(session, hostname, settings, loop)
        self.offer = lru_cache(maxsize=64)(self._offer)

    @property
    def is_closed(self) -> bool:
        """Whether nobody may begin anything any more."""
        return self.draining and self.loop.time() >= self.patient_until

    def features(self) -> Features:
        """What EHLO offers of the extensions that a downstream must have too (R-17)."""
        own = Features(int(self.settings.max_size), eightbitmime=True, smtputf8=True, dsn=True)
        return self.reception.features().within(own)

    def _offer(self, features: Features, starttls: bool, trusted: bool) -> Reply:
        """The reply to EHLO (RFC 5321 §4.1.1.1)."""
        lines = [self.hostname, "PIPELINING", f"SIZE {features.size}"]
        lines += ["8BITMIME"] * features.eightbitmime + ["SMTPUTF8"] * features.smtputf8 + ["DSN"] * features.dsn
        lines += ["STARTTLS"] * starttls + [XCLIENT_OFFER, XFORWARD_OFFER] * trusted
        return Reply(250, "", "\n".join([*lines, "ENHANCEDSTATUSCODES"]))


def _template(
    session: type[SMTP], hostname: str, settings: SmtpSettings, loop: asyncio.AbstractEventLoop
) -> tuple[dict[str, Any], dict[str, Command]]:
    """The attributes that aiosmtpd's constructor works out, and its table of commands.

    It inspects the class and the handler for every connection (136 µs); sessions copy the outcome instead.
    """
    model = session.__new__(session)
    SMTP.__init__(model, object(), hostname=hostname, timeout=settings.command_timeout, loop=loop)
    table = {verb: method.__func__ for verb, method in model._smtp_methods.items() if verb in VERBS}
    return dict(vars(model)), table
