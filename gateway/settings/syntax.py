"""Why a file is no TOML, in both languages: what tomllib says, and what is meant by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.settings.sentence import Sentence

NOT_TOML: Final = Sentence(
    "{place}: not TOML: {what}; text stands in quotes, lists in [ ], a table begins with [name]",
    "{place}: không đúng cú pháp TOML: {what}; chuỗi ký tự đặt trong dấu nháy, danh sách đặt trong [ ], bảng bắt đầu"
    " bằng [tên]",
)
_AT_END: Final = " at the end of the file"
_SAID: Final[Mapping[str, str]] = {  # by how tomllib's sentence begins
    "Invalid value": "giá trị không hợp lệ",
    "Invalid statement": "dòng lệnh không hợp lệ",
    "Invalid date": "ngày giờ không hợp lệ",
    "Invalid hex value": "mã ký tự không hợp lệ",
    "Invalid initial character": "ký tự đầu của tên khóa không hợp lệ",
    "Expected '='": "thiếu dấu = sau tên khóa",
    "Expected ']'": "thiếu dấu ] ở cuối tên bảng",
    "Expected ']]'": "thiếu dấu ]] ở cuối tên bảng",
    "Expected newline": "thừa nội dung sau giá trị, phải xuống dòng",
    "Cannot overwrite": "khóa này đã có giá trị ở phía trên",
    "Cannot declare": "bảng này đã có ở phía trên",
    "Cannot mutate": "không viết thêm vào bảng này được nữa",
    "Duplicate": "khóa bị lặp",
    "Unterminated string": "chuỗi ký tự thiếu dấu nháy đóng",
    "Unclosed array": "danh sách thiếu dấu ] đóng",
    "Unclosed inline table": "bảng viết trên một dòng thiếu dấu } đóng",
    "Unescaped": "dấu \\ trong chuỗi phải viết đôi \\\\",
    "Illegal character": "có ký tự không được phép dùng",
    "Found invalid character": "có ký tự không được phép dùng",
    "Escaped character": "mã ký tự không hợp lệ",
}


def syntax(said: str) -> Sentence:
    """What tomllib said of a text, without its place."""
    known = max((begin for begin in _SAID if said.startswith(begin)), key=len, default="")
    where = " ở cuối tệp" if said.endswith(_AT_END) else ""
    return Sentence(said, f"{_SAID[known]}{where}" if known else said)
