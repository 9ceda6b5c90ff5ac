"""What is wrong with a value, and how to mend it, in the words of a postmaster instead of the library's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import AliasChoices, BaseModel
from pydantic_core import ErrorDetails

from gateway.settings.models import Settings

_SHOWN: Final = 80  # characters of a value that are repeated
_PASSWORD: Final = re.compile(r"(?<=://)[^@/]*@")

_SENTENCES: Final[Mapping[str, str]] = {
    "int_parsing": "not a whole number; write digits only",
    "int_type": "not a whole number; write digits only",
    "int_from_float": "not a whole number; write digits only",
    "float_parsing": "not a number; write digits, such as 30 or 2.5",
    "float_type": "not a number; write digits, such as 30 or 2.5",
    "bool_parsing": "neither true nor false; write one of them, without quotes",
    "bool_type": "neither true nor false; write one of them, without quotes",
    "byte_size": 'not a size; write octets, or a number with its unit such as "50 MiB"',
    "byte_size_unit": 'not a size; write octets, or a number with its unit such as "50 MiB"',
    "greater_than": "too small; write more than {gt}",
    "greater_than_equal": "too small; write {ge} or more",
    "less_than": "too large; write less than {lt}",
    "less_than_equal": "too large; write {le} or less",
    "literal_error": "not one of the choices; write {expected}",
    "tuple_type": 'not a list; write ["...", "..."]',
    "string_type": 'not text; write it in quotes, "..."',
    "path_type": 'not a path; write it in quotes, "..."',
    "model_type": "not a table; write [{key}] on a line of its own and its keys below it",
    "model_attributes_type": "not a table; write [{key}] on a line of its own and its keys below it",
}


def sentence(error: ErrorDetails, keys: tuple[str, ...]) -> str:
    """Why pydantic refused the value at `keys`, and what to write."""
    if error["type"] == "extra_forbidden":
        return _unknown(keys)
    context: dict[str, Any] = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    known = _SENTENCES.get(error["type"])
    return known.format(**context, key=".".join(keys)) if known else error["msg"]


def shown(keys: tuple[str, ...], value: object) -> str:
    """The value as it may be repeated in a message: short, on one line, and without a password."""
    text = _PASSWORD.sub("...@", str(value)) if isinstance(value, str) else repr(value)
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return ascii(text) if not text.isprintable() else f"'{text}'"


def _unknown(keys: tuple[str, ...]) -> str:
    known = _known_keys(keys[:-1])
    close = get_close_matches(keys[-1], known, n=1, cutoff=0.7)
    if close:
        return f"unknown key; did you mean {close[0]}?"
    elsewhere = [table for table in _known_keys(()) if keys[-1] in _known_keys((table,))]
    if elsewhere:
        return f"unknown key here; it belongs into [{elsewhere[0]}]"
    return f"unknown key; known are {', '.join(known)}"


def _known_keys(keys: tuple[str, ...]) -> list[str]:
    """The keys of the table at this path; none for a path that is not a table."""
    model: Any = Settings
    for key in keys:
        field = model.model_fields.get(key)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return [
        str(field.validation_alias.choices[0]) if isinstance(field.validation_alias, AliasChoices) else name
        for name, field in model.model_fields.items()
    ]
