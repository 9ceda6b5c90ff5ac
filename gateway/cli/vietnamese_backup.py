"""Vietnamese of backup, verify and restore, by English (speech.py). What goes wrong stands in gateway/store/backup/words.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BACKUP: Final[Mapping[str, str]] = {
    # ---- help
    "Copy the store while the gateway runs: each backup is whole, and costs only what is new.": (
        "Sao lưu kho dữ liệu trong khi cổng thư đang chạy: mỗi bản sao lưu đều đầy đủ, chỉ tốn dung lượng cho phần mới."
    ),
    "Exit status 65 when the store itself lacks messages: what there is was copied, and the backup counts.": (
        "Mã thoát 65 khi chính kho dữ liệu bị thiếu thư: phần còn lại vẫn được sao lưu và bản sao lưu vẫn có giá trị."
    ),
    "Prove that every row has its message, whole, and that nobody changed the audit log; writes nothing.": (
        "Kiểm tra mọi dòng đều có thư nguyên vẹn và nhật ký kiểm soát không bị sửa; không ghi gì."
    ),
    "Exit status 65 when something is wrong.": "Mã thoát 65 khi có sai sót.",
    "Put a backup back into an empty state folder. Nothing is overwritten; nothing is sent twice by itself.": (
        "Khôi phục bản sao lưu vào thư mục trạng thái trống. Không ghi đè, không tự gửi lại thư đã gửi."
    ),
    "Run it while the gateway is stopped, then start the gateway.": (
        "Chạy khi cổng thư đã dừng, sau đó khởi động lại cổng thư."
    ),
    "A folder outside the state folder, best on another disk.": (
        "Thư mục nằm ngoài thư mục trạng thái, tốt nhất là trên ổ đĩa khác."
    ),
    "Delete all but this many newest backups; 0: none.": "Chỉ giữ lại số bản mới nhất này; 0: không xóa bản nào.",
    "Copy every message again, link nothing.": "Chép lại toàn bộ thư, không dùng lại bản sao lưu trước.",
    "Put the key of encrypted mail in too: whoever has the backup can read.": (
        "Kèm cả khóa mã hóa thư: ai có bản sao lưu đều đọc được thư."
    ),
    "Say nothing while all is well, for cron and timers.": "Không in gì khi mọi việc bình thường, dùng cho cron.",
    "The key of encrypted mail; default: store.key_file of the settings.": (
        "Khóa của thư mã hóa; mặc định: store.key_file trong cấu hình."
    ),
    "A backup, a folder of backups (the newest is meant), or a state folder; default: the store.": (
        "Một bản sao lưu, thư mục chứa các bản sao lưu (lấy bản mới nhất) hoặc thư mục trạng thái; mặc định: kho dữ liệu."
    ),
    "A backup, or a folder of backups: then the newest one.": (
        "Một bản sao lưu, hoặc thư mục chứa các bản sao lưu (lấy bản mới nhất)."
    ),
    "The folder to make, empty or not there; default: that of the settings.": (
        "Thư mục sẽ tạo, phải trống hoặc chưa tồn tại; mặc định: theo cấu hình."
    ),
    "Restore what is whole of a damaged backup.": "Khôi phục phần còn nguyên vẹn của bản sao lưu bị hỏng.",
    "copy the store while the gateway runs": "sao lưu kho dữ liệu khi cổng thư đang chạy",
    "prove that the store, or a backup, is whole": "kiểm tra kho dữ liệu hoặc bản sao lưu có nguyên vẹn không",
    "put a backup back": "khôi phục từ bản sao lưu",
    # ---- progress
    "{what}: {done} of {of}": "{what}: {done}/{of}",
    "database": "cơ sở dữ liệu",
    "messages": "thư",
    "rows": "dòng",
    "files of the backup": "tệp của bản sao lưu",
    # ---- results
    "{n} message is not whole in the store": "{n} thư trong kho dữ liệu không còn nguyên vẹn",
    "{n} messages are not whole in the store": "{n} thư trong kho dữ liệu không còn nguyên vẹn",
    "{told}: gateway verify tells which, and an earlier backup may have them": (
        "{told}: chạy gateway verify để biết thư nào; bản sao lưu trước có thể còn"
    ),
    "{new} MiB new, {old} MiB as before": "{new} MiB mới, {old} MiB như lần trước",
    "{n} file": "{n} tệp",
    "{n} files": "{n} tệp",
    "not copied, for it is not the gateway's: {names}": "không sao lưu vì không phải dữ liệu của cổng thư: {names}",
    "{n} thing to mend": "{n} chỗ cần khắc phục",
    "{n} things to mend": "{n} chỗ cần khắc phục",
    "{place}: whole": "{place}: nguyên vẹn",
    "{state}: restored from {backup}": "{state}: đã khôi phục từ {backup}",
    "What was received, held, released or deleted after {time} is not in it.": (
        "Không có những gì được nhận, giữ, cho đi hoặc xóa sau {time}."
    ),
    "{n} held message: see whether it was released since": "{n} thư đang giữ: cần xem sau đó đã cho đi chưa",
    "{n} held messages: see which were released since": "{n} thư đang giữ: cần xem sau đó đã cho đi chưa",
    "{n} release is uncertain: a person decides": "{n} lần cho thư đi chưa rõ kết quả: cần người quyết định",
    "{n} releases are uncertain: a person decides": "{n} lần cho thư đi chưa rõ kết quả: cần người quyết định",
    "{n} message was in hand just then, and is uncertain": "{n} thư đang xử lý dở lúc sao lưu, chưa rõ kết quả",
    "{n} messages were in hand just then, and are uncertain": "{n} thư đang xử lý dở lúc sao lưu, chưa rõ kết quả",
    "{n} notice is not sent": "{n} thông báo không gửi nữa",
    "{n} notices are not sent": "{n} thông báo không gửi nữa",
    "{n} message is sent again": "{n} thư sẽ được gửi lại",
    "{n} messages are sent again": "{n} thư sẽ được gửi lại",
    "the files belong to {user}, as whom the gateway must run": (
        "các tệp thuộc người dùng {user}; cổng thư phải chạy với người dùng này"
    ),
    "store.url names {used}: before the start, move {restored} there": (
        "store.url chỉ tới {used}: trước khi khởi động, hãy chuyển {restored} tới đó"
    ),
    "Now start the gateway; the log of the old one tells what was done in between.": (
        "Hãy khởi động cổng thư; nhật ký của cổng thư cũ cho biết những việc đã làm trong khoảng giữa."
    ),
    # ---- examples
    "Every night, by a timer; the last thirty stay:": "Hằng đêm bằng bộ hẹn giờ; giữ lại ba mươi bản gần nhất:",
    "By hand, before an upgrade:": "Chạy tay trước khi nâng cấp:",
    "The store of the gateway that runs here:": "Kho dữ liệu của cổng thư đang chạy tại đây:",
    "The newest backup in a folder:": "Bản sao lưu mới nhất trong một thư mục:",
    "The newest backup, into the folder that the settings name:": "Bản mới nhất, vào thư mục ghi trong cấu hình:",
    "An older one, elsewhere, to look something up:": "Bản cũ hơn, vào nơi khác, để tra cứu:",
}
