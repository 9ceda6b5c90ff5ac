"""Whether an automatic response may be sent at all (RFC 3834 §2, safety AR-2 ... AR-13).

A response that goes to somebody who did not write is backscatter, and one that answers a program can loop. So every
guard must be silent; the first that speaks is kept with the message as the reason (AR-18). Rates and windows (AR-12)
need the store and are not judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from gateway.envelope.address import Mailbox, is_under
from gateway.envelope.author import AuthorError, parse_mailbox_list
from gateway.envelope.message import Message
from gateway.envelope.transaction import Transaction
from gateway.evidence.result import Evidence, MethodResult
from gateway.identity.identity import Identity, Level
from gateway.policy.decision import Discard, Disposition, Refuse
from gateway.policy.directive import Directive
from gateway.policy.patterns import domain_matches
from gateway.responder.addresses import is_office_robot, is_robot
from gateway.responder.age import oldest_date
from gateway.responder.automation import sign_of_automation, words_of

AGE_MAX = timedelta(hours=24)
RECEIVED_MAX = 25


@dataclass(frozen=True, slots=True)
class _Case:
    transaction: Transaction
    evidence: Evidence
    identity: Identity
    own_domains: Collection[str]
    directive: Directive
    ours: frozenset[str]  # keys of further addresses of ours
    reverse_path: Mailbox
    author: Mailbox
    disposition: Disposition | None

    @property
    def message(self) -> Message:
        return self.transaction.message


def why_not(
    transaction: Transaction,
    evidence: Evidence,
    identity: Identity,
    *,
    own_domains: Collection[str],
    directive: Directive,
    extra_addresses: Collection[str] = (),
    disposition: Disposition | None = None,
) -> str:
    """Say why no automatic response may be sent: "" when one may, else guard and reason, "AR-3 null reverse-path".

    `own_domains` are exact names or `*.` wildcards. `extra_addresses` are further addresses of ours (the notice's From,
    aliases that deliver to a recipient): they are never answered, and To or Cc naming one counts as naming us.
    `disposition` is the recipient's; a message held by a rule that names a notice is answered (DESIGN §7), so Hold passes.
    """
    if transaction.reverse_path is None:
        return "AR-3 null reverse-path"
    if evidence.malformed or transaction.message.problems or identity.author is None:
        return "AR-13 malformed message"
    case = _Case(
        transaction=transaction,
        evidence=evidence,
        identity=identity,
        own_domains=own_domains,
        directive=directive,
        ours=frozenset(address.lower() for address in extra_addresses),
        reverse_path=transaction.reverse_path,
        author=identity.author,
        disposition=disposition,
    )
    return next((reason for guard in _GUARDS if (reason := guard(case))), "")


def addressed_to(transaction: Transaction, extra_addresses: Collection[str] = ()) -> Mailbox | None:
    """The first forward-path that To or Cc names; with an alias of ours named there, the first forward-path of all.

    None when the message came as a blind copy, through a list or an expansion (RFC 5230 §4.5).
    """
    named: set[str] = set()
    for name in (b"to", b"cc"):
        for field in transaction.message.all(name):
            try:
                named.update(mailbox.key for mailbox, _ in parse_mailbox_list(field.value))
            except AuthorError:  # a group such as undisclosed-recipients, or no address list: it names nobody
                continue
    for path in transaction.forward_paths:
        if path.mailbox.key in named:
            return path.mailbox
    if transaction.forward_paths and any(address.lower() in named for address in extra_addresses):
        return transaction.forward_paths[0].mailbox
    return None


# ---- the guards, in the order in which they are asked ----------------------------------------------------------------


def _answerable(case: _Case) -> str:
    """AR-2: the response goes to the reverse-path and nowhere else, so that must be an address we can write to."""
    if case.reverse_path.domain.startswith("[") or "." not in case.reverse_path.domain:
        return "AR-2 reverse-path without a domain name"
    return "" if case.reverse_path.is_ascii else "AR-2 reverse-path needs SMTPUTF8"


def _unmoved(case: _Case) -> str:
    """AR-13, narrowed by DESIGN §7."""
    if isinstance(case.disposition, Refuse | Discard):
        return f"AR-13 message is {'refused' if isinstance(case.disposition, Refuse) else 'discarded'}"
    if case.message.received_count > RECEIVED_MAX:
        return f"AR-13 more than {RECEIVED_MAX} Received fields"
    if any(words_of(f).startswith("yes") for n in (b"x-spam-flag", b"x-spam-status") for f in case.message.all(n)):
        return "AR-13 tagged as spam"
    date = oldest_date(case.message)
    if date is None:
        return "AR-13 no date that can be read"
    return "AR-13 older than 24 hours" if case.transaction.received_at - date > AGE_MAX else ""


def _not_ours(case: _Case) -> str:
    """AR-10: neither ourselves, nor our systems, nor mail that a program forwarded to us."""
    for mailbox in (case.reverse_path, case.author):
        at_home = any(domain_matches(own, mailbox.domain) for own in case.own_domains)
        if at_home or mailbox.key in case.ours:
            return "AR-10 own domain or address"
        if is_office_robot(mailbox, case.directive.official_domains):
            return "AR-10 a system of an official domain"
    if any(path.mailbox.key == case.reverse_path.key for path in case.transaction.forward_paths):
        return "AR-10 reverse-path is a recipient"
    if case.message.first(b"x-forwarded-to") or case.message.first(b"x-forwarded-for"):
        return "AR-10 forwarded by a program"
    return ""


def _not_a_robot(case: _Case) -> str:
    return "AR-8 address of a program" if is_robot(case.reverse_path) or is_robot(case.author) else ""


def _written_by_a_person(case: _Case) -> str:
    return sign_of_automation(case.message)


def _addressed(case: _Case) -> str:
    return "" if addressed_to(case.transaction, case.ours) else "AR-11 recipient is in neither To nor Cc"


def _authenticated(case: _Case) -> str:
    """AR-4: the reverse-path's domain by SPF or DKIM, and the Author Domain by DMARC, both for this very message."""
    evidence, domain = case.evidence, case.reverse_path.domain
    organization = evidence.dmarc.get("organizational_domain")
    spf = _spf_proves(evidence.spf_mailfrom, domain)
    if not spf and not any(_dkim_proves(result, domain, organization) for result in evidence.dkim):
        return f"AR-4 reverse-path domain is not authenticated (spf={evidence.spf_mailfrom.result})"
    aligned = bool(evidence.aligned_dkim or evidence.aligned_spf)
    proven = evidence.dmarc.result == "pass" or (evidence.dmarc.result == "none" and aligned)
    if not proven or case.identity.level is Level.CLAIMED:
        return f"AR-4 Author Domain is not authenticated (dmarc={evidence.dmarc.result})"
    return ""


def _spf_proves(result: MethodResult, domain: str) -> bool:
    """A pass by `all` proves nothing: every host of the Internet has it."""
    mechanism = result.get("mechanism").lstrip("+").lower()
    return result.result == "pass" and result.get("domain") == domain and mechanism != "all"


def _dkim_proves(result: MethodResult, domain: str, organization: str) -> bool:
    """The SDID is the domain itself, or both are of the organization that DMARC found (RFC 9989, relaxed alignment)."""
    sdid = result.get("header.d")
    if result.result != "pass" or result.get("partial") == "yes" or not sdid:
        return False
    same_organization = organization and is_under(sdid, organization) and is_under(domain, organization)
    return sdid == domain or bool(same_organization)


_GUARDS: tuple[Callable[[_Case], str], ...] = (
    _answerable,
    _unmoved,
    _written_by_a_person,
    _not_a_robot,
    _not_ours,
    _addressed,
    _authenticated,
)
