"""Tables and texts on a terminal: nothing wider than it, nothing torn, nothing obeyed (S-44)."""

from __future__ import annotations

import unicodedata
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import tables
from gateway.cli.speech import use
from gateway.cli.tables import Column, fitted, print_table, safe
from gateway.cli.terminal import cut, padded, wants_colours, width

HEADS = (Column("ID"), Column("Held at", rank=1), Column("From", 16), Column("Unit", 14, rank=2), Column("Subject", 20))
ROW = ["7F3K-9QXM-2C4D", "21/11/2026 14:05", "nguyenthilan.thcs@gmail.com", "Trường THCS Bình Đức", "Báo cáo " * 20]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _english() -> None:
    use("en")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Báo cáo", 7),
        (unicodedata.normalize("NFD", "Báo cáo"), 7),
        ("報告", 4),
        ("a\u200bb", 2),
        ("👍", 2),
        ("", 0),
    ],
)
def test_width_is_what_a_terminal_shows(text: str, columns: int) -> None:
    assert width(text) == columns
    assert width(padded(text, 12)) == 12


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("Báo cáo số 45", 20, "Báo cáo số 45"),
        ("Báo cáo số 45", 8, "Báo cáo…"),
        ("Báo cáo số 45", 9, "Báo cáo…"),
        (unicodedata.normalize("NFD", "Báo cáo"), 3, unicodedata.normalize("NFD", "Bá") + "…"),
        ("報告報告", 4, "報…"),
        ("abc", 1, "…"),
    ],
)
def test_long_texts_are_cut_with_an_ellipsis(text: str, room: int, shown: str) -> None:
    assert cut(text, room) == shown


@given(st.text(max_size=60), st.integers(0, 70))
def test_what_is_cut_is_never_wider_than_its_room(text: str, room: int) -> None:
    shown = cut(safe(text), room)
    assert width(shown) <= room


@pytest.mark.parametrize("room", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_references_stay_whole(room: int) -> None:
    lines = fitted(HEADS, [ROW, ["7F3K-9QXM-2C4E", "", "", "", ""]], room)
    assert max(map(width, lines)) <= room
    assert all(any(reference in line for line in lines) for reference in ("7F3K-9QXM-2C4D", "7F3K-9QXM-2C4E"))


def test_columns_without_room_are_named() -> None:
    lines = fitted(HEADS, [ROW], 60)
    assert lines[-1] == "(not shown here: Held at, Unit)" or "Unit" in lines[-1]
    assert "Subject" in lines[0]
    assert fitted(HEADS, [ROW], 400)[-1].count("Báo cáo") == 20


def test_a_pipe_gets_whole_rows_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADS, [ROW, ["x", "a\tb\nc", "\x1b[31m", "\u202e", ""]], "nothing")
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t") == ROW
    assert second.split("\t") == ["x", "a\\u0009b\\u000ac", "\\u001b[31m", "\\u202e", ""]


def test_an_empty_table_says_so_beside_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADS, [], "Nothing is held.")
    assert capsys.readouterr() == ("", "Nothing is held.\n")


def test_a_terminal_gets_a_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(tables.sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(HEADS, [ROW], "nothing")
    heading, row, *_ = screen.getvalue().splitlines()
    assert heading.startswith("ID ")
    assert row.startswith("7F3K-9QXM-2C4D  ")
    assert "\x1b" not in screen.getvalue()


@pytest.mark.parametrize(
    ("environ", "is_terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_follow_the_conventions(environ: dict[str, str], is_terminal: bool, wanted: bool) -> None:
    assert wants_colours(Terminal() if is_terminal else StringIO(), environ) is wanted
