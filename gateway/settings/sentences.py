"""What is wrong with a value, and how to mend it, in the words of a postmaster instead of the library's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import AliasChoices, BaseModel
from pydantic_core import ErrorDetails

from gateway.settings.models import Settings
from gateway.settings.sentence import Sentence

_SHOWN: Final = 80  # characters of a value that are repeated
_PASSWORD: Final = re.compile(r"(?<=://)[^@/]*@")

_WHOLE: Final = Sentence("not a whole number; write digits only", "không phải số nguyên; chỉ viết chữ số")
_NUMBER: Final = Sentence(
    "not a number; write digits, such as 30 or 2.5", "không phải số; hãy viết bằng chữ số, chẳng hạn 30 hoặc 2.5"
)
_EITHER: Final = Sentence(
    "neither true nor false; write one of them, without quotes",
    "không phải true hay false; hãy viết một trong hai từ đó, không đặt trong dấu nháy",
)
_SIZE: Final = Sentence(
    'not a size; write octets, or a number with its unit such as "50 MiB"',
    'không phải kích thước; hãy viết số byte, hoặc số kèm đơn vị, chẳng hạn "50 MiB"',
)
_PATH: Final = Sentence(
    'not a path; write it in quotes, "..."', 'không phải đường dẫn; hãy viết trong dấu nháy kép, "..."'
)
_TABLE: Final = Sentence(
    "not a table; write [{key}] on a line of its own and its keys below it",
    "không phải một bảng; hãy viết [{key}] trên một dòng riêng, các khóa của bảng viết ở những dòng sau",
)
_SENTENCES: Final[Mapping[str, Sentence]] = {
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "bool_parsing": _EITHER,
    "bool_type": _EITHER,
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
    "greater_than": Sentence("too small; write more than {gt}", "quá nhỏ; hãy viết số lớn hơn {gt}"),
    "greater_than_equal": Sentence("too small; write {ge} or more", "quá nhỏ; hãy viết {ge} hoặc lớn hơn"),
    "less_than": Sentence("too large; write less than {lt}", "quá lớn; hãy viết số nhỏ hơn {lt}"),
    "less_than_equal": Sentence("too large; write {le} or less", "quá lớn; hãy viết {le} hoặc nhỏ hơn"),
    "finite_number": _NUMBER,
    "literal_error": Sentence(
        "not one of the choices; write {expected}", "không thuộc các giá trị được chọn; hãy viết {choices}"
    ),
    "tuple_type": Sentence('not a list; write ["...", "..."]', 'không phải danh sách; hãy viết ["...", "..."]'),
    "string_type": Sentence(
        'not text; write it in quotes, "..."', 'không phải chuỗi ký tự; hãy viết trong dấu nháy kép, "..."'
    ),
    "path_type": _PATH,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
}


def sentence(error: ErrorDetails, keys: tuple[str, ...]) -> str:
    """Why pydantic refused the value at `keys`, and what to write."""
    if error["type"] == "extra_forbidden":
        return _unknown(keys)
    context: dict[str, Any] = error.get("ctx", {})
    if error["type"] == "value_error":
        said = context["error"].args[:1]
        return said[0] if said and isinstance(said[0], Sentence) else str(context["error"])
    known = _SENTENCES.get(error["type"])
    if known is None:
        return error["msg"]
    choices = str(context.get("expected", "")).replace(" or ", " hoặc ")
    return known.filled(**context, choices=choices, key=".".join(keys))


def shown(keys: tuple[str, ...], value: object) -> str:
    """The value as it may be repeated in a message: short, on one line, and without a password."""
    text = _PASSWORD.sub("...@", str(value)) if isinstance(value, str) else repr(value)
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return ascii(text) if not text.isprintable() else f"'{text}'"


def _unknown(keys: tuple[str, ...]) -> Sentence:
    known = _known_keys(keys[:-1])
    close = get_close_matches(keys[-1], known, n=1, cutoff=0.7)
    if close:
        return Sentence(
            "unknown key; did you mean {close}?", "không có khóa này; có phải ý muốn viết là {close}?"
        ).filled(close=close[0])
    elsewhere = [table for table in _known_keys(()) if keys[-1] in _known_keys((table,))]
    if elsewhere:
        return Sentence(
            "unknown key here; it belongs into [{table}]", "khóa này không thuộc chỗ này mà thuộc bảng [{table}]"
        ).filled(table=elsewhere[0])
    return Sentence("unknown key; known are {known}", "không có khóa này; các khóa có thể viết ở đây: {known}").filled(
        known=", ".join(known)
    )


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
