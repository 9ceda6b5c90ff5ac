"""What the demonstration says, in Vietnamese and in English."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Language = Literal["en", "vi"]


class DemoFailed(Exception):
    """The demonstration could not be given, or went otherwise than it should; str(error) says how."""


class Words(NamedTuple):
    """The same in two languages."""

    vi: str
    en: str

    def of(self, language: Language) -> str:
        return self.vi if language == "vi" else self.en


TITLE: Final = Words("Cổng thư điện tử: thử nghiệm trên một máy", "The mail gateway, shown on one machine")
OPENING: Final = Words(
    "Chương trình tự dựng trên máy này: một máy chủ DNS, một máy chủ nhận thư của Sở và cổng thư thật đứng trước nó. "
    "Không dùng mạng bên ngoài, không cần quyền quản trị. Các thư dưới đây là thư thật, có chữ ký DKIM thật, do một "
    "chương trình gửi thư thật gửi qua SMTP; địa chỉ máy gửi lấy từ dải địa chỉ dành cho tài liệu. Chính sách là bản sao "
    "của thư mục policies/ đi kèm, với giai đoạn thí điểm coi như đã kết thúc.",
    "On this machine there now run a DNS server, the department's receiving server, and the real gateway in front of it. "
    "Nothing leaves the machine, and nothing needs root. The messages below are real ones with real DKIM signatures, sent "
    "by a real SMTP client; the addresses of the sending hosts are those set aside for documentation. The policy is a copy "
    "of the policies/ folder that comes with the gateway, with its pilot phase taken as over.",
)
COLUMNS: Final = (
    Words("STT", "No."),
    Words("Thư", "Message"),
    Words("Người gửi", "From"),
    Words("Đơn vị gửi", "Sending unit"),
    Words("Căn cứ chứng thực", "How it is proven"),
    Words("Xử lý", "What happened"),
)
NO_UNIT: Final = Words("không xác định", "none")
NOT_EXAMINED: Final = Words("—", "—")
LEVELS: Final = {
    "signed": Words("chữ ký DKIM của {domain}", "DKIM signature of {domain}"),
    "authorized": Words("máy chủ mà {domain} ủy quyền (SPF)", "a host that {domain} authorises (SPF)"),
    "shared": Words("chỉ qua đám mây dùng chung: chưa đủ", "only a shared cloud: not enough"),
    "claimed": Words("không có gì chứng thực", "nothing proves it"),
}
RULES: Final = {
    "false-official-sender": Words(
        "mang tên miền công vụ nhưng không chứng thực được", "an official domain's name, and no proof"
    ),
    "free-provider-submission": Words(
        "văn bản hành chính gửi từ hộp thư miễn phí", "administrative mail from a free provider"
    ),
    "secret-document-subject": Words("tiêu đề ghi độ mật", "marked secret in the subject"),
    "secret-document-file": Words("tên tệp ghi độ mật", "marked secret in a file name"),
    "malformed": Words("sai quy cách, hai người gửi", "malformed, two authors"),
}
RELAYED: Final = Words("Đã chuyển đến người nhận", "Delivered")
TAGGED: Final = Words("có ghi đơn vị gửi ở đầu thư", "tagged with the sending unit")
NOT_TAGGED: Final = Words("chưa ghi đơn vị gửi", "not tagged with the unit")
HELD: Final = Words("Giữ lại", "Held")
REFUSED: Final = Words("Từ chối", "Refused")
DEFERRED: Final = Words("Hẹn gửi lại (451) vì DNS không trả lời; lần sau", "451 while DNS is silent; the retry")
NOTICE_SENT: Final = Words("đã gửi thông báo cho người gửi", "the sender got the notice")
NO_NOTICE: Final = Words("không gửi thông báo", "no notice")
NO_NOTICE_WHY: Final = {
    "window": Words("không gửi thông báo lần hai trong 7 ngày", "no second notice within 7 days"),
    "AR-5": Words("không trả lời thư trả lời tự động", "an automatic reply is not answered"),
}

ALL_AS_EXPECTED: Final = Words(
    "Cả {count} thư đều được xử lý đúng như dự kiến; chương trình đã tự đối chiếu với thư trong hộp thư người nhận, "
    "sổ đăng ký và thư đang giữ.",
    "All {count} messages met the fate that was expected: the programme compared the recipients' mailboxes, the register "
    "and the held mail.",
)
NOTICE: Final = Words(
    "Thông báo mà người gửi thư số {number} nhận được", "The notice that the sender of no. {number} got"
)
NOTICE_FIELDS: Final = ("From", "To", "Subject", "Auto-Submitted", "In-Reply-To")
EXPLANATION: Final = Words(
    "Vì sao thư số {number} bị giữ (lệnh gateway explain)", "Why no. {number} is held (gateway explain)"
)
QUARANTINE: Final = Words("Thư đang giữ, chờ văn thư xem xét", "Held mail, waiting for the clerk")
QUARANTINE_COLUMNS: Final = (
    Words("Mã", "Reference"),
    Words("Người gửi", "From"),
    Words("Tiêu đề", "Subject"),
    Words("Lý do", "Why"),
)
REGISTER: Final = Words("Sổ đăng ký: đơn vị nào đã gửi", "The register: which unit has sent")
REGISTER_COLUMNS: Final = (
    Words("Đơn vị", "Unit"),
    Words("Từ hộp thư công vụ", "Official mailbox"),
    Words("Đang giữ", "Held"),
    Words("Lần cuối", "Last"),
)
SILENT: Final = Words(
    "{count} đơn vị khác trong danh mục mẫu chưa gửi thư nào.",
    "{count} other units of the sample registry have sent nothing.",
)
PLACES: Final = Words("Mọi thứ nằm ở đâu", "Where everything is")
FOLDER: Final = Words("Thư mục", "Folder")
MAILDIRS: Final = Words("Thư đã đến nơi", "Delivered mail")
LETTERS: Final = Words("Các thư đã gửi", "Messages sent")
POLICIES: Final = Words("Chính sách", "Policies")
LOG: Final = Words("Nhật ký thư", "Mail log")
METRICS: Final = Words("Số đo", "Metrics")
PORTS: Final = Words("Các cổng", "Ports")
STAYING_PORTS: Final = Words("đang mở", "open")
CLOSED_PORTS: Final = Words(
    "đã đóng; chạy gateway demo --stay để giữ lại", "closed now; gateway demo --stay keeps them open"
)
TRY: Final = Words("Các lệnh có thể chạy ngay", "Commands to try")
KEPT: Final = Words(
    "Thư mục này được giữ lại; xem xong có thể xóa.", "The folder is kept; delete it when you have seen enough."
)
STAY: Final = Words("Hệ thống tiếp tục chạy. Nhấn Ctrl-C để dừng.", "Everything keeps running. Press Ctrl-C to stop.")
STOPPED: Final = Words("Đã dừng.", "Stopped.")
WRONG: Final = Words(
    "Có thư được xử lý khác dự kiến; xem nhật ký {log}.", "A message met another fate than expected; see the log {log}."
)
WRONG_ONE: Final = Words("Thư số {number}: {what}", "No. {number}: {what}")
