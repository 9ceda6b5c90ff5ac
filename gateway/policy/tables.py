"""units.csv and mailboxes.csv: rows into units and holdings, and every problem with its place and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

from gateway.envelope.address import AddressError
from gateway.identity.identity import Holding, Unit
from gateway.identity.pattern import Pattern, parse_pattern
from gateway.identity.provider import FreeProviders
from gateway.policy.csv_rows import Columns, Row, Sheet
from gateway.policy.problem import Problem
from gateway.policy.provider_list import read_free_providers

__all__ = ["read_free_providers", "read_mailboxes", "read_units", "whole_free_providers"]

UNIT_COLUMNS = Columns(
    ("unit_id", "name", "kind"),
    ("parent", "valid_from", "valid_until", "successor", "contact"),
)
MAILBOX_COLUMNS = Columns(
    ("address", "unit_id"),
    ("function", "valid_from", "valid_until", "note"),
    {"mailbox": "address", "domain": "address", "pattern": "address"},
)

_UNIT_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?\Z")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\Z")
_DAY_FIRST = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})\Z")


def read_units(text: str, file: str) -> tuple[list[Unit], list[Problem]]:
    """Read units.csv. Rows without a readable id, or with one that was there before, are left out; nothing raises."""
    sheet = Sheet(text, file, UNIT_COLUMNS)
    units: dict[str, Unit] = {}
    rows: dict[str, Row] = {}
    for row in sheet.rows():
        unit = _read_unit(sheet, row)
        if unit is None:
            continue
        if unit.id in units:
            line = units[unit.id].line
            sheet.error(row, "unit_id", f"unit {unit.id} is on line {line} already. Give each unit an id of its own.",
                        f"đơn vị {unit.id} đã có ở dòng {line}. Mỗi đơn vị phải có một mã riêng.")  # fmt: skip
            continue
        units[unit.id], rows[unit.id] = unit, row
    for column in ("parent", "successor"):
        _check_references(sheet, units, rows, column)
    return list(units.values()), sorted(sheet.problems, key=_place)


def read_mailboxes(
    text: str, file: str, units: Iterable[Unit] | None, today: date
) -> tuple[list[Holding], list[Problem]]:
    """Read mailboxes.csv against the units of the same policy set. Rows with an error are left out; nothing raises.

    Without `units` (None: their file cannot be read whole) no row is blamed for naming a unit that is not there.
    """
    sheet = Sheet(text, file, MAILBOX_COLUMNS)
    known = None if units is None else {unit.id: unit for unit in units}
    kept = _Kept()
    holdings: list[Holding] = []
    for row in sheet.rows():
        pattern, holding = _read_pattern(sheet, row), _read_holding(sheet, row, known)
        if pattern is None or holding is None:
            continue
        key = pattern.key
        if _is_single(sheet, row, key, holding, kept):
            holdings.append(holding)
            kept.add(key, pattern, holding)
    _warn_of_expired(sheet, kept, today)
    _warn_of_shadowed(sheet, kept)
    return holdings, sorted(sheet.problems, key=_place)


def whole_free_providers(holdings: Iterable[Holding], file: str, free: FreeProviders) -> Iterator[Problem]:
    """Rows that give a unit every mailbox, or many, of a free provider: there anybody can open one and be that unit."""
    for holding in holdings:
        text = holding.pattern
        if "@" in text and "*" not in text and not text.startswith("@"):
            continue
        domain = parse_pattern(text).domain
        if free.reason(domain):
            en = (
                f"{text}: anybody can open a mailbox at {domain}. Write the unit's own address; if {domain} is no free "
            )
            en += f"provider, write -{domain} in free_providers.txt."
            vi = f"{text}: ai cũng mở được hộp thư tại {domain}. Hãy ghi đúng địa chỉ của đơn vị; nếu {domain} không phải "
            vi += f"nhà cung cấp miễn phí thì ghi -{domain} trong free_providers.txt."
            yield Problem(file, holding.line, 0, "error", text, en, vi)


class _Kept:
    """The holdings read so far, by what they mean. A million of them have one row each, so no list is made for one."""

    def __init__(self) -> None:
        self._first: dict[str, Holding] = {}
        self._further: dict[str, list[Holding]] = {}
        self.whole: dict[str, str] = {}  # domain: key of the pattern *@domain

    def add(self, key: str, pattern: Pattern, holding: Holding) -> None:
        if self._first.setdefault(key, holding) is not holding:
            self._further.setdefault(key, []).append(holding)
        if pattern.local_part == "*":
            self.whole[pattern.domain] = key

    def of(self, key: str) -> Sequence[Holding]:
        first = self._first.get(key)
        return () if first is None else [first, *self._further.get(key, ())]

    def ended(self, before: date) -> Iterator[Holding]:
        """The last row of every pattern of which no row lasts until this day."""
        for key, first in self._first.items():
            if first.valid_until and all(h.valid_until and h.valid_until < before for h in self.of(key)):
                yield self.of(key)[-1]


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _read_unit(sheet: Sheet, row: Row) -> Unit | None:
    """The unit, also where a cell of it is wrong: that the mailboxes' unit is unknown would be no second problem."""
    unit_id = row.get("unit_id")
    is_named = bool(_UNIT_ID.match(unit_id))
    if not is_named:
        sheet.error(row, "unit_id", "a unit id is of letters a-z, digits, dot, hyphen and underscore, as in thpt-tan-an.",
                    "mã đơn vị chỉ gồm chữ cái không dấu, số, dấu chấm, gạch nối, gạch dưới, ví dụ thpt-tan-an.")  # fmt: skip
    for column in ("name", "kind"):
        if not row.get(column):
            sheet.error(row, column, f"column {column} is empty. Fill it in.", f"ô {column} đang trống. Hãy điền vào.")
    start, end = _read_dates(sheet, row)
    if not is_named:
        return None
    return Unit(unit_id, row.get("name"), row.get("kind"), row.get("parent"), start, end, row.get("successor"),
                row.get("contact"), row.line)  # fmt: skip


