"""Vietnamese of `gateway policy`, by English (speech.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

POLICY: Final[Mapping[str, str]] = {
    # ---- help
    "the policies that were in force: list, roll back": "các bản chính sách từng có hiệu lực: liệt kê, quay lại bản cũ",
    "The policies that were in force: list, roll back.": "Các bản chính sách từng có hiệu lực: liệt kê, quay lại bản cũ.",
    "Number of the generation, as in gateway policy list.": "Số của bản chính sách, như trong gateway policy list.",
    "List the generations of the policy that are kept, newest first: number, since when, digest, and which is in force.": (
        "Liệt kê các bản chính sách còn lưu, mới nhất trước: số, thời điểm có hiệu lực, mã băm, bản nào đang có hiệu lực."
    ),
    "The newest is in force. When the files say something else, they have errors or have just been changed.": (
        "Bản mới nhất là bản đang có hiệu lực. Nếu các tệp có nội dung khác thì chúng đang có lỗi hoặc vừa được sửa."
    ),
    "Put a generation's files back into the policy folder; a gateway that runs follows by itself, without a restart.": (
        "Đưa các tệp của một bản chính sách trở lại thư mục chính sách; cổng thư đang chạy tự áp dụng, không cần khởi động "
        "lại."
    ),
    "What was there is set aside. A generation that cannot be used today is refused, and nothing is changed.": (
        "Nội dung trước đó được cất riêng. Bản nào nay không còn dùng được thì lệnh từ chối và không thay đổi gì."
    ),
    # ---- results
    "Generation": "Bản số",
    "Since": "Có hiệu lực từ",
    "in force": "đang có hiệu lực",
    "in the folder": "đang ở trong thư mục",
    "No policy has been in force here yet.": "Chưa có bản chính sách nào có hiệu lực ở đây.",
    "{folder}: its files are not those in force; gateway check tells whether they can be": (
        "{folder}: các tệp khác với bản đang có hiệu lực; chạy gateway check để biết có dùng được không"
    ),
    "{folder}: says the same as generation {n} already": "{folder}: đã giống bản chính sách số {n}, không cần thay đổi",
    "{folder}: generation {n} is back": "{folder}: đã quay lại bản chính sách số {n}",
    "written: {names}": "đã ghi: {names}",
    "removed: {names}": "đã xóa: {names}",
    "what was there: {folder}": "nội dung trước đó: {folder}",
    "A gateway that runs follows within seconds, under a new number: gateway policy list": (
        "Cổng thư đang chạy sẽ áp dụng sau vài giây, dưới một số mới: gateway policy list"
    ),
    "generation {n} is not kept; there are: {numbers}": "không còn lưu bản chính sách số {n}; các bản hiện có: {numbers}",
    "generation {n} cannot be used today, so nothing was changed:": (
        "bản chính sách số {n} nay không dùng được nên không có gì thay đổi:"
    ),
    # ---- examples
    "Begin with what was in force, and when:": "Bắt đầu bằng danh sách các bản từng có hiệu lực:",
    "What was in force, and when:": "Các bản từng có hiệu lực và thời điểm:",
    "Back to generation 40; the gateway follows by itself:": "Quay lại bản số 40; cổng thư tự áp dụng:",
}
