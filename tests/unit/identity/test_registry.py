"""Which unit a mailbox belongs to, on which day."""

from datetime import date, timedelta

import pytest

from gateway.envelope.address import AddressError, parse_mailbox
from gateway.identity.identity import Holding, Unit
from gateway.identity.registry import Registry

TODAY = date(2026, 11, 21)
END = date(2025, 6, 30)
A, B = Unit("a", "Trường THPT Tân An", "thpt"), Unit("b", "Trường THPT Lê Quý Đôn", "thpt")


def unit_of(registry: Registry, address: str, on: date = TODAY) -> str:
    match = registry.lookup(parse_mailbox(address), on)
    return match.unit.id if match else ""


@pytest.mark.parametrize(
    ("pattern", "address", "expected"),
    [
        ("vanthu@longan.edu.vn", "VanThu@LONGAN.edu.vn", "a"),
        ("vanthu@longan.edu.vn", "vanthu2@longan.edu.vn", ""),
        ("*.phong@longan.edu.vn", "khtc.phong@longan.edu.vn", "a"),
        ("longan.edu.vn", "x@longan.edu.vn", "a"),
        ("longan.edu.vn", "x@thpt.longan.edu.vn", ""),
        ("*.longan.edu.vn", "x@deep.thpt.longan.edu.vn", "a"),
        ("*.longan.edu.vn", "x@longan.edu.vn", ""),
        ("*.longan.edu.vn", "x@daihoclongan.edu.vn", ""),
        ("longan.edu.vn", "x@daihoclongan.edu.vn", ""),
    ],
)
def test_lookup(pattern: str, address: str, expected: str) -> None:
    assert unit_of(Registry([A], [Holding(pattern, "a")]), address) == expected


def test_the_most_exact_row_in_force_wins() -> None:
    rows = [Holding("*.longan.edu.vn", "b"), Holding("thpt.longan.edu.vn", "b"), Holding("*@thpt.longan.edu.vn", "b"),
            Holding("an@thpt.longan.edu.vn", "a", valid_until=END)]  # fmt: skip
    registry = Registry([A, B], rows)
    assert unit_of(registry, "an@thpt.longan.edu.vn", END) == "a"
    assert unit_of(registry, "an@thpt.longan.edu.vn", END + timedelta(1)) == "b"


def test_both_ends_of_a_row_count() -> None:
    start = date(2024, 1, 1)
    registry = Registry([A], [Holding("a@x.vn", "a", valid_from=start, valid_until=END)])
    days = [start - timedelta(1), start, END, END + timedelta(1)]
    assert [unit_of(registry, "a@x.vn", day) for day in days] == ["", "a", "a", ""]


def test_a_mailbox_that_moved_belongs_to_each_unit_in_its_time() -> None:
    rows = [Holding("a@x.vn", "a", valid_until=END), Holding("a@x.vn", "b", valid_from=END + timedelta(1))]
    registry = Registry([A, B], rows)
    assert (unit_of(registry, "a@x.vn", END), unit_of(registry, "a@x.vn", TODAY)) == ("a", "b")


def test_P7_an_ended_unit_is_credited_to_its_successor() -> None:
    units = [Unit("old", "Phòng GD&ĐT huyện Mộc Hóa", "phong-gddt", valid_until=END, successor="mid"),
             Unit("mid", "Phòng Văn hóa - Xã hội", "phong", valid_until=date(2026, 1, 1), successor="new"),
             Unit("new", "Trường THPT Kiến Tường", "thpt")]  # fmt: skip
    registry = Registry(units, [Holding("pgd@x.vn", "old")])
    days = [END, END + timedelta(1), TODAY]
    assert [unit_of(registry, "pgd@x.vn", day) for day in days] == ["old", "mid", "new"]


def test_an_ended_unit_without_successor_names_nobody_and_lets_wider_rows_speak() -> None:
    registry = Registry([Unit("old", "x", "y", valid_until=END), B], [Holding("a@x.vn", "old"), Holding("x.vn", "b")])
    assert unit_of(registry, "a@x.vn") == "b"


def test_successors_in_a_circle_end() -> None:
    units = [Unit("a", "x", "y", valid_until=END, successor="b"), Unit("b", "x", "y", valid_until=END, successor="a")]
    assert Registry(units).current("a", TODAY) is None


def test_units_ancestors_and_mailboxes() -> None:
    units = [Unit("sgddt", "Sở", "so"), Unit("pgd", "Phòng", "phong", "sgddt"), Unit("th", "Trường", "th", "pgd")]
    rows = [
        Holding("th@x.vn", "th"),
        Holding("old@x.vn", "th", valid_until=END),
        Holding("*.th@x.vn", "th"),
        Holding("th.x.vn", "th"),
    ]
    registry = Registry(units, rows)
    assert [unit.id for unit in registry.ancestors("th")] == ["pgd", "sgddt"]
    assert [holding.pattern for holding in registry.mailboxes_of("th", TODAY)] == ["th@x.vn"]
    assert registry.mailboxes_of("nobody", TODAY) == ()
    assert list(registry.units) == ["sgddt", "pgd", "th"]
    match = registry.lookup_domain("th.x.vn", TODAY)
    assert match is not None
    assert match.unit.id == "th"


def test_a_bad_pattern_is_refused() -> None:
    with pytest.raises(AddressError):
        Registry([A], [Holding("not an address", "a")])


def test_fifty_thousand_rows_and_every_one_is_found() -> None:
    units = [Unit(f"u{n}", f"Đơn vị {n}", "thpt") for n in range(500)]
    rows = [Holding(f"hs{n}@truong{n % 500}.edu.vn", f"u{n % 500}") for n in range(50_000)]
    registry = Registry(units, rows)
    for n in range(0, 50_000, 17):
        assert unit_of(registry, f"hs{n}@truong{n % 500}.edu.vn") == f"u{n % 500}"
    assert unit_of(registry, "hs1@truong2.edu.vn") == ""
