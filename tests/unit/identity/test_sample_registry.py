"""The sample registry of policies/: it reads without a problem, and says that it is a sample."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from gateway.envelope.address import parse_mailbox
from gateway.identity.registry import Registry
from gateway.policy.tables import read_free_providers, read_mailboxes, read_units

POLICIES = Path(__file__).parents[3] / "policies"
TODAY = date(2026, 11, 21)


def read(name: str) -> str:
    return (POLICIES / name).read_text("utf-8")


@pytest.fixture(scope="module")
def registry() -> Registry:
    units, unit_problems = read_units(read("units.csv"), "units.csv")
    holdings, problems = read_mailboxes(read("mailboxes.csv"), "mailboxes.csv", units, TODAY)
    assert [str(problem) for problem in unit_problems + problems] == []
    return Registry(units, holdings)


def test_it_has_the_department_its_divisions_districts_and_schools(registry: Registry) -> None:
    kinds = Counter(unit.kind for unit in registry.units.values())
    assert kinds["so"] == 1
    assert kinds["phong-gddt"] == 15
    assert kinds["phong-so"] >= 9
    assert kinds["thpt"] >= 25
    assert kinds["gdnn-gdtx"] >= 10


@pytest.mark.parametrize(
    ("address", "unit"),
    [
        ("vanthu@longan.edu.vn", "sgddt"),
        ("ktqlcl.phong@longan.edu.vn", "p-ktqlcl"),
        ("moi.phong@longan.edu.vn", "sgddt"),
        ("c3tanan.longan@moet.edu.vn", "thpt-tan-an"),
        ("to.toan.thpttanan@longan.edu.vn", "thpt-tan-an"),
        ("thukho@thptgoden.longan.edu.vn", "thpt-go-den"),
        ("a@truongmoi.pgdbenluc.longan.edu.vn", "pgddt-ben-luc"),
        ("gdtxtinh@longan.edu.vn", "gdnn-gdtx-tan-an"),
        ("tuyensinh@longan.edu.vn", "p-ktqlcl"),
        ("a@daihoclongan.edu.vn", ""),
        ("nguyenvanan@gmail.com", ""),
    ],
)
def test_who_is_who(registry: Registry, address: str, unit: str) -> None:
    match = registry.lookup(parse_mailbox(address), TODAY)
    assert (match.unit.id if match else "") == unit


def test_every_unit_of_today_has_an_address_and_its_contact_is_its_own(registry: Registry) -> None:
    for unit in registry.units.values():
        if registry.current(unit.id, TODAY) is unit:
            match = registry.lookup(parse_mailbox(unit.contact), TODAY)
            assert match is not None
            assert match.unit is unit


@pytest.mark.parametrize("name", ["units.csv", "mailboxes.csv", "free_providers.txt"])
def test_each_file_says_in_both_languages_that_it_is_a_sample(name: str) -> None:
    head = "".join(read(name).splitlines(keepends=True)[:4]).lower()
    assert "mẫu" in head
    assert "sample" in head


def test_the_sample_corrections_are_sound() -> None:
    assert read_free_providers(read("free_providers.txt"), "free_providers.txt")[2] == []
