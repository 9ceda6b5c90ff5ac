"""units.csv, mailboxes.csv and free_providers.txt: as Excel writes them, and with every mistake people make."""

from datetime import date

import pytest

from gateway.identity.identity import Holding, Unit
from gateway.policy.problem import Problem
from gateway.policy.tables import read_free_providers, read_mailboxes, read_units

TODAY = date(2026, 11, 21)
UNITS = [Unit("sgddt", "Sở", "so"), Unit("thpt-tan-an", "Trường", "thpt", "sgddt"),
         Unit("old", "Cũ", "thpt", valid_until=date(2020, 1, 1))]  # fmt: skip
UNIT_HEAD = "unit_id,name,kind,parent,valid_from,valid_until,successor,contact\n"
MAILBOX_HEAD = "address,unit_id,function,valid_from,valid_until,note\n"


def units(rows: str, head: str = UNIT_HEAD) -> tuple[list[Unit], list[Problem]]:
    return read_units(head + rows, "units.csv")


def mailboxes(rows: str, head: str = MAILBOX_HEAD) -> tuple[list[Holding], list[Problem]]:
    return read_mailboxes(head + rows, "mailboxes.csv", UNITS, TODAY)


@pytest.mark.parametrize(
    "text",
    [
        'unit_id,name,kind,valid_from,contact\nthpt-a,"Trường ""A"", THPT",thpt,2026-12-01,a@x.vn\n',
        '\ufeffunit_id;name;kind;valid_from;contact\r\nthpt-a;"Trường ""A"", THPT";thpt;01/12/2026;a@x.vn\r\n',
        'sep=;\r\nunit_id;name;kind;valid_from;contact\r\nthpt-a;"Trường ""A"", THPT";thpt;1/12/2026;a@x.vn',
        'unit_id\tname\tkind\tvalid_from\tcontact\nthpt-a\t"Trường ""A"", THPT"\tthpt\t2026-12-01\ta@x.vn\n',
        '# ghi chú "lạ\n\nUnit_ID, Name ,kind,valid_from,contact\n,,,,\n# nữa\n'
        ' thpt-a ,"Trường ""A"", THPT",thpt,2026-12-01,a@x.vn\n',
    ],
)
def test_every_way_in_which_excel_writes(text: str) -> None:
    found, problems = read_units(text, "units.csv")
    assert problems == []
    assert [(u.id, u.name, u.kind, u.valid_from, u.contact) for u in found] == [
        ("thpt-a", 'Trường "A", THPT', "thpt", date(2026, 12, 1), "a@x.vn")
    ]


def test_line_numbers_count_comments_blanks_and_broken_cells() -> None:
    text = '# a\n\nunit_id,name,kind\nu1,"một\nhai",thpt\n\n# b\nu2,x,thpt\n'
    assert [unit.line for unit in read_units(text, "units.csv")[0]] == [4, 8]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (UNIT_HEAD + "a b,X,thpt\n", 2, 1, "unit id"),
        (UNIT_HEAD + ",X,thpt\n", 2, 1, "unit id"),
        (UNIT_HEAD + "u1,,thpt\n", 2, 4, "name is empty"),
        (UNIT_HEAD + "u1,X,\n", 2, 6, "kind is empty"),
        (UNIT_HEAD + "u1,X,thpt,,2026-13-01\n", 2, 12, "no such day"),
        (UNIT_HEAD + "u1,X,thpt,,30/02/2026\n", 2, 12, "no such day"),
        (UNIT_HEAD + "u1,X,thpt,,12/31/2026\n", 2, 12, "no such day"),
        (UNIT_HEAD + "u1,X,thpt,,tháng 9\n", 2, 12, "not a date"),
        (UNIT_HEAD + "u1,X,thpt,,2026-12-01,2026-11-30\n", 2, 23, "ends before"),
        (UNIT_HEAD + "u1,X,thpt\nu1,Y,thpt\n", 3, 1, "line 2 already"),
        (UNIT_HEAD + "sgddt,X,so\nu1,Y,thpt,sgdt\n", 3, 11, "Did you mean sgddt?"),
        (UNIT_HEAD + "u1,Y,thpt,,,,nowhere\n", 2, 14, "no unit nowhere"),
        (UNIT_HEAD + "c,C,x,b\na,A,x,b\nb,B,x,a\n", 4, 7, "circle: b → a → b"),
        (UNIT_HEAD + "a,A,x,a\n", 2, 7, "circle: a → a"),
        (UNIT_HEAD + "a,A,x,,,,b\nb,B,x,,,,a\n", 2, 10, "circle: a → b → a"),
        ("unit_id,name,kind,parrent\nu1,X,thpt,\n", 1, 19, "Did you mean parent?"),
        ("unit_id,name,kind,name\nu1,X,thpt,\n", 1, 19, "twice"),
        ("unit_id,kind\nu1,thpt\n", 1, 0, "name is missing"),
        (UNIT_HEAD + "u1,X,thpt,,,,,c,extra\n", 2, 17, "more cells"),
        (UNIT_HEAD + 'u1,"X,thpt\nu2,Y,thpt\n', 2, 0, "never closed"),
        (UNIT_HEAD + "u1,X" + "x" * 5000 + ",thpt\n", 2, 4, "more than 4096"),
        (UNIT_HEAD + "u1,X" + "x" * 200_000 + ",thpt\n", 2, 0, "cannot be read"),
    ],
)
def test_mistakes_in_units(text: str, line: int, column: int, words: str) -> None:
    _, problems = read_units(text, "units.csv")
    assert [(p.file, p.line, p.column, p.severity) for p in problems] == [("units.csv", line, column, "error")]
    assert words in problems[0].en
    assert problems[0].vi
    assert problems[0].vi != problems[0].en


