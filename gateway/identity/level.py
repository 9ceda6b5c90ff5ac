"""How well the Author Domain is proven: signed, authorized, shared or claimed, strongest first, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from gateway.envelope.address import is_under
from gateway.evidence.result import Evidence, MethodResult
from gateway.identity.grounds import Grounds
from gateway.identity.identity import Level
from gateway.values import value

# Hosts that sign for a tenant without DKIM of its own, under a name made of the tenant's.
DASHED_SIGNER = "gappssmtp.com"  # moet-edu-vn.20230601.gappssmtp.com; the dashes are ambiguous
TENANT_SIGNER = "onmicrosoft.com"  # moetvn.onmicrosoft.com; the tenant chose the word

_SIGNED, _AUTHORIZED, _SHARED, _CLAIMED = Level.SIGNED, Level.AUTHORIZED, Level.SHARED, Level.CLAIMED


@value
class Proof:
    level: Level
    reason: str
    is_pending: bool = False  # a temperror stands in the way of a stronger level
    proposals: tuple[str, ...] = ()  # lines for policy.yaml, to be checked by an admin


@value
class _Case:
    domain: str  # Author Domain
    evidence: Evidence
    grounds: Grounds
    on: date
    unit_id: str  # of the Author's mailbox, "" when none

    def is_of_another_unit(self, domain: str) -> bool:
        """Whether the registry gives `domain` to a unit that is neither the Author's nor above it.

        Alignment looks at the organizational domain only. Where units have domains of their own below it, one unit's key
        or server must not prove another's mailbox.
        """
        if not self.unit_id or is_under(self.domain, domain):
            return False
        registry = self.grounds.registry
        owner = registry.lookup_domain(domain, self.on)
        return owner is not None and owner.unit.id not in (
            self.unit_id,
            *(u.id for u in registry.ancestors(self.unit_id)),
        )


def prove(
    domain: str, evidence: Evidence, grounds: Grounds, on: date, unit_id: str, malformed: tuple[str, ...] = ()
) -> Proof:
    """The level of the Author Domain `domain`; `unit_id` is the unit that the registry names, "" for none."""
    if malformed:
        return Proof(_CLAIMED, "malformed: " + "; ".join(malformed))
    case = _Case(domain, evidence, grounds, on, unit_id)
    remarks: list[str] = []
    level, reason = _signed(case, remarks) or _authorized(case, remarks) or _sealed(case, remarks) or _claimed(evidence)
    return Proof(
        level,
        "; ".join((reason, *remarks)),
        _is_pending(case, level),
        () if level is _SIGNED or level is _AUTHORIZED else tuple(_proposals(case)),
    )


def _signed(case: _Case, remarks: list[str]) -> tuple[Level, str] | None:
    for sdid in case.evidence.aligned_dkim:
        if case.is_of_another_unit(sdid):
            remarks.append(f"the signature of {sdid} is another unit's")
            continue
        return _SIGNED, f"DKIM signature of {sdid} passes and is aligned with {case.domain}"
    return None


def _authorized(case: _Case, remarks: list[str]) -> tuple[Level, str] | None:
    """SPF and trusted signers; where the host is shared, the answer is `shared`."""
    trusted = case.grounds.trusted_signers.get(case.domain, ())
    for sdid in _passing_signers(case.evidence):
        if sdid in trusted:
            return _AUTHORIZED, f"DKIM signature of {sdid} passes, a trusted signer for {case.domain}"
        if _is_tenant_signer(sdid):
            remarks.append(f"DKIM signature of {sdid} passes, which is no listed trusted signer for {case.domain}")
    sender = case.evidence.aligned_spf
    if not sender:
        return None
    if case.is_of_another_unit(sender):
        remarks.append(f"SPF passes for {sender}, which is another unit's")
        return None
    mechanism = case.evidence.spf_mailfrom.get("mechanism")
    if mechanism.lstrip("+").lower() == "all":
        remarks.append(f"SPF of {sender} passes for every host there is, which proves nothing")
        return None
    walked = case.evidence.spf_mailfrom.get("via").split()
    if not walked:  # fail closed: without the path we cannot tell whose host it was
        return _SHARED, f"SPF passes for {sender}, by records that are not known"
    if cloud := _shared_cloud(case.grounds.shared_clouds, [*walked, *_names_in(mechanism)]):
        return _SHARED, f"SPF passes for {sender}, but by {cloud}, which every tenant of that cloud passes by"
    return _AUTHORIZED, f"SPF passes for {sender}, by a host of its own, and is aligned with {case.domain}"


def _sealed(case: _Case, remarks: list[str]) -> tuple[Level, str] | None:
    arc = case.evidence.arc
    if arc.result != "pass":
        return None
    sealer = arc.get("sealer").lower()
    if not sealer:
        remarks.append("ARC chain passes, but does not cover From and the whole body")
        return None
    if sealer in case.grounds.trusted_sealers:
        return _SHARED, f"ARC chain passes, sealed by {sealer}, a trusted sealer"
    remarks.append(f"ARC chain passes, but its sealer {sealer} is not trusted")
    return None


def _claimed(evidence: Evidence) -> tuple[Level, str]:
    signatures = ", ".join(dict.fromkeys(result.result for result in evidence.dkim)) or "none"
    return _CLAIMED, f"nothing proves it (SPF {evidence.spf_mailfrom.result}, DKIM {signatures})"


def _passing_signers(evidence: Evidence) -> Iterator[str]:
    """SDIDs of signatures that pass and cover the whole body."""
    for result in evidence.dkim:
        if result.result == "pass" and result.get("partial") != "yes":
            yield result.get("header.d").lower()


def _is_tenant_signer(sdid: str) -> bool:
    return sdid.endswith(("." + DASHED_SIGNER, "." + TENANT_SIGNER))


def _shared_cloud(clouds: tuple[str, ...], names: list[str]) -> str:
    return next((cloud for cloud in clouds for name in names if is_under(name.lower().rstrip("."), cloud)), "")


def _names_in(mechanism: str) -> list[str]:
    """The domain that a mechanism names: `include:_spf.google.com`, `a:mail.example.vn/24`."""
    _, colon, name = mechanism.partition(":")
    return [name.partition("/")[0]] if colon else []


def _proposals(case: _Case) -> Iterator[str]:
    """A trusted_signers entry for each tenant signature that fits the Author Domain.

    Anybody can rent a tenant and write our domain into From. So the signature's name must be made of the Author Domain,
    or, where the tenant chose the word, SPF must pass for the Author Domain through the same cloud.
    """
    for sdid in dict.fromkeys(_passing_signers(case.evidence)):
        dashed = sdid.endswith("." + DASHED_SIGNER) and sdid.split(".")[0] == case.domain.replace(".", "-")
        tenant = sdid.endswith("." + TENANT_SIGNER) and bool(case.evidence.aligned_spf)
        if dashed or tenant:
            yield f"trusted_signers: {{ {case.domain}: [{sdid}] }}"


def _is_pending(case: _Case, level: Level) -> bool:
    """Whether a stronger level may come when DNS answers. Only failures of domains that could be aligned count, so that a
    forger cannot keep his mail undecided with a broken domain of his own."""
    evidence = case.evidence
    if level is _SIGNED:
        return False
    if any(result.result == "temperror" and _may_prove(case, result.get("header.d")) for result in evidence.dkim):
        return True
    if evidence.dmarc.result == "temperror" and any(_may_be_aligned(case, name) for name in _passing_domains(evidence)):
        return True
    if level is _AUTHORIZED:
        return False
    spf = evidence.spf_mailfrom
    if spf.result == "temperror" and _may_be_aligned(case, spf.get("domain")):
        return True
    return level is _CLAIMED and evidence.arc.result == "temperror" and _may_be_sealed(case, evidence.arc)


def _may_prove(case: _Case, sdid: str) -> bool:
    return _may_be_aligned(case, sdid) or sdid.lower() in case.grounds.trusted_signers.get(case.domain, ())


def _may_be_sealed(case: _Case, arc: MethodResult) -> bool:
    sealer = arc.get("sealer").lower()
    return sealer in case.grounds.trusted_sealers if sealer else bool(case.grounds.trusted_sealers)


def _passing_domains(evidence: Evidence) -> Iterator[str]:
    yield from _passing_signers(evidence)
    if evidence.spf_mailfrom.result == "pass":
        yield evidence.spf_mailfrom.get("domain")


def _may_be_aligned(case: _Case, name: str) -> bool:
    """Whether the domain could be aligned: below the same organizational domain, or, where that is not known yet, sharing
    the last two labels."""
    organizational = case.evidence.dmarc.get("organizational_domain")
    if organizational and case.evidence.dmarc.result != "temperror":
        return is_under(name.lower(), organizational.lower())
    return name.lower().split(".")[-2:] == case.domain.split(".")[-2:]
