"""Conditions about who sent it: each built once, when the policy is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.envelope.address import is_under
from gateway.identity.identity import Level, Provider
from gateway.policy.case import Case
from gateway.policy.match import Condition, Finding, Setting
from gateway.policy.patterns import domain_matches

STRENGTH: Final = (Level.SIGNED, Level.AUTHORIZED, Level.SHARED, Level.CLAIMED)  # strongest first


def sender(words: Sequence[str], _: Setting) -> Condition:
    wanted = {Provider(word) for word in words}

    def condition(case: Case) -> Finding:
        return Finding(case.identity.provider in wanted, case.identity.provider.value)

    return condition


def author_domain(patterns: Sequence[str], setting: Setting) -> Condition:
    def condition(case: Case) -> Finding:
        author = case.identity.author
        if author is None:
            return Finding(False, "no single Author")
        domain = author.domain
        for pattern in patterns:
            if pattern == "official":
                found = any(is_under(domain, official) for official in setting.official_domains)
            elif pattern == "free-provider":
                found = case.identity.provider is Provider.FREE
            else:
                found = domain_matches(pattern, domain)
            if found:
                return Finding(True, domain)
        return Finding(False, domain)

    return condition


def unit(words: Sequence[str], _: Setting) -> Condition:
    wanted = frozenset(words)

    def condition(case: Case) -> Finding:
        unit = case.identity.unit
        if unit is None:
            return Finding("unknown" in wanted, "no unit")
        return Finding("known" in wanted or unit.id in wanted, unit.id)

    return condition


def unit_kind(kinds: Sequence[str], _: Setting) -> Condition:
    wanted = frozenset(kinds)

    def condition(case: Case) -> Finding:
        unit = case.identity.unit
        return Finding(unit is not None and unit.kind in wanted, unit.kind if unit else "no unit")

    return condition


def level(words: Sequence[str], _: Setting) -> Condition:
    wanted = {Level(word) for word in words}

    def condition(case: Case) -> Finding:
        level = case.identity.level
        if not case.identity.level_pending:
            return Finding(level in wanted, level.value)
        possible = STRENGTH[: STRENGTH.index(level) + 1]  # DNS answers can only prove more
        answers = {other in wanted for other in possible}
        return Finding(answers.pop() if len(answers) == 1 else None, f"{level.value} or better, DNS has not answered")

    return condition
