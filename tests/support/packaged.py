"""An office with the Debian package in it: a booted machine, a receiving server and a DNS server inside its network."""

from __future__ import annotations

import contextlib
import json
import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.booted import Machine
from tests.support.dns_thread import dns_thread
from tests.support.sink import Sink
from tests.support.sink_thread import sink_thread
from tests.support.submission import submit

DOWNSTREAM = 10025  # the shipped policy's main route
CLERK = "vanthu@longan.edu.vn"
SENDER = "hieutruong@thcs-ductan.example.org"


@dataclass(frozen=True, slots=True)
class Office:
    """`machine` with mail's other ends; call its methods within machine.network()."""

    machine: Machine
    sink: Sink

    def send(self, subject: str, *, port: int = 25) -> str:
        """One message from outside; the final reply."""
        text = f"From: <{SENDER}>\r\nTo: <{CLERK}>\r\nSubject: {subject}\r\n\r\nKính gửi quý cơ quan\r\n"
        return submit(port, text.encode(), SENDER, [CLERK])

    def subjects(self) -> list[str]:
        """Of what the receiving server has got."""
        lines = [line for taken in self.sink.taken for line in taken.content.split(b"\r\n\r\n")[0].split(b"\r\n")]
        return [line.removeprefix(b"Subject: ").decode() for line in lines if line.startswith(b"Subject: ")]

    def json(self, *arguments: str) -> Any:
        return json.loads(self.machine.run("gateway", *arguments, "--json").stdout)

    def await_greeting(self, port: int = 25, address: str = "127.0.0.1") -> None:
        def greeted() -> bool:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                smtplib.SMTP(address, port, timeout=10).close()
                return True
            time.sleep(0.1)
            return False

        self.machine.await_true(greeted, f"nobody greets at {address}:{port}")


@contextlib.contextmanager
def office(machine: Machine) -> Iterator[Office]:
    """Settings of the package stay as shipped; /etc/default/mail-gateway names the test's DNS server."""
    with machine.network(), dns_thread({}) as dns, sink_thread(Sink(), DOWNSTREAM) as sink:
        defaults = machine.root.path / "etc/default/mail-gateway"
        defaults.write_text(f"GATEWAY_DNS__NAMESERVERS=127.0.0.1:{dns.port}\n")
        yield Office(machine, sink)
