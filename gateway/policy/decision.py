"""What is decided for each recipient, and the whole trace of why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, TypeAlias

from gateway.envelope.address import Mailbox
from gateway.envelope.reply import Reply
from gateway.values import value


@dataclass(frozen=True, slots=True)
class Relay:
    """Pass on, with tags and, where the rule says so, to other places."""

    route: str = "main"
    redirect: tuple[Mailbox, ...] = ()  # instead of the recipient
    copy_to: tuple[Mailbox, ...] = ()  # beside the recipient
    tags: tuple[str, ...] = ()  # "unit-headers"
    plus_address: str = ""  # detail added to the local-part: user+detail@domain
    subject_prefix: str = ""  # breaks signatures; opt-in


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep in quarantine."""

    reason: str  # a word of policy: "free-provider", "unproven-official"
    retain: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Refuse:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Discard:
    """Accept and drop; only where a rule says so in so many words (RFC 5321 §6.2)."""


Disposition: TypeAlias = Relay | Hold | Refuse | Discard


class Step(NamedTuple):
    """One rule looked at."""

    rule: str
    answer: bool | None  # None: not knowable yet
    phase: str = ""  # rollout phase: observe, remind, hold; "" without rollout
    facts: tuple[str, ...] = ()  # why, in words: each condition with its answer


@value
class Decision:
    """What happens to one recipient."""

    recipient: Mailbox
    disposition: Disposition
    rule: str  # the rule that decided
    notices: tuple[str, ...] = ()  # directive ids of the notices to send, of this rule and of reminding ones
    observed: tuple[str, ...] = ()  # rules in phase observe or remind that matched
    trace: tuple[Step, ...] = ()
    generation: int = 0  # of the policy set

    def to(self, recipient: Mailbox) -> Decision:
        """The same for another recipient."""
        return Decision(
            recipient, self.disposition, self.rule, self.notices, self.observed, self.trace, self.generation
        )
