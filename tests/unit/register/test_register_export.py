"""The register as CSV (safety S-38)."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

import pytest

from gateway.register.export import COLUMNS, csv_lines, safe_cell
from tests.support.store_samples import record

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", " =", "\u200b@", "\ufeff+"]
)
def test_S38_cell_that_could_be_a_formula_is_only_text(start):
    assert safe_cell(f'{start}HYPERLINK("http://192.0.2.1")').startswith("'")


@pytest.mark.parametrize("text", ["", "Báo cáo", "12/BC-THPT", "a=b", "Đ", "'quoted"])
def test_other_cells_stay_as_they_are(text):
    assert safe_cell(text) == text


def test_S38_nul_does_not_reach_the_file():
    assert "\0" not in safe_cell("a\0=1")


def test_file_is_rfc4180_with_bom_and_local_time():
    one = record(subject='Báo cáo "quý I", phần 1\r\n=1+1', unit_name="=cmd|' /C calc'!A0")
    octets = b"".join(csv_lines([one, record()], ZONE))
    assert octets.startswith(b"\xef\xbb\xbftime,")
    rows = list(csv.reader(io.StringIO(octets.decode("utf-8-sig"), newline="")))
    assert rows[0] == list(COLUMNS)
    assert {len(row) for row in rows} == {len(COLUMNS)}
    shown = dict(zip(rows[0], rows[1], strict=True))
    assert shown["time"] == "2026-12-07 09:30:15"
    assert shown["subject"] == one.subject
    assert shown["unit_name"] == "'" + one.unit_name
    assert octets.count(b"\r\n") == 4  # three rows, and the line break inside the quoted subject
