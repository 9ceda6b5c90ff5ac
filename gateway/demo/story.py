"""One story of the demonstration: a letter, how it travels, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from gateway.demo.letters import Letter
from gateway.demo.words import Words
from gateway.demo.zones import Host

UNIT_MAIL: Final = "unit-mail"
EVERYTHING_ELSE: Final = "everything-else"
FREE_PROVIDER: Final = "free-provider-submission"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a message, as its sender, the register and the recipients' mailboxes show it."""

    codes: tuple[int, ...]  # of the deciding reply of each attempt
    unit: str = ""  # unit id
    level: str = ""
    fates: tuple[tuple[str, str, str], ...] = ()  # recipient, fate, rule: as in the register
    delivered: frozenset[str] = frozenset()  # recipients whose mailbox has it
    tagged: frozenset[str] = frozenset()  # of those, the ones whose copy names the unit
    notices: int = 0  # that the author got in answer to it

    def differences(self, seen: Outcome) -> list[str]:
        """Where `seen` is not this."""
        return [
            f"{field.name}: seen {getattr(seen, field.name)!r}, expected {getattr(self, field.name)!r}"
            for field in fields(self)
            if getattr(seen, field.name) != getattr(self, field.name)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    title: Words
    letter: Letter
    host: Host
    expected: Outcome
    reverse_path: str | None = None  # None: the author's address
    recipients: tuple[str, ...] = ()  # (): those of the letter
    silent: tuple[str, ...] = ()  # names for which DNS gives no answer at the first attempt; then there is a second

    @property
    def mail_from(self) -> str:
        return self.letter.address if self.reverse_path is None else self.reverse_path

    @property
    def forward_paths(self) -> tuple[str, ...]:
        return self.recipients or self.letter.to


def relayed(
    *to: str, level: str, unit: str = "", rule: str = EVERYTHING_ELSE, codes: tuple[int, ...] = (250,)
) -> Outcome:
    """Delivered to all; by the rule for units' mail the copies name the unit."""
    return Outcome(
        codes=codes,
        unit=unit,
        level=level,
        fates=tuple((recipient, "relayed", rule) for recipient in to),
        delivered=frozenset(to),
        tagged=frozenset(to if rule == UNIT_MAIL else ()),
    )


def held(to: str, *, rule: str, level: str, unit: str = "", notices: int = 0) -> Outcome:
    """Held, accepted with 250, and delivered to nobody."""
    return Outcome(codes=(250,), unit=unit, level=level, fates=((to, "held", rule),), notices=notices)


def refused() -> Outcome:
    """550, and no trace of it in register or mailbox."""
    return Outcome(codes=(550,))
