"""The department's receiving server, small but real: a Maildir per mailbox, unknown ones refused.

It takes mail for other domains too, as a mail server does for its own office: so the notices go out through it, and the
Maildir of a Gmail address here is what that person would see.
"""

from __future__ import annotations

import asyncio
import mailbox
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

HOSTNAME: Final = "mail.longan.edu.vn"
DOMAIN: Final = "longan.edu.vn"


class Department:
    """A handler of aiosmtpd; `mailboxes` are the addresses of the department that exist."""

    def __init__(self, folder: Path, mailboxes: Collection[str]) -> None:
        self._folder = folder
        self._mailboxes = frozenset(mailboxes)

    async def handle_RCPT(  # noqa: N802 -- the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.lower().endswith(f"@{DOMAIN}") and address.lower() not in self._mailboxes:
            return f"550 5.1.1 <{address}>: User unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        await asyncio.to_thread(self._deliver, content.replace(b"\r\n", b"\n"), tuple(envelope.rcpt_tos))
        return "250 2.0.0 Ok: delivered"

    def _deliver(self, content: bytes, recipients: tuple[str, ...]) -> None:
        for address in recipients:
            mailbox.Maildir(self._place(address)).add(content)

    def _place(self, address: str) -> Path:
        return self._folder / address.lower().replace("/", "_")

    def messages(self, address: str) -> list[EmailMessage]:
        """What has been delivered to this address, parsed."""
        if not self._place(address).is_dir():
            return []
        parser = BytesParser(_class=EmailMessage, policy=default)
        folder = mailbox.Maildir(self._place(address))
        return [parser.parsebytes(folder.get_bytes(key)) for key in sorted(folder.keys())]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Serve on a free loopback port, which is given."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(self, hostname=HOSTNAME, ident="ESMTP", enable_SMTPUTF8=True, data_size_limit=64 << 20),
            "127.0.0.1",
            0,
        )
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
