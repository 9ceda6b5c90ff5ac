"""Vietnamese of sentences that come from below in English, by their patterns: faults of the store, of keys, of the line
that was typed (speech.heard).
"""

from __future__ import annotations

from typing import Final

FAULTS: Final[dict[str, str]] = {
    # the command line
    "No such command '{word}'.": "không có lệnh '{word}'",
    "No such command '{word}'. Did you mean '{close}'?": "không có lệnh '{word}'; có phải ý muốn viết là '{close}'?",
    "No such command '{word}'. Did you mean {close}?": "không có lệnh '{word}'; có phải ý muốn viết là {close}?",
    "No such option: {word}": "không có tùy chọn {word}",
    "No such option: {word} Did you mean {close}?": "không có tùy chọn {word}; có phải ý muốn viết là {close}?",
    "No such option: {word} (Possible options: {close})": "không có tùy chọn {word}; các tùy chọn gần giống: {close}",
    "Missing argument '{word}'.": "thiếu tham số {word}",
    "Missing option '{word}'.": "thiếu tùy chọn {word}",
    "Missing command.": "thiếu lệnh",
    "Option '{word}' requires an argument.": "tùy chọn {word} cần có giá trị",
    "Option '{word}' does not take a value.": "tùy chọn {word} không nhận giá trị",
    "Got unexpected extra argument(s) ({words})": "thừa tham số: {words}",
    "Invalid value for '{word}': {why}": "giá trị của {word} không hợp lệ: {why}",
    "Input should be a valid integer, unable to parse string as an integer": "không phải số nguyên",
    "Input should be greater than or equal to {least}": "phải từ {least} trở lên",
    "Input should be less than or equal to {most}": "phải từ {most} trở xuống",
    "'{value}' is not one of {choices}.": "'{value}' không thuộc các giá trị {choices}",
    # the store
    "{database}: the gateway has not run here yet; name its gateway.toml with --config": "{database}: cổng thư chưa từng "
    "chạy ở đây; hãy dùng --config để chỉ ra tệp gateway.toml của cổng thư",
    "{database} cannot be opened: {why}": "không mở được {database}: {why}",
    "{folder} cannot be used: {why}": "không dùng được {folder}: {why}",
    "store.url is no database URL: {url}": "store.url không phải địa chỉ cơ sở dữ liệu: {url}",
    "store.url must name a SQLite file, not {url}": "store.url phải chỉ ra một tệp SQLite, không phải {url}",
    "store.key_file {file} cannot be read: {why}": "không đọc được store.key_file {file}: {why}",
    "store.key_file {file} must hold {size} octets in hex": "store.key_file {file} phải chứa {size} byte viết theo hệ 16",
    "the store is closed to writing: {why}": "kho dữ liệu đã khóa ghi: {why}",
    "entry {value} is {state}; it cannot become {target}": "thư {value} ở trạng thái {state}; không thể chuyển thành "
    "{target}",
    # notices
    'notice.from: not one mailbox; write "Name <address>", or the address alone': "notice.from: không phải một hộp thư; "
    'hãy viết "Tên <địa chỉ>", hoặc chỉ địa chỉ',
    "notice.from: not an ASCII address with a domain": "notice.from: không phải địa chỉ viết bằng ký tự ASCII và có tên miền",
    "notice.dkim_domain or notice.dkim_selector: {why}": "notice.dkim_domain hoặc notice.dkim_selector không hợp lệ: {why}",
    "notice.dkim_key: not an unencrypted private key in PEM": "notice.dkim_key: không phải khóa riêng PEM không mã hóa",
    "notice.dkim_key: neither RSA nor Ed25519": "notice.dkim_key: không phải khóa RSA hay Ed25519",
    "notice.dkim_key: {bits} bits; at least {least} are needed": "notice.dkim_key: khóa có {bits} bit; cần ít nhất {least} bit",
    "notice.route: the policy has no route {route}; there are: {routes}": "notice.route: chính sách không có tuyến "
    "{route}; các tuyến hiện có: {routes}",
    # gateway explain
    "--at {value} is no moment: write 2026-11-21T14:05:00+07:00": "--at {value} không phải thời điểm; hãy viết "
    "2026-11-21T14:05:00+07:00",
    "an address cannot be read: {why}": "không đọc được một địa chỉ: {why}",
    "--client: {why}": "--client: {why}",
    "{value} does not appear to be an IPv4 or IPv6 address": "{value} không phải địa chỉ IPv4 hoặc IPv6",
    # what the operating system says
    "Address already in use": "địa chỉ đang được dùng",
    "Cannot assign requested address": "máy này không có địa chỉ đó",
    "Operation not permitted": "không được phép",
    "File exists": "đã có tệp trùng tên",
    "Disk quota exceeded": "đã hết hạn mức ổ đĩa",
    "Input/output error": "lỗi vào ra của ổ đĩa",
    "File name too long": "tên quá dài",
    "Name or service not known": "không phân giải được tên",
    "No such file or directory": "không có tệp hoặc thư mục này",
    "Permission denied": "không có quyền truy cập",
    "Is a directory": "đây là thư mục",
    "Not a directory": "một phần của đường dẫn không phải là thư mục",
    "No space left on device": "ổ đĩa đã đầy",
    "Read-only file system": "hệ thống tệp chỉ cho đọc",
}
