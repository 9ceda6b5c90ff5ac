"""From a judged message to the notice that the outbox will send, or to the reason why there is none (AR-18)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import maillog, metrics
from gateway.envelope.address import is_under
from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.evidence.result import Evidence
from gateway.policy.decision import Decision, Hold
from gateway.policy.directive import Directive
from gateway.policy.judge import Judgement
from gateway.policy.policyset import PolicySet
from gateway.ports import Notice, Outgoing, OutgoingKind
from gateway.responder.compose import ComposedNotice, Sender, notice_for
from gateway.responder.eligibility import why_not
from gateway.responder.sign import Signer
from gateway.responder.template import NoticeError
from gateway.settings import NoticeSettings

NEVER_DSN = (("NOTIFY", "NEVER"),)  # nobody wants a report about a report (RFC 3461 §4.1)


@dataclass(frozen=True, slots=True)
class Notices:
    """Composes notices by the settings; `clock` gives aware UTC times."""

    settings: NoticeSettings
    sender: Sender
    signer: Signer | None
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def prepare(
        self, transaction: Transaction, evidence: Evidence, judgement: Judgement, policy: PolicySet
    ) -> tuple[Notice | None, str]:
        """The notice to queue and the word for the register: "", "due DIRECTIVE" or "suppressed: REASON".

        One transaction gets one notice at most, whatever the number of its recipients and rules.
        """
        wanted = [(decision, name) for _, decision in judgement.decisions for name in decision.notices]
        if not wanted:
            return None, ""
        held = [pair for pair in wanted if isinstance(pair[0].disposition, Hold)]
        decision, name = (held or wanted)[0]
        directive = policy.directives[name]
        if reason := self._reason_against(transaction, evidence, judgement, policy, decision, directive):
            metrics.notices.labels("suppressed").inc()
            return None, f"suppressed: {reason}"
        try:
            composed = self._compose(transaction, judgement, policy, decision, directive)
        except NoticeError as error:  # linting makes this impossible; if not, mail must not suffer from it
            metrics.faults.labels("notice").inc()
            maillog.event("notice-failed", id=transaction.id, reason=str(error))
            return None, "suppressed: cannot be composed"
        return self._row(transaction, judgement, composed), f"due {directive.id}"

    def _reason_against(
        self,
        transaction: Transaction,
        evidence: Evidence,
        judgement: Judgement,
        policy: PolicySet,
        decision: Decision,
        directive: Directive,
    ) -> str:
        if not self.settings.enabled:
            return "AR-18 switched off"
        reason = why_not(
            transaction,
            evidence,
            judgement.identity,
            own_domains=policy.own_domains,
            directive=directive,
            extra_addresses=(str(self.sender.mailbox),),
            disposition=decision.disposition,
        )
        return reason or ("AR-18 dry run" if self.settings.dry_run else "")

    def _compose(
        self,
        transaction: Transaction,
        judgement: Judgement,
        policy: PolicySet,
        decision: Decision,
        directive: Directive,
    ) -> ComposedNotice:
        identity = judgement.identity
        hold = decision.disposition
        unit_id = identity.unit.id if identity.unit else ""
        return notice_for(
            transaction,
            identity,
            directive,
            policy.templates,
            sender=self.sender,
            zone=policy.timezone,
            now=self.clock(),
            token=f"{transaction.id}.{secrets.token_hex(6)}",
            kept_until=transaction.received_at + hold.retain if isinstance(hold, Hold) else None,
            recipient=decision.recipient,
            unit_mailbox=official_mailbox(policy, unit_id, transaction.received_at),
            signer=self.signer,
        )

    def _row(self, transaction: Transaction, judgement: Judgement, composed: ComposedNotice) -> Notice:
        settings = self.settings
        identity = judgement.identity
        return Notice(
            outgoing=Outgoing(
                id=self.new_id(),
                kind=OutgoingKind.NOTICE,
                cause=transaction.id,
                route=settings.route,
                reverse_path=None,
                recipients=(ForwardPath(composed.recipient, NEVER_DSN),),
                content=composed.content,
            ),
            directive=composed.directive,
            sender=composed.recipient.key,
            unit_id=identity.unit.id if identity.unit else "",
            not_again_before=transaction.received_at + timedelta(days=settings.window_days),
            per_sender_day=settings.per_sender_day,
            per_domain_hour=settings.per_domain_hour,
            per_hour=settings.per_hour,
        )


def official_mailbox(policy: PolicySet, unit_id: str, now: datetime) -> str:
    """The unit's first own address under an official domain, "" when the registry knows none."""
    for holding in policy.grounds.registry.mailboxes_of(unit_id, policy.day(now)):
        domain = holding.pattern.rpartition("@")[2].lower()
        if any(is_under(domain, official) for official in policy.official_domains):
            return holding.pattern
    return ""
