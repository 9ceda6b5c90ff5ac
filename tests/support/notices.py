"""A free-provider submission that may be answered, and ways to change one thing of it."""

from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.envelope.address import parse_mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, ForwardPath, Transaction
from gateway.evidence.result import Evidence, MethodResult
from gateway.identity.identity import Identity, Level, Provider
from gateway.policy.decision import Disposition
from gateway.policy.directive import Directive, Document
from gateway.responder.compose import ComposedNotice, notice_for, parse_sender
from gateway.responder.eligibility import why_not

NOW = datetime(2026, 11, 21, 7, 5, tzinfo=UTC)
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
OWN = ("longan.edu.vn", "*.longan.edu.vn")
SENDER = "thptlehongphong.la@gmail.com"
VANTHU = "vanthu@longan.edu.vn"
TEMPLATE_FOLDER = Path(__file__).parents[2] / "policies" / "templates"
TEMPLATES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(TEMPLATE_FOLDER.glob("*.j2"))}

DIRECTIVE = Directive(
    id="directive-1077",
    document=Document("Công văn", "1077/SGDĐT-KTQLCL", date(2019, 5, 2), "Sở Giáo dục và Đào tạo tỉnh Long An"),
    asks="Các đơn vị gửi văn bản hành chính từ hộp thư công vụ của đơn vị",
    grounds=(
        Document("Chỉ thị", "15/CT-TTg", date(2012, 5, 22), "Thủ tướng Chính phủ"),
        Document("Quyết định", "36/2013/QĐ-UBND", date(2013, 8, 8), "Ủy ban nhân dân tỉnh Long An"),
        Document("Công văn", "1028/UBND-VX", date(2014, 4, 3), "Ủy ban nhân dân tỉnh Long An"),
    ),
    official_domains=("moet.edu.vn", "longan.edu.vn"),
    contact_office="phòng Hành chính – Quản trị",
    contact_phone="0272 3521258",
    templates=("notice.vi", "notice.en"),
)


def message(*extra: str, body: str = "Kính gửi Sở báo cáo đính kèm.", **fields: str | None) -> Message:
    """A message with ordinary fields; keywords replace (None drops) them, `extra` are further whole lines."""
    lines: dict[str, str | None] = {
        "from": f"THPT Lê Hồng Phong <{SENDER}>",
        "to": VANTHU,
        "subject": "Báo cáo sơ kết học kỳ I",
        "date": "Sat, 21 Nov 2026 14:04:30 +0700",
        "message_id": "<CAF-1@mail.gmail.com>",
        **fields,
    }
    header = [f"{name.replace('_', '-').title()}: {value}" for name, value in lines.items() if value is not None]
    return Message("\r\n".join([*header, *extra, "", body, ""]).encode())


def transaction(
    msg: Message | None = None, *, reverse_path: str | None = SENDER, recipients: tuple[str, ...] = (VANTHU,)
) -> Transaction:
    return Transaction(
        id="7F3K-9QXM-2C4D",
        client=Client(ip_address("192.0.2.25")),
        reverse_path=parse_mailbox(reverse_path) if reverse_path else None,
        forward_paths=tuple(ForwardPath(parse_mailbox(address)) for address in recipients),
        received_at=NOW,
        message=msg or message(),
    )


def spf(
    result: str = "pass", domain: str = "gmail.com", mechanism: str = "include:_netblocks.google.com"
) -> MethodResult:
    return MethodResult("spf", result, facts=(("domain", domain), ("mechanism", mechanism)))


def dkim(result: str = "pass", sdid: str = "gmail.com", **facts: str) -> MethodResult:
    return MethodResult("dkim", result, properties=(("header.d", sdid),), facts=tuple(facts.items()))


def dmarc(result: str = "pass", organization: str = "gmail.com") -> MethodResult:
    return MethodResult("dmarc", result, facts=(("organizational_domain", organization),))


def evidence(**changes: object) -> Evidence:
    none = MethodResult("none", "none")
    base = Evidence(
        spf_mailfrom=spf(),
        spf_helo=none,
        dkim=(dkim(),),
        dmarc=dmarc(),
        arc=none,
        iprev=none,
        aligned_dkim=("gmail.com",),
        aligned_spf="gmail.com",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def identity(author: str | None = SENDER, level: Level = Level.SIGNED) -> Identity:
    return Identity(
        author=parse_mailbox(author) if author else None,
        author_name="THPT Lê Hồng Phong",
        level=level,
        level_reason="",
        level_pending=False,
        provider=Provider.FREE,
        provider_reason="",
    )


def reason(
    msg: Message | None = None,
    *,
    extra: tuple[str, ...] = (),
    disposition: Disposition | None = None,
    proof: Evidence | None = None,
    who: Identity | None = None,
    **envelope: object,
) -> str:
    """What why_not() says of a message; `envelope` are keywords of transaction()."""
    return why_not(
        transaction(msg, **envelope),  # type: ignore[arg-type]
        proof or evidence(),
        who or identity(),
        own_domains=OWN,
        directive=DIRECTIVE,
        extra_addresses=extra,
        disposition=disposition,
    )


FROM = parse_sender("Cổng thư điện tử <no-reply@longan.edu.vn>")
UNTIL = NOW + timedelta(days=30)


def notice(txn: Transaction | None = None, *, until: datetime | None = UNTIL, **changes) -> ComposedNotice:
    arguments = {"sender": FROM, "zone": HANOI, "now": NOW, "token": "n.7F3K9QXM2C4D", "kept_until": until, **changes}
    who = arguments.pop("identity", identity())
    return notice_for(txn or transaction(), who, arguments.pop("directive", DIRECTIVE), TEMPLATES, **arguments)


def read(composed: ComposedNotice) -> EmailMessage:
    parsed = email.message_from_bytes(composed.content, policy=default)
    assert isinstance(parsed, EmailMessage)
    assert parsed.defects == []
    return parsed


def text(composed: ComposedNotice) -> str:
    return read(composed).get_content().replace("\r\n", "\n")


def lint(content: bytes) -> None:
    """What any receiving server may insist on."""
    content.decode("ascii")
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
    header, _, body = content.partition(b"\r\n\r\n")
    assert max(map(len, header.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert Message(content).problems == ()
