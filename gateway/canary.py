"""Canaries: messages whose fate is known, judged every hour with the DNS and the policy of that moment.

A golden case says what the policy does when it is loaded. A canary goes on asking: it is a real message, really signed where
it is to be, and takes the way of all mail up to the decision. It is not delivered, held, recorded or answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from gateway import maillog, metrics
from gateway.envelope.message import Message
from gateway.envelope.transaction import Transaction
from gateway.evidence.zone import Answer, Question, found
from gateway.gathering import gather
from gateway.metrics import gauges
from gateway.policy.cases import CLIENT, differences, message_octets, reverse_path_of
from gateway.policy.judge import judge
from gateway.policy.policyset import PolicySet
from gateway.policy.schema_case import GoldenCase
from gateway.ports import Resolver
from gateway.responder.sign import Signer

EVERY: Final = 3600.0  # seconds
AGAIN: Final = 300.0  # seconds until those that were not as expected are judged again: DNS may have failed for a moment
LOOK: Final = 30.0  # seconds between two looks at the clock and at the policy in force
SELECTOR: Final = "canary"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one canary; `differences` are sentences, none when it was as expected."""

    case: str
    rule: str
    differences: tuple[str, ...]


class Canaries:
    """The canaries of the policy in force. Their signatures are made with a key of this process's own."""

    def __init__(self, resolver: Resolver, policy: Callable[[], PolicySet], clock: Callable[[], datetime]) -> None:
        self._resolver = resolver
        self._policy = policy
        self._clock = clock
        self._key: RSAPrivateKey | None = None
        self._before: dict[str, Outcome] = {}

    async def watch(self) -> None:
        """Judge them all every hour, sooner when one was not as expected, and at once under a new policy; for ever."""
        loop = asyncio.get_running_loop()
        generation, due = -1, 0.0
        while True:
            if self._policy().generation != generation or loop.time() >= due:
                generation = self._policy().generation
                outcomes = await self.judged()
                due = loop.time() + (AGAIN if any(one.differences for one in outcomes) else EVERY)
                self._tell(outcomes)
            await asyncio.sleep(LOOK)

    async def judged(self) -> list[Outcome]:
        """What becomes of each canary now. Nothing raises: what breaks a canary is its outcome."""
        policy = self._policy()
        if policy.canaries and self._key is None:
            self._key = await asyncio.to_thread(generate_private_key, 65537, 2048)
        return [await self._judged(golden, policy) for golden in policy.canaries]

    async def _judged(self, golden: GoldenCase, policy: PolicySet) -> Outcome:
        now = self._clock()
        try:
            transaction, known = self._letter(golden, policy, now)
            evidence = await gather(self._resolver, transaction, policy.authserv_id, known)
            judgement = judge(transaction, evidence, policy, now)
        except Exception as error:
            metrics.faults.labels("canary").inc()
            return Outcome(golden.name, "", (f"it broke the gateway: {error!r:.300}",))
        identity, ((_, decision),) = judgement.identity, judgement.decisions
        found_ = [
            f"{key} should be '{expected}' and is '{actual}'"
            for key, expected, actual in differences(golden.expect, decision, identity)
        ]
        if identity.level.value != golden.level:
            found_.append(f"level should be '{golden.level}' and is '{identity.level.value}': {identity.level_reason}")
        return Outcome(golden.name, decision.rule, tuple(found_))

    def _letter(
        self, golden: GoldenCase, policy: PolicySet, now: datetime
    ) -> tuple[Transaction, dict[Question, Answer]]:
        """The message as it would arrive, and the DNS answers that prove its sender as far as the case wants it proven."""
        octets, known = message_octets(golden), dict[Question, Answer]()
        author = Message(octets).author
        if author is not None and golden.level == "signed":
            signer = Signer(author.domain, SELECTOR, _pem(self._key))
            octets = signer.sign(octets, now)
            known[Question(f"{SELECTOR}._domainkey.{author.domain}", "TXT")] = found(_published(self._key))
        elif author is not None and golden.level in ("authorized", "shared"):
            known.update(_spf(author.domain, policy.grounds.shared_clouds if golden.level == "shared" else ()))
        message = Message(octets)
        reverse_path = reverse_path_of(golden, message)
        return Transaction("CANA-RYCA-NARY", CLIENT, reverse_path, (golden.path,), now, message), known

    def _tell(self, outcomes: list[Outcome]) -> None:
        gauges.canary_expected.replace({(one.case,): float(not one.differences) for one in outcomes})
        gauges.canary_at.set(self._clock().timestamp())
        for one in outcomes:
            before = self._before.get(one.case)
            changed = before is not None and before.differences != one.differences
            if changed:
                metrics.canary_changes.inc()
            if changed or (before is None and one.differences):
                maillog.event("canary", case=one.case, rule=one.rule, differences=list(one.differences))
        self._before = {one.case: one for one in outcomes}


def _pem(key: RSAPrivateKey | None) -> bytes:
    assert key is not None
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _published(key: RSAPrivateKey | None) -> bytes:
    """The key record of RFC 6376 §3.6.1."""
    assert key is not None
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + b"".join(pem.splitlines()[1:-1])


def _spf(domain: str, clouds: tuple[str, ...]) -> dict[Question, Answer]:
    """An SPF record that names our client, by way of the first shared cloud where there is to be one (RFC 7208 §5.2)."""
    here = found(b"v=spf1 ip4:%s -all" % str(CLIENT.address).encode())
    if not clouds:
        return {Question(domain, "TXT"): here}
    by_cloud = found(b"v=spf1 include:%s -all" % clouds[0].encode())
    return {Question(domain, "TXT"): by_cloud, Question(clouds[0], "TXT"): here}
