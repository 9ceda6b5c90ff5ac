"""ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2, 1870, 6152, 6531, 3461): only what EHLO offered, case kept.

Each function returns keywords in upper case with their values as given, or raises Refusal with the reply.
"""

from __future__ import annotations

import re

from gateway.endpoint.refusal import TOO_BIG, Refusal
from gateway.envelope.reply import Reply
from gateway.envelope.transaction import Parameters
from gateway.ports import Features

ENVID_MAX = 100  # characters of xtext, RFC 3461 §4.4
ORCPT_MAX = 500  # characters, RFC 3461 §4.2

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e]+))?\Z")  # RFC 5321 §4.1.2
_XTEXT = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+\Z")  # RFC 3461 §4
_SIZE = re.compile(r"[0-9]{1,20}\Z")  # RFC 1870 §4; str.isdigit would let other digits in
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_NOTIFY = {"SUCCESS", "FAILURE", "DELAY"}


def mail_parameters(text: str, offered: Features) -> Parameters:
    """Parameters of MAIL: SIZE, BODY, SMTPUTF8, RET, ENVID. AUTH=<> (RFC 4954 §5) says nothing and is dropped."""
    found = _split(text)
    for keyword, value in found.items():
        if keyword == "SIZE" and offered.size is not None:
            if not value or not _SIZE.match(value):
                raise _bad(keyword)
            if int(value) > offered.size:
                raise Refusal(TOO_BIG)
        elif keyword == "BODY" and offered.eightbitmime:
            _require(keyword, value is not None and value.upper() in ("7BIT", "8BITMIME"))
        elif keyword == "SMTPUTF8" and offered.smtputf8:
            _require(keyword, value is None)
        elif keyword == "RET" and offered.dsn:
            _require(keyword, value is not None and value.upper() in ("FULL", "HDRS"))
        elif keyword == "ENVID" and offered.dsn:
            _require(keyword, value is not None and len(value) <= ENVID_MAX and bool(_XTEXT.match(value)))
        elif keyword != "AUTH" or value != "<>":
            raise _unknown(keyword)
    return tuple((keyword, value) for keyword, value in found.items() if keyword != "AUTH")


def rcpt_parameters(text: str, offered: Features) -> Parameters:
    """Parameters of RCPT: NOTIFY and ORCPT (RFC 3461 §4.1, §4.2)."""
    found = _split(text)
    for keyword, value in found.items():
        if keyword == "NOTIFY" and offered.dsn:
            _require(keyword, value is not None and _is_notify(value))
        elif keyword == "ORCPT" and offered.dsn:
            _require(keyword, value is not None and _is_original_recipient(value))
        else:
            raise _unknown(keyword)
    return tuple(found.items())


def decode_xtext(text: str) -> str:
    """Decode xtext (RFC 3461 §4) into printable ASCII. Raises ValueError."""
    if not _XTEXT.match(text):
        raise ValueError("xtext syntax")
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)
    if not decoded.isascii() or not decoded.isprintable():
        raise ValueError("xtext hides a control or 8-bit character")
    return decoded


def _split(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for word in text.split(" "):
        if not word:
            continue
        match = _PARAMETER.match(word)
        if not match:
            raise Refusal(Reply(501, "5.5.4", "Parameter syntax"))
        keyword = match[1].upper()
        if keyword in found:
            raise Refusal(Reply(501, "5.5.4", f"Parameter {keyword[:32]} given twice"))
        found[keyword] = match[2]
    return found


def _is_notify(value: str) -> bool:
    words = value.upper().split(",")
    return words == ["NEVER"] or (set(words) <= _NOTIFY and len(words) == len(set(words)))


def _is_original_recipient(value: str) -> bool:
    kind, separator, address = value.partition(";")
    return bool(separator and len(value) <= ORCPT_MAX and _ADDRESS_TYPE.match(kind) and _XTEXT.match(address))


def _require(keyword: str, fits: bool) -> None:
    if not fits:
        raise _bad(keyword)


def _bad(keyword: str) -> Refusal:
    return Refusal(Reply(501, "5.5.4", f"Value of parameter {keyword}"))


def _unknown(keyword: str) -> Refusal:
    return Refusal(Reply(555, "5.5.4", f"Parameter {keyword[:32]} is not supported"))
