"""iprev: does the client's name lead back to its address? (RFC 8601 §3)"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from gateway.evidence.names import is_askable
from gateway.evidence.recall import Recall, Tape
from gateway.evidence.result import MethodResult
from gateway.evidence.zone import Question, QuestionType, Record, Zone

NAMES_MAX = 10

Address = IPv4Address | IPv6Address

_KEPT: Recall[MethodResult] = Recall(2048)


def key_of(address: Address) -> Address | int:
    """What equal addresses have in common: the hash of an IPv4Address is computed by its name, that of a number is free."""
    return int(address) if type(address) is IPv4Address else address


def pointer(address: Address) -> Question:
    """The PTR question for an address."""
    return pointer_of(key_of(address))


@lru_cache(maxsize=2048)
def pointer_of(key: Address | int) -> Question:
    """The same by what key_of() gives."""
    address = IPv4Address(key) if isinstance(key, int) else key
    return Question(address.reverse_pointer.lower(), "PTR")


def verify(address: Address, zone: Zone) -> MethodResult | None:
    """pass, fail, temperror or permerror (no PTR); None while answers are missing. Fact: name, when it passes."""
    key = key_of(address)
    result = _KEPT.get(key, zone)
    if result is None:
        tape = Tape(zone)
        result = _result(address, tape)
        if result is not None:
            _KEPT.put(key, tape, result)
    return result


def _result(address: Address, zone: Zone) -> MethodResult | None:
    properties = (("policy.iprev", str(address)),)
    answer = zone.get(pointer(address))
    if answer is None:
        return None
    if answer.is_error:
        return MethodResult("iprev", "temperror", answer.reason or "DNS error", properties)
    names = [record.rstrip(".").lower() for record in answer.records if isinstance(record, str)]
    names = [name for name in names if is_askable(name)][:NAMES_MAX]
    if not names:
        return MethodResult("iprev", "permerror", "no PTR record", properties)
    kind: QuestionType = "A" if address.version == 4 else "AAAA"
    answers = [zone.get(Question(name, kind)) for name in names]
    for name, forward in zip(names, answers, strict=True):
        if forward is not None and _is_among(str(address), forward.records):
            return MethodResult("iprev", "pass", "", properties, (("name", name),))
    if any(forward is None for forward in answers):
        return None
    if any(forward is not None and forward.is_error for forward in answers):
        return MethodResult("iprev", "temperror", "DNS error for a name of the client", properties)
    return MethodResult("iprev", "fail", "no name of the client leads back to it", properties)


def _is_among(address: str, records: Collection[Record]) -> bool:
    return address in records or address in map(_canonical, records)


def _canonical(record: object) -> str:
    """An address record in the spelling that str(address) has; other text as it is."""
    text = str(record)
    try:
        return str(IPv6Address(text) if ":" in text else IPv4Address(text))
    except ValueError:
        return text
