"""Vietnamese of the help of `gateway doctor`, by English (speech.py). What its checks say stands in gateway/doctor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DOCTOR: Final[Mapping[str, str]] = {
    "look at everything that an installation gets wrong; changes nothing": (
        "khám toàn bộ những gì dễ sai khi cài đặt; không làm thay đổi gì"
    ),
    "Look at everything that an installation gets wrong: what was found, why it matters, how to mend it.": (
        "Khám toàn bộ những gì dễ sai khi cài đặt: kết quả, vì sao cần quan tâm, cách sửa."
    ),
    "Changes nothing, sends no mail, and may run beside the gateway.": (
        "Không làm thay đổi gì, không gửi thư, chạy được khi cổng thư đang hoạt động."
    ),
    "Exit status 1 for warnings, with --strict; 69 for errors; 78 when settings or policies cannot be used.": (
        "Mã thoát 1 khi có cảnh báo (với --strict); 69 khi có lỗi; 78 khi cấu hình hoặc chính sách không dùng được."
    ),
    "Groups or ids, as dns,store.disk.": "Nhóm hoặc mã mục, ví dụ dns,store.disk.",
    "List the checks and end.": "Liệt kê các mục khám rồi kết thúc.",
    "Exit status 1 for warnings too.": "Có cảnh báo thì mã thoát là 1.",
    "Everything, after an installation or a change of the network:": "Khám toàn bộ, sau khi cài đặt hoặc đổi mạng:",
    "Two groups, for a script that warnings must stop:": "Hai nhóm, cho kịch bản phải dừng khi có cảnh báo:",
    "For a program:": "Dành cho chương trình:",
    "--only: there is no check {word}; groups: {groups}; all: gateway doctor --list": (
        "--only: không có mục {word}; các nhóm: {groups}; xem tất cả: gateway doctor --list"
    ),
}
