"""The kinds of value that policy files hold, each read from what an admin writes: dates, sizes, spans, domains, patterns.

Every reader raises `PydanticCustomError` with its words in English (`en`) and in Vietnamese (`vi`), for parse.py to place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

import re2
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from gateway.envelope.address import AddressError, Mailbox, parse_domain, parse_mailbox
from gateway.identity.pattern import parse_pattern

RETAIN_MIN: Final = timedelta(days=1)
RETAIN_MAX: Final = timedelta(days=1095)
REGEX_MAX: Final = 1000  # characters of a pattern (safety S-40)
PREFIX_MAX: Final = 40  # characters
REPLY_TEXT_MAX: Final = 400  # characters
REGEX_MEMORY: Final = 1 << 20  # octets that RE2 may use for one pattern

_SPAN = re.compile(r"(\d{1,6}) ?(d|h|w)\Z")
_SIZE = re.compile(r"(>=|<=|>|<) ?(\d{1,12}) ?(B|KiB|MiB|GiB)?\Z")
_UNITS: Final = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}\Z")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)\Z")
_ENHANCED = re.compile(r"[45]\.\d{1,3}\.\d{1,3}\Z")
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,59}\Z")
_FIELD_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]+\Z")

T = TypeVar("T")


def wrong(en: str, vi: str) -> PydanticCustomError:
    """An error in both languages."""
    return PydanticCustomError("policy", "{en}", {"en": en, "vi": vi})


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong(
            "expected a word; put it in quotes if it looks like a number",
            "cần một từ; nếu giống số thì đặt trong dấu nháy",
        )
    return value.strip()


def read_day(value: object) -> date:
    """2026-12-01, and nothing else: what 01/12 means depends on the reader."""
    text = _text(value)
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
    text = _text(value)
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
    found = _SPAN.match(_text(value))
    if not found:
        raise wrong(
            "expected a length of time like 30d, 72h or 4w",
            "cần khoảng thời gian dạng 30d (ngày), 72h (giờ) hoặc 4w (tuần)",
        )
    span = int(found[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[found[2]]
    if not RETAIN_MIN <= span <= RETAIN_MAX:
        raise wrong("must be between 1d and 1095d", "phải từ 1d (một ngày) đến 1095d (ba năm)")
    return span


def read_reply_text(value: object) -> str:
    """The text of an SMTP reply: printable ASCII (RFC 5321 §4.2)."""
    text = _text(value)
    if not text.isascii() or not text.isprintable() or len(text) > REPLY_TEXT_MAX:
        raise wrong(
            f"an SMTP reply is plain ASCII, at most {REPLY_TEXT_MAX} characters",
            f"trả lời SMTP chỉ gồm chữ không dấu, dài không quá {REPLY_TEXT_MAX} ký tự",
        )
    return text


def read_enhanced_code(value: object) -> str:
    """5.7.1 (RFC 3463)."""
    text = _text(value)
    if not _ENHANCED.match(text):
        raise wrong("expected an enhanced status code like 5.7.1", "cần mã trạng thái mở rộng dạng 5.7.1")
    return text


def read_subject_prefix(value: object) -> str:
    """A short text on one line."""
    text = _text(value)
    if not text.isprintable() or len(text) > PREFIX_MAX:
        raise wrong(f"one line of at most {PREFIX_MAX} characters", f"chỉ một dòng, không quá {PREFIX_MAX} ký tự")
    return text


def read_slug(value: object) -> str:
    """A word for lists and statistics: small letters, digits, hyphens."""
    text = _text(value)
    if not _SLUG.match(text):
        raise wrong(
            "small letters a-z, digits and hyphens only, like free-provider",
            "chỉ gồm chữ thường không dấu, chữ số và gạch ngang, ví dụ free-provider",
        )
    return text


def read_size(value: object) -> tuple[str, int]:
    """`> 10MiB` as (">", octets)."""
    found = _SIZE.match(_text(value))
    if not found:
        raise wrong(
            'expected a comparison like "> 10MiB" (B, KiB, MiB, GiB)',
            'cần phép so sánh dạng "> 10MiB" (B, KiB, MiB, GiB)',
        )
    return found[1], int(found[2]) * _UNITS[found[3]]


def read_hours(value: object) -> tuple[time, time]:
    """07:00-17:30; a span over midnight (22:00-06:00) is allowed."""
    found = _HOURS.match(_text(value))
    if not found or (found[3] == "24" and found[4] != "00"):
        raise wrong('expected hours like "07:00-17:30"', 'cần khung giờ dạng "07:00-17:30"')
    start = time(int(found[1]), int(found[2]))
    end = time.max if found[3] == "24" else time(int(found[3]), int(found[4]))
    if start == end:
        raise wrong("the hours are empty: start and end are the same", "khung giờ rỗng: giờ đầu và giờ cuối trùng nhau")
    return start, end


def read_domain(value: object) -> str:
    """longan.edu.vn, as A-labels in lower case."""
    text = _text(value)
    try:
        domain = parse_domain(text)
    except AddressError as error:
        raise wrong(f"not a domain name: {error}", "không phải tên miền hợp lệ") from None
    if "." not in domain:
        raise wrong("expected a whole domain name like longan.edu.vn", "cần tên miền đầy đủ, ví dụ longan.edu.vn")
    return domain


def read_domain_pattern(value: object) -> str:
    """longan.edu.vn (exactly) or *.longan.edu.vn (everything below it)."""
    text = _text(value)
    return "*." + read_domain(text[2:]) if text.startswith("*.") else read_domain(text)


def read_author_domain(value: object) -> str:
    """`official`, `free-provider`, a domain, or `*.domain`."""
    return str(value) if value in ("official", "free-provider") else read_domain_pattern(value)


def read_address_pattern(value: object) -> str:
    """vanthu@longan.edu.vn, *.phong@longan.edu.vn, longan.edu.vn or *.longan.edu.vn; in canonical spelling."""
    try:
        return parse_pattern(_text(value)).key
    except AddressError as error:
        raise wrong(
            f"not an address, pattern or domain: {error}", "không phải địa chỉ, mẫu địa chỉ hoặc tên miền"
        ) from None


def read_reverse_path(value: object) -> str:
    """`null` for the null reverse-path <>, or a pattern."""
    return "null" if value == "null" else read_address_pattern(value)


def read_address(value: object) -> Mailbox:
    try:
        return parse_mailbox(_text(value))
    except AddressError as error:
        raise wrong(f"not a mailbox: {error}", "không phải địa chỉ hộp thư hợp lệ") from None


def read_regex(value: object) -> str:
    """A pattern that RE2 can compile within its memory limit (linear time, safety S-40)."""
    text = _text(value)
    if len(text) > REGEX_MAX:
        raise wrong(f"longer than {REGEX_MAX} characters", f"dài quá {REGEX_MAX} ký tự")
    try:
        regex(text)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise wrong(f"RE2 cannot read this pattern: {shown}", f"RE2 không đọc được mẫu này: {shown}") from None
    return text


def regex(pattern: str) -> Any:
    """Compile with bounded memory. Raises re2.error."""
    options = re2.Options()
    options.max_mem = REGEX_MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)  # type: ignore[no-untyped-call]


def read_field_name(value: object) -> str:
    text = _text(value)
    if not text.isascii() or not _FIELD_NAME.match(text):
        raise wrong("not the name of a header field", "không phải tên trường tiêu đề thư")
    return text.lower()


def _read_extension(value: object) -> str:
    return _text(value).lower().removeprefix(".")


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


def _kind(reader: Callable[[object], object], **schema: object) -> tuple[BeforeValidator, WithJsonSchema]:
    return BeforeValidator(reader), WithJsonSchema({"type": "string", **schema})


Day = Annotated[date, *_kind(read_day, format="date")]
PhaseDay = Annotated[date | Literal["never"], *_kind(read_phase_day, examples=["2026-12-01", "never"])]
Moment = Annotated[datetime, *_kind(read_moment, examples=["2026-12-01 08:30"])]
Span = Annotated[timedelta, *_kind(read_span, pattern=r"^\d{1,6} ?(d|h|w)$", examples=["30d"])]
SizeTest = Annotated[tuple[str, int], *_kind(read_size, examples=["> 10MiB"])]
Hours = Annotated[tuple[time, time], *_kind(read_hours, examples=["07:00-17:30"])]
Word = Annotated[str, *_kind(_text)]
Slug = Annotated[str, *_kind(read_slug, pattern="^[a-z][a-z0-9-]{0,59}$")]
EnhancedCode = Annotated[str, *_kind(read_enhanced_code, examples=["5.7.1"])]
SubjectPrefix = Annotated[str, *_kind(read_subject_prefix, examples=["[Long An]"])]
ReplyText = Annotated[str, *_kind(read_reply_text)]
Domain = Annotated[str, *_kind(read_domain, examples=["longan.edu.vn"])]
DomainPattern = Annotated[str, *_kind(read_domain_pattern, examples=["*.longan.edu.vn"])]
AuthorDomain = Annotated[str, *_kind(read_author_domain, examples=["official", "*.longan.edu.vn"])]
AddressPattern = Annotated[str, *_kind(read_address_pattern, examples=["*.phong@longan.edu.vn"])]
ReversePath = Annotated[str, *_kind(read_reverse_path, examples=["null", "*@longan.edu.vn"])]
Address = Annotated[Mailbox, *_kind(read_address, examples=["vanthu@longan.edu.vn"])]
Regex = Annotated[str, *_kind(read_regex, examples=["(?i)tuyệt mật"])]
FieldName = Annotated[str, *_kind(read_field_name, examples=["List-Id"])]
Extension = Annotated[str, *_kind(_read_extension, examples=["pdf", "image/*"])]
Many = Annotated[tuple[T, ...], _OneOrMany()]
