"""What backup, verify and restore say, in both languages: what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["en", "vi"]

SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    # ---- why something could not be done
    "no-state": (
        "{place}: there is no gateway database here; name the gateway.toml of the gateway with --config",
        "{place}: không có cơ sở dữ liệu của cổng thư; hãy chỉ rõ tệp gateway.toml bằng --config",
    ),
    "schema-newer": (
        "{place} was written by a newer gateway (schema {found}, this one knows {known}): use the program of that "
        "version",
        "{place} do phiên bản cổng thư mới hơn ghi (lược đồ {found}, phiên bản này chỉ biết {known}): hãy dùng "
        "chương trình của phiên bản đó",
    ),
    "database-unreadable": (
        "{place} cannot be read ({reason}): run as root or as the gateway's user; if it is damaged, restore a backup",
        "{place}: không đọc được ({reason}); hãy chạy bằng quyền root hoặc người dùng của cổng thư; nếu tệp bị "
        "hỏng, hãy khôi phục từ bản sao lưu",
    ),
    "target-inside": (
        "{place} lies inside the state folder {state}: choose a folder elsewhere, best on another disk",
        "{place} nằm trong thư mục trạng thái {state}: hãy chọn thư mục ở nơi khác, tốt nhất là trên ổ đĩa khác",
    ),
    "target-missing": (
        "{place}: the folder above it is not there (is the disk mounted?); make it, or choose another",
        "{place}: thư mục cấp trên không tồn tại (ổ đĩa đã được gắn chưa?); hãy tạo thư mục đó hoặc chọn nơi khác",
    ),
    "target-busy": (
        "{place}: another backup is being written there; wait until it has ended",
        "{place}: một bản sao lưu khác đang được ghi tại đây; hãy chờ việc đó kết thúc",
    ),
    "cannot-write": (
        "{place} cannot be written: {reason}; nothing was left behind",
        "{place}: không ghi được ({reason}); không để lại tệp dở dang nào",
    ),
    "no-room": (
        "{place}: the disk is full ({free} MiB free); make room or choose another disk; nothing was left behind",
        "{place}: ổ đĩa đã đầy (còn trống {free} MiB); hãy giải phóng dung lượng hoặc chọn ổ khác; không để lại "
        "tệp dở dang nào",
    ),
    "cannot-read": (
        "{place} cannot be read: {reason}; run as root or as the gateway's user",
        "{place}: không đọc được ({reason}); hãy chạy bằng quyền root hoặc người dùng của cổng thư",
    ),
    "no-key-file": (
        "store.key_file is not set in gateway.toml: there is no key to put into the backup; leave --with-key out",
        "gateway.toml không đặt store.key_file: không có khóa để đưa vào bản sao lưu; hãy bỏ --with-key",
    ),
    "no-backup": (
        "{place}: there is no finished backup here ({reason}); name the folder that was given to gateway backup",
        "{place}: không có bản sao lưu hoàn chỉnh ({reason}); hãy chỉ thư mục đã dùng với lệnh gateway backup",
    ),
    "backup-newer": (
        "{place} was made by gateway {program}, in a form that this one does not know: use that version",
        "{place} do cổng thư phiên bản {program} tạo, theo khuôn dạng mà phiên bản này chưa biết: hãy dùng phiên "
        "bản đó",
    ),
    "state-not-empty": (
        "{place} is not empty, and nothing is overwritten: stop the gateway and its sockets, move the folder away "
        "(mv {place} {place}.old; of a mount point, what is in it), and try again",
        "{place} không trống; lệnh này không ghi đè: hãy dừng cổng thư và các socket, chuyển thư mục đi nơi khác "
        "(mv {place} {place}.old; nếu là điểm gắn thì chuyển nội dung bên trong) rồi chạy lại",
    ),
    "backup-damaged": (
        "{place} is damaged in {count} places (above): restore another backup; what is whole of this one is put "
        "back with --accept-damage",
        "{place} bị hỏng ở {count} chỗ (nêu trên): hãy khôi phục bản sao lưu khác; muốn lấy phần còn nguyên vẹn "
        "của bản này, thêm --accept-damage",
    ),
    "database-hopeless": (
        "{place}: its database is damaged, so nothing of it can be restored: restore another backup",
        "{place}: cơ sở dữ liệu trong bản sao lưu bị hỏng nên không thể khôi phục: hãy dùng bản sao lưu khác",
    ),
    "restored-damaged": (
        "what was written to {place} is not what was in the backup: the disk may be failing; nothing was put in place",
        "dữ liệu ghi vào {place} khác với bản sao lưu: ổ đĩa có thể đang hỏng; chưa đưa gì vào sử dụng",
    ),
    # ---- what verify finds
    "manifest-damaged": (
        "{place} is damaged: do not trust this backup; restore an earlier one (name its folder), and make a new one "
        "with gateway backup",
        "{place} bị hỏng: không nên tin cậy bản sao lưu này; hãy khôi phục bản trước đó (chỉ rõ thư mục) và tạo bản "
        "mới bằng gateway backup",
    ),
    "file-missing": (
        "{place} is in the manifest and not in the backup: use another backup, and make a new one with gateway "
        "backup --full",
        "{place} có trong bản kê nhưng không có trong bản sao lưu: hãy dùng bản khác và tạo bản mới bằng gateway "
        "backup --full",
    ),
    "file-changed": (
        "{place} is not what was backed up (its hash differs): use another backup, and make a new one with "
        "gateway backup --full",
        "{place} khác với lúc sao lưu (mã băm không khớp): hãy dùng bản khác và tạo bản mới bằng gateway backup --full",
    ),
    "file-unreadable": (
        "{place} cannot be read ({reason}): run as root; if it stays so, the disk is failing: use another backup",
        "{place}: không đọc được ({reason}); hãy chạy bằng quyền root; nếu vẫn lỗi, ổ đĩa đang hỏng: hãy dùng bản "
        "sao lưu khác",
    ),
    "file-extra": (
        "{place} is in the backup and not in its manifest: it did not come from gateway backup, and is not restored",
        "{place} có trong thư mục nhưng không có trong bản kê: tệp không do gateway backup tạo và sẽ không được "
        "khôi phục",
    ),
    "database-damaged": (
        "{place} is damaged ({reason}): restore a backup, or repair it with sqlite3 .recover",
        "{place} bị hỏng ({reason}): hãy khôi phục từ bản sao lưu hoặc sửa bằng lệnh .recover của sqlite3",
    ),
    "schema-older": (
        "{place} has schema {found}; it is brought to {known} when the gateway starts",
        "{place} có lược đồ {found}; sẽ được nâng lên {known} khi cổng thư khởi động",
    ),
    "foreign-key": (
        "{place}, table {table}: row {row} names a row of {parent} that is not there: restore a backup",
        "{place}, bảng {table}: dòng {row} trỏ tới dòng không tồn tại của bảng {parent}: hãy khôi phục từ bản sao lưu",
    ),
    "row-unreadable": (
        "{place}, table {table}: row {row} cannot be read ({reason}): take it from a backup",
        "{place}, bảng {table}: không đọc được dòng {row} ({reason}): hãy lấy lại từ bản sao lưu",
    ),
    "audit-broken": (
        "{place}, audit log: row {row} was changed or removed: find out who had access; a backup made before has "
        "the true row",
        "{place}, nhật ký kiểm soát: dòng {row} đã bị sửa hoặc xóa: hãy kiểm tra ai đã truy cập; bản sao lưu "
        "trước đó còn dòng đúng",
    ),
    "blob-missing": (
        "{place} is not there, and {owner} needs it: copy it from a backup (same path under blobs/)",
        "{place} không tồn tại trong khi {owner} cần tệp này: hãy chép lại từ bản sao lưu (cùng đường dẫn dưới blobs/)",
    ),
    "blob-damaged": (
        "{place} is damaged ({reason}), and {owner} needs it: copy it from a backup (same path under blobs/)",
        "{place} bị hỏng ({reason}) trong khi {owner} cần tệp này: hãy chép lại từ bản sao lưu (cùng đường dẫn "
        "dưới blobs/)",
    ),
    "blob-unreadable": (
        "{place} cannot be read ({reason}), and {owner} needs it: run as root or as the gateway's user",
        "{place}: không đọc được ({reason}) trong khi {owner} cần tệp này: hãy chạy bằng quyền root hoặc người "
        "dùng của cổng thư",
    ),
    "blob-locked": (
        "{place} is encrypted with another key than store.key_file has, and {owner} needs it: set the key that "
        "was used",
        "{place} được mã hóa bằng khóa khác với store.key_file trong khi {owner} cần tệp này: hãy đặt đúng khóa "
        "đã dùng",
    ),
    "spill-unreadable": (
        "{place}, line {row} cannot be read, cut by a crash: its message was delivered, its register line is lost; "
        "when you have looked at it, delete the file",
        "{place}: không đọc được dòng {row} do bị cắt khi có sự cố: thư đã được chuyển, chỉ mất dòng trong sổ đăng ký; "
        "sau khi xem, hãy xóa tệp này",
    ),
    "spill-waiting": (
        "{place}: {count} lines wait to be brought into the database; the gateway does it within a minute",
        "{place}: có {count} dòng chờ đưa vào cơ sở dữ liệu; cổng thư sẽ thực hiện trong vòng một phút",
    ),
    "in-flight": (
        "{place}: {count} files have no row yet: mail in hand just now",
        "{place}: có {count} tệp chưa có dòng tương ứng: thư đang được xử lý",
    ),
    "left-behind": (
        "{place}: {count} files that no row needs, older than 36 hours; the running gateway deletes them within "
        "the hour",
        "{place}: có {count} tệp không còn dòng nào cần, cũ hơn 36 giờ; cổng thư đang chạy sẽ xóa trong vòng một giờ",
    ),
    "stray": (
        "{place} is no blob: nobody reads it; delete it when you know what it is",
        "{place} không phải tệp thư: không chương trình nào đọc; hãy xóa khi đã rõ nguồn gốc",
    ),
    "cut-short": (
        "{place}: {count} files of a write that is under way or was cut by a crash; they are deleted after 36 hours",
        "{place}: có {count} tệp đang ghi hoặc bị ngắt do sự cố; sẽ được xóa sau 36 giờ",
    ),
}


def sentence(word: str, language: Language, values: Mapping[str, object]) -> str:
    """The sentence of a word with its values."""
    return SENTENCES[word][language == "vi"].format(**values)


class Trouble(Exception):
    """Backup, verify or restore cannot go on. `word` is stable, for programs; text() is for people."""

    def __init__(self, word: str, **values: object) -> None:
        super().__init__(sentence(word, "en", values))
        self.word = word
        self.values = values

    def text(self, language: Language) -> str:
        return sentence(self.word, language, self.values)
