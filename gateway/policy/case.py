"""What a rule is asked about: one recipient of one transaction, with all that is known at this moment."""

from __future__ import annotations

from datetime import datetime

from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.evidence.result import Evidence
from gateway.identity.identity import Identity, Submission
from gateway.values import value


@value
class Case:
    transaction: Transaction
    path: ForwardPath  # the recipient
    evidence: Evidence
    identity: Identity
    submission: Submission  # as it looks to this recipient
    now: datetime  # aware
