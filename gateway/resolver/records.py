"""What a DNS response says about one question: from the records of c-ares to an Answer and its time to live."""

from __future__ import annotations

import re
from typing import Final

import pycares

from gateway.evidence.zone import NODATA, Answer, Outcome, Question, QuestionType, Record, found

MAX_CHAIN: Final = 8  # CNAMEs followed (safety F-21)
MAX_RECORDS: Final = 200
MAX_OCTETS: Final = 16 * 1024  # of one answer; the longest useful TXT sets are below 8 KiB (safety F-20)

_TYPES: Final[dict[QuestionType, int]] = {
    "A": pycares.QUERY_TYPE_A,
    "AAAA": pycares.QUERY_TYPE_AAAA,
    "MX": pycares.QUERY_TYPE_MX,
    "TXT": pycares.QUERY_TYPE_TXT,
    "PTR": pycares.QUERY_TYPE_PTR,
}
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*", re.ASCII)


def is_askable(name: str) -> bool:
    """Whether c-ares puts this name into a question as it stands: a host name (RFC 1123 §2.1), or one with underscores.

    It refuses others, or would IDNA-code, unescape or search them; `unusual` asks for those.
    """
    return _NAME.fullmatch(name) is not None


def read(question: Question, response: pycares.DNSResult) -> tuple[Answer, int]:
    """The answer and the seconds that it may be kept: the least TTL of the records and of the CNAMEs before them.

    Records of names outside the chain are not looked at. A chain that ends in no record is NODATA with TTL 0 (the
    caller has its own time for absence).
    """
    owners: dict[str, list[pycares.DNSRecord]] = {}
    for record in response.answer[: MAX_RECORDS + MAX_CHAIN + 1]:
        owners.setdefault(_name(record.name), []).append(record)
    name, ttl = question.name.lower(), 2**31
    for _ in range(MAX_CHAIN + 1):
        here = owners.get(name, [])
        wanted = [record for record in here if record.type == _TYPES[question.type]]
        if wanted:
            return bounded([_value(record) for record in wanted]), min(ttl, *(record.ttl for record in wanted), 2**31)
        alias = next((record for record in here if isinstance(record.data, pycares.CNAMERecordData)), None)
        if alias is None:
            return NODATA, 0
        assert isinstance(alias.data, pycares.CNAMERecordData)
        name, ttl = _name(alias.data.cname), min(ttl, alias.ttl)
    return Answer(Outcome.ERROR, reason=f"more than {MAX_CHAIN} CNAMEs"), 0


def octets(answer: Answer) -> int:
    """The size of an answer's values, for limits."""
    return sum(len(record[1] if isinstance(record, tuple) else record) for record in answer.records)


def bounded(records: list[Record]) -> Answer:
    """The records as an answer, or an error where they are too many or too large."""
    answer = found(*records)
    if len(records) > MAX_RECORDS or octets(answer) > MAX_OCTETS:
        return Answer(Outcome.ERROR, reason=f"more than {MAX_RECORDS} records or {MAX_OCTETS} octets")
    return answer


def _name(name: str) -> str:
    return name.lower().rstrip(".")


def _value(record: pycares.DNSRecord) -> Record:
    match record.data:
        case pycares.ARecordData(addr=address) | pycares.AAAARecordData(addr=address):
            return address
        case pycares.MXRecordData(priority=preference, exchange=exchange):
            return preference, _name(exchange)
        case pycares.TXTRecordData(data=data):
            return data
        case pycares.PTRRecordData(dname=name):
            return _name(name)
        case other:
            raise TypeError(f"no reader for {type(other).__name__}")
