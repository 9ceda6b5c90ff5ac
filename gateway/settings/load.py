"""gateway.toml and GATEWAY_* variables to Settings, or every problem at once, each with its place and how to mend it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from gateway.settings.consistency import contradictions
from gateway.settings.models import Section, Settings
from gateway.settings.places import Place, place_of, places_of_keys
from gateway.settings.sentence import Language, Sentence, reason
from gateway.settings.sentences import sentence, shown
from gateway.settings.syntax import NOT_TOML, syntax

DEFAULT: Final = Path("gateway.toml")
_TOML_PLACE: Final = re.compile(r"\s*\(at line (\d+), column (\d+)\)")

_NO_FILE: Final = Sentence(
    "{file}: no such file; write it, or start without naming one",
    "{file}: không có tệp này; hãy tạo tệp, hoặc chạy lệnh mà không nêu tên tệp",
)
_NOT_UTF8: Final = Sentence(
    "{file}:{line}: not UTF-8; save the file as UTF-8",
    "{file}:{line}: không phải UTF-8; hãy lưu tệp theo bảng mã UTF-8",
)
_UNREADABLE: Final = Sentence(
    "{file}: cannot be read: {why}; let the gateway's user read it",
    "{file}: không đọc được: {why}; hãy cấp quyền đọc cho người dùng chạy cổng thư",
)
_FOLDER: Final = Sentence(
    "{file}: a folder, not a file; name the file in it",
    "{file}: đây là thư mục, không phải tệp; hãy chỉ rõ tệp trong đó",
)
_WRONG: Final = Sentence("{place}: {key}: value {value}: {why}", "{place}: {key}: giá trị {value}: {why}")
_TROUBLE: Final = Sentence("{place}: {key}: {why}", "{place}: {key}: {why}")

Keys = tuple[str, ...]
SectionT = TypeVar("SectionT", bound=Section)


class SettingsError(Exception):
    """The settings cannot be used; `problems` are sentences that begin with `file:line:column:` or a variable's name."""

    def __init__(self, problems: list[Sentence]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def texts(self, language: Language) -> list[str]:
        """The problems as a person reads them."""
        return [problem.text(language) for problem in self.problems]


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file (None: gateway.toml here, if there is one), then the variables over it.

    Relative paths are relative to the file's directory, those of variables too. Raises SettingsError.
    """
    file = path or DEFAULT
    text = _read(file, required=path is not None)
    return _Loading(file, text, environ).settings()


def _read(file: Path, *, required: bool) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        if not required:
            return ""
        raise SettingsError([_NO_FILE.filled(file=file)]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError([_NOT_UTF8.filled(file=file, line=line)]) from None
    except IsADirectoryError:
        raise SettingsError([_FOLDER.filled(file=file)]) from None
    except OSError as error:
        raise SettingsError([_UNREADABLE.filled(file=file, why=reason(error))]) from None


class _Loading:
    """One reading: what was read, and from where each key came."""

    def __init__(self, file: Path, text: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self._text = text
        self._places: dict[Keys, Place] = {}
        self._variables: dict[str, Any] = {}
        self._problems: dict[Keys, Sentence] = {}

    def settings(self) -> Settings:
        tables = self._tables()
        try:
            settings = Settings.model_validate(tables)
        except ValidationError as errors:
            self._collect(errors, tables)
            settings = self._without_wrong_keys(tables)
        settings = _anchored(settings, self._file.absolute().parent)
        for keys, problem in contradictions(settings, tuple(self._problems)):
            told = _TROUBLE.filled(place=self._place(keys), key=".".join(keys), why=problem)
            self._problems.setdefault(keys, told)
        if self._problems:
            raise SettingsError([self._problems[keys] for keys in sorted(self._problems, key=self._line)])
        return settings

    def _tables(self) -> dict[str, Any]:
        try:
            tables = tomllib.loads(self._text + "\n")  # so that a fault at the very end has a line
        except tomllib.TOMLDecodeError as error:
            raise SettingsError([self._syntax(str(error))]) from None
        self._places = places_of_keys(self._text)
        if any(name.upper().startswith("GATEWAY_") for name in self._environ):
            from gateway.settings.variables import read_variables  # costs an import that most starts do not need

            self._variables = read_variables(self._environ)
        return _merged(tables, self._variables)

    def _syntax(self, message: str) -> Sentence:
        match = _TOML_PLACE.search(message)
        what = _TOML_PLACE.sub("", message).replace("(at end of document)", "at the end of the file")
        place = f"{match[1]}:{match[2]}" if match else str(self._text.count("\n") + 1)
        return NOT_TOML.filled(place=f"{self._file}:{place}", what=syntax(what))

    def _collect(self, errors: ValidationError, tables: dict[str, Any]) -> None:
        for error in errors.errors(include_url=False):
            keys, value = _inner(tables, error["loc"])
            is_unknown = error["type"] == "extra_forbidden"
            problem = (_TROUBLE if is_unknown else _WRONG).filled(
                place=self._place(keys, of_value=not is_unknown),
                key=".".join(keys),
                value=shown(keys, value),
                why=sentence(error, keys),
            )
            self._problems.setdefault(keys, problem)  # of the members of a union, the first complaint will do

    def _place(self, keys: Keys, *, of_value: bool = True) -> str:
        """Variables go over the file, so a key that both set is the variable's."""
        known = _inner(self._variables, keys)[0]
        if known and len(known) >= min(len(keys), 2):
            from gateway.settings.variables import variable_of

            return variable_of(self._environ, keys) or str(self._file)
        place = place_of(self._places, keys)
        return f"{self._file}:{place.line}:{place.value if of_value else place.key}" if self._text else str(self._file)

    def _line(self, keys: Keys) -> int:
        return place_of(self._places, keys).line

    def _without_wrong_keys(self, tables: dict[str, Any]) -> Settings:
        """The settings with defaults in the place of what is wrong, so that contradictions are told in the same run."""
        for keys in self._problems:
            holder: Any = tables
            for key in keys[:-1]:
                holder = holder.get(key, {}) if isinstance(holder, dict) else {}
            if isinstance(holder, dict):
                holder.pop(keys[-1], None)
        return Settings.model_validate(tables)


def _inner(tables: object, location: tuple[str | int, ...]) -> tuple[Keys, object]:
    """The key path of an error and its value: as far as names go, since pydantic adds positions and types of its own."""
    keys: list[str] = []
    value = tables
    for part in location:
        if isinstance(value, dict) and isinstance(part, str) and part in value:
            keys.append(part)
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            break
    return tuple(keys), value


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        both[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both


def _anchored(section: SectionT, base: Path) -> SectionT:
    """The section with absolute paths."""
    changes: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changes[name] = base / value
        elif isinstance(value, Section):
            changes[name] = _anchored(value, base)
    return section.model_copy(update=changes)
