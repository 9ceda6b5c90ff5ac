"""The quick ways of rules beside the plain ones: whatever the text, both say the same."""

import unicodedata
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope.address import parse_mailbox
from gateway.envelope.folding import contains_words, fold
from gateway.envelope.transaction import ForwardPath
from gateway.identity.identity import Level, Provider
from gateway.identity.subject_words import SubjectWords
from gateway.policy import judge as judging
from gateway.policy.conditions_message import REGEX_INPUT_MAX, subject_regex
from gateway.policy.decide import Case, decide
from gateway.policy.decision import Step
from gateway.policy.judge import judge
from gateway.policy.match import Setting
from gateway.policy.patterns import Domains, domain_matches
from gateway.policy.policyset import PolicySet
from gateway.policy.rules import Rule
from gateway.policy.values_mail import regex
from tests.support.policy_cases import EVIDENCE, NOON, SCHOOL, case, policy_of

LETTERS = st.text(alphabet=st.sampled_from("aAbÁáâđĐ ế_-/\u0301\u0300\u200b\ufeff0ß\ud800😀"), max_size=24)
NAMES = st.lists(st.sampled_from(["vn", "edu", "a", "b"]), min_size=1, max_size=4).map(".".join)
PATTERNS = st.lists(st.one_of(NAMES, NAMES.map("*.{}".format)), max_size=5)
SETTING = Setting(timezone=None, official_domains=())  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.lists(LETTERS, max_size=6), LETTERS)
def test_subject_words_stand_as_contains_words_says(phrases: list[str], text: str) -> None:
    folded = fold(text)
    plain = [phrase for phrase in phrases if contains_words(folded, fold(phrase))]
    assert list(SubjectWords(phrases).found(folded)) == plain


@settings(max_examples=300, deadline=None)
@given(PATTERNS, NAMES)
def test_a_domain_is_in_the_list_as_domain_matches_says(patterns: list[str], domain: str) -> None:
    assert Domains(patterns).match(domain) is any(domain_matches(pattern, domain) for pattern in patterns)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["Á+b", "(a|đ)(?i:B)", "^a.?$", r"\bế\b", r"[^\x00-\x7f]{2}", r"\pL\s", r"a\z", "😀|\\?", ""]),
    LETTERS,
)
def test_a_pattern_finds_the_same_in_octets_as_in_text(pattern: str, text: str) -> None:
    assert _found(pattern, text) is _found_in_text(pattern, text)


@pytest.mark.parametrize(
    "text", ["x" * REGEX_INPUT_MAX + "b", "x" * (REGEX_INPUT_MAX - 1) + "ế", "ế" * REGEX_INPUT_MAX]
)
@pytest.mark.parametrize("pattern", ["b", "ế", "^.*$", "xế?$", r"[^\x00-\x7f]$"])
def test_a_long_text_is_cut_between_characters(pattern: str, text: str) -> None:
    assert _found(pattern, text) is _found_in_text(pattern, text)


def _found(pattern: str, text: str) -> bool:
    seen = SimpleNamespace(transaction=SimpleNamespace(message=SimpleNamespace(subject=text)))
    return subject_regex(pattern, SETTING)(seen)[0] is True  # type: ignore[arg-type]


def _found_in_text(pattern: str, text: str) -> bool:
    octets = unicodedata.normalize("NFC", text).encode("utf-8", "replace")[:REGEX_INPUT_MAX]
    return regex(pattern).search(octets.decode("utf-8", "ignore")) is not None


ADMINISTRATIVE = "- { name: one, when: { submission: administrative }, then: { hold: { reason: one } } }\n"
RECIPIENT = "- { name: two, when: { recipient: b@longan.edu.vn }, then: { discard: {} } }\n"
EXCEPTION = "- { name: two, unless: [ { recipient: b@longan.edu.vn } ], then: { discard: {} } }\n"


@pytest.mark.parametrize("rules", [ADMINISTRATIVE, ADMINISTRATIVE + RECIPIENT, ADMINISTRATIVE + EXCEPTION])
def test_recipients_decided_together_are_decided_as_each_alone(rules: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = policy_of(rules)
    one = case(subject="Báo cáo")
    names = (
        "a@longan.edu.vn",
        "b@longan.edu.vn",
        "vanthu@longan.edu.vn",
        "VanThu@longan.edu.vn",
        "b@longan.edu.vn",
        "c@longan.edu.vn",
    )
    paths = tuple(ForwardPath(parse_mailbox(name)) for name in names)
    transaction = replace(one.transaction, forward_paths=paths)
    asked: list[Case] = []
    monkeypatch.setattr(judging, "decide", lambda case, policy: asked.append(case) or decide(case, policy))
    judgement = judge(transaction, EVIDENCE, policy, one.now)
    alone = [
        (path, decide(Case(transaction, path, EVIDENCE, judgement.identity, seen, one.now), policy))
        for path, seen in zip(paths, judgement.submissions, strict=True)
    ]
    assert list(judgement.decisions) == alone
    assert len(asked) == len(paths) if policy.asks_recipient else len(asked) < len(paths)


RULES = """
- name: nobody
  when: { unit: known, level: claimed }
  then: { discard: {} }
- name: early
  when: { sender: free-provider, submission: administrative }
  rollout: { observe: 2026-11-01, hold: 2026-12-15 }
  then: { hold: { reason: early } }
- name: excepted
  unless: [ { level: claimed }, { unit: known } ]
  then: { hold: { reason: excepted } }
- name: proven
  when: { level: [ signed, authorized ], subject_words: [ chào ] }
  then: { refuse: { code: 550, text: no } }
"""


@settings(max_examples=200, deadline=None)
@given(
    provider=st.sampled_from(Provider),
    level=st.sampled_from(Level),
    pending=st.booleans(),
    unit=st.sampled_from([None, SCHOOL]),
    administrative=st.booleans(),
    subject=st.sampled_from(["Chào", "Hỏi thăm"]),
    days=st.integers(-40, 40),
)
def test_a_rule_that_ends_with_its_first_condition_is_told_as_if_read_whole(days: int, **facts: Any) -> None:
    policy, seen = _policy(), case(now=NOON + timedelta(days), **facts)
    decision = decide(seen, policy)
    looked_at = policy.rules[: len(decision.trace)]
    phases = [
        rule.schedule.phase(policy.day(seen.now), seen.identity.unit) if rule.schedule else "" for rule in looked_at
    ]
    assert decision.trace == tuple(
        Step(rule.name, *_judged(rule, seen, phase)) for rule, phase in zip(looked_at, phases, strict=True)
    )
    assert decision.rule == looked_at[-1].name
    assert all(
        step.answer is False or rule.schedule or (step.answer is None and rule.meanwhile is None)
        for step, rule in zip(decision.trace[:-1], looked_at[:-1], strict=True)
    )


@lru_cache
def _policy() -> PolicySet:
    return policy_of(RULES)


def _judged(rule: Rule, seen: Case, phase: str) -> tuple[bool | None, str, tuple[str, ...]]:
    answer, facts = rule.match.judge(seen)
    return answer, phase, facts
