"""Every directory of tests/bad_policies has one or a few mistakes; expected-errors holds every line that must be said (O-4)."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from gateway.policy.check import check
from gateway.policy.parse import load
from gateway.reloader.directory import read_directory
from tests.support.policy_cases import BAD_POLICIES, TODAY, good_files

NOW = datetime.combine(TODAY, time(), UTC)
DIRECTORIES = sorted(path for path in BAD_POLICIES.iterdir() if path.is_dir())


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_O4_every_problem_is_told_with_its_place(directory: Path) -> None:
    own, unreadable = read_directory(directory)
    policy, problems = load({**good_files(), **own}, today=TODAY)
    assert [str(problem) for problem in [*unreadable, *problems]] == (
        (directory / "expected-errors").read_text("utf-8").splitlines()
    )
    assert (policy is None) == any(problem.severity == "error" for problem in problems)


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_every_problem_is_told_in_vietnamese_too(directory: Path) -> None:
    own, _ = read_directory(directory)
    for problem in load({**good_files(), **own}, today=TODAY)[1]:
        assert problem.vi != problem.en
        assert not problem.vi.isascii(), problem.vi


def test_there_are_twenty_of_them() -> None:
    assert len(DIRECTORIES) >= 20


def test_missing_policy_is_an_error_and_missing_tables_are_warnings() -> None:
    policy, problems = load({}, today=TODAY)
    assert policy is None
    assert [(problem.file, problem.severity) for problem in problems] == [
        ("mailboxes.csv", "warning"),
        ("policy.yaml", "error"),
        ("units.csv", "warning"),
    ]


def test_problems_of_all_files_are_told_at_once() -> None:
    files = {
        **good_files(),
        "policy.yaml": "version: 1",
        "directives/directive-1077.yaml": "asks: 1",
        "units.csv": "name\nx\n",
    }
    assert {problem.file for problem in load(files, today=TODAY)[1]} >= {
        "policy.yaml",
        "directives/directive-1077.yaml",
        "units.csv",
    }


def test_F34_no_prefix_of_a_policy_file_raises_or_gives_a_set_without_a_last_rule() -> None:
    files = good_files()
    whole = files["policy.yaml"]
    for size in range(0, len(whole), 3):
        policy, problems = load({**files, "policy.yaml": whole[:size]}, today=TODAY)
        if policy is None:
            assert any(problem.severity == "error" for problem in problems)
        else:
            assert policy.rules[-1].match.is_always
            assert policy.rules[-1].name == "everything-else"


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda text: text.replace("unit_id", "mã", 1),
        lambda text: text.replace("so,", '"so,', 1),
    ],
    ids=["header", "quote never closed"],
)
def test_O4_units_that_cannot_be_read_whole_are_not_told_again_at_every_mailbox(spoiled: Callable[[str], str]) -> None:
    files = {
        **good_files(),
        "units.csv": "unit_id,name,kind\nsgddt,Sở GD&ĐT Long An,so,\nthpt-tan-an,THPT Tân An,thpt\n",
    }
    files["mailboxes.csv"] = "address,unit_id\n" + "".join(f"c{n}@longan.edu.vn,thpt-tan-an\n" for n in range(9))
    policy, problems = load({**files, "units.csv": spoiled(files["units.csv"])}, today=TODAY)
    assert policy is None
    assert {problem.file for problem in problems} == {"units.csv"}


def test_O4_a_file_that_cannot_be_read_is_not_called_missing_nor_are_those_blamed_who_name_what_it_holds() -> None:
    files = good_files()
    unread = {name for name in files if name.startswith(("units", "directives/", "templates/"))}
    policy, problems = load({n: t for n, t in files.items() if n not in unread}, today=TODAY, unread=unread)
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    policy, problems = load({}, today=TODAY, unread={"policy.yaml", "units.csv", "mailboxes.csv"})
    assert (policy, problems) == (None, [])


def test_O4_mailboxes_without_units_are_one_error() -> None:
    files = {**good_files(), "mailboxes.csv": "address,unit_id\na@longan.edu.vn,sgddt\nb@longan.edu.vn,sgddt\n"}
    files.pop("units.csv", None)
    policy, problems = load(files, today=TODAY)
    assert policy is None
    assert [(problem.file, problem.severity) for problem in problems] == [("units.csv", "error")]


def test_a_free_provider_belongs_to_no_unit() -> None:
    units = "unit_id,name,kind\nthpt-tan-an,THPT Tân An,thpt\n"
    rows = ["gmail.com", "@yahoo.com", "*truong@gmail.com", "thpttanan@gmail.com", "tanan.example.vn", "hopthu.example"]
    files = {**good_files(), "units.csv": units, "free_providers.txt": "+hopthu.example\n"}
    files["mailboxes.csv"] = "address,unit_id\n" + "".join(f"{row},thpt-tan-an\n" for row in rows)
    policy, problems = load(files, today=TODAY)
    assert policy is None
    assert [(p.line, p.value) for p in problems if p.severity == "error"] == [
        (2, "gmail.com"),
        (3, "@yahoo.com"),
        (4, "*truong@gmail.com"),
        (7, "hopthu.example"),
    ]


def test_O4_no_golden_case_fails_for_a_file_that_cannot_be_read() -> None:
    files = {**good_files(), "units.csv": "unit_id,name,kind\nthpt-tan-an,THPT Tân An,thpt\n"}
    case = "cases:\n  - {name: đơn vị, from: a@gmail.com, to: vanthu@longan.edu.vn, expect: {unit: thpt-tan-an}}\n"
    files |= {"mailboxes.csv": "address,unit_id\na@gmail.com,thpt-tan-an\n", "cases/unit.yaml": case}
    assert [p for p in check(files, now=NOW)[1] if p.severity == "error"] == []
    del files["mailboxes.csv"]
    assert [p.file for p in check(files, now=NOW)[1] if p.severity == "error"] == ["cases/unit.yaml"]
    assert [p for p in check(files, now=NOW, unread={"mailboxes.csv"})[1] if p.severity == "error"] == []