def _read_dates(sheet: Sheet, row: Row) -> tuple[date | None, date | None]:
    start, end = _read_date(sheet, row, "valid_from"), _read_date(sheet, row, "valid_until")
    if start and end and end < start:
        sheet.error(row, "valid_until", f"ends before it begins ({start}). Exchange the two dates.",
                    f"ngày kết thúc trước ngày bắt đầu ({start}). Hãy đổi lại hai ngày.")  # fmt: skip
    return start, end


def _read_date(sheet: Sheet, row: Row, column: str) -> date | None:
    text = row.get(column)
    if not text:
        return None
    try:
        return _date_of(text)
    except ValueError as error:
        why = str(error)
    sheet.error(row, column, f"{text}: {why}. Write 2026-12-01 or 01/12/2026 (day, month, year).",
                f"{text}: ngày không hợp lệ. Hãy viết 2026-12-01 hoặc 01/12/2026 (ngày/tháng/năm).")  # fmt: skip
    return None


@lru_cache(maxsize=1024)
def _date_of(text: str) -> date:
    """Raises ValueError, which says why not. The rows of a large file share a few days."""
    if iso := _ISO.match(text):
        year, month, day = int(iso[1]), int(iso[2]), int(iso[3])
    elif day_first := _DAY_FIRST.match(text):
        year, month, day = int(day_first[3]), int(day_first[2]), int(day_first[1])
    else:
        raise ValueError("not a date")
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError("no such day") from None


def _check_references(sheet: Sheet, units: dict[str, Unit], rows: dict[str, Row], column: str) -> None:
    """Parents and successors must exist, and must not lead in a circle. Every unit is walked over once."""
    done: set[str] = set()
    for unit in units.values():
        path: dict[str, None] = {}
        here = unit.id
        while here not in done and here not in path:
            path[here] = None
            target = rows[here].get(column)
            if not target:
                break
            if target not in units:
                _unknown_unit(sheet, rows[here], column, units)
                break
            here = target
        else:
            if here in path:
                circle = " → ".join([*path, here][list(path).index(here) :])
                sheet.error(rows[here], column, f"the column {column} leads in a circle: {circle}. Break it.",
                            f"cột {column} dẫn thành vòng tròn: {circle}. Hãy sửa lại.")  # fmt: skip
        done.update(path)


def _unknown_unit(sheet: Sheet, row: Row, column: str, units: dict[str, Unit]) -> None:
    value = row.get(column)
    en, vi = sheet.suggestion(value, list(units))
    sheet.error(row, column, f"there is no unit {value}.{en} Use an id from units.csv.",
                f"không có đơn vị {value}.{vi} Hãy dùng mã trong units.csv.")  # fmt: skip


