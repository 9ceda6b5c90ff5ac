"""The certificate of the SMTP door."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from gateway.doctor.check import Check
from gateway.doctor.files import READ, may, mode_text
from gateway.doctor.finding import Outcome, Text, error, ok, same, warning
from gateway.doctor.service import Service, group_name, user_name
from gateway.doctor.world import World, in_thread

SOON: Final = 21  # days
RENEW: Final = Text(
    "Renew it, then have it read again:\n  kill -HUP $(cat STATE/gateway.lock)",
    "Gia hạn chứng chỉ rồi cho cổng thư đọc lại:\n  kill -HUP $(cat STATE/gateway.lock)",
)


async def _certificate(world: World) -> Sequence[Outcome]:
    path = world.settings.smtp.certificate
    if path is None:
        return [judge_none()]
    try:
        chain = await in_thread(lambda: x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as failure:
        return [error(same(f"{path}: {failure}"), Text("Correct [smtp] certificate.", "Sửa [smtp] certificate."))]
    return [judge_certificate(chain, world.settings.hostname, world.now, world.settings.state)]


def judge_none() -> Outcome:
    lines = '  certificate = "/etc/gateway/tls/fullchain.pem"\n  key = "/etc/gateway/tls/privkey.pem"'
    mend = Text(f"Get a certificate, and set under [smtp]:\n{lines}", f"Xin chứng chỉ rồi đặt trong [smtp]:\n{lines}")
    return warning(Text("none: STARTTLS is not offered", "chưa có: không chào STARTTLS"), mend)


def judge_certificate(chain: Sequence[x509.Certificate], hostname: str, now: datetime, state: Path) -> Outcome:
    """Dates, names, and whether anybody but ourselves vouches for it. Key and certificate fit, or settings.file fails."""
    first = chain[0]
    names = names_of(first)
    ends = min(each.not_valid_after_utc for each in chain)
    days = (ends - now).days
    begins = max(each.not_valid_before_utc for each in chain)
    shown = f"{', '.join(names)}; {ends:%Y-%m-%d}"
    found = Text(f"{shown} ({days} days)", f"{shown} (còn {days} ngày)")
    values = {"names": names, "expires": ends.isoformat(), "days": days}
    renew = Text(*(text.replace("STATE", str(state)) for text in (RENEW.en, RENEW.vi)))
    if ends <= now:
        return error(Text(f"expired: {shown}", f"đã hết hạn: {shown}"), renew, **values)
    if begins > now:
        return error(
            Text(f"valid from {begins:%Y-%m-%d %H:%M} UTC on", f"chỉ có hiệu lực từ {begins:%Y-%m-%d %H:%M} UTC"),
            Text("Look at the clock (host.clock).", "Kiểm tra đồng hồ (host.clock)."),
            **values,
        )
    if days < SOON:
        return warning(found, renew, **values)
    if not any(covers(name, hostname) for name in names):
        mend = Text(f"Get a certificate for {hostname}.", f"Xin chứng chỉ cho tên {hostname}.")
        return warning(
            Text(
                f"its names are {', '.join(names)}, not {hostname}",
                f"chứng chỉ có tên {', '.join(names)}, không có {hostname}",
            ),
            mend,
            **values,
        )
    if first.issuer == first.subject:
        mend = Text(
            "Senders that verify (MTA-STS, DANE) need one of a public authority.",
            "Máy gửi có kiểm tra (MTA-STS, DANE) cần chứng chỉ của tổ chức công cộng.",
        )
        return warning(Text(f"signed by itself: {shown}", f"tự ký: {shown}"), mend, **values)
    return ok(found, **values)


def names_of(certificate: x509.Certificate) -> list[str]:
    """DNS names, else the common name."""
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        assert isinstance(found, x509.SubjectAlternativeName)
        if names := [str(name) for name in found.get_values_for_type(x509.DNSName)]:
            return names
    except x509.ExtensionNotFound:
        pass  # an old certificate, with the common name only
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def covers(name: str, hostname: str) -> bool:
    """RFC 9525 §6.3: a wildcard stands for one whole label, the first."""
    name, hostname = name.lower(), hostname.lower()
    return name == hostname or (name.startswith("*.") and hostname.partition(".")[2] == name[2:])


async def _keys(world: World) -> Sequence[Outcome]:
    settings = world.settings
    paths = {
        "smtp.key": settings.smtp.key,
        "notice.dkim_key": settings.notice.dkim_key,
        "store.key_file": settings.store.key_file,
    }
    given = [(name, path) for name, path in paths.items() if path]
    if not given:
        return [ok(Text("no key is set", "chưa đặt khóa nào"))]
    return await in_thread(lambda: [judge_key(name, path, world.service) for name, path in given])


def judge_key(name: str, path: Path, who: Service) -> Outcome:
    """A private key: the service reads it, strangers do not."""
    try:
        status = path.stat()
        readable = may(path, who, READ)
    except OSError as failure:
        return error(same(f"{path}: {failure.strerror}"), Text(f"Correct {name}.", f"Sửa {name}."), name)
    shown = f"{path} ({user_name(status.st_uid)}:{group_name(status.st_gid)} {mode_text(status)})"
    command = same(f"  chown root:{group_name(who.gid)} {path}\n  chmod 0640 {path}")
    if not readable:
        found = Text(f"user {who.user} cannot read {shown}", f"người dùng {who.user} không đọc được {shown}")
        return error(found, command, name, mode=mode_text(status))
    if status.st_mode & stat.S_IRWXO:
        found = Text(f"every user can read {shown}", f"mọi người dùng đọc được {shown}")
        return error(found, command, name, mode=mode_text(status))
    return ok(same(shown), name, mode=mode_text(status))


CHECKS = (
    Check(
        "tls.certificate",
        Text("Certificate", "Chứng chỉ"),
        Text(
            "Without it mail comes in clear; with one that is wrong some senders do not deliver.",
            "Không có thì thư đi không mã hóa; chứng chỉ sai thì một số máy gửi không chuyển thư.",
        ),
        _certificate,
        ("smtp",),
    ),
    Check(
        "tls.keys",
        Text("Private keys", "Khóa bí mật"),
        Text("Whoever reads them can speak in the department's name.", "Ai đọc được khóa thì có thể mạo danh cơ quan."),
        _keys,
    ),
)
