"""Each condition of `when`: what it takes in, what it leaves out, and what a temperror leaves open."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.identity.identity import Level, Provider
from gateway.policy.match import Fact
from tests.support.policy_cases import SCHOOL, case, policy_of

OFFICIAL: dict[str, Any] = {"author": "thpt@tanan.longan.edu.vn", "provider": Provider.OFFICIAL}
PDF = """From: <a@gmail.com>
Subject: x
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: image/png; name="anh.PNG"

x
--b
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="12_BC-THPT.pdf"

y
--b--
"""


def answer(when: str, **given: Any) -> bool | None:
    rule = policy_of(f"- name: one\n  when: {{ {when} }}\n  then: {{ discard: {{}} }}").rules[0]
    return rule.match.judge(case(given.pop("raw", ""), **given))[0]


@pytest.mark.parametrize(
    ("when", "given", "expected"),
    [
        ("sender: free-provider", {}, True),
        ("sender: [official, other]", {}, False),
        ("sender: unknown", {"provider": Provider.UNKNOWN, "author": ""}, True),
        ("author_domain: official", OFFICIAL, True),
        ("author_domain: official", {"author": "a@daihoclongan.edu.vn"}, False),
        ("author_domain: free-provider", {}, True),
        ("author_domain: gmail.com", {}, True),
        ("author_domain: '*.longan.edu.vn'", OFFICIAL, True),
        ("author_domain: '*.longan.edu.vn'", {"author": "a@longan.edu.vn"}, False),
        ("author_domain: longan.edu.vn", OFFICIAL, False),
        ("author_domain: official", {"author": ""}, False),
        ("unit: known", {"unit": SCHOOL}, True),
        ("unit: known", {}, False),
        ("unit: unknown", {}, True),
        ("unit: [sgddt, thpt-tan-an]", {"unit": SCHOOL}, True),
        ("unit: sgddt", {"unit": SCHOOL}, False),
        ("unit_kind: thpt", {"unit": SCHOOL}, True),
        ("unit_kind: thpt", {}, False),
        ("level: [signed, authorized]", {}, True),
        ("level: claimed", {}, False),
        ("recipient: vanthu@longan.edu.vn", {"to": "VanThu@LongAn.edu.vn"}, True),
        ("recipient: '*.phong@longan.edu.vn'", {"to": "khtc.phong@longan.edu.vn"}, True),
        ("recipient: '*.phong@longan.edu.vn'", {"to": "phong@longan.edu.vn"}, False),
        (
            "recipient: '\"giu lai\"@longan.edu.vn'",
            {"to": '"giu lai"@longan.edu.vn'},
            True,
        ),  # a quoted local-part keeps its quotes
        ("recipient: longan.edu.vn", {}, True),
        ("submission: administrative", {"administrative": True}, True),
        ("submission: administrative", {}, False),
        ("submission: other", {}, True),
        ("document_number: true", {"numbers": ("12/BC-THPT",)}, True),
        ("document_number: false", {}, True),
        ("document_number: [BC, TTr]", {"numbers": ("12/BC-THPT",), "kind": "BC"}, True),
        ("document_number: ttr", {"numbers": ("12/TTr-THPT",), "kind": "TTr"}, True),
        ("document_number: CV", {"numbers": ("12/BC-THPT",), "kind": "BC"}, False),
        ("attachment_type: pdf", {"raw": PDF}, True),
        ("attachment_type: image/*", {"raw": PDF}, True),
        ("attachment_type: image/png", {"raw": PDF}, True),
        ("attachment_type: [docx, xlsx]", {"raw": PDF}, False),
        ("attachment_regex: '^\\d+_BC'", {"raw": PDF}, True),
        ("attachment_regex: '^\\d+_CV'", {"raw": PDF}, False),
        ("subject_words: bao cao", {"subject": "V/v: BÁO CÁO tháng 11"}, True),
        ("subject_words: báo cáo", {"subject": "bao cao thang 11"}, True),
        ("subject_words: báo cáo", {"subject": "baocao"}, False),
        ("subject_regex: 'Báo cáo'", {"subject": "Ba\u0301o ca\u0301o"}, True),  # decomposed letters
        ("subject_regex: 'báo'", {"subject": "BÁO"}, False),
        ("subject_regex: '(?i)báo'", {"subject": "BÁO"}, True),
        ("size: '> 10MiB'", {}, False),
        ("size: '< 1KiB'", {}, True),
        ("time: { weekdays: [sat, sun] }", {}, True),
        ("time: { weekdays: [mon] }", {}, False),
        ("time: { hours: '12:00-13:00' }", {}, True),
        ("time: { hours: '07:00-12:00' }", {}, False),
        ("time: { hours: '22:00-12:30' }", {}, True),
        ("time: { since: 2026-11-21, until: 2026-11-21 }", {}, True),
        ("time: { since: 2026-11-22 }", {}, False),
        ("time: { since: 2026-11-22 }", {"now": datetime(2026, 11, 21, 17, 0, tzinfo=UTC)}, True),
        ("header: [X-Other, subject]", {}, True),
        ("header: X-Other", {}, False),
        ("reverse_path: null", {"reverse_path": None}, True),
        ("reverse_path: null", {}, False),
        ("reverse_path: ['null', gmail.com]", {}, True),
        ("reverse_path: gmail.com", {"reverse_path": None}, False),
        ("malformed: true", {"malformed": ("two From fields",)}, True),
        ("malformed: true", {}, False),
        ("malformed: false", {}, True),
        ("list_mail: true", {"raw": "From: <a@gmail.com>\nList-Id: <x.example.vn>\n\nx\n"}, True),
        ("list_mail: false", {}, True),
        ("sender: free-provider, unit: known", {}, False),
    ],
)
def test_condition(when: str, given: dict[str, Any], expected: bool) -> None:
    assert answer(when, **given) is expected


@pytest.mark.parametrize(
    ("wanted", "level", "expected"),
    [
        ("[signed]", Level.CLAIMED, None),
        ("[claimed]", Level.CLAIMED, None),
        ("[signed, authorized, shared, claimed]", Level.CLAIMED, True),
        ("[claimed]", Level.SHARED, False),
        ("[signed, authorized]", Level.AUTHORIZED, True),
        ("[authorized]", Level.AUTHORIZED, None),
        ("[signed]", Level.SIGNED, True),
        ("[shared]", Level.SIGNED, False),
    ],
)
def test_a_temperror_leaves_open_only_what_it_could_change(wanted: str, level: Level, expected: bool | None) -> None:
    assert answer(f"level: {wanted}", level=level, pending=True) is expected


def test_a_no_beside_an_open_answer_is_no() -> None:
    assert answer("level: signed, sender: official", level=Level.CLAIMED, pending=True) is False


@pytest.mark.parametrize(
    ("unless", "given", "expected"),
    [
        ("{ list_mail: true }", {}, True),
        ("{ sender: free-provider }", {}, False),
        ("[{ unit: known }, { reverse_path: null }]", {"reverse_path": None}, False),
        ("{ level: signed }", {"level": Level.CLAIMED, "pending": True}, None),
    ],
)
def test_exceptions(unless: str, given: dict[str, Any], expected: bool | None) -> None:
    rule = policy_of(
        f"- name: one\n  when: {{ recipient: longan.edu.vn }}\n  unless: {unless}\n  then: {{ discard: {{}} }}"
    ).rules[0]
    assert rule.match.judge(case(**given))[0] is expected


def test_S40_a_regex_that_hurts_others_is_linear_here() -> None:
    assert answer("subject_regex: '^(a+)+$'", subject="a" * 50_000 + "!") is False


def test_facts_say_what_was_seen() -> None:
    rule = policy_of("- name: one\n  when: { sender: free-provider, level: claimed }\n  then: { discard: {} }").rules[0]
    facts = rule.match.judge(case())[1]
    assert facts == ("sender: yes: free-provider", "level: no: signed")
    assert Fact.parse("time: yes: 2026-11-21 12:00") == Fact("time", "yes", "2026-11-21 12:00")
