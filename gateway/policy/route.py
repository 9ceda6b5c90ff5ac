"""Where mail is passed on to: one entry of policy.yaml's `routes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Route:
    """A downstream server, or a Maildir for trying out."""

    name: str
    protocol: Literal["smtp", "lmtp", "maildir"] = "smtp"
    host: str = ""
    port: int = 25
    path: str = ""  # of a Maildir, relative to the state directory
    starttls: Literal["never", "may", "must"] = "may"
    xclient: bool = True  # send XCLIENT (else XFORWARD) where the server offers it
