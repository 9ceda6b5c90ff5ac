"""Evidence as JSON-able values and back, the zone included: what the store keeps so that a case can be replayed."""

from __future__ import annotations

from typing import Any

from gateway.evidence.result import Evidence, MethodResult
from gateway.evidence.zone import Answer, Outcome, Question, Record

Plain = dict[str, Any]


def plain(evidence: Evidence) -> Plain:
    """Dicts, lists and strings only. TXT octets are written as latin-1 text, MX records as [preference, name]."""
    return {
        "spf_mailfrom": _plain_result(evidence.spf_mailfrom),
        "spf_helo": _plain_result(evidence.spf_helo),
        "dkim": [_plain_result(result) for result in evidence.dkim],
        "dmarc": _plain_result(evidence.dmarc),
        "arc": _plain_result(evidence.arc),
        "iprev": _plain_result(evidence.iprev),
        "malformed": list(evidence.malformed),
        "aligned_dkim": list(evidence.aligned_dkim),
        "aligned_spf": evidence.aligned_spf,
        "zone": [_plain_answer(question, answer) for question, answer in evidence.zone.items()],
    }


def from_plain(value: Plain) -> Evidence:
    """The evidence that plain() was given. Raises KeyError, TypeError or ValueError for anything else."""
    return Evidence(
        spf_mailfrom=_result(value["spf_mailfrom"]),
        spf_helo=_result(value["spf_helo"]),
        dkim=tuple(_result(result) for result in value["dkim"]),
        dmarc=_result(value["dmarc"]),
        arc=_result(value["arc"]),
        iprev=_result(value["iprev"]),
        malformed=tuple(value["malformed"]),
        aligned_dkim=tuple(value["aligned_dkim"]),
        aligned_spf=value["aligned_spf"],
        zone=dict(_answer(item) for item in value["zone"]),
    )


def _plain_result(result: MethodResult) -> Plain:
    return {
        "method": result.method,
        "result": result.result,
        "reason": result.reason,
        "properties": [list(pair) for pair in result.properties],
        "facts": [list(pair) for pair in result.facts],
    }


def _result(value: Plain) -> MethodResult:
    return MethodResult(
        value["method"], value["result"], value["reason"], _pairs(value["properties"]), _pairs(value["facts"])
    )


def _pairs(value: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in value)


def _plain_answer(question: Question, answer: Answer) -> Plain:
    records = [_plain_record(record) for record in answer.records]
    return {
        "name": question.name,
        "type": question.type,
        "outcome": answer.outcome.value,
        "records": records,
        "reason": answer.reason,
    }


def _plain_record(record: Record) -> str | list[int | str]:
    if isinstance(record, bytes):
        return record.decode("latin-1")
    return list(record) if isinstance(record, tuple) else record


def _answer(value: Plain) -> tuple[Question, Answer]:
    question = Question(value["name"], value["type"])
    return question, Answer(
        Outcome(value["outcome"]), tuple(_record(question, record) for record in value["records"]), value["reason"]
    )


def _record(question: Question, value: Any) -> Record:
    if question.type == "TXT":
        return str(value).encode("latin-1")
    return (int(value[0]), str(value[1])) if question.type == "MX" else str(value)
