"""A sentence in English, which is what logs and programs get, that also knows how it is said in Vietnamese."""

from __future__ import annotations

import errno
from typing import Any, Final, Literal, Self

Language = Literal["en", "vi"]


class Sentence(str):
    """English as text; `vi` beside it."""

    __slots__ = ("vi",)
    vi: str

    def __new__(cls, en: str, vi: str) -> Self:
        made = super().__new__(cls, en)
        made.vi = vi
        return made

    def text(self, language: Language = "en") -> str:
        """The sentence as a person reads it."""
        return self.vi if language == "vi" else str(self)

    def filled(self, **values: Any) -> Sentence:
        """With values in the place of `{name}`; those that are sentences are said in each language."""
        vietnamese = {name: value.vi if isinstance(value, Sentence) else value for name, value in values.items()}
        return Sentence(self.format(**values), self.vi.format(**vietnamese))


_REASONS: Final = {
    errno.ENOENT: "không có tệp hoặc thư mục này",
    errno.EACCES: "không có quyền truy cập",
    errno.EPERM: "không được phép",
    errno.EISDIR: "đây là thư mục",
    errno.ENOTDIR: "một phần của đường dẫn không phải là thư mục",
    errno.ENOSPC: "ổ đĩa đã đầy",
    errno.EROFS: "hệ thống tệp chỉ cho đọc",
    errno.EIO: "lỗi vào ra của ổ đĩa",
    errno.ELOOP: "liên kết tượng trưng lặp vòng",
    errno.ENAMETOOLONG: "tên quá dài",
}


def reason(error: OSError) -> Sentence:
    """What the operating system says, in both languages."""
    said = error.strerror or str(error)
    return Sentence(said, _REASONS.get(error.errno or 0, said))
