"""A client of a real mail server: smtplib, which leaves octets alone, with XCLIENT so that a test chooses its address."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence

PATIENCE = 60.0  # seconds; only for a test that would hang otherwise


def connect(port: int, *, address: str = "", helo: str = "mail.example.org", source: str = "") -> smtplib.SMTP:
    """A client that has said EHLO; as the client at `address` by XCLIENT, or really from the local address `source`."""
    bound = (source, 0) if source else None
    client = smtplib.SMTP("127.0.0.1", port, local_hostname=helo, timeout=PATIENCE, source_address=bound)
    client.command_encoding = "utf-8"
    client.ehlo()
    if address:
        told = f"IPV6:{address}" if ":" in address else address
        code, text = client.docmd("XCLIENT", f"ADDR={told} NAME=[UNAVAILABLE]")
        assert code == 220, text
        client.ehlo()
    return client


def transact(
    client: smtplib.SMTP, message: bytes, sender: str, recipients: Sequence[str], *, parameters: Sequence[str] = ()
) -> str:
    """One transaction: the final reply, or the first refusal before it. All recipients have to be taken."""
    steps = [("MAIL", f"FROM:<{sender}> {' '.join(parameters)}".rstrip())]
    steps += [("RCPT", f"TO:<{recipient}>") for recipient in recipients]
    for verb, argument in steps:
        code, text = client.docmd(verb, argument)
        if code != 250:
            return _reply(code, text)
    return _reply(*client.data(message))


def submit(
    port: int,
    message: bytes,
    sender: str,
    recipients: Sequence[str],
    *,
    address: str = "",
    helo: str = "mail.example.org",
    source: str = "",
    parameters: Sequence[str] = (),
) -> str:
    """One transaction over a connection of its own; the mail server's going away is the reply "421"."""
    client = connect(port, address=address, helo=helo, source=source)
    try:
        return transact(client, message, sender, recipients, parameters=parameters)
    except smtplib.SMTPServerDisconnected as gone:
        return f"421 {gone}"
    except smtplib.SMTPDataError as refused:  # DATA itself
        return _reply(refused.smtp_code, refused.smtp_error)
    finally:
        client.close()


def _reply(code: int, text: bytes | str) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {shown}"
