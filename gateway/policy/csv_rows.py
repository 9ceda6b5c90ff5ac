"""CSV as Excel writes it, read into rows that know their line, so that every problem can be shown in its place.

UTF-8 with or without BOM; `,` `;` or a tab between cells, as the header line has it; CRLF or LF; quoted cells; blank
lines; lines that begin with `#`; the line `sep=;` that Excel understands.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.policy.problem import Problem

RECORD_LINES_MAX = 20  # lines of one record; more means a quote that nobody closed
CELL_MAX = 4096  # characters
SUGGESTIONS_MAX = 100  # look-ups for "did you mean" in one file; each compares with every known name


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a file may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)  # other name: column

    @property
    def names(self) -> tuple[str, ...]:
        return self.required + self.optional


class Row:
    """One record: cells by column name, without outer white space; "" where the file has none."""

    __slots__ = ("_cells", "_places", "line")

    def __init__(self, line: int, cells: Sequence[str], places: Mapping[str, int]) -> None:
        self.line = line
        self._cells = cells
        self._places = places

    def get(self, column: str) -> str:
        place = self._places.get(column)
        return self._cells[place].strip() if place is not None and place < len(self._cells) else ""


class Sheet:
    """A CSV text, its rows, and the problems found in it. Everything is reported; nothing raises."""

    def __init__(self, text: str, file: str, columns: Columns) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._columns = columns
        self._lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._suggestions = 0
        self._places: dict[str, int] = {}
        self._delimiter, self._header_line = self._find_header()

    def rows(self) -> Iterator[Row]:
        """The records below the header, in order; none when a required column is missing."""
        places: dict[str, int] | None = None
        width = 0
        last = self._header_line
        reader = csv.reader(self._readable(), delimiter=self._delimiter)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._unreadable(self._header_line + reader.line_num, str(error))
                return
            line, last = last + 1, self._header_line + reader.line_num
            whole = "".join(cells)
            if not whole or whole.isspace():
                continue
            if last > line and (last - line >= RECORD_LINES_MAX or self._is_unclosed(line, last)):
                self._unclosed(line)
                return
            if places is None:
                places = self._read_header(line, cells)
                if places is None:
                    return
                self._places, width = places, len(cells)
                continue
            if (len(cells) <= width and len(whole) <= CELL_MAX) or self._is_sound(line, cells, width):
                yield Row(line, cells, places)

    def error(self, row: Row, column: str, en: str, vi: str) -> None:
        self._add("error", row.line, self._places.get(column, -1), row.get(column), en, vi)

    def warning(self, line: int, column: str, value: str, en: str, vi: str) -> None:
        self._add("warning", line, self._places.get(column, -1), value, en, vi)

    def suggestion(self, value: str, known: Sequence[str]) -> tuple[str, str]:
        """`did you mean …?` in English and Vietnamese, or two empty texts."""
        self._suggestions += 1
        close = difflib.get_close_matches(value, known, 1, 0.7) if self._suggestions <= SUGGESTIONS_MAX else []
        return (f" Did you mean {close[0]}?", f" Có phải là {close[0]} không?") if close else ("", "")

    def _find_header(self) -> tuple[str, int]:
        """The delimiter, and the number of lines before the header."""
        for number, line in enumerate(self._lines):
            words = line.strip()
            if words.lower().startswith("sep=") and len(words) == 5:
                return words[4], number + 1
            if words and not words.startswith("#"):
                return max(",;\t", key=line.count), number
        return ",", len(self._lines)

    def _readable(self) -> Iterator[str]:
        for line in self._lines[self._header_line :]:
            yield "\n" if line.startswith(("#", '"#')) else line + "\n"

    def _read_header(self, line: int, cells: list[str]) -> dict[str, int] | None:
        places: dict[str, int] = {}
        for place, cell in enumerate(cells):
            written = cell.strip().lower()
            name = self._columns.aliases.get(written, written)
            if not name:
                continue
            if name not in self._columns.names:
                en, vi = self.suggestion(name, self._columns.names)
                known = ", ".join(self._columns.names)
                self._add("error", line, place, cell, f"unknown column {cell}.{en} Known columns: {known}.",
                          f"không có cột {cell}.{vi} Các cột hợp lệ: {known}.")  # fmt: skip
            elif name in places:
                self._add("error", line, place, cell, f"column {name} comes twice. Delete one.",
                          f"cột {name} bị lặp. Hãy xóa bớt một cột.")  # fmt: skip
            places.setdefault(name, place)
        missing = [name for name in self._columns.required if name not in places]
        for name in missing:
            self._add("error", line, -1, "", f"column {name} is missing. Add it to the first row.",
                      f"thiếu cột {name}. Hãy thêm vào dòng tiêu đề.")  # fmt: skip
        return None if missing else places

    def _is_sound(self, line: int, cells: list[str], width: int) -> bool:
        if len(cells) <= width and len(max(cells, key=len)) <= CELL_MAX:
            return True
        for place, cell in enumerate(cells):
            if len(cell) > CELL_MAX:
                self._add("error", line, place, cell[:40], f"a cell of more than {CELL_MAX} characters. Shorten it.",
                          f"ô dài hơn {CELL_MAX} ký tự. Hãy rút ngắn.")  # fmt: skip
                return False
            if place >= width and cell.strip():
                self._add("error", line, place, cell,
                          "more cells than columns. Put the cell in quotes if it holds the delimiter.",
                          "nhiều ô hơn số cột. Nếu trong ô có dấu phân cách thì đặt cả ô trong dấu ngoặc kép.")  # fmt: skip
                return False
        return True

    def _is_unclosed(self, first: int, last: int) -> bool:
        return sum(line.count('"') for line in self._lines[first - 1 : last]) % 2 == 1

    def _unclosed(self, line: int) -> None:
        self._add("error", line, -1, "", 'a quote (") opened here is never closed. Close it, or double it: "".',
                  'dấu ngoặc kép (") mở ở dòng này không được đóng. Hãy đóng lại hoặc viết thành "".')  # fmt: skip

    def _unreadable(self, line: int, why: str) -> None:
        self._add("error", line, -1, "", f"the line cannot be read as CSV ({why}). Save the file anew as CSV UTF-8.",
                  f"không đọc được dòng này theo dạng CSV ({why}). Hãy lưu lại tệp dạng CSV UTF-8.")  # fmt: skip

    def _add(self, severity: str, line: int, place: int, value: str, en: str, vi: str) -> None:
        column = self._character(line, place) if place >= 0 else 0
        level = "error" if severity == "error" else "warning"
        self.problems.append(Problem(self.file, line, column, level, value, en, vi))  # type: ignore[arg-type]

    def _character(self, line: int, place: int) -> int:
        """The character of the line, from 1, at which a cell begins; 0 when the record is broken over several lines."""
        text = self._lines[line - 1]
        quoted, found, start = False, 0, 0
        for position, char in enumerate(text):
            if found == place:
                break
            if char == '"':
                quoted = not quoted
            elif char == self._delimiter and not quoted:
                found, start = found + 1, position + 1
        return start + 1 if found == place else 0
