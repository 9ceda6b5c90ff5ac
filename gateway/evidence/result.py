"""Results of authentication methods (RFC 8601 §2.7): a result is always set, an error only explains it."""

from __future__ import annotations

from dataclasses import field

from gateway.evidence.zone import Answer, Question
from gateway.values import value

Properties = tuple[tuple[str, str], ...]  # names and values


@value
class MethodResult:
    """One result of one method: `dkim=fail reason="body hash" header.d=example.vn`.

    `properties` go into Authentication-Results; `facts` are for identity, policy and explanation only.
    """

    method: str  # spf, dkim, dmarc, arc, iprev
    result: str  # of RFC 8601 §2.7: none, pass, fail, softfail, neutral, policy, temperror, permerror
    reason: str = ""
    properties: Properties = ()  # ("smtp.mailfrom", "a@example.vn") ...
    facts: Properties = ()

    def get(self, name: str) -> str:
        """A property or fact by name, "" when absent."""
        return dict(reversed(self.properties + self.facts)).get(name, "")  # the first of a name counts


@value
class Evidence:
    """All that one message proves, with the DNS answers it rests on."""

    spf_mailfrom: (
        MethodResult  # facts: domain, mechanism, via (names of the records walked to the match, space separated)
    )
    spf_helo: MethodResult  # same facts
    dkim: tuple[
        MethodResult, ...
    ]  # one per signature, aligned ones first; facts: partial ("yes" when l= leaves octets out), bits
    dmarc: MethodResult  # facts: policy, organizational_domain, record
    arc: MethodResult  # facts: sealer (d= of the newest seal of a passing chain), instances
    iprev: MethodResult
    malformed: tuple[str, ...] = ()  # what is wrong with the message, in words; not empty: it proves nobody
    aligned_dkim: tuple[str, ...] = ()  # SDIDs of passing, whole-body signatures aligned with the Author Domain
    aligned_spf: str = ""  # RFC5321.MailFrom domain when SPF passed and is aligned (RFC 9989)
    zone: dict[Question, Answer] = field(default_factory=dict, compare=False, repr=False)

    @property
    def results(self) -> tuple[MethodResult, ...]:
        """In the order in which Authentication-Results tells them."""
        return (self.spf_mailfrom, self.spf_helo, *self.dkim, self.dmarc, self.arc, self.iprev)

    @property
    def has_temperror(self) -> bool:
        return any(result.result == "temperror" for result in self.results)
