"""docs/reference/settings.md, from the models: keys, defaults, limits and docstrings cannot differ from the program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo

from gateway.settings.models import Settings

_INTRODUCTION = """\
# Settings

Every key of `gateway.toml`, with its default. This page is generated from the program; do not edit it.

- A change needs a restart. What changes from day to day is in [the policy files](policies.md).
- Paths are relative to the folder of `gateway.toml`. Unknown keys are errors; `gateway check` tells every mistake at once.
- Each key has an environment variable, which wins over the file: `GATEWAY_WORKERS=4`, `GATEWAY_SMTP__LISTEN='["0.0.0.0:25"]'`.

A file to begin with: [gateway.toml](../../deploy/gateway.toml).
"""
_BOUNDS: Final = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


def page() -> str:
    """The whole page."""
    sections = {name: info for name, info in Settings.model_fields.items() if _is_table(info)}
    lines = [_INTRODUCTION, "## The top of the file", ""]
    lines += _table("", [item for item in Settings.model_fields.items() if item[0] not in sections])
    for name, info in sections.items():
        lines += ["", f"## [{name}]", ""]
        lines += _table(name, list(info.annotation.model_fields.items()))  # type: ignore[union-attr]
    return "\n".join(lines) + "\n"


def _is_table(info: FieldInfo) -> bool:
    return isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)


def _table(section: str, fields: list[tuple[str, FieldInfo]]) -> Iterator[str]:
    yield "| Key | Default | Meaning |"
    yield "|---|---|---|"
    for name, info in fields:
        key = _key(name, info)
        meaning = " ".join(filter(None, (" ".join((info.description or "").split()), _limits(info))))
        variable = "GATEWAY_" + "__".join(part.upper() for part in (section, key) if part)
        yield f"| `{key}` | {_default(info.default)} | {_cell(meaning)}<br>`{variable}` |"


def _key(name: str, info: FieldInfo) -> str:
    """As it is written in the file."""
    choices = getattr(info.validation_alias, "choices", None)
    return str(choices[0]) if choices else name


def _default(value: Any) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case ByteSize():
            return f'`"{value.human_readable(separator=" ")}"`'.replace(".0 ", " ")
        case tuple():
            return "`[" + ", ".join(f'"{one}"' for one in value) + "]`"
        case str() | Path():
            return f'`"{value}"`'
        case _:
            return f"`{value}`"


def _limits(info: FieldInfo) -> str:
    found = [
        f"{words} {getattr(bound, name)}" for bound in info.metadata for name, words in _BOUNDS if hasattr(bound, name)
    ]
    if get_origin(info.annotation) is Literal:
        found.append("one of " + ", ".join(f'"{word}"' for word in get_args(info.annotation)))
    return f"({', '.join(found)})" if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
