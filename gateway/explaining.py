"""What `gateway explain` does: one message through evidence, identity and policy, without any side effect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from gateway.envelope.address import AddressError, parse_mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, ForwardPath, Transaction
from gateway.evidence.zone import NODATA, NXDOMAIN, Answer, Outcome, Record, found
from gateway.evidence.zone import Question as DnsQuestion
from gateway.gathering import gather
from gateway.policy.decide import Case
from gateway.policy.explain import Language, explain
from gateway.policy.judge import judge
from gateway.policy.places import read_yaml
from gateway.policy.policyset import PolicySet
from gateway.ports import Resolver
from gateway.reloader import inspect
from gateway.resolver import Resolver as NetworkResolver
from gateway.settings import Settings

EX_DATAERR, EX_NOINPUT, EX_CONFIG = 65, 66, 78
_BARE_LF = re.compile(rb"(?<!\r)\n")


class QuestionError(Exception):
    """The question cannot be answered; str(error) is the sentence, `code` the exit status."""

    def __init__(self, sentence: str, code: int = EX_DATAERR) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Question:
    raw: bytes  # as the file holds it; line ends of any kind
    sender: str
    recipients: tuple[str, ...]
    client: str
    helo: str
    zone: Path | None
    at: str


@dataclass(frozen=True, slots=True)
class Explained:
    lines: tuple[str, ...]
    plain: dict[str, Any]


async def explained(settings: Settings, policies: Path, question: Question, language: Language) -> Explained:
    """Answer for every recipient. Raises QuestionError."""
    now = _moment(question.at)
    policy, problems = inspect(policies, now)
    if policy is None:
        raise QuestionError("\n".join(problem.text(language) for problem in problems), EX_CONFIG)
    transaction = _transaction(question, policy, now)
    resolver, close = _resolver(settings, question.zone)
    try:
        evidence = await gather(resolver, transaction, policy.authserv_id, {})
    finally:
        if close:
            await close.close()
    judgement = judge(transaction, evidence, policy, now)
    lines: list[str] = []
    for (path, decision), sub in zip(judgement.decisions, judgement.submissions, strict=True):
        case = Case(transaction, path, evidence, judgement.identity, sub, now)
        lines += [*([""] if lines else []), *explain(case, decision, evidence, judgement.identity, language)]
    if judgement.reply:
        lines.append(str(judgement.reply))
    plain = {
        "evidence": [asdict(result) for result in evidence.results],
        "malformed": evidence.malformed,
        **judgement.facts(),
        "decisions": [asdict(decision) for _, decision in judgement.decisions],
    }
    return Explained(tuple(lines), plain)


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise QuestionError(f"--at {text!r} is no moment: write 2026-11-21T14:05:00+07:00", 2) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _transaction(question: Question, policy: PolicySet, now: datetime) -> Transaction:
    raw = question.raw if b"\r\n" in question.raw[:4096] else _BARE_LF.sub(b"\r\n", question.raw)
    recipients = question.recipients or (f"postmaster@{policy.own_domains[0].removeprefix('*.')}",)
    try:
        return Transaction(
            id="EXPLAIN",
            client=Client(ip_address(question.client), helo=question.helo or "unknown.invalid", protocol="ESMTP"),
            reverse_path=parse_mailbox(question.sender) if question.sender.strip("<>") else None,
            forward_paths=tuple(ForwardPath(parse_mailbox(text)) for text in recipients),
            received_at=now,
            message=Message(raw),
        )
    except AddressError as error:
        raise QuestionError(f"an address cannot be read: {error}", 2) from error
    except ValueError as error:
        raise QuestionError(f"--client: {error}", 2) from error


def _resolver(settings: Settings, zone: Path | None) -> tuple[Resolver, NetworkResolver | None]:
    if zone is None:
        network = NetworkResolver(settings.dns)
        return network, network
    try:
        text = zone.read_text(encoding="utf-8")
    except OSError as error:
        raise QuestionError(f"{zone}: {error.strerror}", EX_NOINPUT) from error
    document = read_yaml(text, str(zone))
    if document.problems or not isinstance(document.data, dict):
        raise QuestionError("\n".join(map(str, document.problems)) or f"{zone}: names with their records are wanted")
    return ZoneFile(document.data), None


class ZoneFile:
    """ports.Resolver over `{name: {TXT: [...], MX: ["10 mx.example"], ...}}`; `TIMEOUT: true` makes a name fail."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = {str(name).lower().rstrip("."): records or {} for name, records in names.items()}

    @property
    def cache(self) -> ZoneFile:
        return self

    def get(self, question: DnsQuestion, /) -> Answer:
        records = self._names.get(question.name)
        if records is None:
            below = "." + question.name
            return NODATA if any(name.endswith(below) for name in self._names) else NXDOMAIN
        if records.get("TIMEOUT"):
            return Answer(Outcome.ERROR, reason="time-out")
        values = records.get(question.type) or []
        texts = values if isinstance(values, list) else [values]
        return found(*(_record(question.type, str(text)) for text in texts)) if texts else NODATA

    async def answer(self, questions: Any) -> dict[DnsQuestion, Answer]:
        return {question: self.get(question) for question in questions}


def _record(kind: str, text: str) -> Record:
    if kind == "TXT":
        return text.encode()
    if kind == "MX":
        preference, _, name = text.partition(" ")
        return (int(preference), name.strip().rstrip(".").lower())
    return text.rstrip(".").lower()
