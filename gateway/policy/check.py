"""The whole check of a policy directory, the same for `gateway check` and for every reload (safety O-4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from gateway.policy.cases import read_cases, run_cases
from gateway.policy.parse import PolicySet, load
from gateway.policy.problem import Problem


def check(
    files: Mapping[str, str], *, now: datetime, generation: int = 0, unread: Collection[str] = ()
) -> tuple[PolicySet | None, list[Problem]]:
    """Parse, lint and run the golden cases; `now` is aware. `unread` names files that are there and cannot be read.

    The set is None when there is any error; warnings may come with a set.
    """
    policy, problems = load(files, today=now.date(), generation=generation, unread=unread)
    if policy is None or unread:  # what a case meets without a file is nobody's mistake
        return policy, problems
    cases, failures = read_cases(files)
    failures += run_cases(policy, cases, now)
    problems = sorted([*problems, *failures])
    if any(failure.severity == "error" for failure in failures):
        return None, problems
    return replace(policy, canaries=tuple(case.golden for case in cases if case.golden.canary)), problems
