"""The delivered policies/ directory, its golden cases, its generated files; the words of an explanation."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.envelope.address import Mailbox, parse_mailbox
from gateway.policy.cases import read_cases, run_cases
from gateway.policy.check import check
from gateway.policy.decide import decide
from gateway.policy.explain import explain
from gateway.policy.parse import load
from gateway.policy.problem import Problem
from gateway.policy.readme import json_schema, readme
from gateway.policy.schema import PolicyModel
from gateway.reloader.directory import read_directory
from tests.support.policy_cases import NOON, SCHOOL, TODAY, case, good_files, loaded, policy_of, problems_of

POLICIES = Path(__file__).parents[3] / "policies"
GOLDEN = """
cases:
  - name: báo cáo từ Gmail
    at: 2026-11-21 09:00
    from: Nguyễn Thị Hoa <hoanguyen@gmail.com>
    to: vanthu@longan.edu.vn
    level: signed
    subject: Báo cáo số 12/BC-THPT
    attachments: 12_BC-THPT.pdf
    expect: { rule: free-provider-submission, disposition: %s, notice: directive-1077, unit: none }
"""


def ran(files: dict[str, str]) -> list[Problem]:
    """Every problem of the cases among the files."""
    cases, problems = read_cases(files)
    return problems + run_cases(loaded(good_files()), cases, NOON)


def test_the_delivered_policies_are_without_any_error_and_pass_their_cases() -> None:
    files, unreadable = read_directory(POLICIES)
    policy, problems = check(files, now=NOON)
    assert [str(p) for p in [*unreadable, *problems] if p.severity == "error"] == []
    assert policy
    assert policy.directives["directive-1077"].document.number == "1077/SGDĐT-KTQLCL"


def test_readme_and_schema_are_what_the_models_say() -> None:
    assert (POLICIES / "README.md").read_text("utf-8") == readme(), "generate again: gateway.policy.readme"
    assert (POLICIES / "schema.json").read_text("utf-8") == json_schema()


def test_every_field_is_described_in_both_languages() -> None:
    for line in readme().partition("\n## ")[2].splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert len(cells) == 3, line
            assert all(cells), line


def test_schema_knows_lists_and_single_values_and_no_null() -> None:
    schema = json.loads(json_schema())
    assert '"null"}' not in json_schema().replace(" ", "")
    sender = schema["$defs"]["When"]["properties"]["sender"]["anyOf"]
    assert sender[0]["enum"] == ["free-provider", "official", "other", "unknown"]
    assert sender[1]["type"] == "array"
    assert set(schema["properties"]) == set(PolicyModel.model_fields)


def test_a_golden_case_that_is_not_met_is_an_error_at_its_line() -> None:
    files = good_files()
    assert ran({**files, "cases/a.yaml": GOLDEN % "hold"}) == []
    (problem,) = ran({**files, "cases/a.yaml": GOLDEN % "relay"})
    assert (problem.file, problem.line, problem.severity) == ("cases/a.yaml", 10, "error")
    assert "disposition should be 'relay' and is 'hold'" in problem.en
    policy, problems = check({**files, "cases/a.yaml": GOLDEN % "relay"}, now=NOON)
    assert policy is None
    assert problem in problems


def test_a_canary_that_is_not_met_is_a_warning_and_goes_with_the_policy() -> None:
    text = (GOLDEN % "relay").replace("at: 2026-11-21 09:00", "canary: true")
    policy, problems = check({**good_files(), "cases/a.yaml": text}, now=NOON)
    (problem,) = [p for p in problems if p.file == "cases/a.yaml"]
    assert (problem.line, problem.severity) == (10, "warning")
    assert policy
    assert [case.name for case in policy.canaries] == ["báo cáo từ Gmail"]


def test_a_canary_is_of_no_other_moment() -> None:
    [problem] = ran({"cases/a.yaml": (GOLDEN % "hold").replace("level:", "canary: true\n    level:")})
    assert (problem.line, problem.severity) == (3, "error")
    assert "a canary is judged at the present moment" in problem.en


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("expect: {}", "expect needs"),
        ("expect: { rulle: x }", "did you mean 'rule'"),
        ("at: yesterday", "a moment like"),
    ],
)
def test_a_broken_case_is_an_error_with_its_place(line: str, word: str) -> None:
    text = f"cases:\n  - name: a\n    to: vanthu@longan.edu.vn\n    {line}\n"
    problems = ran({**good_files(), "cases/a.yaml": text})
    assert any(word in problem.en and problem.line == 4 for problem in problems), problems


def test_a_case_may_hold_a_whole_message() -> None:
    text = """
