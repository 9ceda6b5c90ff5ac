"""Decide what happens to each recipient, and fit the decisions to the one reply that DATA allows.

Rules are read top to bottom and the first that applies wins. While DNS leaves an answer open, the rule's own `meanwhile`
says what to do, so that an outage neither opens the gate nor bounces mail. A rule in an early phase of its rollout leaves
a mark and lets reading go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.envelope.reply import Reply
from gateway.policy.case import Case
from gateway.policy.decision import Decision, Disposition, Hold, Refuse, Relay, Step
from gateway.policy.policyset import PolicySet
from gateway.policy.rules import Outcome, Phase
from gateway.values import value

__all__ = ["Case", "Settled", "decide", "settle"]

REFUSED_IN_MIXED = "refused-in-mixed"
_OFF, _REMIND, _HOLD = Phase.OFF, Phase.REMIND, Phase.HOLD
_WORDS: Final[dict[Phase | None, str]] = {None: "", **{phase: phase.value for phase in Phase}}
_step = partial(tuple.__new__, Step)  # of a tuple; the constructor of a NamedTuple is a call in Python


def decide(case: Case, policy: PolicySet) -> Decision:
    """The decision for one recipient, with every rule that was looked at. Pure."""
    day, unit = policy.day(case.now), case.identity.unit
    trace: list[Step] = []
    observed: list[str] = []
    reminders: list[str] = []
    for rule, name, schedule, first, first_no in policy.beginnings:
        phase = None if schedule is None else schedule.phase(day, unit)
        found, seen = first(case)
        if found is False:
            trace.append(_step((name, False, _WORDS[phase], (first_no + seen,))))
            continue
        answer, facts = rule.match.judge(case)
        trace.append(_step((name, answer, _WORDS[phase], facts)))
        if answer is False:
            continue
        if phase is None or phase is _HOLD:
            outcome = rule.then if answer else rule.meanwhile
            if outcome:
                return Decision(
                    case.path.mailbox,
                    outcome.disposition,
                    name,
                    _notices(outcome, reminders),
                    tuple(observed),
                    tuple(trace),
                    policy.generation,
                )
        elif answer and phase is not _OFF:
            observed.append(name)
            if phase is _REMIND:
                reminders.append(rule.then.notice)
    raise AssertionError("a rule list without a last rule that always applies has passed parse.py")


def _notices(outcome: Outcome, reminders: Sequence[str]) -> tuple[str, ...]:
    """Notices of this rule and of reminding ones.

    None to a message that is refused or dropped, or that is held by a rule without a notice: such a sender may be
    anybody (AR-13), and a reminder would tell him that his message was delivered.
    """
    if not outcome.notice and not reminders:
        return ()
    disposition: Disposition = outcome.disposition
    if not (isinstance(disposition, Relay) or (isinstance(disposition, Hold) and outcome.notice)):
        return ()
    return tuple(filter(None, dict.fromkeys((outcome.notice, *reminders))))


@value
class Settled:
    """Decisions that one DATA reply can tell."""

    reply: Reply | None  # the refusal of the whole transaction; None: carry the decisions out, none of which refuses
    decisions: tuple[Decision, ...]  # one per recipient, in the order given


def settle(decisions: Sequence[Decision]) -> Settled:
    """Fit many decisions to one reply (docs/decisions/010-mixed-verdicts.md).

    A temporary refusal refuses all: nothing is kept yet, so a retry costs nothing. Where all are refused the first reply
    is given. A permanent refusal beside an acceptance is held for a person: it must not vanish behind a 250.
    """
    refusals = [decision.disposition.reply for decision in decisions if isinstance(decision.disposition, Refuse)]
    if not refusals:
        return Settled(None, tuple(decisions))
    temporary = next((reply for reply in refusals if reply.is_temporary), None)
    if temporary or len(refusals) == len(decisions):
        return Settled(temporary or refusals[0], tuple(decisions))
    return Settled(None, tuple(_kept(decision) for decision in decisions))


def _kept(decision: Decision) -> Decision:
    if not isinstance(decision.disposition, Refuse):
        return decision
    return replace(decision, disposition=Hold(REFUSED_IN_MIXED), notices=())
