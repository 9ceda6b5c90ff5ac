"""The registry: which unit a mailbox belongs to on a given day (units.csv and mailboxes.csv, both dated).

Schools merge and districts end, so no row is for ever: a row counts from `valid_from` to `valid_until`, both days
included, and mail for a unit that has ended is credited to its successor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from types import MappingProxyType

from gateway.envelope.address import Mailbox
from gateway.identity.identity import Holding, Unit
from gateway.identity.pattern import Index, Kind, parse_pattern
from gateway.values import value


@value
class Match:
    """The unit that a mailbox belongs to, and the row that says so."""

    unit: Unit
    holding: Holding


def in_force(row: Unit | Holding, on: date) -> bool:
    """Whether the row counts on this day; an open end has no date."""
    return (row.valid_from is None or row.valid_from <= on) and (row.valid_until is None or on <= row.valid_until)


class Registry:
    """Immutable once built. A million rows build in seconds and match in microseconds.

    Of rows with the same pattern in force on the same day, the first counts. Raises AddressError for a pattern that
    cannot be read (read_mailboxes names those before).
    """

    def __init__(self, units: Iterable[Unit] = (), holdings: Iterable[Holding] = ()) -> None:
        self._units = {unit.id: unit for unit in units}
        self._holdings = tuple(holdings)
        self._index: Index[Holding] = Index()
        for holding in self._holdings:
            self._index.add(parse_pattern(holding.pattern), holding)

    @property
    def units(self) -> Mapping[str, Unit]:
        """Every unit of the file by id, ended ones too."""
        return MappingProxyType(self._units)

    @property
    def holdings(self) -> tuple[Holding, ...]:
        return self._holdings

    def lookup(self, mailbox: Mailbox, on: date) -> Match | None:
        """The unit of a mailbox: exact address, then address pattern, then exact domain, then `*.domain`, longest first.

        A row that is not in force, or whose unit has ended without a successor, is passed over.
        """
        return self._first(self._index.find(mailbox), on)

    def lookup_domain(self, domain: str, on: date) -> Match | None:
        """The unit that the whole domain belongs to."""
        return self._first(self._index.find_domain(domain), on)

    def _first(self, holdings: Iterable[Holding], on: date) -> Match | None:
        for holding in holdings:
            if in_force(holding, on) and (unit := self.current(holding.unit_id, on)):
                return Match(unit, holding)
        return None

    def current(self, unit_id: str, on: date) -> Unit | None:
        """The unit itself while it lasts, else the successor that is in force; None when there is none."""
        seen: set[str] = set()
        unit = self._units.get(unit_id)
        while unit and not in_force(unit, on):
            seen.add(unit.id)
            unit = self._units.get(unit.successor) if unit.successor not in seen else None
        return unit

    def ancestors(self, unit_id: str) -> tuple[Unit, ...]:
        """The unit's parents, the nearest first."""
        found: list[Unit] = []
        unit = self._units.get(unit_id)
        while unit and unit.parent and (unit := self._units.get(unit.parent)) and unit not in found:
            found.append(unit)
        return tuple(found)

    def mailboxes_of(self, unit_id: str, on: date) -> tuple[Holding, ...]:
        """The unit's own addresses in force, functional ones too, in the file's order: where to send from, whom to remind."""
        return tuple(holding for holding in self._addresses.get(unit_id, ()) if in_force(holding, on))

    @cached_property
    def _addresses(self) -> dict[str, list[Holding]]:
        found: dict[str, list[Holding]] = {}
        for holding in self._holdings:
            if "@" in holding.pattern and parse_pattern(holding.pattern).kind is Kind.ADDRESS:
                found.setdefault(holding.unit_id, []).append(holding)
        return found
