"""Sending as the world does: one SMTP transaction from a host whose address the gateway is told by XCLIENT."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from gateway.demo.zones import Host

TIMEOUT: Final = 60.0  # seconds of one command
_ID: Final = re.compile(r"\[([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})\]")


@dataclass(frozen=True, slots=True)
class Sent:
    """How one attempt ended: the reply that decided it."""

    code: int
    text: str

    @property
    def id(self) -> str:
        """The transaction id that the gateway told, "" when it told none."""
        found = _ID.search(self.text)
        return found[1] if found else ""


def send(port: int, host: Host, reverse_path: str, recipients: Sequence[str], octets: bytes) -> Sent:
    """Send to the gateway on this loopback port; blocking. Raises OSError and smtplib.SMTPException."""
    address = ip_address(host.address)
    shown = host.address if address.version == 4 else f"IPV6:{host.address}"
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=TIMEOUT) as smtp:
        smtp.ehlo()
        reply = smtp.docmd("XCLIENT", f"NAME={host.name} ADDR={shown} HELO={host.name} PROTO=ESMTP")
        if reply[0] != 220:
            return _sent(reply)
        smtp.ehlo(host.name)
        reply = smtp.mail(reverse_path, [f"size={len(octets)}"])
        if reply[0] != 250:
            return _sent(reply)
        replies = [smtp.rcpt(recipient) for recipient in recipients]
        if not any(code == 250 for code, _ in replies):
            return _sent(replies[0])
        return _sent(smtp.data(octets))


def _sent(reply: tuple[int, bytes]) -> Sent:
    return Sent(reply[0], reply[1].decode("ascii", "replace"))
