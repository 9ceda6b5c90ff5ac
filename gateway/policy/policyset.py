"""One immutable set of policy files, read and checked: what a transaction begins with and keeps to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from gateway.envelope.address import Mailbox
from gateway.identity.grounds import Grounds
from gateway.policy.directive import Directive
from gateway.policy.patterns import Domains
from gateway.policy.route import Route
from gateway.policy.rules import Beginning, Rule
from gateway.policy.schema_case import GoldenCase


@dataclass(frozen=True, slots=True)
class PolicySet:
    authserv_id: str
    timezone: ZoneInfo
    own_domains: tuple[str, ...]  # exact, or "*.domain"
    official_domains: tuple[str, ...]
    routes: Mapping[str, Route]
    rules: tuple[Rule, ...]  # total: the last one always applies
    grounds: Grounds  # what identification needs
    directives: Mapping[str, Directive]  # by id
    templates: Mapping[str, str] = field(default_factory=dict)  # name without ".j2" to text
    canaries: tuple[GoldenCase, ...] = ()  # judged every hour too
    generation: int = 0
    digest: str = ""  # SHA-256 over all files, hex

    asks_recipient: bool = field(init=False, compare=False, repr=False)  # whether any rule tells recipients apart
    beginnings: tuple[Beginning, ...] = field(init=False, compare=False, repr=False)  # of the rules
    _own: Domains = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asks_recipient", any("recipient" in rule.match.names for rule in self.rules))
        object.__setattr__(self, "beginnings", tuple(map(Beginning.of, self.rules)))
        object.__setattr__(self, "_own", Domains(self.own_domains))

    def accepts(self, mailbox: Mailbox) -> bool:
        """Whether mail for this forward-path is ours; <postmaster> without a domain always is (RFC 5321 §4.5.1)."""
        if not mailbox.domain:
            return mailbox.local_part.lower() == "postmaster"
        return self._own.match(mailbox.domain)

    def day(self, now: datetime) -> date:
        """The local day at this moment, by the policy's time zone: rollouts and dated rows change at its midnight."""
        return now.astimezone(self.timezone).date()
