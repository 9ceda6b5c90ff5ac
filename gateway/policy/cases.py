"""Golden cases: messages whose fate the admins have written down, and that every new policy must still give them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address

from gateway.envelope.address import Mailbox
from gateway.envelope.header import HeaderError, encode_words, make_field
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction
from gateway.evidence.result import Evidence, MethodResult
from gateway.identity.identify import identify
from gateway.identity.identity import Identity, Level
from gateway.identity.submission import submission
from gateway.policy.case import Case
from gateway.policy.decide import decide
from gateway.policy.decision import Decision, Hold, Refuse
from gateway.policy.errors import validate
from gateway.policy.places import Document, Path, read_yaml
from gateway.policy.policyset import PolicySet
from gateway.policy.problem import Problem
from gateway.policy.schema_case import CaseFile, Expectation, GoldenCase

CLIENT = Client(IPv4Address("192.0.2.10"), helo="mail.example.vn")
_BOUNDARY = "golden-case-boundary"


@dataclass(frozen=True, slots=True)
class Placed:
    """A case and where it is written."""

    golden: GoldenCase
    document: Document
    path: Path


def read_cases(files: Mapping[str, str]) -> tuple[list[Placed], list[Problem]]:
    """The cases of `cases/*.yaml` among the files, and what is wrong with how they are written."""
    cases: list[Placed] = []
    problems: list[Problem] = []
    for name in sorted(files):
        if not (name.startswith("cases/") and name.endswith(".yaml")):
            continue
        document = read_yaml(files[name], name)
        model = validate(CaseFile, document)
        problems += document.problems
        cases += [Placed(golden, document, ("cases", i)) for i, golden in enumerate(model.cases if model else ())]
    return cases, problems


def run_cases(policy: PolicySet, cases: Iterable[Placed], now: datetime) -> list[Problem]:
    """Run the cases; each expectation that is not met is an error at its line, of a canary a warning."""
    return [
        replace(problem, severity="warning") if case.golden.canary else problem
        for case in cases
        for problem in _run(policy, case.golden, now, case.document, case.path)
    ]


def _run(policy: PolicySet, golden: GoldenCase, now: datetime, document: Document, path: Path) -> Iterator[Problem]:
    try:
        message = Message(message_octets(golden))
    except HeaderError as error:
        yield document.problem(
            (*path, "headers"), golden.name, f"not a header field: {error}", f"trường tiêu đề không hợp lệ: {error}"
        )
        return
    case, identity = _case(policy, golden, message, now)
    decision = decide(case, policy)
    for key, expected, found in differences(golden.expect, decision, identity):
        yield document.problem(
            (*path, "expect", key), expected,
            f"case '{golden.name}': {key} should be '{expected}' and is '{found}' (rule '{decision.rule}')",
            f"tình huống '{golden.name}': {key} phải là '{expected}' nhưng lại là '{found}' (quy tắc '{decision.rule}')",
        )  # fmt: skip


def _case(policy: PolicySet, golden: GoldenCase, message: Message, now: datetime) -> tuple[Case, Identity]:
    moment = golden.at.replace(tzinfo=policy.timezone) if golden.at else now
    path = golden.path
    reverse_path = reverse_path_of(golden, message)
    transaction = Transaction("GOLD-ENCA-SE00", CLIENT, reverse_path, (path,), moment.astimezone(UTC), message)
    evidence = replace(_NO_EVIDENCE, malformed=message.problems)
    identity = replace(
        identify(transaction, evidence, policy.grounds, policy.day(moment)),
        level=Level(golden.level),
        level_reason="given by the case",
        level_pending=golden.pending,
    )
    kind = submission(message, golden.to, policy.grounds)
    return Case(transaction, path, evidence, identity, kind, moment), identity


def reverse_path_of(golden: GoldenCase, message: Message) -> Mailbox | None:
    """The envelope's: the author where the case names none."""
    given = golden.reverse_path
    return given if isinstance(given, Mailbox) else None if given == "null" else message.author


def differences(expect: Expectation, decision: Decision, identity: Identity) -> Iterator[tuple[str, str, str]]:
    """What came out otherwise: the key, what was expected, what was found."""
    disposition = decision.disposition
    found = {
        "rule": decision.rule,
        "disposition": _word(decision),
        "reason": disposition.reason if isinstance(disposition, Hold) else "none",
        "notice": ", ".join(decision.notices) or "none",
        "unit": identity.unit.id if identity.unit else "none",
        "observed": ", ".join(decision.observed) or "none",
    }
    for key, value in found.items():
        expected = getattr(expect, key)
        if expected is not None:
            text = ", ".join(expected) if isinstance(expected, tuple) else str(expected)
            if text != value:
                yield key, text, value


def _word(decision: Decision) -> str:
    disposition = decision.disposition
    if isinstance(disposition, Refuse):
        return "defer" if disposition.reply.is_temporary else "refuse"
    return type(disposition).__name__.lower()


_NOTHING = MethodResult("spf", "none")
_NO_EVIDENCE = Evidence(
    spf_mailfrom=_NOTHING,
    spf_helo=_NOTHING,
    dkim=(MethodResult("dkim", "none"),),
    dmarc=MethodResult("dmarc", "none"),
    arc=MethodResult("arc", "none"),
    iprev=MethodResult("iprev", "permerror"),
)


def message_octets(golden: GoldenCase) -> bytes:
    """The message of a case. Raises HeaderError for fields that cannot be written."""
    if golden.message is not None:
        return golden.message.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    name, _, address = golden.sender.rpartition(" ")
    fields = make_field("From", f"{encode_words(name.strip())} {address}".strip())
    fields += make_field("To", str(golden.to)) + make_field("Subject", encode_words(golden.subject))
    fields += make_field("Date", "Sat, 21 Nov 2026 09:00:00 +0700") + make_field("Message-ID", "<case@example.vn>")
    fields += make_field("MIME-Version", "1.0")
    for key, value in golden.headers.items():
        fields += make_field(key, encode_words(value))
    text = _entity("text/plain; charset=utf-8", "", golden.body)
    if not golden.attachments:
        return fields + text
    parts = [text, *(_entity("application/octet-stream", file, file) for file in golden.attachments)]
    body = b"".join(b"--%s\r\n%s\r\n" % (_BOUNDARY.encode(), part) for part in parts)
    fields += make_field("Content-Type", f'multipart/mixed; boundary="{_BOUNDARY}"')
    return fields + b"\r\n" + body + b"--%s--\r\n" % _BOUNDARY.encode()


def _entity(media_type: str, file: str, content: str) -> bytes:
    fields = make_field("Content-Type", media_type) + make_field("Content-Transfer-Encoding", "base64")
    if file:
        fields += make_field("Content-Disposition", f'attachment; filename="{encode_words(file)}"')
    return fields + b"\r\n" + base64.encodebytes(content.encode()).replace(b"\n", b"\r\n")
