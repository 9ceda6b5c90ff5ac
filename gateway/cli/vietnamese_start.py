"""Vietnamese of what keeps a gateway or its store from starting, by patterns (speech.heard). Journals stay English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

START: Final[Mapping[str, str]] = {
    # ---- the state directory
    "{folder}: another gateway is using this state directory (process {process}); "
    "stop it first, or give this one a state directory of its own": (
        "{folder}: một cổng thư khác đang dùng thư mục trạng thái này (tiến trình {process}); "
        "hãy dừng cổng thư đó trước, hoặc đặt cho cổng thư này một thư mục trạng thái riêng"
    ),
    "{folder}: the state directory cannot be used: {why}; {place} is no directory: remove it, or name another as state": (
        "{folder}: không dùng được thư mục trạng thái: {why}; {place} không phải là thư mục: hãy xóa đi, hoặc ghi thư mục "
        "khác ở khóa state"
    ),
    "{folder}: the state directory cannot be used: {why}; make room on that disk": (
        "{folder}: không dùng được thư mục trạng thái: {why}; hãy giải phóng chỗ trống trên ổ đĩa đó"
    ),
    "{folder}: the state directory cannot be used: {why}; name a directory on a disk that can be written": (
        "{folder}: không dùng được thư mục trạng thái: {why}; hãy chọn thư mục trên ổ đĩa ghi được"
    ),
    "{folder}: the state directory cannot be used: {why}; make it, and give it to the gateway's user: {command}": (
        "{folder}: không dùng được thư mục trạng thái: {why}; hãy tạo thư mục rồi giao cho người dùng chạy cổng thư: "
        "{command}"
    ),
    "{folder}: the state directory cannot be used: {why}; give it to the gateway's user: {command}": (
        "{folder}: không dùng được thư mục trạng thái: {why}; hãy giao thư mục cho người dùng chạy cổng thư: {command}"
    ),
    # ---- doors
    "{address}: no such host ({why}); write an IP address of this server": (
        "{address}: không có máy nào tên như vậy ({why}); hãy viết địa chỉ IP của máy chủ này"
    ),
    "{address}: there is a file that is not a socket; remove it or choose another path": (
        "{address}: ở đó có một tệp không phải socket; hãy xóa tệp hoặc chọn đường dẫn khác"
    ),
    "{address}: another program is listening there; stop it, or choose another path": (
        "{address}: một chương trình khác đang dùng địa chỉ này; hãy dừng chương trình đó, hoặc chọn đường dẫn khác"
    ),
    "{address}: {who} is listening there; stop it, or choose another path": (
        "{address}: {who} đang dùng địa chỉ này; hãy dừng chương trình đó, hoặc chọn đường dẫn khác"
    ),
    "{address}: {why}; {who} is listening there; stop it, or choose another port": (
        "{address}: {why}; {who} đang dùng địa chỉ này; hãy dừng chương trình đó, hoặc chọn cổng (port) khác"
    ),
    "{address}: {why}; is another program listening there?": (
        "{address}: {why}; phải chăng một chương trình khác đang dùng địa chỉ này?"
    ),
    "{address}: {why}; ports below 1024 need CAP_NET_BIND_SERVICE or systemd socket activation": (
        "{address}: {why}; cổng (port) nhỏ hơn 1024 cần quyền CAP_NET_BIND_SERVICE hoặc systemd mở sẵn (socket activation)"
    ),
    "{address}: {why}; write an IP address of this server": (
        "{address}: {why}; hãy viết một địa chỉ IP của máy chủ này"
    ),
    "{address}: {why}; make the folder {folder}, so that the gateway's user may write to it and the mail server may "
    "enter it": (
        "{address}: {why}; hãy tạo thư mục {folder} để người dùng chạy cổng thư ghi được và máy chủ thư vào được"
    ),
    "{address}: {why}; let the gateway's user write to the folder {folder}": (
        "{address}: {why}; hãy cấp cho người dùng chạy cổng thư quyền ghi vào thư mục {folder}"
    ),
    "systemd passed a socket called {name}; write FileDescriptorName=smtp (or milter, http)": (
        "systemd chuyển sang một socket tên {name}; hãy viết FileDescriptorName=smtp (hoặc milter, http)"
    ),
    "{variable} cannot be used ({why}); start the gateway without this variable": (
        "không dùng được {variable} ({why}); hãy khởi động cổng thư mà không đặt biến này"
    ),
    # ---- policies
    "{folder}: there is no such folder; write the policies' folder as policies in gateway.toml": (
        "{folder}: không có thư mục này; hãy ghi thư mục chính sách ở khóa policies của gateway.toml"
    ),
    # ---- the database
    "{database} was written by a newer gateway (schema {found}, this one knows {known}): install that version again, or "
    "restore the backup that was made before it (docs/how-to: upgrade)": (
        "{database} do phiên bản cổng thư mới hơn ghi (lược đồ {found}, phiên bản này chỉ biết đến {known}): hãy cài lại "
        "phiên bản đó, hoặc khôi phục bản sao lưu tạo trước khi nâng cấp (docs/how-to: nang-cap)"
    ),
    "{database} has schema {found}, and the program that is running could not work with schema {known}: this upgrade needs "
    "a stop; stop the gateway, then start it": (
        "{database} có lược đồ {found}, chương trình đang chạy không làm việc được với lược đồ {known}: lần nâng cấp này phải "
        "dừng cổng thư; hãy dừng rồi khởi động lại cổng thư"
    ),
    "{database} cannot be migrated: {folder} cannot be written ({why}); give it to the gateway's user": (
        "không nâng cấp được {database}: không ghi được vào {folder} ({why}); hãy giao thư mục cho người dùng chạy cổng thư"
    ),
    "{database} is not migrated: the copy before it, {copy}, cannot be written ({why}); make {size} MiB of room in "
    "{folder}, or see who owns it, and start again": (
        "chưa nâng cấp {database}: không ghi được bản sao trước khi nâng cấp {copy} ({why}); hãy giải phóng {size} MiB "
        "trong {folder}, hoặc xem lại chủ sở hữu thư mục, rồi khởi động lại"
    ),
    "{database} is damaged ({why}): restore a backup, or repair it with sqlite3 .recover": (
        "{database} bị hỏng ({why}): hãy khôi phục bản sao lưu, hoặc sửa bằng sqlite3 .recover"
    ),
    "{database} is not a database or is damaged: restore a backup ({why})": (
        "{database} không phải cơ sở dữ liệu hoặc đã hỏng: hãy khôi phục bản sao lưu ({why})"
    ),
    "{database} is damaged: restore a backup, or repair it with sqlite3 .recover ({why})": (
        "{database} bị hỏng: hãy khôi phục bản sao lưu, hoặc sửa bằng sqlite3 .recover ({why})"
    ),
    "{database} is read-only: give it and its directory to the gateway's user ({why})": (
        "{database} chỉ cho đọc: hãy giao tệp và thư mục chứa tệp cho người dùng chạy cổng thư ({why})"
    ),
    "{database} cannot be opened: its directory must exist and belong to the gateway's user ({why})": (
        "không mở được {database}: thư mục chứa tệp phải tồn tại và thuộc người dùng chạy cổng thư ({why})"
    ),
    "{database} is locked by another process ({why})": "{database} đang bị tiến trình khác khóa ({why})",
    "{database} cannot be written: the disk is full ({why})": "không ghi được {database}: ổ đĩa đã đầy ({why})",
    "{database} cannot be read or written: the disk is full or failing ({why})": (
        "không đọc hoặc ghi được {database}: ổ đĩa đã đầy hoặc đang hỏng ({why})"
    ),
    "{database} cannot be used ({why})": "không dùng được {database} ({why})",
}
