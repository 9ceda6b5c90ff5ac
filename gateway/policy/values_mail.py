"""The kinds of value that policy files hold about mail: domains, addresses, patterns, header fields, replies."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

import re2

from gateway.envelope.address import AddressError, Mailbox, parse_domain, parse_mailbox
from gateway.identity.pattern import parse_pattern
from gateway.policy.values import kind, text_of, wrong

REGEX_MAX: Final = 1000  # characters of a pattern (safety S-40)
PREFIX_MAX: Final = 40  # characters
REPLY_TEXT_MAX: Final = 400  # characters
REGEX_MEMORY: Final = 1 << 20  # octets that RE2 may use for one pattern
_FIELD_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]+\Z")
_ENHANCED = re.compile(r"[45]\.\d{1,3}\.\d{1,3}\Z")


def read_domain(value: object) -> str:
    """longan.edu.vn, as A-labels in lower case."""
    text = text_of(value)
    try:
        domain = parse_domain(text)
    except AddressError:
        raise wrong(
            "not a domain name, such as longan.edu.vn", "không phải tên miền, chẳng hạn longan.edu.vn"
        ) from None
    if "." not in domain:
        raise wrong("expected a whole domain name like longan.edu.vn", "cần tên miền đầy đủ, ví dụ longan.edu.vn")
    return domain


def read_domain_pattern(value: object) -> str:
    """longan.edu.vn (exactly) or *.longan.edu.vn (everything below it)."""
    text = text_of(value)
    return "*." + read_domain(text[2:]) if text.startswith("*.") else read_domain(text)


def read_author_domain(value: object) -> str:
    """`official`, `free-provider`, a domain, or `*.domain`."""
    return str(value) if value in ("official", "free-provider") else read_domain_pattern(value)


def read_address_pattern(value: object) -> str:
    """vanthu@longan.edu.vn, *.phong@longan.edu.vn, longan.edu.vn or *.longan.edu.vn; in canonical spelling."""
    try:
        return str(parse_pattern(text_of(value)))
    except AddressError as error:
        raise wrong(
            f"not an address, pattern or domain: {error}", "không phải địa chỉ, mẫu địa chỉ hoặc tên miền"
        ) from None


def read_bounce_path(value: object) -> Mailbox | Literal["null"]:
    """`null` for the null reverse-path <>, or a mailbox."""
    return "null" if value == "null" else read_address(value)


def read_reverse_path(value: object) -> str:
    """`null` for the null reverse-path <>, or a pattern."""
    return "null" if value == "null" else read_address_pattern(value)


def read_address(value: object) -> Mailbox:
    try:
        return parse_mailbox(text_of(value))
    except AddressError as error:
        raise wrong(f"not a mailbox: {error}", "không phải địa chỉ hộp thư hợp lệ") from None


def read_regex(value: object) -> str:
    """A pattern that RE2 can compile within its memory limit (linear time, safety S-40)."""
    text = text_of(value)
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
    text = text_of(value)
    if not text.isascii() or not _FIELD_NAME.match(text):
        raise wrong("not the name of a header field", "không phải tên trường tiêu đề thư")
    return text.lower()


def _read_extension(value: object) -> str:
    return text_of(value).lower().removeprefix(".")


def read_reply_text(value: object) -> str:
    """The text of an SMTP reply: printable ASCII (RFC 5321 §4.2)."""
    text = text_of(value)
    if not text.isascii() or not text.isprintable() or len(text) > REPLY_TEXT_MAX:
        raise wrong(
            f"an SMTP reply is plain ASCII, at most {REPLY_TEXT_MAX} characters",
            f"trả lời SMTP chỉ gồm chữ không dấu, dài không quá {REPLY_TEXT_MAX} ký tự",
        )
    return text


def read_enhanced_code(value: object) -> str:
    """5.7.1 (RFC 3463)."""
    text = text_of(value)
    if not _ENHANCED.match(text):
        raise wrong("expected an enhanced status code like 5.7.1", "cần mã trạng thái mở rộng dạng 5.7.1")
    return text


def read_subject_prefix(value: object) -> str:
    """A short text on one line."""
    text = text_of(value)
    if not text.isprintable() or len(text) > PREFIX_MAX:
        raise wrong(f"one line of at most {PREFIX_MAX} characters", f"chỉ một dòng, không quá {PREFIX_MAX} ký tự")
    return text


EnhancedCode = Annotated[str, *kind(read_enhanced_code, examples=["5.7.1"])]
SubjectPrefix = Annotated[str, *kind(read_subject_prefix, examples=["[Long An]"])]
ReplyText = Annotated[str, *kind(read_reply_text)]
Domain = Annotated[str, *kind(read_domain, examples=["longan.edu.vn"])]
DomainPattern = Annotated[str, *kind(read_domain_pattern, examples=["*.longan.edu.vn"])]
AuthorDomain = Annotated[str, *kind(read_author_domain, examples=["official", "*.longan.edu.vn"])]
AddressPattern = Annotated[str, *kind(read_address_pattern, examples=["*.phong@longan.edu.vn"])]
ReversePath = Annotated[str, *kind(read_reverse_path, examples=["null", "*@longan.edu.vn"])]
Address = Annotated[Mailbox, *kind(read_address, examples=["vanthu@longan.edu.vn"])]
Regex = Annotated[str, *kind(read_regex, examples=["(?i)tuyệt mật"])]
FieldName = Annotated[str, *kind(read_field_name, examples=["List-Id"])]
Extension = Annotated[str, *kind(_read_extension, examples=["pdf", "image/*"])]
BouncePath = Annotated[Mailbox | Literal["null"], *kind(read_bounce_path, examples=["null", "vanthu@longan.edu.vn"])]
