"""Golden cases: a folder each, with the session, the message, DNS and what must come of it.

    session.yaml   story; client, helo, from, to, smtputf8; sign, seal, tamper; policy (an overlay, see node.py)
    message.eml    LF line ends; @NOW@ stands for the present time
    zone.yaml      {name: {TXT: [...], A: [...], MX: ["10 mx.example"]}}; `SERVFAIL: true` makes a name fail
    expected.yaml  reply, level, unit, provider, results, rules, verbs, relayed, maildir, removed, kept, held, notice, notice_to

Signatures are made when the test runs (`sign: [{domain, selector, length}]`, keys are published by themselves), since a
private key in a repository is bait; `tamper: {old, new}` changes the message after that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dkim
import yaml

from gateway.envelope.address import parse_mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, ForwardPath, Transaction
from gateway.evidence.assess import assess
from gateway.evidence.result import Evidence
from gateway.evidence.zone import NODATA, NXDOMAIN, Answer, Outcome, Question, Record, found
from gateway.policy.judge import Judgement, judge
from gateway.policy.policyset import PolicySet
from tests.support.dns_server import SERVFAIL
from tests.support.signing import rsa_key, sign

CORPUS = Path(__file__).resolve().parents[1] / "corpus"


@dataclass(frozen=True)
class CorpusCase:
    """One folder of the corpus."""

    name: str
    session: dict[str, Any]
    zone: dict[str, dict[str, Any]]
    expected: dict[str, Any]
    text: bytes  # of message.eml, CRLF line ends

    @cached_property
    def message(self) -> bytes:
        """The octets that the client sends: signed, sealed, tampered with."""
        raw = self.text
        for order in self.session.get("sign", ()):
            raw = sign(raw, order["domain"], order["selector"], rsa_key(), length=order.get("length"))
        if seal := self.session.get("seal"):
            names = (seal["selector"].encode(), seal["domain"].encode(), rsa_key().private)
            raw = b"".join(dkim.arc_sign(raw, *names, seal["results_of"].encode())) + raw
        if tamper := self.session.get("tamper"):
            old, new = (tamper[key].encode() for key in ("old", "new"))
            assert raw.count(old) == 1, f"{self.name}: {tamper['old']!r} comes {raw.count(old)} times"
            raw = raw.replace(old, new)
        return raw

    @property
    def sender(self) -> str:
        return str(self.session.get("from") or "")

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(self.session["to"])

    @property
    def helo(self) -> str:
        return str(self.session.get("helo", "mail.example.org"))

    @property
    def records(self) -> dict[str, dict[str, list[Record]]]:
        """DNS in the shapes of evidence/zone.py, the keys of our signatures among it."""
        zone = {
            name: {kind: [_record(kind, text) for text in texts] for kind, texts in types.items() if kind != "SERVFAIL"}
            for name, types in self.zone.items()
        }
        for order in [*self.session.get("sign", ()), *filter(None, [self.session.get("seal")])]:
            name = f"{order['selector']}._domainkey.{order['domain']}"
            if name not in self.zone:
                zone[name] = {"TXT": [rsa_key().record()]}
        return zone

    @property
    def served(self) -> dict[str, Any]:
        """The same for the DNS server."""
        every = ("TXT", "A", "AAAA", "MX", "PTR")
        broken = {name: dict.fromkeys(every, SERVFAIL) for name, types in self.zone.items() if types.get("SERVFAIL")}
        return {**self.records, **broken}

    def transaction(self, now: datetime) -> Transaction:
        utf8 = self.session.get("smtputf8", False)
        return Transaction(
            id="CORE",
            client=Client(ip_address(self.session["client"]), helo=self.helo, protocol="UTF8SMTP" if utf8 else "ESMTP"),
            reverse_path=parse_mailbox(self.sender) if self.sender else None,
            forward_paths=tuple(ForwardPath(parse_mailbox(text)) for text in self.recipients),
            received_at=now,
            message=Message(self.message),
            parameters=(("SMTPUTF8", None),) if utf8 else (),
        )

    def judged(self, policy: PolicySet, now: datetime) -> tuple[Evidence, Judgement]:
        """Through the pure core: no clock, no network, no file."""
        transaction = self.transaction(now)
        evidence = assess(transaction, _CaseZone(self), authserv_id=policy.authserv_id, now=now)
        assert isinstance(evidence, Evidence)
        return evidence, judge(transaction, evidence, policy, now)


class _CaseZone:
    """evidence.zone.Zone over a case's records, answering as the DNS server does."""

    def __init__(self, case: CorpusCase) -> None:
        self._records = case.records
        self._broken = {name for name, types in case.zone.items() if types.get("SERVFAIL")}

    def get(self, question: Question, /) -> Answer:
        if question.name in self._broken:
            return Answer(Outcome.ERROR, reason="SERVFAIL")
        types = self._records.get(question.name)
        if types is None:
            below = "." + question.name
            return NODATA if any(name.endswith(below) for name in self._records) else NXDOMAIN
        records = types.get(question.type)
        return found(*records) if records else NODATA


def _record(kind: str, text: Any) -> Record:
    if kind == "MX":
        preference, name = str(text).split()
        return int(preference), name
    return str(text).encode() if kind == "TXT" else str(text)


def cases() -> list[CorpusCase]:
    """Every folder of the corpus, in order."""
    return [_read(folder) for folder in sorted(CORPUS.iterdir()) if (folder / "session.yaml").exists()]


def _read(folder: Path) -> CorpusCase:
    read = {name: yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in ("session", "zone", "expected")}
    text = (folder / "message.eml").read_bytes().replace(b"\n", b"\r\n")
    text = text.replace(b"@NOW@", format_datetime(datetime.now(UTC)).encode())
    return CorpusCase(folder.name, read["session"], read["zone"] or {}, read["expected"], text)
