"""What we take of what a mail server offers when a milter connection begins. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gateway.endpoint import milter_codec as codec
from gateway.endpoint.milter_codec import Action, Command, MacroStage, MilterError, Step
from gateway.endpoint.milter_tables import ACTIONS_NEEDED, NO_REPLY, STEPS_NEEDED, STEPS_WANTED


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was negotiated, and the answer that says so."""

    skips: bool  # SKIP may be answered
    silent: frozenset[Command]  # commands that get no answer
    reply: bytes


@lru_cache(maxsize=16)  # a mail server offers the same on every connection
def agree(payload: bytes, wanted: tuple[tuple[MacroStage, str], ...]) -> Agreement:
    """What we take of an offer. Raises MilterError naming what it lacks."""
    version, actions, steps = codec.read_negotiation(payload)
    if version < codec.VERSION:
        need = f"{codec.VERSION} is needed: set milter_protocol = {codec.VERSION}"
        raise MilterError(f"this mail server offers milter version {version}; {need}")
    lacking = [str(flag.name) for flag in ACTIONS_NEEDED if flag not in actions]
    lacking += [str(flag.name) for flag in STEPS_NEEDED if flag not in steps]
    if lacking:
        raise MilterError(f"this mail server does not offer {', '.join(lacking)}")
    taken = steps & STEPS_WANTED
    asks = actions & Action.SETSYMLIST
    reply = codec.negotiate(codec.VERSION, ACTIONS_NEEDED | asks, taken, dict(wanted) if asks else {})
    silent = frozenset(command for command, step in NO_REPLY.items() if step in taken)
    return Agreement(Step.SKIP in taken, silent, reply)
