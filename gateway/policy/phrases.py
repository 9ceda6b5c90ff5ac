"""The reasons of evidence, identity and policy said in Vietnamese, for people who read an explanation.

Facts and reasons are kept in English, in the register too; only what is shown is translated. A phrase is an English
sentence with holes. `{name}` takes one word, `{name*}` several, both without a semicolon, and go over as they are;
`{name~}` takes the rest, whose sentences are translated in turn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from gateway.policy.phrases_evidence import EVIDENCE
from gateway.policy.phrases_message import MESSAGE
from gateway.policy.values_mail import regex

TEXT_MAX: Final = 4096  # characters; a longer text stays English
DEPTH_MAX: Final = 4  # reasons inside reasons

LEVELS: Final[Mapping[str, str]] = {
    "signed": "đã ký (signed)",
    "authorized": "được ủy quyền (authorized)",
    "shared": "dùng chung (shared)",
    "claimed": "chỉ tự xưng (claimed)",
}
PROVIDERS: Final[Mapping[str, str]] = {
    "official": "tên miền công vụ (official)",
    "free-provider": "nhà cung cấp thư miễn phí (free-provider)",
    "other": "tên miền khác (other)",
    "unknown": "không xác định được (unknown)",
}
SUBMISSIONS: Final[Mapping[str, str]] = {
    "administrative": "văn bản hành chính (administrative)",
    "other": "thư thường (other)",
}
HOLDS: Final[Mapping[str, str]] = {  # reasons of the delivered policies, and the one of our own
    "free-provider": "gửi từ nhà cung cấp thư miễn phí (free-provider)",
    "unproven-official": "mang tên miền công vụ nhưng không chứng thực được (unproven-official)",
    "secret-document": "ghi độ mật (secret-document)",
    "malformed": "sai quy cách (malformed)",
    "refused-in-mixed": "bị từ chối với người nhận này, trong khi người nhận khác được nhận (refused-in-mixed)",
}

_IDENTITY: Final[Mapping[str, str]] = {
    # level
    "malformed: {problems~}": "thư sai quy cách: {problems}",
    "DKIM signature of {sdid} passes and is aligned with {domain}": (
        "chữ ký DKIM của {sdid} hợp lệ và khớp với tên miền {domain}"
    ),
    "DKIM signature of {sdid} passes, a trusted signer for {domain}": (
        "chữ ký DKIM của {sdid} hợp lệ, bên ký này được tin cậy ký thay cho {domain}"
    ),
    "DKIM signature of {sdid} passes, which is no listed trusted signer for {domain}": (
        "chữ ký DKIM của {sdid} hợp lệ, nhưng bên ký này không có trong danh sách được tin cậy ký thay cho {domain}"
    ),
    "the signature of {sdid} is another unit's": "chữ ký của {sdid} là của đơn vị khác",
    "SPF passes for {sender}, which is another unit's": "SPF hợp lệ cho {sender}, nhưng tên miền này là của đơn vị khác",
    "SPF of {sender} passes for every host there is, which proves nothing": (
        "SPF của {sender} chấp nhận mọi máy chủ nên không chứng thực được gì"
    ),
    "SPF passes for {sender}, by records that are not known": (
        "SPF hợp lệ cho {sender}, nhưng không rõ qua những bản ghi nào"
    ),
    "SPF passes for {sender}, but by {cloud}, which every tenant of that cloud passes by": (
        "SPF hợp lệ cho {sender}, nhưng qua {cloud}, đám mây dùng chung mà ai thuê cũng qua được"
    ),
    "SPF passes for {sender}, by a host of its own, and is aligned with {domain}": (
        "SPF hợp lệ cho {sender}, từ máy chủ dành riêng, và khớp với tên miền {domain}"
    ),
    "ARC chain passes, sealed by {sealer}, a trusted sealer": (
        "chuỗi ARC hợp lệ, do {sealer} niêm phong, là bên niêm phong được tin cậy"
    ),
    "ARC chain passes, but its sealer {sealer} is not trusted": (
        "chuỗi ARC hợp lệ, nhưng bên niêm phong {sealer} không được tin cậy"
    ),
    "ARC chain passes, but does not cover From and the whole body": (
        "chuỗi ARC hợp lệ, nhưng không bao trùm trường From và toàn bộ nội dung thư"
    ),
    "nothing proves it (SPF {spf}, DKIM {dkim*})": "không có gì chứng thực (SPF {spf}, DKIM {dkim})",
    # provider
    "{domain} is added in policies/free_providers.txt": "{domain} được thêm trong tệp policies/free_providers.txt",
    "{domain} is on the packaged list of free providers": (
        "{domain} có trong danh sách nhà cung cấp thư miễn phí kèm theo phần mềm"
    ),
    "{domain} is official: {official}": "{domain} thuộc tên miền công vụ {official}",
    "{domain} is neither official nor a free provider": (
        "{domain} không phải tên miền công vụ, cũng không phải nhà cung cấp thư miễn phí"
    ),
    "no Author": "không có người gửi",
    "no single Author": "không xác định được một người gửi duy nhất",
    # submission
    "recipient {mailbox*} ({pattern})": "người nhận {mailbox} (theo mẫu {pattern})",
    "recipient {mailbox*}": "người nhận {mailbox}",
    "subject word {word*}": "tiêu đề có từ “{word}”",
    "attachment type {type*}": "tệp đính kèm loại {type}",
    "document number {number*} in a file name": "số, ký hiệu văn bản {number} trong tên tệp",
    "document number {number*} (cited)": "số, ký hiệu văn bản {number} (được viện dẫn)",
    "document number {number*}": "số, ký hiệu văn bản {number}",
}

_CONDITIONS: Final[Mapping[str, str]] = {
    **LEVELS,
    "{level~} or better, DNS has not answered": "{level} hoặc cao hơn, DNS chưa trả lời",
    "administrative ({reasons~})": f"{SUBMISSIONS['administrative']}: {{reasons}}",
    "other ({reasons~})": f"{SUBMISSIONS['other']}: {{reasons}}",
    "no unit": "không có đơn vị",
    "none": "không có",
    "no attachment": "không có tệp đính kèm",
    "1 attachment": "1 tệp đính kèm",
    "{count} attachments": "{count} tệp đính kèm",
    "none of the words": "không có từ nào",
    "found": "tìm thấy",
    "not found": "không tìm thấy",
    "{size} octets": "{size} byte",
    "absent": "không có",
    "well formed": "đúng quy cách",
    "no List-Id": "không có List-Id",
}

PHRASES: Final[Mapping[str, str]] = {**_IDENTITY, **_CONDITIONS, **EVIDENCE, **MESSAGE}  # the first that fits is taken

_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # octets that were no text; RE2 cannot read them
_HOLE: Final = re.compile(r"\{(\w+)([*~]?)\}")
_TAKES: Final = {"": r"[^\s;]+", "*": r"[^;]+", "~": r".+"}


def in_vietnamese(text: str) -> str:
    """The sentence in Vietnamese, or a list of sentences each for itself; what has no phrase stays as it is."""
    if len(text) > TEXT_MAX or _SURROGATE.search(text):
        return text
    return _translated(text, 0)


def _translated(text: str, depth: int) -> str:
    if depth > DEPTH_MAX:
        return text
    whole = _sentence(text, depth)
    if whole is not None:
        return whole
    if "; " in text:
        return "; ".join(_translated(part, depth + 1) for part in text.split("; "))
    return text


def _sentence(text: str, depth: int) -> str | None:
    """By the first phrase that fits, None when there is none."""
    for pattern, nested, vietnamese in _compiled():
        if match := pattern.fullmatch(text):
            values = match.groupdict()
            values.update((name, _translated(values[name], depth + 1)) for name in nested)
            return vietnamese.format(**values)
    return None


@cache
def _compiled() -> tuple[tuple[Any, tuple[str, ...], str], ...]:
    """Patterns of RE2, whose time is linear whatever a stranger wrote into a name; compiled when first asked for."""
    return tuple(
        (
            regex(_pattern(english)),
            tuple(name for name, kind in _HOLE.findall(english) if kind == "~"),
            vietnamese,
        )
        for english, vietnamese in PHRASES.items()
    )


def _pattern(english: str) -> str:
    pattern, end = "", 0
    for hole in _HOLE.finditer(english):
        pattern += f"{re.escape(english[end : hole.start()])}(?P<{hole[1]}>{_TAKES[hole[2]]})"
        end = hole.end()
    return pattern + re.escape(english[end:])
