"""Every directory of tests/bad_policies has one or a few mistakes; expected-errors holds every line that must be said (O-4)."""

from pathlib import Path

import pytest

from gateway.policy.parse import load
from gateway.reloader.directory import read_directory
from tests.support.policy_cases import BAD_POLICIES, TODAY, good_files

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
