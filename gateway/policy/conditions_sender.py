"""Conditions about who sent it: each built once, when the policy is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.identity.identity import Level, Provider
from gateway.policy.case import Case
from gateway.policy.match import Condition, Finding, Setting
from gateway.policy.patterns import Domains

_FREE: Final = Provider.FREE
STRENGTH: Final = (Level.SIGNED, Level.AUTHORIZED, Level.SHARED, Level.CLAIMED)  # strongest first


def sender(words: Sequence[str], _: Setting) -> Condition:
    findings: dict[Provider, Finding] = {provider: (provider in words, provider.value) for provider in Provider}

    def condition(case: Case) -> Finding:
        return findings[case.identity.provider]

    return condition


def author_domain(patterns: Sequence[str], setting: Setting) -> Condition:
    official = setting.official_domains if "official" in patterns else ()
    free = "free-provider" in patterns
    named = (pattern for pattern in patterns if pattern not in ("official", "free-provider"))
    wanted = Domains((*named, *official, *(f"*.{domain}" for domain in official)))

    def condition(case: Case) -> Finding:
        author = case.identity.author
        if author is None:
            return False, "no single Author"
        domain = author.domain
        return wanted.match(domain) or (free and case.identity.provider is _FREE), domain

    return condition


def unit(words: Sequence[str], _: Setting) -> Condition:
    wanted = frozenset(words)

    def condition(case: Case) -> Finding:
        unit = case.identity.unit
        if unit is None:
            return "unknown" in wanted, "no unit"
        return "known" in wanted or unit.id in wanted, unit.id

    return condition


def unit_kind(kinds: Sequence[str], _: Setting) -> Condition:
    wanted = frozenset(kinds)

    def condition(case: Case) -> Finding:
        unit = case.identity.unit
        return unit is not None and unit.kind in wanted, unit.kind if unit else "no unit"

    return condition


def level(words: Sequence[str], _: Setting) -> Condition:
    findings: dict[Level, Finding] = {level: (level in words, level.value) for level in Level}

    def condition(case: Case) -> Finding:
        level = case.identity.level
        if not case.identity.level_pending:
            return findings[level]
        possible = STRENGTH[: STRENGTH.index(level) + 1]  # DNS answers can only prove more
        answers = {findings[other][0] for other in possible}
        return answers.pop() if len(answers) == 1 else None, f"{level.value} or better, DNS has not answered"

    return condition
