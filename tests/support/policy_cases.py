"""Policy sets and cases for tests: the good set of tests/bad_policies, single rules, and one recipient's case."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from datetime import UTC, date, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from gateway.envelope.address import Mailbox, parse_mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, ForwardPath, Transaction
from gateway.evidence.result import Evidence, MethodResult
from gateway.identity.identity import Identity, Level, Provider, Submission, Unit
from gateway.policy.case import Case
from gateway.policy.parse import PolicySet, load
from gateway.policy.problem import Problem
from gateway.reloader.directory import read_directory

BAD_POLICIES = Path(__file__).parents[1] / "bad_policies"
TODAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)  # 12:00 in Long An
SCHOOL = Unit("thpt-tan-an", "Trường THPT Tân An", "thpt", "sgddt")

_HEAD = """\
version: 1
authserv_id: mx.longan.edu.vn
own_domains: [longan.edu.vn]
official_domains: [moet.edu.vn, longan.edu.vn]
routes:
  main: { host: 127.0.0.1, port: 10025 }
rules:
"""


def good_files() -> dict[str, str]:
    files, problems = read_directory(BAD_POLICIES / "good")
    assert not problems
    return files


def loaded(files: dict[str, str]) -> PolicySet:
    policy, problems = load(files, today=TODAY, generation=7)
    assert policy, [str(problem) for problem in problems]
    return policy


def with_rules(rules: str) -> dict[str, str]:
    """The good files with these rules (YAML list) and a last rule that relays."""
    text = textwrap.indent(textwrap.dedent(rules).strip("\n"), "  ")
    return {**good_files(), "policy.yaml": f"{_HEAD}{text}\n  - name: everything-else\n    then: {{ relay: {{}} }}\n"}


def policy_of(rules: str) -> PolicySet:
    return loaded(with_rules(rules))


def problems_of(rules: str) -> list[Problem]:
    return load(with_rules(rules), today=TODAY)[1]


_NONE = MethodResult("spf", "none")
EVIDENCE = Evidence(_NONE, _NONE, (), MethodResult("dmarc", "none"), MethodResult("arc", "none"), _NONE)


def case(
    raw: str = "",
    *,
    subject: str = "Hỏi thăm",
    author: str = "hoanguyen.tanan@gmail.com",
    to: str = "vanthu@longan.edu.vn",
    reverse_path: str | None = "hoanguyen.tanan@gmail.com",
    provider: Provider = Provider.FREE,
    level: Level = Level.SIGNED,
    pending: bool = False,
    unit: Unit | None = None,
    administrative: bool = False,
    numbers: tuple[str, ...] = (),
    kind: str = "",
    now: datetime = NOON,
    malformed: tuple[str, ...] = (),
) -> Case:
    """One recipient's case; identity and submission are given, not found."""
    fields = f"From: <{author}>\nTo: <{to}>\nSubject: {subject}\n"
    message = Message((raw or fields + "\nChào.\n").replace("\n", "\r\n").encode())
    path = ForwardPath(Mailbox("postmaster", "") if to == "postmaster" else parse_mailbox(to))
    transaction = Transaction(
        "ABCD-EFGH-JKMN",
        Client(IPv4Address("192.0.2.1")),
        parse_mailbox(reverse_path) if reverse_path else None,
        (path,),
        now,
        message,
    )
    mailbox: Any = parse_mailbox(author) if author else None
    identity = Identity(mailbox, "Nguyễn Thị Hoa", level, "given", pending, provider, "given", unit)
    submission = Submission(administrative, ("given",) if administrative else (), numbers, kind)
    return Case(transaction, path, replace(EVIDENCE, malformed=malformed), identity, submission, now)
