"""Rules in order, phases of a rollout, notices, and many decisions for one reply."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.envelope.address import parse_mailbox
from gateway.envelope.reply import Reply
from gateway.identity.identity import Level
from gateway.policy.decide import decide, settle
from gateway.policy.decision import Decision, Discard, Hold, Refuse, Relay
from tests.support.policy_cases import SCHOOL, case, policy_of

PILOT = """
- name: pilot
  when: { sender: free-provider }
  rollout:
    observe: 2026-09-01
    remind: 2026-10-01
    hold: 2026-11-01
    units: { thpt-tan-an: { hold: 2027-02-01 } }
    unit_kinds: { thpt: { hold: never }, so: { observe: 2026-01-01, remind: 2026-01-02, hold: 2026-01-03 } }
  then: { hold: { reason: free-provider, retain: 10d }, notice: directive-1077 }
"""


def on(day: str, hour: int = 12) -> datetime:
    return datetime.fromisoformat(f"{day}T{hour:02}:00:00+07:00").astimezone(UTC)


def test_the_first_rule_that_applies_wins_and_the_trace_names_those_before() -> None:
    policy = policy_of("""
    - name: lists
      when: { list_mail: true }
      then: { discard: {} }
    - name: free
      when: { sender: free-provider }
      then: { hold: { reason: free-provider, retain: 72h } }
    - name: also-free
      when: { author_domain: gmail.com }
      then: { discard: {} }
    """)
    decision = decide(case(), policy)
    assert decision.disposition == Hold("free-provider", timedelta(days=3))
    assert (decision.rule, decision.generation) == ("free", 7)
    assert [(step.rule, step.answer) for step in decision.trace] == [("lists", False), ("free", True)]


def test_relay_carries_everything_the_rule_says() -> None:
    policy = policy_of("""
    - name: one
      when: { sender: free-provider }
      then:
        relay:
          { redirect: vanthu@longan.edu.vn, copy_to: [luutru@longan.edu.vn], tags: unit-headers, subject_prefix: "[Gmail]" }
    """)
    assert decide(case(), policy).disposition == Relay(
        "main",
        (parse_mailbox("vanthu@longan.edu.vn"),),
        (parse_mailbox("luutru@longan.edu.vn"),),
        ("unit-headers",),
        "",
        "[Gmail]",
    )


@pytest.mark.parametrize(
    ("meanwhile", "disposition", "rule"),
    [
        ("", Refuse, "proven"),
        ("meanwhile: defer", Refuse, "proven"),
        ("meanwhile: pass", Relay, "everything-else"),
        ("meanwhile: { hold: { reason: dns } }", Hold, "proven"),
    ],
)
def test_F18_while_dns_is_silent_the_rule_says_what_to_do(meanwhile: str, disposition: type, rule: str) -> None:
    policy = policy_of(f"- name: proven\n  when: {{ level: signed }}\n  then: {{ discard: {{}} }}\n  {meanwhile}")
    decision = decide(case(level=Level.CLAIMED, pending=True), policy)
    assert isinstance(decision.disposition, disposition)
    assert decision.rule == rule
    if isinstance(decision.disposition, Refuse):
        assert decision.disposition.reply.code == 451


@pytest.mark.parametrize(
    ("day", "disposition", "notices", "observed"),
    [
        ("2026-08-31", Relay, (), ()),
        ("2026-09-01", Relay, (), ("pilot",)),
        ("2026-10-01", Relay, ("directive-1077",), ("pilot",)),
        ("2026-10-31", Relay, ("directive-1077",), ("pilot",)),
        ("2026-11-01", Hold, ("directive-1077",), ()),
    ],
)
def test_phases(day: str, disposition: type, notices: tuple[str, ...], observed: tuple[str, ...]) -> None:
    decision = decide(case(now=on(day)), policy_of(PILOT))
    assert isinstance(decision.disposition, disposition)
    assert (decision.notices, decision.observed) == (notices, observed)


def test_a_phase_begins_at_midnight_of_the_policys_time_zone() -> None:
    policy = policy_of(PILOT)
    assert isinstance(decide(case(now=datetime(2026, 10, 31, 16, 59, tzinfo=UTC)), policy).disposition, Relay)
    assert isinstance(decide(case(now=datetime(2026, 10, 31, 17, 0, tzinfo=UTC)), policy).disposition, Hold)


def test_a_unit_has_its_own_days_before_its_kind_and_its_kind_before_all() -> None:
    policy = policy_of(PILOT)
    assert decide(case(now=on("2026-11-21"), unit=SCHOOL), policy).trace[0].phase == "remind"
    assert isinstance(decide(case(now=on("2027-02-01"), unit=SCHOOL), policy).disposition, Hold)
    other = SCHOOL.__class__("thpt-le-quy-don", "Trường THPT Lê Quý Đôn", "thpt")
    assert decide(case(now=on("2030-01-01"), unit=other), policy).trace[0].phase == "remind"
    office = SCHOOL.__class__("sgddt", "Sở Giáo dục và Đào tạo Long An", "so")
    assert isinstance(decide(case(now=on("2026-01-03"), unit=office), policy).disposition, Hold)


def test_an_early_phase_never_defers_mail() -> None:
    policy = policy_of("""
    - name: pilot
      when: { level: claimed }
      rollout: { observe: 2026-09-01, hold: 2027-01-01 }
      then: { hold: { reason: unproven } }
    """)
    decision = decide(case(level=Level.CLAIMED, pending=True), policy)
    assert isinstance(decision.disposition, Relay)
    assert decision.observed == ()


@pytest.mark.parametrize(
    ("then", "notices"),
    [
        ("relay: {}", ("directive-1077",)),
        ("hold: { reason: other }", ()),
        ("refuse: { text: No }", ()),
        ("discard: {}", ()),
    ],
)
def test_AR13_a_reminder_goes_only_with_mail_that_is_delivered(then: str, notices: tuple[str, ...]) -> None:
    rules = PILOT + f"- name: second\n  when: {{ author_domain: gmail.com }}\n  then: {{ {then} }}\n"
    decision = decide(case(now=on("2026-10-15")), policy_of(rules))
    assert decision.rule == "second"
    assert decision.notices == notices
    assert decision.observed == ("pilot",)


OK, TEMP, PERM = Relay(), Refuse(Reply(451, "4.7.1", "later")), Refuse(Reply(550, "5.7.1", "no"))
PERM2 = Refuse(Reply(552, "5.3.4", "too big"))


def decisions(*dispositions: Relay | Hold | Refuse | Discard) -> list[Decision]:
    return [
        Decision(parse_mailbox(f"r{i}@longan.edu.vn"), disposition, "rule", notices=("directive-1077",))
        for i, disposition in enumerate(dispositions)
    ]


def test_settle_a_temporary_refusal_refuses_all() -> None:
    given = decisions(OK, PERM, TEMP)
    settled = settle(given)
    assert settled.reply == TEMP.reply
    assert settled.decisions == tuple(given)


def test_settle_all_refused_get_the_first_reply() -> None:
    assert settle(decisions(PERM2, PERM)).reply == PERM2.reply


@pytest.mark.parametrize("accepted", [OK, Hold("free-provider"), Discard()])
def test_settle_a_refusal_beside_an_acceptance_is_held_without_notice(accepted: Relay | Hold | Discard) -> None:
    settled = settle(decisions(accepted, PERM))
    assert settled.reply is None
    assert settled.decisions[0].disposition == accepted
    assert settled.decisions[0].notices == ("directive-1077",)
    assert settled.decisions[1].disposition == Hold("refused-in-mixed")
    assert settled.decisions[1].notices == ()


def test_settle_leaves_acceptances_alone() -> None:
    given = decisions(OK, Hold("x"), Discard())
    assert settle(given).decisions == tuple(given)
    assert settle([]).reply is None
