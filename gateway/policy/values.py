"""The kinds of value that policy files hold, each read from what an admin writes: words, dates, sizes, spans of time.

Every reader raises `PydanticCustomError` with its words in English (`en`) and in Vietnamese (`vi`), for parse.py to place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

RETAIN_MIN: Final = timedelta(days=1)
RETAIN_MAX: Final = timedelta(days=1095)

_SPAN = re.compile(r"(\d{1,6}) ?(d|h|w)\Z")
_SIZE = re.compile(r"(>=|<=|>|<) ?(\d{1,12}) ?(B|KiB|MiB|GiB)?\Z")
_UNITS: Final = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}\Z")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)\Z")
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,59}\Z")

T = TypeVar("T")


def wrong(en: str, vi: str) -> PydanticCustomError:
    """An error in both languages."""
    return PydanticCustomError("policy", "{en}", {"en": en, "vi": vi})


def text_of(value: object) -> str:
    """A word that is not empty, without the white space around it."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(
            "expected a word; put it in quotes if it looks like a number",
            "cần một từ; nếu giống số thì đặt trong dấu nháy",
        )
    return value.strip()


def read_day(value: object) -> date:
    """2026-12-01, and nothing else: what 01/12 means depends on the reader."""
    text = text_of(value)
    try:
        if not _DAY.match(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise wrong(
            "expected a date like 2026-12-01 (year-month-day)", "cần ngày dạng 2026-12-01 (năm-tháng-ngày)"
        ) from None


def read_phase_day(value: object) -> date | Literal["never"]:
    """A date, or `never` (of an override: this phase does not come)."""
    return "never" if value == "never" else read_day(value)


def read_moment(value: object) -> datetime:
    """2026-12-01 (noon) or 2026-12-01 08:30, in the policy's time zone, which is put to it later."""
    text = text_of(value)
    try:
        if _DAY.match(text):
            return datetime.combine(date.fromisoformat(text), time(12))
        if _MOMENT.match(text):
            return datetime.fromisoformat(text)
        raise ValueError(text)
    except ValueError:
        raise wrong("expected a moment like 2026-12-01 08:30", "cần thời điểm dạng 2026-12-01 08:30") from None


def read_span(value: object) -> timedelta:
    """30d, 72h, 4w; between one day and three years."""
    found = _SPAN.match(text_of(value))
    if not found:
        raise wrong(
            "expected a length of time like 30d, 72h or 4w",
            "cần khoảng thời gian dạng 30d (ngày), 72h (giờ) hoặc 4w (tuần)",
        )
    span = int(found[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[found[2]]
    if not RETAIN_MIN <= span <= RETAIN_MAX:
        raise wrong("must be between 1d and 1095d", "phải từ 1d (một ngày) đến 1095d (ba năm)")
    return span


def read_slug(value: object) -> str:
    """A word for lists and statistics: small letters, digits, hyphens."""
    text = text_of(value)
    if not _SLUG.match(text):
        raise wrong(
            "small letters a-z, digits and hyphens only, like free-provider",
            "chỉ gồm chữ thường không dấu, chữ số và gạch ngang, ví dụ free-provider",
        )
    return text


def read_size(value: object) -> tuple[str, int]:
    """`> 10MiB` as (">", octets)."""
    found = _SIZE.match(text_of(value))
    if not found:
        raise wrong(
            'expected a comparison like "> 10MiB" (B, KiB, MiB, GiB)',
            'cần phép so sánh dạng "> 10MiB" (B, KiB, MiB, GiB)',
        )
    return found[1], int(found[2]) * _UNITS[found[3]]


def read_hours(value: object) -> tuple[time, time]:
    """07:00-17:30; a span over midnight (22:00-06:00) is allowed."""
    found = _HOURS.match(text_of(value))
    if not found or (found[3] == "24" and found[4] != "00"):
        raise wrong('expected hours like "07:00-17:30"', 'cần khung giờ dạng "07:00-17:30"')
    start = time(int(found[1]), int(found[2]))
    end = time.max if found[3] == "24" else time(int(found[3]), int(found[4]))
    if start == end:
        raise wrong("the hours are empty: start and end are the same", "khung giờ rỗng: giờ đầu và giờ cuối trùng nhau")
    return start, end


def _read_many(value: object) -> object:
    """One value or a list of values."""
    if isinstance(value, list):
        if not value:
            raise wrong(
                "the list is empty: such a condition could never hold",
                "danh sách rỗng: điều kiện này không bao giờ đúng",
            )
        return tuple(value)
    return (value,)


class _OneOrMany:
    """Marks a tuple that may be written as one value or as a list, for reading and for the JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_read_many, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        array = handler(schema)
        return {"anyOf": [array["items"], {"type": "array", "items": array["items"], "minItems": 1}]}


def kind(reader: Callable[[object], object], **schema: object) -> tuple[BeforeValidator, WithJsonSchema]:
    """How a value is read, and how the JSON Schema describes what is written."""
    return BeforeValidator(reader), WithJsonSchema({"type": "string", **schema})


Day = Annotated[date, *kind(read_day, format="date")]
PhaseDay = Annotated[date | Literal["never"], *kind(read_phase_day, examples=["2026-12-01", "never"])]
Moment = Annotated[datetime, *kind(read_moment, examples=["2026-12-01 08:30"])]
Span = Annotated[timedelta, *kind(read_span, pattern=r"^\d{1,6} ?(d|h|w)$", examples=["30d"])]
SizeTest = Annotated[tuple[str, int], *kind(read_size, examples=["> 10MiB"])]
Hours = Annotated[tuple[time, time], *kind(read_hours, examples=["07:00-17:30"])]
Word = Annotated[str, *kind(text_of)]
Slug = Annotated[str, *kind(read_slug, pattern="^[a-z][a-z0-9-]{0,59}$")]
Many = Annotated[tuple[T, ...], _OneOrMany()]
