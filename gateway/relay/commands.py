"""MAIL and RCPT as they are written to a server: canonical paths, and only the parameters that it offers (safety R-17, S-7)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.envelope.address import Mailbox
from gateway.envelope.transaction import ForwardPath, Parameters

_NEEDS = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "RET": "DSN", "ENVID": "DSN",
          "NOTIFY": "DSN", "ORCPT": "DSN"}  # fmt: skip
_OF_MAIL = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID"})
_OF_RCPT = frozenset({"NOTIFY", "ORCPT"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VALUE = re.compile(r"[^\x00-\x20=\x7f]+\Z")  # esmtp-value, RFC 5321 §4.1.2 with RFC 6531 §3.3


def mail_command(reverse_path: Mailbox | None, parameters: Parameters, extensions: Mapping[str, str]) -> bytes:
    """MAIL FROM without CRLF. Raises ValueError for what must never reach the wire."""
    path = "" if reverse_path is None else str(reverse_path)
    return _command("MAIL FROM", path, parameters, _OF_MAIL, extensions)


def rcpt_command(path: ForwardPath, extensions: Mapping[str, str]) -> bytes:
    """RCPT TO without CRLF. Raises ValueError for what must never reach the wire."""
    return _command("RCPT TO", str(path.mailbox), path.parameters, _OF_RCPT, extensions)


def _command(
    verb: str, path: str, parameters: Parameters, known: frozenset[str], extensions: Mapping[str, str]
) -> bytes:
    words = [f"{verb}:<{path}>"]
    for keyword, value in parameters:
        if keyword not in known or _NEEDS[keyword] not in extensions:
            continue
        if value is not None and not _VALUE.match(value):
            raise ValueError(f"value of {keyword}")
        words.append(keyword if value is None else f"{keyword}={value}")
    line = " ".join(words)
    if _CONTROL.search(line):
        raise ValueError("control character in a command")
    return line.encode()
