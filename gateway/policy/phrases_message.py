"""Phrases for what is wrong with a message, as the envelope tells it (see phrases.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MESSAGE: Final[Mapping[str, str]] = {
    "From: {flaw~}": "trường From: {flaw}",
    "MIME: {flaw~}": "cấu trúc MIME: {flaw}",
    # header
    "header section of more than {count} octets": "phần đầu thư dài quá {count} byte",
    "more than {count} header fields": "phần đầu thư có quá {count} trường",
    "header section starts with a continuation line": "phần đầu thư mở đầu bằng dòng nối tiếp",
    "header line without a colon": "phần đầu thư có dòng thiếu dấu hai chấm",
    "header field of more than {count} octets": "có trường tiêu đề dài quá {count} byte",
    "white space before the colon of a header field": "có khoảng trắng trước dấu hai chấm của một trường tiêu đề",
    "header field name syntax": "sai cú pháp tên trường tiêu đề",
    "NUL in header": "phần đầu thư có ký tự NUL",
    "more than {count} encoded-words in a header field": "có trường tiêu đề chứa quá {count} từ mã hóa (encoded-word)",
    "{count} {name} fields": "có {count} trường {name}",
    # the Author
    "another address in the display name": "tên hiển thị chứa một địa chỉ khác",
    "{count} From fields instead of one": "có {count} trường From thay vì một",
    "{count} mailboxes in From instead of one": "có {count} hộp thư thay vì một",
    "no single author": "không xác định được một người gửi duy nhất",
    "syntax of the address": "sai cú pháp địa chỉ",
    "comments nested too deep": "chú thích lồng nhau quá sâu",
    "comment is not closed": "chú thích không có dấu đóng",
    "white space inside an address": "có khoảng trắng trong địa chỉ",
    "address without exactly one @": "địa chỉ không có đúng một dấu @",
    "angle brackets do not match": "dấu ngoặc nhọn không khớp",
    "text after the address": "có chữ sau địa chỉ",
    "an address or special character in the display name": "tên hiển thị chứa địa chỉ hoặc ký tự đặc biệt",
    "field too long": "trường quá dài",
    "neither ASCII nor UTF-8": "không phải ASCII, cũng không phải UTF-8",
    "too many addresses": "quá nhiều địa chỉ",
    "a group instead of a mailbox": "là một nhóm, không phải hộp thư",
    # addresses
    "control character in domain": "tên miền chứa ký tự điều khiển",
    "domain too long": "tên miền quá dài",
    "domain is not a valid internationalised name": "tên miền quốc tế hóa không hợp lệ",
    "domain syntax": "sai cú pháp tên miền",
    "address literal syntax": "sai cú pháp địa chỉ IP trong ngoặc vuông",
    "control character in address": "địa chỉ chứa ký tự điều khiển",
    "address without a domain": "địa chỉ thiếu tên miền",
    "address without a local-part": "địa chỉ thiếu phần trước dấu @",
    "empty local-part": "phần trước dấu @ để trống",
    "local-part syntax": "sai cú pháp phần trước dấu @",
    # MIME
    "more than {count} levels": "lồng sâu quá {count} cấp",
    "more than {count} parts": "có quá {count} phần",
    "header of a part of more than {count} octets": "phần đầu của một phần thư dài quá {count} byte",
    "boundary of more than {count} octets": "dấu phân cách (boundary) dài quá {count} byte",
}