def test_a_unit_with_a_bad_cell_is_still_known_to_its_mailboxes() -> None:
    found, problems = units("u1,X,thpt,,nonsense\n")
    assert len(problems) == 1
    assert read_mailboxes(MAILBOX_HEAD + "a@x.vn,u1\n", "mailboxes.csv", found, TODAY)[1] == []


def test_all_problems_are_told_at_once() -> None:
    assert [p.line for p in units("a b,X,x\nu1,,x\nu2,X,x,nobody\n")[1]] == [2, 3, 4]


@pytest.mark.parametrize(
    ("rows", "line", "column", "words"),
    [
        ("x y@longan.edu.vn,sgddt\n", 2, 1, "local-part syntax"),
        ("a@b@longan.edu.vn,sgddt\n", 2, 1, "local-part syntax"),
        ("vanthu@longan,sgddt\n", 2, 1, "two labels"),
        ("*.phong@*.longan.edu.vn,sgddt\n", 2, 1, "in the domain"),
        ("long an.edu.vn,sgddt\n", 2, 1, "domain syntax"),
        ("a@x.vn,sgdt\n", 2, 8, "Did you mean sgddt?"),
        ("a@x.vn,\n", 2, 8, "no unit"),
        ("a@x.vn,sgddt,,2026-99-01\n", 2, 15, "no such day"),
        ("a@x.vn,sgddt\nA@X.vn,thpt-tan-an\n", 3, 1, "belongs to sgddt by line 2"),
        ("x.vn,sgddt\n@x.vn,sgddt\n", 3, 1, "line 2"),
        ("a@x.vn,sgddt,,,2027-01-31\na@x.vn,sgddt,,2027-01-31\n", 3, 1, "line 2"),
    ],
)
def test_mistakes_in_mailboxes(rows: str, line: int, column: int, words: str) -> None:
    _, problems = mailboxes(rows)
    assert [(p.line, p.column, p.severity) for p in problems] == [(line, column, "error")]
    assert words in problems[0].en
    assert problems[0].vi


def test_dated_rows_that_follow_each_other_are_no_duplicates() -> None:
    found, problems = mailboxes("a@x.vn,sgddt,,,2026-01-30\na@x.vn,thpt-tan-an,,2026-01-31\n")
    assert (len(found), problems) == (2, [])


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        ("a@x.vn,sgddt,,,2026-11-20\n", 2, "ended on 2026-11-20"),
        ("x.vn,sgddt\n*@x.vn,thpt-tan-an\n", 2, "*@x.vn on line 3"),
        ("a@x.vn,old,,2021-01-01\n", 2, "never counts"),
    ],
)
def test_warnings_do_not_leave_the_row_out(rows: str, line: int, words: str) -> None:
    found, problems = mailboxes(rows)
    assert [(p.line, p.severity) for p in problems] == [(line, "warning")]
    assert words in problems[0].en
    assert len(found) == rows.count("\n")


@pytest.mark.parametrize(
    "rows",
    [
        "a@x.vn,sgddt,,,2026-11-21\n",
        "a@x.vn,sgddt,,,2020-01-01\na@x.vn,sgddt,,2020-01-02\n",
        "truong@gmail.com,thpt-tan-an\n",
        "*.phong@x.vn,sgddt\nx.vn,sgddt\n",
        "*@x.vn,sgddt,,2026-01-01\nx.vn,sgddt\n",
    ],
)
def test_what_is_no_problem(rows: str) -> None:
    assert mailboxes(rows)[1] == []


@pytest.mark.parametrize("name", ["address", "mailbox", "domain", "pattern", " Address "])
def test_names_of_the_first_column(name: str) -> None:
    assert mailboxes("a@x.vn,sgddt\n", f"{name},unit_id\n") == ([Holding("a@x.vn", "sgddt", line=2)], [])


def test_empty_files() -> None:
    assert read_units("", "units.csv") == ([], [])
    assert mailboxes("") == ([], [])


def test_free_providers() -> None:
    text = "\ufeff# ghi chú\r\n+thu.example # thêm\r\n-Gmail.com\r\nkhac.example\r\n\r\n"
    assert read_free_providers(text, "f") == (frozenset({"thu.example", "khac.example"}), frozenset({"gmail.com"}), [])


@pytest.mark.parametrize(
    ("text", "severity", "words"),
    [
        ("+a.vn\n-a.vn\n", "error", "both added and removed"),
        ("+a.vn\na.vn\n", "warning", "already"),
        ("+\n+b.vn\n", "error", "Write +domain"),
        ("  a@b.vn\n", "error", "domain syntax"),
        ("com\n", "error", "two labels"),
    ],
)
def test_mistakes_in_free_providers(text: str, severity: str, words: str) -> None:
    problems = read_free_providers(text, "f")[2]
    assert [p.severity for p in problems] == [severity]
    assert words in problems[0].en
    assert problems[0].vi
