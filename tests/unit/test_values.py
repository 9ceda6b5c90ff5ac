"""What `value` promises: it behaves as a frozen dataclass with slots, but for the check on assignment."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import pytest

from gateway.values import value


@value
class Place:
    name: str
    number: int = 0
    marks: tuple[str, ...] = field(default=())


@value(kw_only=True)
class Named:
    name: str


@dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    number: int = 0
    marks: tuple[str, ...] = field(default=())


def test_it_equals_hashes_and_shows_itself_as_a_frozen_dataclass_does() -> None:
    assert Place("a", 1) == Place("a", 1)
    assert Place("a", 1) != Place("a", 2)
    assert hash(Place("a", 1, ("x",))) == hash(Frozen("a", 1, ("x",)))
    assert repr(Place("a", 1)) == "Place(name='a', number=1, marks=())"
    assert {Place("a"): 1}[Place("a")] == 1


def test_it_is_copied_with_changes_and_never_changed() -> None:
    first = Place("a", 1)
    second = replace(first, number=2)
    assert (first.number, second.number) == (1, 2)
    assert [item.name for item in fields(second)] == ["name", "number", "marks"]


def test_it_has_slots_so_a_misspelled_field_is_an_error_at_run_time_too() -> None:
    with pytest.raises(AttributeError):
        Place("a").nmae = "b"  # type: ignore[attr-defined]


def test_fields_by_name_only() -> None:
    assert Named(name="a").name == "a"
    with pytest.raises(TypeError):
        Named("a")  # type: ignore[call-arg]
