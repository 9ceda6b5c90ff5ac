"""Everything that is decided about one message, from its evidence: identity, submissions, decisions. Pure."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any

from gateway.envelope.reply import Reply
from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.evidence.result import Evidence
from gateway.identity import codec
from gateway.identity.identify import identify
from gateway.identity.identity import Identity, Submission
from gateway.identity.submission import submission
from gateway.policy.decide import Case, decide, settle
from gateway.policy.decision import Decision
from gateway.policy.parse import PolicySet
from gateway.values import value

_STEP = attrgetter("rule", "answer", "phase")


@value
class Judgement:
    """What the policy says of one transaction."""

    identity: Identity
    submissions: tuple[Submission, ...]  # one per recipient
    decisions: tuple[tuple[ForwardPath, Decision], ...]  # after settling; one per recipient
    reply: Reply | None  # the refusal that DATA gets; None: go on

    def facts(self) -> dict[str, Any]:
        """What identity and policy read, for the register: enough to decide this message again."""
        return {
            "identity": codec.plain_identity(self.identity),
            "submissions": [codec.plain_submission(one) for one in self.submissions],
            "trace": [*map(list, map(_STEP, self.decisions[0][1].trace))],
        }


def judge(transaction: Transaction, evidence: Evidence, policy: PolicySet, now: datetime) -> Judgement:
    """Identify once, decide for each recipient, and fit the decisions to the one reply that DATA allows.

    Recipients to whom the message looks alike are decided together, where no rule asks who they are.
    """
    identity = identify(transaction, evidence, policy.grounds, policy.day(now))
    submissions: list[Submission] = []
    decisions: list[Decision] = []
    for path in transaction.forward_paths:
        seen = submission(transaction.message, path.mailbox, policy.grounds)
        if decisions and not policy.asks_recipient and seen == submissions[-1]:
            decisions.append(decisions[-1].to(path.mailbox))
        else:
            decisions.append(decide(Case(transaction, path, evidence, identity, seen, now), policy))
        submissions.append(seen)
    settled = settle(decisions)
    paired = tuple(zip(transaction.forward_paths, settled.decisions, strict=True))
    return Judgement(identity, tuple(submissions), paired, settled.reply)
