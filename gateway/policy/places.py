"""YAML with the place of every value: data for the models, line and column for the person who mends the file.

Read from the parser's events, without recursion and without PyYAML's constructors: no tag, anchor, alias or merge key can
do anything (safety S-39), and plain words mean what YAML 1.2 says, so that `on` and `no` stay words and dates stay text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from gateway.policy.problem import Problem

SIZE_MAX: Final = 1024 * 1024  # octets of one file
DEPTH_MAX: Final = 20

Path = tuple[str | int, ...]  # ("rules", 0, "when")
Place = tuple[int, int]  # line and column, from 1

_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """One file read: `data` is None when nothing could be read; `places` of values, `keys` of the keys before them."""

    file: str
    data: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """The place of a value (or of its key); of the nearest value above it when it is not in the file."""
        while path:
            found = (key and self.keys.get(path)) or self.places.get(path)
            if found:
                return found
            path, key = path[:-1], False
        return self.places.get((), (0, 0))

    def problem(self, path: Path, value: object, en: str, vi: str, *, key: bool = False) -> Problem:
        """An error at this path."""
        line, column = self.place(path, key=key)
        return Problem(self.file, line, column, "error", shown(value), en, vi)

    def warning(self, path: Path, value: object, en: str, vi: str) -> Problem:
        line, column = self.place(path)
        return Problem(self.file, line, column, "warning", shown(value), en, vi)


def shown(value: object) -> str:
    """A value as a message shows it: short, on one line."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:79] + "…"


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is still open."""

    path: Path
    container: dict[str, Any] | list[Any]
    key: str | None = None
    key_is_bad: bool = False  # its value is read and thrown away


class _Refused(Exception):
    """The rest of the file is not worth reading."""


def read_yaml(text: str, file: str) -> Document:
    """Read one file. Every problem is in the result's `problems`; nothing is raised."""
    document = Document(file)
    if len(text.encode("utf-8", "surrogatepass")) > SIZE_MAX:
        document.problems.append(Problem(file, 0, 0, "error", "", "the file is larger than 1 MiB", "tệp lớn hơn 1 MiB"))
        return document
    reader = _Reader(document)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except _Refused:
        document.data = None
    except (yaml.YAMLError, UnicodeError) as error:
        document.data = None
        document.problems.append(_syntax(file, text, error))
    return document


def _syntax(file: str, text: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    position = getattr(error, "position", None)
    if mark is None and isinstance(position, int):
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "the text is not valid UTF-8"
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    hint_en, hint_vi = (
        "check indentation, colons, quotes and brackets",
        "xem lại thụt dòng, dấu hai chấm, nháy và ngoặc",
    )
    if "\t" in here:
        hint_en, hint_vi = "indent with spaces, not with tabs", "thụt dòng bằng dấu cách, không dùng phím Tab"
    return Problem(
        file,
        line,
        column,
        "error",
        shown(here),
        f"YAML syntax: {what}; {hint_en}",
        f"sai cú pháp YAML ({what}); {hint_vi}",
    )


class _Reader:
    """Builds the data from events, with a stack of open containers."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.stack: list[_Frame] = []
        self.documents = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse(
                event,
                f"*{event.anchor}",
                "aliases are not allowed: write the value out",
                "không dùng bí danh (*): hãy viết rõ giá trị",
            )
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self._report(
                event, f"&{event.anchor}", "anchors are not allowed: remove it", "không dùng neo (&): hãy xóa đi"
            )
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._refuse(
                    event,
                    "---",
                    "only one YAML document in a file: remove this line",
                    "mỗi tệp chỉ một tài liệu YAML: hãy xóa dòng này",
                )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        frame = self.stack[-1] if self.stack else None
        if frame and isinstance(frame.container, dict) and frame.key is None:
            self._key(frame, event)
            return
        plain = bool(event.implicit[0])
        self._value(event, _plain(event.value) if plain else event.value)

    def _key(self, frame: _Frame, event: yaml.ScalarEvent) -> None:
        frame.key, frame.key_is_bad = event.value, False
        path = (*frame.path, event.value)
        if event.value == "<<":
            frame.key_is_bad = True
            self._report(
                event,
                "<<",
                "merge keys are not allowed: write the values out",
                "không dùng khóa gộp (<<): hãy viết rõ các giá trị",
            )
        elif path in self.document.keys:
            frame.key_is_bad = True
            line = self.document.keys[path][0]
            self._report(
                event,
                event.value,
                f"the key '{event.value}' is already in line {line}: keep one",
                f"khóa '{event.value}' đã có ở dòng {line}: chỉ giữ một",
            )
        else:
            self.document.keys[path] = _place(event)

    def _open(self, event: yaml.CollectionStartEvent, container: dict[str, Any] | list[Any]) -> None:
        self._check_tag(event)
        frame = self.stack[-1] if self.stack else None
        if frame and isinstance(frame.container, dict) and frame.key is None:
            raise self._refuse(event, "", "a key must be a word", "khóa phải là một từ")
        path = self._value(event, container)
        if len(self.stack) >= DEPTH_MAX:
            raise self._refuse(event, "", f"nested deeper than {DEPTH_MAX} levels", f"lồng sâu quá {DEPTH_MAX} cấp")
        self.stack.append(_Frame(path, container))

    def _value(self, event: yaml.Event, value: object) -> Path:
        """Put a value where it belongs and remember its place; returns its path."""
        place = _place(event)
        if not self.stack:
            self.document.data = value
            self.document.places[()] = place
            return ()
        frame = self.stack[-1]
        path: Path
        if isinstance(frame.container, list):
            path = (*frame.path, len(frame.container))
            frame.container.append(value)
        else:
            path = (*frame.path, frame.key or "")
            if frame.key_is_bad:
                path = (*path, "(ignored)", *place)  # below it nothing may collide with the key that is kept
            else:
                frame.container[frame.key or ""] = value
            frame.key = None
        self.document.places[path] = place
        return path

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            self._report(
                event, event.tag, "YAML tags are not allowed: remove it", "không dùng thẻ kiểu YAML (!): hãy xóa đi"
            )

    def _report(self, event: yaml.Event, value: str, en: str, vi: str) -> None:
        line, column = _place(event)
        self.document.problems.append(Problem(self.document.file, line, column, "error", shown(value), en, vi))

    def _refuse(self, event: yaml.Event, value: str, en: str, vi: str) -> _Refused:
        self._report(event, value, en, vi)
        return _Refused(en)


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _plain(text: str) -> object:
    """A plain scalar by the core schema of YAML 1.2 §10.3.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text) if len(text) < 20 else text
    if _FLOAT.match(text):
        return float(text)
    return text
