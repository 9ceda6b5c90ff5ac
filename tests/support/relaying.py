"""Helpers of the relay tests: a Downstream for a sink, envelopes of Long An, quick settings."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from gateway.envelope.address import Mailbox, parse_mailbox
from gateway.envelope.transaction import Client, ForwardPath, Parameters
from gateway.policy.route import Route
from gateway.relay.client import Downstream
from gateway.settings import RelaySettings

SCHOOL = Mailbox("c2nguyenvanrong", "longan.edu.vn")
OFFICE = ForwardPath(Mailbox("vanthu", "longan.edu.vn"))
EXAMS = ForwardPath(Mailbox("khaothi", "longan.edu.vn"))
FINANCE = ForwardPath(Mailbox("ketoan", "longan.edu.vn"))
CLIENT = Client(ip_address("192.0.2.25"), 40251, "mail.c2nguyenvanrong.edu.vn", "ESMTPS", "TLSv1.3", "")
OTHER_CLIENT = Client(ip_address("2001:db8::25"), 40252, "mx.example.net", "SMTP")

CONTENT = (
    b"From: <c2nguyenvanrong@longan.edu.vn>\r\nTo: <vanthu@longan.edu.vn>\r\nSubject: Bao cao thang 11\r\n\r\n"
    b"Kinh gui So GD&DT Long An.\r\n.dau cham\r\n"
)


def to(address: str, *parameters: tuple[str, str | None]) -> ForwardPath:
    return ForwardPath(parse_mailbox(address), tuple(parameters))


def settings(**changes: float) -> RelaySettings:
    quick: dict[str, float] = {
        "connect_timeout": 2.0,
        "command_timeout": 2.0,
        "final_timeout": 2.0,
        "idle": 30.0,
        "pool": 5,
    }
    return RelaySettings.model_validate(quick | changes)


def downstream(tmp_path: Path, **changes: float) -> Downstream:
    return Downstream(settings(**changes), hostname="mx.longan.edu.vn", state=tmp_path)


def route(port: int, **changes: object) -> Route:
    fields: dict[str, object] = {"name": "main", "host": "127.0.0.1", "port": port, "starttls": "never"} | changes
    return Route(**fields)  # type: ignore[arg-type]


NO_PARAMETERS: Parameters = ()