def _read_pattern(sheet: Sheet, row: Row) -> Pattern | None:
    try:
        return parse_pattern(row.get("address"))
    except AddressError as error:
        sheet.error(row, "address",
                    f"{error}. Write an address (vanthu@longan.edu.vn), a pattern (*.phong@longan.edu.vn), "
                    "a domain (thpttanan.longan.edu.vn) or *.domain.",
                    "địa chỉ không hợp lệ. Hãy viết một địa chỉ (vanthu@longan.edu.vn), một mẫu (*.phong@longan.edu.vn), "
                    "một tên miền (thpttanan.longan.edu.vn) hoặc *.tên-miền.")  # fmt: skip
        return None


def _read_holding(sheet: Sheet, row: Row, units: dict[str, Unit] | None) -> Holding | None:
    before = len(sheet.problems)
    unit_id = row.get("unit_id")
    if units is not None and unit_id not in units:
        _unknown_unit(sheet, row, "unit_id", units)
    start, end = _read_dates(sheet, row)
    if len(sheet.problems) > before:
        return None
    holding = Holding(row.get("address"), unit_id, row.get("function"), start, end, row.get("note"), row.line)
    unit = units[unit_id] if units is not None else None
    if unit and not unit.successor and not _overlap(holding, unit):
        sheet.warning(row.line, "unit_id", unit_id,
                      f"unit {unit_id} does not exist on this row's days, so it never counts. Mend the dates.",
                      f"đơn vị {unit_id} không tồn tại trong thời gian của dòng này nên dòng không có tác dụng. "
                      "Hãy sửa lại ngày.")  # fmt: skip
    return holding


def _overlap(one: Holding | Unit, other: Holding | Unit) -> bool:
    """Whether there is a day on which both count."""
    starts, ends = one.valid_from or date.min, other.valid_until or date.max
    return starts <= ends and (other.valid_from or date.min) <= (one.valid_until or date.max)


def _is_single(sheet: Sheet, row: Row, key: str, holding: Holding, kept: _Kept) -> bool:
    for other in kept.of(key):
        if _overlap(holding, other):
            sheet.error(row, "address",
                        f"{key} belongs to {other.unit_id} by line {other.line} already, on some of the same days. "
                        "Delete one row, or end the older with valid_until.",
                        f"{key} đã thuộc {other.unit_id} ở dòng {other.line} trong cùng thời gian. "
                        "Hãy xóa một dòng, hoặc ghi valid_until cho dòng cũ.")  # fmt: skip
            return False
    return True


def _warn_of_expired(sheet: Sheet, kept: _Kept, today: date) -> None:
    """A row that has ended is worth a word, unless another row of the same mailbox tells what came after."""
    for holding in kept.ended(today):
        sheet.warning(holding.line, "valid_until", str(holding.valid_until),
                      f"{holding.pattern} ended on {holding.valid_until} and nothing follows it. "
                      "Add a row, or delete this one if nobody asks for it any more.",
                      f"{holding.pattern} đã hết hạn ngày {holding.valid_until} và không có dòng nào tiếp theo. "
                      "Hãy thêm dòng mới, hoặc xóa dòng này nếu không còn dùng.")  # fmt: skip


def _warn_of_shadowed(sheet: Sheet, kept: _Kept) -> None:
    """An exact domain beside `*@domain`: the address pattern means every mailbox of it and takes precedence."""
    for domain, key in kept.whole.items():
        for holding in kept.of(domain):
            for other in kept.of(key):
                if _covers(other, holding):
                    sheet.warning(holding.line, "address", holding.pattern,
                                  f"this row never counts: {key} on line {other.line} comes before it. Delete one.",
                                  f"dòng này không bao giờ có tác dụng vì {key} ở dòng {other.line} được xét trước. "
                                  "Hãy xóa một dòng.")  # fmt: skip


def _covers(one: Holding, other: Holding) -> bool:
    """Whether `one` counts on every day on which `other` does."""
    starts = (one.valid_from or date.min) <= (other.valid_from or date.min)
    return starts and (other.valid_until or date.max) <= (one.valid_until or date.max)