cases:
  - name: hai người gửi
    to: vanthu@longan.edu.vn
    message: |
      From: a@gmail.com, b@gmail.com
      Subject: x

      x
    expect: { rule: everything-else, unit: none }
"""
    assert ran({**good_files(), "cases/a.yaml": text}) == []


@pytest.mark.parametrize(
    ("mailbox", "expected"),
    [
        (parse_mailbox("a@longan.edu.vn"), True),
        (parse_mailbox("a@so.longan.edu.vn"), False),
        (parse_mailbox("a@truong.gov.example.vn"), True),
        (parse_mailbox("a@gov.example.vn"), False),
        (parse_mailbox("a@daihoclongan.edu.vn"), False),
        (parse_mailbox("a@xlongan.edu.vn"), False),
        (parse_mailbox("a@[192.0.2.1]"), False),
        (Mailbox("Postmaster", ""), True),
        (Mailbox("vanthu", ""), False),
    ],
)
def test_own_domains(mailbox: Mailbox, expected: bool) -> None:
    files = good_files()
    own = files["policy.yaml"].replace(
        "own_domains: [longan.edu.vn]", 'own_domains: [longan.edu.vn, "*.gov.example.vn"]'
    )
    assert loaded({**files, "policy.yaml": own}).accepts(mailbox) is expected


def test_the_digest_and_the_generation_tell_sets_apart() -> None:
    files = good_files()
    other = {**files, "policy.yaml": files["policy.yaml"] + "# more\n"}
    assert loaded(files).digest == loaded(files).digest != loaded(other).digest
    policy, _ = load(files, today=TODAY, generation=12)
    assert policy
    assert policy.generation == 12


def test_a_rule_that_another_only_partly_covers_is_not_called_shadowed() -> None:
    assert (
        problems_of("""
    - name: one
      when: { unit: known, level: signed }
      then: { relay: {} }
    - name: two
      when: { unit: known, level: [signed, authorized] }
      then: { relay: {} }
    - name: three
      when: { sender: official }
      rollout: { hold: 2026-12-01 }
      then: { hold: { reason: x } }
    - name: four
      when: { sender: official, unit: known }
      then: { relay: {} }
    """)
        == []
    )


def test_explanation_names_evidence_identity_every_rule_and_the_outcome() -> None:
    policy = policy_of("""
    - name: proven
      when: { unit: known, level: signed }
      unless: { list_mail: true }
      then: { hold: { reason: proven, retain: 30d } }
    """)
    one = case(unit=SCHOOL, subject="x\u2028y")
    decision = decide(one, policy)
    english = "\n".join(explain(one, decision, one.evidence, one.identity))
    for words in ("spf=none", "unit: thpt-tan-an, Trường THPT Tân An", "proven: yes", "unit: yes (thpt-tan-an)",
                  "unless list_mail: no (no List-Id)", "hold for review: proven, 30 days", "policy generation: 7"):  # fmt: skip
        assert words in english
    vietnamese = "\n".join(explain(one, decision, one.evidence, one.identity, "vi"))
    for words in (
        "Người gửi",
        "đơn vị: có (thpt-tan-an)",
        "ngoại lệ thư từ danh sách: không",
        "giữ lại để xem xét (hold): proven, 30 ngày",
    ):
        assert words in vietnamese


def test_explanation_keeps_each_fact_on_its_line() -> None:
    one = case(author="a@gmail.com", administrative=True)
    identity = replace(one.identity, author_name="Evil\r\nOutcome", level_reason="a\nb", proposals=("x\ny",))
    decision = decide(one, policy_of("- name: a\n  when: { unit: known }\n  then: { discard: {} }"))
    assert not any("\n" in line or "\r" in line for line in explain(one, decision, one.evidence, identity))


def test_now_must_not_change_what_a_set_says() -> None:
    files, _ = read_directory(POLICIES)
    early, late = (check(files, now=datetime(year, 11, 21, tzinfo=UTC))[0] for year in (2026, 2030))
    assert early
    assert late
    assert early.digest == late.digest
