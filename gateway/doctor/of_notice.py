"""Notices: whether others will believe that they are from the department."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.doctor.check import Check
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.of_dns import addresses_of
from gateway.doctor.of_domains import spf_of
from gateway.doctor.world import World
from gateway.evidence.dkim_key import KeyFlaw, parse_key
from gateway.evidence.zone import Answer
from gateway.responder.compose import parse_sender
from gateway.responder.template import NoticeError

OFF = Text("notices are switched off", "thông báo đang tắt")


async def _spf(world: World) -> Sequence[Outcome]:
    if not world.settings.notice.enabled:
        return [skipped(OFF)]
    try:
        domain = parse_sender(world.settings.notice.sender).mailbox.domain
    except NoticeError as failure:
        return [error(same(str(failure)), Text("Correct [notice] from.", "Sửa [notice] from."))]
    addresses = await addresses_of(world, world.settings.hostname)
    results = await asyncio.gather(*(spf_of(world, domain, address) for address in addresses))
    return [judge_spf(domain, {a: result for a, (result, _) in zip(addresses, results, strict=True)})]


def judge_spf(domain: str, results: Mapping[str, str]) -> Outcome:
    """`results` of SPF by our addresses."""
    if not results:
        return skipped(
            Text("our host name has no address (dns.hostname)", "tên máy chủ chưa có địa chỉ (dns.hostname)")
        )
    shown = same(f"{domain}: " + ", ".join(f"{address} {result}" for address, result in results.items()))
    refused = [address for address, result in results.items() if result != "pass"]
    if not refused:
        return ok(shown, results=dict(results))
    terms = " ".join(f"ip{6 if ':' in address else 4}:{address}" for address in refused)
    mend = Text(
        f"If notices leave through this address, add to the SPF record of {domain}:\n  {terms}\n"
        "Where the receiving server sends them on, its address must be there instead.",
        f"Nếu thông báo đi ra từ địa chỉ này, thêm vào bản ghi SPF của {domain}:\n  {terms}\n"
        "Nếu máy chủ nhận chuyển tiếp thông báo thì bản ghi phải có địa chỉ của máy chủ đó.",
    )
    return warning(shown, mend, results=dict(results))


async def _dkim(world: World) -> Sequence[Outcome]:
    notice = world.settings.notice
    if not notice.enabled:
        return [skipped(OFF)]
    if not (notice.dkim_key and notice.dkim_domain and notice.dkim_selector):
        return [judge_unsigned()]
    name = f"{notice.dkim_selector}._domainkey.{notice.dkim_domain}"
    try:
        private = load_pem_private_key(notice.dkim_key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as failure:
        return [error(same(str(failure)), Text("Correct [notice] dkim_key.", "Sửa [notice] dkim_key."))]
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        return [error(same(type(private).__name__), Text("Use an RSA or Ed25519 key.", "Dùng khóa RSA hoặc Ed25519."))]
    return [judge_key(name, await world.ask(name, "TXT"), private.public_key())]


def judge_unsigned() -> Outcome:
    lines = "  openssl genrsa -out /etc/gateway/dkim/gw1.pem 2048"
    mend = Text(
        f"Make a key and set dkim_selector, dkim_domain and dkim_key in [notice]:\n{lines}",
        f"Tạo khóa và đặt dkim_selector, dkim_domain, dkim_key trong [notice]:\n{lines}",
    )
    return warning(Text("notices are not signed", "thông báo chưa được ký"), mend)


def judge_key(name: str, answer: Answer, public: RSAPublicKey | Ed25519PublicKey) -> Outcome:
    """Whether what is published verifies what we sign."""
    record = record_of(public)
    mend = Text(f"Publish as TXT record of {name}:\n  {record}", f"Khai báo bản ghi TXT cho {name}:\n  {record}")
    if answer.is_error:
        return skipped(same(f"{name}: {answer.reason}"))
    texts = [text for text in answer.records if isinstance(text, bytes)]
    if not texts:
        return error(Text(f"{name} has no key", f"{name} chưa có khóa"), mend, name=name, record=record)
    if len(texts) > 1:
        return error(
            Text(f"{name} has {len(texts)} records", f"{name} có {len(texts)} bản ghi"), mend, name=name, record=record
        )
    try:
        published = parse_key(texts[0])
    except KeyFlaw as flaw:
        return error(same(f"{name}: {flaw.reason}"), mend, name=name, record=record)
    if _octets(published.public) != _octets(public):
        return error(
            Text(f"{name} has another key than ours", f"{name} có khóa khác với khóa đang dùng"),
            mend,
            name=name,
            record=record,
        )
    return ok(same(f"{name}: {published.type}, {published.bits} bits"), name=name, bits=published.bits)


def record_of(public: RSAPublicKey | Ed25519PublicKey) -> str:
    """The TXT record of a key (RFC 6376 §3.6.1, RFC 8463 §4)."""
    kind = "rsa" if isinstance(public, RSAPublicKey) else "ed25519"
    return f"v=DKIM1; k={kind}; p={base64.b64encode(_octets(public)).decode()}"


def _octets(public: RSAPublicKey | Ed25519PublicKey) -> bytes:
    if isinstance(public, RSAPublicKey):
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


CHECKS = (
    Check(
        "notice.spf",
        Text("SPF of notices", "SPF của thông báo"),
        Text(
            "Notices that fail SPF end as spam, and their sender's name suffers.",
            "Thông báo không qua SPF sẽ vào hộp thư rác và ảnh hưởng uy tín tên miền.",
        ),
        _spf,
        ("dns",),
    ),
    Check(
        "notice.dkim",
        Text("DKIM of notices", "DKIM của thông báo"),
        Text(
            "A notice with a signature that does not verify looks forged.",
            "Thông báo có chữ ký không khớp sẽ bị coi là giả mạo.",
        ),
        _dkim,
        ("dns",),
    ),
)
