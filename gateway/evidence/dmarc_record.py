"""DMARC policy records and the DNS tree walk that finds them (RFC 9989 §4.7, §4.10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from gateway.evidence.names import is_askable
from gateway.evidence.zone import Answer, Question, Zone

LABELS_MAX = 8  # a walk asks at most eight questions (RFC 9989 §4.10)
RECORD_MAX = 4096  # octets

_VERSION = re.compile(r"[Vv][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-+\--~]+\Z")  # ASCII without blanks and commas
_REQUESTS = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """A DMARC Policy Record, with the defaults of absent and unreadable tags filled in."""

    domain: str  # where it was found, without _dmarc
    text: str
    applies: bool = True  # False: no valid policy and no reporting address, so DMARC is not done (§4.10.1)
    policy: str = "none"  # p=
    subdomains: str = ""  # sp=, "" when absent
    nonexistent: str = ""  # np=, "" when absent
    psd: str = "u"
    strict_dkim: bool = False
    strict_spf: bool = False
    testing: bool = False


@lru_cache(maxsize=2048)
def parse_record(domain: str, text: str) -> PolicyRecord | None:
    """Read one TXT record; None when it is no DMARC Policy Record. Unknown tags are ignored, the first of two counts."""
    if not _VERSION.match(text):
        return None
    tags: dict[str, str] = {}
    for part in text.split(";")[1:]:
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip(" \t").lower(), value.strip(" \t"))
    lower = {name: value.lower() for name, value in tags.items()}
    requests = [lower.get("p", ""), *(lower[name] for name in ("sp", "np") if name in lower)]
    valid = all(request in _REQUESTS for request in requests)
    reports = any(_URI.match(uri.strip(" \t")) for uri in tags.get("rua", "").split(","))
    return PolicyRecord(
        domain,
        text,
        valid or reports,
        lower["p"] if valid else "none",
        lower.get("sp", "") if valid else "",
        lower.get("np", "") if valid else "",
        lower["psd"] if lower.get("psd") in ("y", "n") else "u",
        lower.get("adkim") == "s",
        lower.get("aspf") == "s",
        lower.get("t") == "y",
    )


def walk(domain: str) -> list[str]:
    """The domains of a tree walk, the longest first: all of at most eight labels, else the name and its last seven up."""
    labels = domain.split(".")
    start = max(1, len(labels) - LABELS_MAX + 1)
    return [domain, *(".".join(labels[position:]) for position in range(start, len(labels)))]


def walk_questions(domain: str) -> list[Question]:
    """The questions of a tree walk, but for names that cannot exist."""
    names = (f"_dmarc.{name}" for name in walk(domain))
    return [Question(name, "TXT") for name in names if is_askable(name)]


@dataclass(frozen=True, slots=True)
class Walk:
    """What a tree walk found: records from the longest name to the shortest, and the error that cut it short, if any."""

    start: str
    records: tuple[PolicyRecord, ...]
    error: str = ""

    @property
    def own(self) -> PolicyRecord | None:
        """The record at the starting point."""
        return self.records[0] if self.records and self.records[0].domain == self.start else None

    @property
    def organizational_domain(self) -> str:
        """RFC 9989 §4.10.2, on what was found."""
        for record in self.records:
            if record.psd == "n":
                return record.domain
            if record.psd == "y" and record.domain != self.start:
                below = len(record.domain.split(".")) + 1
                return ".".join(self.start.split(".")[-below:])
        return self.records[-1].domain if self.records else self.start

    @property
    def applicable(self) -> PolicyRecord | None:
        """The record of the starting point, else of its Organizational Domain, else of its PSD (§4.10.1)."""
        organizational = self.organizational_domain
        at_organization = next((record for record in self.records if record.domain == organizational), None)
        at_suffix = next((record for record in self.records if record.psd == "y"), None)
        return self.own or at_organization or at_suffix


def walk_from(domain: str, zone: Zone) -> Walk | None:
    """Do the tree walk, all names asked together; None while the zone lacks an answer that the walk reaches."""
    answers = [(question, zone.get(question)) for question in walk_questions(domain)]
    records: list[PolicyRecord] = []
    error = ""
    for question, answer in answers:
        if answer is None:
            return None
        if answer.is_error:
            error = error or f"{answer.reason or 'DNS error'} for {question.name}"
            continue
        record = _only_record(question.name.removeprefix("_dmarc."), answer)
        if record:
            records.append(record)
            if record.psd != "u":
                break
    return Walk(domain, tuple(records), error)


def _only_record(domain: str, answer: Answer) -> PolicyRecord | None:
    """The policy record of an answer; two at one name are both discarded (§4.10 steps 2 and 6)."""
    texts = (r.decode("latin-1") for r in answer.records if isinstance(r, bytes) and len(r) <= RECORD_MAX)
    records = [record for text in texts if (record := parse_record(domain, text))]
    return records[0] if len(records) == 1 else None
