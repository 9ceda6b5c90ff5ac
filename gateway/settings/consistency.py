"""What single values cannot show: files that must be there and fit together, and values that contradict each other."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterator
from pathlib import Path

from gateway.settings.models import NoticeSettings, Settings, SmtpSettings

Problem = tuple[tuple[str, ...], str]  # the key to change, and the sentence


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
        yield ("smtp", there), f"there is no {missing} beside it; set both, or neither for a door without STARTTLS"
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
        what = getattr(error, "reason", None) or "not a PEM certificate chain and its unencrypted key"
        yield ("smtp", "certificate"), f"{smtp.certificate} and {smtp.key} do not work together: {what}"


def _signing(notice: NoticeSettings) -> Iterator[Problem]:
    given = {"dkim_selector": notice.dkim_selector, "dkim_domain": notice.dkim_domain, "dkim_key": notice.dkim_key}
    missing = [name for name, value in given.items() if not value]
    if 0 < len(missing) < len(given):
        there = next(name for name, value in given.items() if value)
        yield ("notice", there), f"notices are not signed without {' and '.join(missing)}; set all three, or none"
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
        yield ("store", "key_file"), f"{key_file} does not hold 32 octets in hex; write one with: openssl rand -hex 32"


def _no_door(settings: Settings) -> Iterator[Problem]:
    if not any((*settings.smtp.listen, *settings.milter.listen)):
        yield ("smtp", "listen"), "there is no door for mail; give [smtp] listen or [milter] listen an address"


def _doors(settings: Settings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for table, addresses in (
        ("smtp", settings.smtp.listen),
        ("milter", settings.milter.listen),
        ("http", (settings.http.listen,)),
    ):
        for address in filter(None, addresses):
            if address in seen and not address.endswith(":0"):
                yield (table, "listen"), f"{address} is also listened at by [{seen[address]}]; give each door its own"
            seen[address] = table


def _unreadable(path: Path) -> str:
    """Why a file cannot be read, as a sentence; empty when it can."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}; correct the path, or let the gateway's user read it"
    return ""
