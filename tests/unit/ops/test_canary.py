"""Canaries: the policy in force, real DNS over loopback, real signatures; nothing but a verdict comes of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import maillog, metrics
from gateway.canary import Canaries, Outcome
from gateway.metrics import gauges
from gateway.policy.policyset import PolicySet
from gateway.policy.schema_case import GoldenCase
from gateway.reloader import inspect
from gateway.resolver import Resolver
from tests.support.dns_server import SERVFAIL, DnsServer, ZoneData, settings_for

POLICIES = Path(__file__).parents[3] / "policies"
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
UNIT = {
    "name": "đơn vị",
    "canary": True,
    "from": "Phòng GD&ĐT thành phố Tân An <pgdtanan.longan@moet.edu.vn>",
    "to": "vanthu@longan.edu.vn",
    "subject": "Báo cáo số 45/BC-PGDĐT",
}
ZONE: ZoneData = {
    "moet.edu.vn": {"TXT": ["v=spf1 ip4:203.0.113.7 -all"]},
    "longan.edu.vn": {"TXT": ["v=spf1 ip4:203.0.113.8 -all"]},
    "gmail.com": {"TXT": ["v=spf1 ip4:203.0.113.9 -all"]},
}


def shipped() -> PolicySet:
    policy, _ = inspect(POLICIES, NOW)
    assert policy
    return policy


def with_canaries(*cases: Mapping[str, Any]) -> PolicySet:
    return replace(shipped(), canaries=tuple(GoldenCase.model_validate(case) for case in cases))


async def judged(policy: PolicySet, zone: ZoneData, clock: Callable[[], datetime] = lambda: NOW) -> list[Outcome]:
    async with DnsServer(zone) as dns:
        resolver = Resolver(settings_for(dns.address, timeout=1.0))
        try:
            return await Canaries(resolver, lambda: policy, clock).judged()
        finally:
            await resolver.close()


async def test_the_shipped_canaries_are_as_expected() -> None:
    outcomes = await judged(shipped(), ZONE)
    assert len(outcomes) == 5
    assert {one.differences for one in outcomes} == {()}
    assert {one.rule for one in outcomes} >= {"free-provider-submission", "unit-mail", "false-official-sender"}


@pytest.mark.parametrize("level", ["signed", "authorized", "shared", "claimed"])
async def test_each_level_is_really_proven(level: str) -> None:
    rule = {"shared": "everything-else", "claimed": "false-official-sender"}.get(level, "unit-mail")
    [outcome] = await judged(with_canaries({**UNIT, "level": level, "expect": {"rule": rule}}), ZONE)
    assert outcome == Outcome("đơn vị", rule, ())


async def test_one_whose_fate_is_another_says_what_is_different() -> None:
    expect = {"rule": "everything-else", "unit": "pgddt-tan-an", "disposition": "hold"}
    [outcome] = await judged(with_canaries({**UNIT, "level": "signed", "expect": expect}), ZONE)
    assert outcome.differences == (
        "rule should be 'everything-else' and is 'unit-mail'",
        "disposition should be 'hold' and is 'relay'",
    )


async def test_the_rollout_of_a_day_changes_the_fate() -> None:
    """A golden case is of its own day; a canary is of today."""
    outcomes = await judged(shipped(), ZONE, lambda: datetime(2026, 9, 15, tzinfo=UTC))
    assert [one.case for one in outcomes if one.differences] == [
        "Báo cáo gửi từ Gmail",
        "Thư mang tên miền công vụ mà không chứng thực được",
    ]


async def test_dns_that_fails_is_seen() -> None:
    zone: ZoneData = {**ZONE, "_dmarc.longan.edu.vn": {"TXT": SERVFAIL}, "longan.edu.vn": {"TXT": SERVFAIL}}
    outcomes = await judged(shipped(), zone)
    [claimed] = [one for one in outcomes if one.case.startswith("Thư mang tên miền")]
    assert "disposition should be 'hold' and is 'defer'" in claimed.differences


async def test_one_that_breaks_is_told_and_the_others_go_on() -> None:
    broken = {**UNIT, "name": "hỏng", "headers": {"Bad Name": "x"}, "expect": {"rule": "unit-mail"}}
    good = {**UNIT, "level": "signed", "expect": {"rule": "unit-mail"}}
    first, second = await judged(with_canaries(broken, good), ZONE)
    assert "it broke the gateway" in first.differences[0]
    assert second.differences == ()


async def test_what_people_see_of_it() -> None:
    """A gauge for each, a count of changes, a line in the log when one changes or is wrong from the start; gone ones go."""
    canaries = Canaries(None, shipped, lambda: NOW)  # type: ignore[arg-type]
    changes = metrics.canary_changes._value.get()
    log = io.BytesIO()
    maillog.write_to(log)
    canaries._tell([Outcome("a", "r", ()), Outcome("b", "r", ("wrong",))])
    assert shown() == {"a": 1.0, "b": 0.0}
    canaries._tell([Outcome("a", "r", ("wrong now",))])
    assert shown() == {"a": 0.0}
    canaries._tell([Outcome("a", "r", ("wrong now",))])
    maillog.write_to(None)
    assert metrics.canary_changes._value.get() - changes == 1
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["case"], line["differences"]) for line in lines] == [("b", ["wrong"]), ("a", ["wrong now"])]


def shown() -> dict[str, float]:
    return {labels[0]: value for labels, value in gauges.canary_expected._values.items()}
