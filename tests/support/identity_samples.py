"""Units, mailboxes, evidence and grounds in a line, for tests of identity."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address
from typing import Any

from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction
from gateway.evidence.result import Evidence, MethodResult
from gateway.identity.grounds import Grounds
from gateway.identity.identify import identify
from gateway.identity.identity import Holding, Identity, Unit
from gateway.identity.registry import Registry
from tests.support.zones import NOW

TODAY = date(2026, 11, 21)
UNITS = (
    Unit("sgddt", "Sở Giáo dục và Đào tạo Long An", "so"),
    Unit("p-ktqlcl", "Phòng Khảo thí và Quản lý chất lượng", "phong-so", "sgddt"),
    Unit("thpt-tan-an", "Trường THPT Tân An", "thpt", "sgddt"),
    Unit("thpt-le-quy-don", "Trường THPT Lê Quý Đôn", "thpt", "sgddt"),
)
HOLDINGS = (
    Holding("vanthu@longan.edu.vn", "sgddt", "Văn thư"),
    Holding("ktqlcl.phong@longan.edu.vn", "p-ktqlcl", "Phòng Khảo thí"),
    Holding("longan.edu.vn", "sgddt"),
    Holding("thpttanan.longan.edu.vn", "thpt-tan-an"),
    Holding("thptlequydon.longan.edu.vn", "thpt-le-quy-don"),
    Holding("c3tanan.longan@moet.edu.vn", "thpt-tan-an", "Văn thư"),
    Holding("thpttanan.longan@gmail.com", "thpt-tan-an", note="hộp thư cũ"),
)
NONE = {name: MethodResult(name, "none") for name in ("spf", "dmarc", "arc", "iprev")}


def result(method: str, outcome: str, *properties: tuple[str, str], **facts: str) -> MethodResult:
    return MethodResult(method, outcome, "", properties, tuple(facts.items()))


def dkim(outcome: str, sdid: str, **facts: str) -> MethodResult:
    return result("dkim", outcome, ("header.d", sdid), ("header.s", "s1"), **facts)


def spf(outcome: str, domain: str, *, via: str = "", mechanism: str = "ip4:192.0.2.0/24") -> MethodResult:
    return result("spf", outcome, domain=domain, mechanism=mechanism, via=via)


def evidence(**parts: Any) -> Evidence:
    """Evidence in which everything that is not named is `none`."""
    given: dict[str, Any] = {
        "spf_mailfrom": NONE["spf"],
        "spf_helo": NONE["spf"],
        "dkim": (),
        "dmarc": NONE["dmarc"],
        "arc": NONE["arc"],
        "iprev": NONE["iprev"],
    }
    return Evidence(**(given | parts))


def grounds(**parts: Any) -> Grounds:
    given: dict[str, Any] = {
        "registry": Registry(UNITS, HOLDINGS),
        "official_domains": ("moet.edu.vn", "longan.edu.vn"),
        "own_domains": ("longan.edu.vn",),
        "shared_clouds": ("_spf.google.com", "spf.protection.outlook.com"),
        "trusted_sealers": ("google.com",),
    }
    return Grounds(**(given | parts))


def transaction(message: Message) -> Transaction:
    return Transaction("7ZK-4QW-M2H9TX", Client(ip_address("192.0.2.10")), message.author, (), NOW, message)


def identified(
    sender: str, *, on: date = TODAY, also: str = "", policy: Grounds | None = None, **parts: Any
) -> Identity:
    """The identity of a message from `sender`, with more header fields in `also`, by this evidence."""
    message = Message(f"From: {sender}\r\nSubject: x\r\n{also}\r\n".encode())
    return identify(transaction(message), evidence(**parts), policy or grounds(), on)
