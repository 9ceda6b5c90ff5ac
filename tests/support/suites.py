"""Conformance suites from outside the project, read into cases: the RFC 7208 suite and the ARC validation suite.

They lie in the folder that GATEWAY_TEST_DATA names, by default `../shared/data` beside the repository.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.evidence.zone import NODATA, NXDOMAIN, Answer, Outcome, Question, Record, found

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = Answer(Outcome.ERROR, reason="timeout")


def data_file(name: str) -> Path:
    """The path of a suite; the calling test module is skipped where it is absent."""
    path = Path(os.environ.get("GATEWAY_TEST_DATA", ROOT.parent / "shared" / "data")) / name
    if not path.exists():
        pytest.skip(f"{name} is not there (set GATEWAY_TEST_DATA to its folder)", allow_module_level=True)
    return path


@dataclass
class SuiteZone:
    """DNS answers of a suite. `records` maps a lower-case name to type → records; every name above one exists too."""

    records: dict[str, dict[str, list[Record]]] = field(default_factory=dict)
    timeouts: set[str] = field(default_factory=set)  # names whose types without records time out
    asked: list[Question] = field(default_factory=list)

    def add(self, name: str, kind: str, *records: Record) -> None:
        self.records.setdefault(name.lower().rstrip("."), {}).setdefault(kind, []).extend(records)

    def get(self, question: Question, /) -> Answer:
        self.asked.append(question)
        return self._answer(question.name.lower(), question.type, 10)

    def _answer(self, name: str, kind: str, left: int) -> Answer:
        records = self.records.get(name, {})
        if kind in records:
            return found(*records[kind]) if records[kind] else NODATA
        if name in self.timeouts:
            return TIMEOUT
        if "CNAME" in records:
            target = str(records["CNAME"][0]).lower().rstrip(".")
            return self._answer(target, kind, left - 1) if left else TIMEOUT
        return NODATA if any(known == name or known.endswith("." + name) for known in self.records) else NXDOMAIN


@dataclass(frozen=True)
class SpfCase:
    name: str
    zone: SuiteZone
    client: IPv4Address | IPv6Address
    helo: str
    mail_from: str  # as given, "" for the null reverse-path
    results: tuple[str, ...]  # any of them is right
    explanation: str  # "" when the suite does not tell, DEFAULT when the domain gives none
    clause: str


def spf_cases() -> list[SpfCase]:
    """The 203 cases of the RFC 7208 suite."""
    cases = []
    for part in yaml.safe_load_all(data_file("rfc7208-tests.yml").read_text()):
        for name, test in part["tests"].items():
            result = test["result"]
            cases.append(
                SpfCase(
                    name,
                    _spf_zone(part["zonedata"]),
                    ip_address(test["host"]),
                    test["helo"],
                    test.get("mailfrom") or "",
                    tuple(result) if isinstance(result, list) else (result,),
                    test.get("explanation") or "",
                    str(test.get("spec", "")),
                )
            )
    return cases


def _spf_zone(data: dict[str, list[Any]]) -> SuiteZone:
    """SPF (type 99) entries stand for TXT too, unless the name has TXT entries of its own."""
    zone = SuiteZone()
    for name, entries in data.items():
        key = name.lower().rstrip(".")
        zone.records.setdefault(key, {})
        pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
        own_txt = any(kind == "TXT" for kind, _ in pairs)
        for kind, value in pairs:
            if value == "TIMEOUT":
                zone.timeouts.add(key)
            elif kind == "SPF" and not own_txt:
                zone.add(key, "TXT", _text(value))
            elif kind != "SPF" and value != "NONE":
                zone.add(key, kind, _record(kind, value))
        if "TIMEOUT" in entries:
            zone.timeouts.add(key)
    return zone


def _text(value: Any) -> bytes:
    return "".join(value if isinstance(value, list) else [str(value)]).encode()


def _record(kind: str, value: Any) -> Record:
    if kind == "TXT":
        return _text(value)
    if kind == "MX":
        return int(value[0]), str(value[1]).rstrip(".")
    return str(value).rstrip(".")


@dataclass(frozen=True)
class ArcCase:
    name: str
    zone: SuiteZone
    message: bytes  # CRLF line ends
    result: str  # none, pass, fail
    clause: str


def arc_cases() -> list[ArcCase]:
    """The 171 validation cases of the ARC suite. Three that it leaves open are `fail` by RFC 8617 §5.2 step 2 and 3."""
    cases = []
    for part in yaml.safe_load_all(data_file("arc-draft-validation-tests.yml").read_text()):
        zone = SuiteZone()
        for name, text in part["txt-records"].items():
            zone.add(name, "TXT", "".join(str(text).split("\n")).encode())
        for name, test in part["tests"].items():
            message = test["message"].replace("\r\n", "\n").replace("\n", "\r\n").encode()
            result = str(test["cv"] or "fail").lower()
            cases.append(ArcCase(name, zone, message, result, str(test.get("spec", ""))))
    return cases
