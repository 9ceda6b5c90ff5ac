"""A wrong key does not hide what is wrong elsewhere in the same file: all problems at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.policy.parse import load
from gateway.reloader import read_directory

POLICIES = Path(__file__).resolve().parents[3] / "policies"


def problems_of(*changes: tuple[str, str]) -> list[str]:
    files, _ = read_directory(POLICIES)
    for before, after in changes:
        assert before in files["policy.yaml"]
        files["policy.yaml"] = files["policy.yaml"].replace(before, after, 1)
    policy, problems = load(files, today=date(2026, 11, 21))
    assert policy is None
    return [problem.en for problem in problems if problem.severity == "error"]


def test_unknown_names_are_told_beside_unknown_keys_and_bad_values() -> None:
    told = problems_of(
        ("sender: free-provider, submission", "sendr: free-provider, submission"),
        ("reason: free-provider, retain: 30d", "reason: free-provider, retain: 30 days"),
        ("notice: directive-1077", "notice: directive-1078"),
        ("tags: [unit-headers]", "tags: [unit-header]"),
    )
    assert [line.partition(" (did")[0] for line in told] == [
        "unknown key 'sendr'",
        "'30 days': expected a length of time like 30d, 72h or 4w",
        "unknown directive 'directive-1078'",
        "unknown tag 'unit-header'",
    ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("    then: { relay: { tags: [unit-headers] } }\n", "    then: nothing\n", 1),
        ("own_domains: [longan.edu.vn]", "own_domains: 7", 1),
        ("rules:\n", "rules:\n  - 7\n", 1),
        ("version: 1", "version: 1\nrule: []", 1),
    ],
)
def test_what_is_left_out_brings_no_problems_of_its_own(before: str, after: str, told: int) -> None:
    assert len(problems_of((before, after))) == told
