"""The corpus, through the pure core and through the whole gateway: the same case must be decided the same way."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.evidence.authres import write as authentication_results
from gateway.policy.judge import Judgement
from gateway.register.record import Record
from gateway.reloader import inspect
from tests.support.corpus import CorpusCase, cases
from tests.support.node import Gateway, gateway, id_of, policy_folder
from tests.support.sink import Taken

CASES = cases()
OURS = {"authentication-results", "received", "x-sending-unit", "x-sending-unit-name", "x-sending-unit-level"} | {
    "x-gateway-decision"
}


def fields_of(octets: bytes) -> list[bytes]:
    """Header fields with their folds, without the last CRLF; independent of the gateway's own reading."""
    return re.split(rb"\r\n(?![ \t])", octets.partition(b"\r\n\r\n")[0])


def named(octets: bytes, name: str) -> list[str]:
    prefix = name.lower().encode() + b":"
    return [f[len(prefix) :].decode().strip() for f in fields_of(octets) if f.lower().startswith(prefix)]


def without(octets: bytes, mark: str) -> bytes:
    """The message less the fields that hold the mark."""
    body = octets.partition(b"\r\n\r\n")[2]
    kept = [field for field in fields_of(octets) if mark.encode() not in field]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body


def test_there_are_cases() -> None:
    assert len(CASES) >= 20
    assert len({case.name.partition("-")[0] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_through_the_core(case: CorpusCase, tmp_path: Any) -> None:
    now = datetime.now(UTC)
    policy, problems = inspect(policy_folder(tmp_path / "p", 10025, case.session.get("policy")), now)
    assert policy, [problem.text() for problem in problems]
    evidence, judgement = case.judged(policy, now)
    expected, identity = case.expected, judgement.identity
    assert identity.level.value == expected["level"], identity.level_reason
    if "unit" in expected:
        assert (identity.unit.id if identity.unit else None) == expected["unit"]
    if "provider" in expected:
        assert identity.provider.value == expected["provider"]
    for method, result in expected.get("results", {}).items():
        assert next(r.result for r in evidence.results if r.method == method) == result, method
    if "rules" in expected:
        assert [decision.rule for _, decision in judgement.decisions] == expected["rules"]
    assert (judgement.reply is None) is expected["reply"].startswith("250")
    if judgement.reply:
        assert str(judgement.reply).startswith(expected["reply"])


@pytest.fixture
async def gate(case: CorpusCase, tmp_path: Any) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, zone=case.served, overlay=case.session.get("policy")) as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_case_through_the_door(case: CorpusCase, gate: Gateway) -> None:
    """Reply, receiving server, quarantine, register and notice; and the decision is the core's own."""
    expected = case.expected
    reply = await gate.send(
        case.message,
        case.sender,
        case.recipients,
        helo=case.helo,
        address=case.session["client"],
        parameters="SMTPUTF8" if case.session.get("smtputf8") else "",
    )
    assert reply.startswith(expected["reply"]), reply
    await check_notice(case, gate)
    transfers = [taken for taken in gate.sink.taken if taken.mail != "MAIL FROM:<>" or not case.sender]
    assert len(transfers) == len(expected["relayed"])
    evidence, judgement = case.judged(gate.node.reloader.current, datetime.now(UTC))
    for taken, wanted in zip(transfers, expected["relayed"], strict=True):
        check_transfer(case, taken, wanted)
        ours = authentication_results(evidence, "mx.longan.edu.vn")
        assert taken.content.startswith(ours), taken.content.decode()
    if directory := expected.get("maildir"):
        [file] = (gate.node.settings.state / directory / "new").iterdir()
        assert case.message in file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    entries = await gate.entries()
    assert [entry.state.value for entry in entries] == (["held"] if expected["held"] else [])
    if held := expected["held"]:
        assert entries[0].reason == held["reason"]
        assert [str(path.mailbox) for path in entries[0].recipients] == held["to"]
        assert gate.node.store.open_blob(entries[0].digest) == case.message
    records = await gate.records()
    assert len(records) == int(reply.startswith("250"))
    if records:
        check_record(case, records[0], reply, judgement)


def check_transfer(case: CorpusCase, taken: Taken, wanted: dict[str, Any]) -> None:
    """What the receiving server got is what the client sent, with our fields before it and the forged ones gone (R-16)."""
    assert taken.rcpts == [f"RCPT TO:<{address}>" for address in wanted["to"]]
    octets = case.message
    if mark := case.expected.get("removed"):
        octets = without(octets, mark)
        assert case.expected["kept"].encode() in octets
        assert mark.encode() not in taken.content
    if subject := wanted.get("subject"):
        assert decoded(named(taken.content, "Subject")) == [subject]
        octets = b"\r\n".join(f for f in fields_of(octets) if not f.startswith(b"Subject:")) + b"\r\n\r\n"
        octets += case.message.partition(b"\r\n\r\n")[2]
    assert taken.content.endswith(octets)
    added = fields_of(taken.content[: -len(octets)].removesuffix(b"\r\n") + b"\r\n\r\n")
    names = {field.partition(b":")[0].decode().lower() for field in added}
    assert names <= OURS | ({"subject"} if subject else set())
    assert {"authentication-results", "received", "x-gateway-decision"} <= names
    for name, value in wanted.get("fields", {}).items():
        assert named(taken.content, name) == ([value] if value is not None else [])


def decoded(values: list[str]) -> list[str]:
    from email.header import decode_header, make_header

    return [str(make_header(decode_header(value))) for value in values]


def check_record(case: CorpusCase, record: Record, reply: str, judgement: Judgement) -> None:
    assert record.id == id_of(reply)
    assert record.facts == json.loads(json.dumps(judgement.facts(), default=str))
    assert record.level == case.expected["level"]
    if "rules" in case.expected:
        assert [rule for _, _, rule in record.fates] == case.expected["rules"]
    if "verbs" in case.expected:
        assert [verb for _, verb, _ in record.fates] == case.expected["verbs"]
    assert record.notice.startswith(case.expected["notice"])
    assert bool(record.notice) is bool(case.expected["notice"])
    assert record.size == len(case.message)


async def check_notice(case: CorpusCase, gate: Gateway) -> None:
    """Exactly one notice to the one who sent it, or none at all."""
    to = case.expected.get("notice_to")
    counts = await gate.counts()
    assert sum(number for name, number in counts.items() if name.startswith("outbox")) == (1 if to else 0)
    if to:
        taken = await gate.taken(len(case.expected["relayed"]) + 1)
        notices = [message for message in taken if message.mail == "MAIL FROM:<>"]
        assert [notice.rcpts for notice in notices] == [[f"RCPT TO:<{to}> NOTIFY=NEVER"]]
        assert named(notices[0].content, "Auto-Submitted") == ["auto-replied"]
        assert b"1077" in notices[0].content
