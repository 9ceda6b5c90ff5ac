"""A policy directory read and checked without loading it: what `gateway check` and `gateway explain` begin with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gateway.policy.check import check
from gateway.policy.policyset import PolicySet
from gateway.policy.problem import Problem
from gateway.reloader.directory import read_directory
from gateway.responder.template import check_template


def inspect(directory: Path, now: datetime) -> tuple[PolicySet | None, list[Problem]]:
    """The set, or None when there is any error, and all problems of all files; `now` is aware. Blocking."""
    files, unread = read_directory(directory)
    policy, found = check(files, now=now, unread={problem.file for problem in unread})
    problems = sorted([*unread, *found, *template_problems(files)])
    return (None if any(problem.severity == "error" for problem in problems) else policy), problems


def template_problems(files: Mapping[str, str]) -> list[Problem]:
    """Problems of the notices' templates: policy/ is below responder/ and cannot ask for them itself."""
    return [problem for name, text in files.items() if name.endswith(".j2") for problem in check_template(text, name)]
