"""One corpus through both doors: what a case is through SMTP it is through the milter, record for record (field.md 10)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.quarantine.entry import Entry
from tests.support.corpus import CorpusCase, cases
from tests.support.doors import ID, WHEN, comparable, same, settled
from tests.support.mail_server import Verdict
from tests.support.node import Gateway, gateway
from tests.support.sink import Taken

CASES = cases()
# Postfix does not tell a milter of white space before a colon, so the message is well-formed to us, not malformed and
# held as at the SMTP door; what is forged goes all the same.
WELL_FORMED_TO_A_MILTER = "31-forged-tags-malformed"


def held(entry: Entry) -> Entry:
    return replace(entry, id="", held_at=WHEN, retain_until=WHEN, client=replace(entry.client, port=0, name=""))


async def through_smtp(case: CorpusCase, gate: Gateway) -> str:
    return await gate.send(
        case.message, case.sender, case.recipients, helo=case.helo, address=case.session["client"],
        parameters="SMTPUTF8" if case.session.get("smtputf8") else "",
    )  # fmt: skip


async def through_milter(case: CorpusCase, gate: Gateway) -> Verdict:
    client = await gate.milter(helo=case.helo, address=case.session["client"])
    parameters = ("SMTPUTF8",) if case.session.get("smtputf8") else ()
    verdict = await client.transact(case.message, case.sender, case.recipients, parameters=parameters)
    client.quit()
    await client.close()
    return verdict


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name != WELL_FORMED_TO_A_MILTER], ids=lambda case: case.name
)
async def test_case_is_the_same_through_both_doors(case: CorpusCase, tmp_path: Path) -> None:
    """Reply, register, quarantine, notice, and every octet and recipient that is passed on."""
    overlay: dict[str, Any] = case.session.get("policy") or {}
    async with gateway(tmp_path / "smtp", zone=case.served, overlay=overlay) as one:
        reply = await through_smtp(case, one)
        wanted = [same(record) for record in await one.records()]
        kept = [held(entry) for entry in await one.entries()]
        passed = await settled(one)
    async with gateway(tmp_path / "milter", zone=case.served, overlay=overlay) as two:
        verdict = await through_milter(case, two)
        assert verdict.answer is not None
        assert [same(record) for record in await two.records()] == wanted
        assert [held(entry) for entry in await two.entries()] == kept
        sent = await settled(two)
    code = verdict.answer.code
    assert code == int(reply[:3])
    if code != 250:
        assert ID.sub(b"", verdict.answer.text.encode()) == ID.sub(b"", reply.encode())
    octets, recipients = verdict.applied(case.message)
    check_passed(case, passed, sent, octets, recipients)


def check_passed(
    case: CorpusCase, passed: list[Taken], sent: list[Taken], octets: bytes, recipients: tuple[str, ...]
) -> None:
    """What our own relaying and the mail server's give the receiving server together is the same mail."""
    ours = [one for one in passed if one.mail != "MAIL FROM:<>" or not case.sender]
    theirs = [
        (tuple(sorted(one.rcpts)), comparable(one.content))
        for one in sent
        if one.mail != "MAIL FROM:<>" or not case.sender
    ]
    if octets:
        theirs.insert(0, (tuple(sorted(f"RCPT TO:<{address}>" for address in recipients)), comparable(octets)))
    assert theirs == [(tuple(sorted(one.rcpts)), comparable(one.content)) for one in ours]


async def test_forged_field_with_a_blank_before_its_colon_is_removed(tmp_path: Path) -> None:
    """S-28: the case that a mail server does not show us as it came."""
    [case] = [case for case in CASES if case.name == WELL_FORMED_TO_A_MILTER]
    async with gateway(tmp_path, zone=case.served) as gate:
        verdict = await through_milter(case, gate)
        [record] = await gate.records()
    octets, _ = verdict.applied(case.message)
    assert [verb for _, verb, _ in record.fates] == ["relayed"]
    assert octets.lower().count(b"x-sending-unit") == 0
    assert octets.count(b"gia-mao") == case.message.count(b"gia-mao") - 2
