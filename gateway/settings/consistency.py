"""What single values cannot show: files that must be there and fit together, and values that contradict each other."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from gateway.settings.models import NoticeSettings, Settings, SmtpSettings
from gateway.settings.sentence import Sentence, reason

_NO_CHAIN: Final = Sentence(
    "not a PEM certificate chain and its unencrypted key",
    "không phải chuỗi chứng thư PEM và khóa không mã hóa của chuỗi đó",
)
Problem = tuple[tuple[str, ...], Sentence]  # the key to change, and the sentence


def contradictions(settings: Settings, wrong: Collection[tuple[str, ...]] = ()) -> Iterator[Problem]:
    """Every problem of settings whose single values are right. Reads certificate and key files.

    Keys whose own values are `wrong` have their defaults here, which must not be taken for what was meant.
    """
    yield from _certificate(settings.smtp)
    yield from _signing(settings.notice)
    yield from _encryption(settings.store.key_file)
    if not any(len(keys) == 1 or keys[0] in ("smtp", "milter") for keys in wrong):  # the door may be what is misspelt
        yield from _no_door(settings)
    yield from _doors(settings)


def _certificate(smtp: SmtpSettings) -> Iterator[Problem]:
    if smtp.certificate is None and smtp.key is None:
        return
    if smtp.certificate is None or smtp.key is None:
        there, missing = ("key", "certificate") if smtp.certificate is None else ("certificate", "key")
        alone = Sentence(
            "there is no {missing} beside it; set both, or neither for a door without STARTTLS",
            "chưa có {missing} đi kèm; hãy đặt cả certificate và key, hoặc bỏ cả hai nếu không dùng STARTTLS",
        )
        yield ("smtp", there), alone.filled(missing=missing)
        return
    unreadable = False
    for name, path in (("certificate", smtp.certificate), ("key", smtp.key)):
        if trouble := _unreadable(path):
            yield ("smtp", name), trouble
            unreadable = True
    if unreadable:
        return
    try:
        # an unencrypted key is asked for: nobody is there to type a password
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(smtp.certificate, smtp.key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        apart = Sentence(
            "{certificate} and {key} do not work together: {what}",
            "{certificate} và {key} không dùng được với nhau: {what}",
        )
        what = getattr(error, "reason", None) or _NO_CHAIN
        yield ("smtp", "certificate"), apart.filled(certificate=smtp.certificate, key=smtp.key, what=what)


def _signing(notice: NoticeSettings) -> Iterator[Problem]:
    given = {"dkim_selector": notice.dkim_selector, "dkim_domain": notice.dkim_domain, "dkim_key": notice.dkim_key}
    missing = [name for name, value in given.items() if not value]
    if 0 < len(missing) < len(given):
        there = next(name for name, value in given.items() if value)
        unsigned = Sentence(
            "notices are not signed without {missing}; set all three, or none",
            "thông báo không được ký nếu thiếu {missing}; hãy đặt đủ cả ba khóa, hoặc bỏ cả ba",
        )
        listed = Sentence(" and ".join(missing), " và ".join(missing))
        yield ("notice", there), unsigned.filled(missing=listed)
    if notice.dkim_key and (trouble := _unreadable(notice.dkim_key)):
        yield ("notice", "dkim_key"), trouble


def _encryption(key_file: Path | None) -> Iterator[Problem]:
    if key_file is None:
        return
    if trouble := _unreadable(key_file):
        yield ("store", "key_file"), trouble
        return
    try:
        octets = bytes.fromhex(key_file.read_text("ascii").strip())
    except ValueError:
        octets = b""
    if len(octets) != 32:
        wrong = Sentence(
            "{file} does not hold 32 octets in hex; write one with: openssl rand -hex 32",
            "{file} không chứa khóa 32 byte viết theo hệ 16; hãy tạo bằng lệnh: openssl rand -hex 32",
        )
        yield ("store", "key_file"), wrong.filled(file=key_file)


def _no_door(settings: Settings) -> Iterator[Problem]:
    if not any((*settings.smtp.listen, *settings.milter.listen)):
        closed = Sentence(
            "there is no door for mail; give [smtp] listen or [milter] listen an address",
            "chưa có cửa nhận thư nào; hãy ghi địa chỉ cho listen của [smtp] hoặc của [milter]",
        )
        yield ("smtp", "listen"), closed


def _doors(settings: Settings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for table, addresses in (
        ("smtp", settings.smtp.listen),
        ("milter", settings.milter.listen),
        ("http", (settings.http.listen,)),
    ):
        for address in filter(None, addresses):
            if address in seen and not address.endswith(":0"):
                twice = Sentence(
                    "{address} is also listened at by [{other}]; give each door its own",
                    "{address} cũng là địa chỉ của [{other}]; mỗi cửa phải có địa chỉ riêng",
                )
                yield (table, "listen"), twice.filled(address=address, other=seen[address])
            seen[address] = table


def _unreadable(path: Path) -> Sentence | None:
    """Why a file cannot be read; None when it can."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return Sentence(
            "{path} cannot be read: {why}; correct the path, or let the gateway's user read it",
            "không đọc được {path}: {why}; hãy sửa đường dẫn, hoặc cấp quyền đọc cho người dùng chạy cổng thư",
        ).filled(path=path, why=reason(error))
    return None
