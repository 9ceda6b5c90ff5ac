"""Records, entries and notices of Long An for tests of the store."""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, ForwardPath
from gateway.ports import Notice, Outgoing, OutgoingKind, Settlement
from gateway.quarantine.entry import Entry, State
from gateway.register.record import AttachmentRecord, Record

NOW = datetime(2026, 12, 7, 2, 30, 15, 123456, tzinfo=UTC)
CLERK = "vanthu@longan.edu.vn"
SENDER = Mailbox("thptlehongphong.la", "gmail.com")

_numbers = itertools.count(1)


class Clock:
    """A clock that tests set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def new_id() -> str:
    return f"7K2M-{next(_numbers):04d}-Q9XD"


def message(text: str = "Kính gửi Sở GD&ĐT Long An, nhà trường gửi báo cáo tháng 11.") -> Message:
    return Message(
        "From: =?utf-8?q?Tr=C6=B0=E1=BB=9Dng_THPT_L=C3=AA_H=E1=BB=93ng_Phong?= <thptlehongphong.la@gmail.com>\r\n"
        "To: vanthu@longan.edu.vn\r\n"
        "Subject: =?utf-8?q?B=C3=A1o_c=C3=A1o?= 12/BC-THPT\r\n\r\n"
        f"{text}\r\n".encode()
    )


def entry(mail: Message, entry_id: str = "", **changes: Any) -> Entry:
    plain = Entry(
        id=entry_id or new_id(),
        state=State.PENDING,
        held_at=NOW,
        retain_until=NOW + timedelta(days=30),
        reason="free-provider",
        rule="free-provider-submission",
        digest=hashlib.sha256(mail.raw).hexdigest(),
        size=mail.size,
        client=Client(ip_address("192.0.2.25"), 40112, "mail-qk1.example", "ESMTPS", "TLSv1.3", ""),
        reverse_path=SENDER,
        parameters=(("SIZE", "1200"), ("SMTPUTF8", None)),
        recipients=(ForwardPath(Mailbox("vanthu", "longan.edu.vn"), (("NOTIFY", "NEVER"),)),),
        route="main",
        author=str(SENDER),
        author_name="Trường THPT Lê Hồng Phong",
        subject="Báo cáo 12/BC-THPT",
        unit_id="thpt-le-hong-phong",
        unit_name="Trường THPT Lê Hồng Phong",
        level="signed",
        provider="free-provider",
        generation=3,
        evidence={"results": [["spf", "pass"]], "zone": [["gmail.com", "TXT", "v=spf1 -all"]]},
        trace=[{"rule": "free-provider-submission", "answer": True, "facts": ["gửi từ gmail.com"]}],
    )
    return replace(plain, **changes)


def record(record_id: str = "", **changes: Any) -> Record:
    plain = Record(
        id=record_id or new_id(),
        received_at=NOW,
        unit_id="thcs-tan-an",
        unit_name="Trường THCS Nguyễn Đình Chiểu, Tân An",
        function="Văn thư",
        level="signed",
        provider="official",
        author="thcs.nguyendinhchieu@longan.edu.vn",
        author_name="Nguyễn Thị Hồng Đào",
        reverse_path="thcs.nguyendinhchieu@longan.edu.vn",
        client_address="203.0.113.7",
        recipients=("vanthu@longan.edu.vn",),
        subject="Báo cáo sơ kết học kỳ I",
        message_id="<20261207.1@longan.edu.vn>",
        administrative=True,
        document_numbers=("123/BC-THCSNĐC",),
        document_kind="BC",
        attachments=(AttachmentRecord("Bao cao HK1.pdf", "application/pdf", 120_345, "ab" * 32),),
        size=165_000,
        digest="cd" * 32,
        fates=(("vanthu@longan.edu.vn", "relayed", "unit-mail"),),
        reply="250 2.0.0 Ok: queued as 4F1",
        notice="",
        generation=3,
        facts={"sender": "official", "results": ["spf=pass", "dkim=pass", "dmarc=pass"]},
    )
    return replace(plain, **changes)


def held_record(held: Entry, **changes: Any) -> Record:
    """The register's line of a transaction all of whose recipients are held."""
    return record(
        held.id,
        unit_id=held.unit_id,
        unit_name=held.unit_name,
        author=held.author,
        provider=held.provider,
        digest=held.digest,
        fates=tuple((str(path.mailbox), "held", held.rule) for path in held.recipients),
        reply="",
        **changes,
    )


def outgoing(kind: OutgoingKind = OutgoingKind.NOTICE, cause: str = "", **changes: Any) -> Outgoing:
    plain = Outgoing(
        id=f"out-{next(_numbers)}",
        kind=kind,
        cause=cause or new_id(),
        route="main",
        reverse_path=None,
        recipients=(ForwardPath(SENDER),),
        content="Subject: Thông báo\r\n\r\nCông văn 1077/SGDĐT-KTQLCL\r\n".encode(),
    )
    return replace(plain, **changes)


def notice(cause: str, sender: Mailbox = SENDER, **changes: Any) -> Notice:
    plain = Notice(
        outgoing=outgoing(cause=cause, recipients=(ForwardPath(sender),)),
        directive="directive-1077",
        sender=sender.key,
        unit_id="thpt-le-hong-phong",
        not_again_before=NOW + timedelta(days=7),
        per_sender_day=5,
        per_domain_hour=60,
        per_hour=300,
    )
    return replace(plain, **changes)


def settlement(of: Record | None = None, *notices: Notice) -> Settlement:
    return Settlement(record=of or record(), notices=notices)


def fails_while(failing: threading.Event) -> Callable[[str], None]:
    """A mark for a store whose disk fails at each commit while the event is set."""

    def mark(point: str) -> None:
        if point == "before commit" and failing.is_set():
            raise sqlite3.OperationalError("disk I/O error")

    return mark
