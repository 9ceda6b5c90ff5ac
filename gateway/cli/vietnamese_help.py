"""Vietnamese of the help pages (speech.py)."""

from __future__ import annotations

from typing import Final

HELP: Final[dict[str, str]] = {
    # the front page
    "Inbound mail gateway for public offices: proves who sent each message, names the sending unit, "
    "holds what breaks the directive, and loses nothing.": "Cổng tiếp nhận thư điện tử cho cơ quan nhà nước: chứng thực "
    "người gửi, xác định đơn vị gửi, giữ lại thư không đúng công văn chỉ đạo và không làm mất thư nào.",
    "Usage": "Cách dùng",
    "VERB": "LỆNH",
    "OPTIONS": "TÙY CHỌN",
    "Verbs": "Các lệnh",
    "Arguments": "Tham số",
    "Options": "Tùy chọn",
    "Examples": "Ví dụ",
    "Exit statuses": "Mã thoát",
    "For those who run the server": "Dành cho người vận hành máy chủ",
    "For those who write the policies": "Dành cho người soạn chính sách",
    "For clerks": "Dành cho văn thư",
    "For the shell": "Dành cho dòng lệnh",
    "For every verb": "Dùng với mọi lệnh",
    "show everything on this machine, with real messages": "trình diễn toàn bộ trên máy này, bằng thư thật",
    "tell every mistake in settings and policies, and how to mend it": "nêu mọi lỗi của cấu hình và chính sách, kèm "
    "cách sửa",
    "run the gateway": "chạy cổng thư",
    "what would happen to a message, and why; changes nothing": "một thư sẽ được xử lý thế nào, vì sao; không làm "
    "thay đổi gì",
    "held mail: list, show, release, reject, delete": "thư bị giữ: liệt kê, xem, cho đi, từ chối, xóa",
    "who has sent what: search, show, export; which unit has not sent": "ai đã gửi gì: tìm, xem, kết xuất; đơn vị nào "
    "chưa gửi",
    "let Tab complete verbs, options and values": "dùng phím Tab để điền nốt lệnh, tùy chọn và giá trị",
    "options and examples of the verb": "các tùy chọn và ví dụ của lệnh",
    "the language; by default that of LANG": "ngôn ngữ; nếu không ghi thì theo biến LANG",
    "for programs: of each verb that prints data": "dành cho chương trình: có ở mọi lệnh in ra dữ liệu",
    "of gateway itself": "phiên bản của cổng thư",
    "all is well": "mọi việc đều tốt",
    "the service has failed; with doctor --strict: there are warnings": "cổng thư gặp sự cố khi đang chạy; với doctor "
    "--strict: có cảnh báo",
    "the command was not understood": "lệnh viết không đúng",
    "what was asked for cannot be done with this message, or data are wrong": "không thể làm điều được yêu cầu với thư "
    "này, hoặc dữ liệu sai",
    "no such message, file, folder or unit": "không có thư, tệp, thư mục hoặc đơn vị đó",
    "the store, or something else that is needed, cannot be used": "kho dữ liệu hoặc thành phần cần thiết khác không "
    "dùng được",
    "a file cannot be written": "không ghi được tệp",
    "try again later: the address or the state folder is in use": "hãy thử lại sau: địa chỉ hoặc thư mục trạng thái đang "
    "được dùng",
    "settings or policies have errors": "cấu hình hoặc chính sách có lỗi",
    "interrupted with Ctrl-C": "bị ngắt bằng Ctrl-C",
    "whoever was to read our output has gone, as in: gateway … | head": "nơi nhận kết quả đã đóng, như khi chạy: "
    "gateway … | head",
    "More: man gateway, and the folder {folder}.": "Xem thêm: man gateway và thư mục {folder}.",
    # pages of verbs
    "required": "bắt buộc",
    "may be given several times": "có thể ghi nhiều lần",
    "default: {value}": "mặc định: {value}",
    "environment: {value}": "biến môi trường: {value}",
    "Show this page.": "In trang này.",
    "vi or en; default: by LANG.": "vi hoặc en; nếu không ghi thì theo biến LANG.",
    "gateway.toml; default: the one in this folder, if any.": "Tệp gateway.toml; nếu không ghi thì lấy tệp trong thư mục "
    "hiện tại, nếu có.",
    "Print JSON, for programs.": "In ra JSON, dành cho chương trình.",
    "Rows at most.": "Số dòng nhiều nhất.",
    "Show the gateway on loopback: its own DNS, a receiving server, and real signed messages that tell the story.": "Trình "
    "diễn cổng thư ngay trên máy này: có DNS riêng, máy chủ nhận thư và các thư thật, có chữ ký.",
    "Keep everything running afterwards, to be tried by hand.": "Sau đó vẫn để mọi thứ chạy, để tự tay thử.",
    "Run the gateway: worker processes for mail, one process for health, metrics and the outbox.": "Chạy cổng thư: các "
    "tiến trình xử lý thư và một tiến trình cho kiểm tra sức khỏe, số liệu và hộp thư đi.",
    "Check settings and policies: every problem with its place and how to mend it. Exit status 78 on errors.": "Kiểm tra "
    "cấu hình và chính sách: nêu mọi lỗi, vị trí và cách sửa. Mã thoát là 78 nếu có lỗi.",
    "The policy folder; default: the one of the settings.": "Thư mục chính sách; nếu không ghi thì lấy theo cấu hình.",
    "Tell what would happen to a message and why: evidence, sender, every rule. Nothing is sent, held or written.": "Cho "
    "biết một thư sẽ được xử lý thế nào và vì sao: căn cứ chứng thực, người gửi, từng quy tắc. Không gửi, giữ hay ghi gì.",
    "A message as a file (.eml).": "Thư lưu thành tệp (.eml).",
    "MAIL FROM; empty for the null reverse-path.": "Địa chỉ MAIL FROM; để trống nếu là địa chỉ rỗng <>.",
    "RCPT TO; may be given several times.": "Địa chỉ RCPT TO; có thể ghi nhiều lần.",
    "RCPT TO.": "Địa chỉ RCPT TO.",
    "IP address of the SMTP client.": "Địa chỉ IP của máy gửi.",
    "HELO identity.": "Tên máy gửi xưng trong HELO.",
    "DNS answers from a YAML file instead of DNS.": "Lấy câu trả lời DNS từ tệp YAML thay vì hỏi DNS.",
    "Judge as of this moment (ISO 8601).": "Xét như tại thời điểm này (ISO 8601).",
    "Held mail: list, show, release, reject, delete.": "Thư bị giữ: liệt kê, xem, cho đi, từ chối, xóa.",
    "List held mail, newest first.": "Liệt kê thư đang bị giữ, mới nhất trước.",
    "Unit id, as in units.csv.": "Mã đơn vị, như trong units.csv.",
    "Words of subject, author or unit, without accents if you like.": "Các từ trong tiêu đề, người gửi hoặc đơn vị; "
    "không cần dấu.",
    "Released, rejected, deleted and expired mail too.": "Cả thư đã cho đi, đã từ chối, đã xóa và đã hết hạn giữ.",
    "Show one held message: envelope, evidence, every rule that was looked at, what was done with it.": "Xem một thư bị "
    "giữ: phong bì, căn cứ chứng thực, từng quy tắc đã xét, những việc đã làm với thư.",
    "The reference that is also in the SMTP reply and the notice.": "Mã thư, cũng có trong phúc đáp SMTP và trong thông "
    "báo.",
    "Deliver the original, unchanged, to the recipients it was held for, exactly once.": "Cho thư đi: chuyển nguyên "
    "văn thư gốc tới những người nhận có thư bị giữ, đúng một lần.",
    "Close the entry without delivering it. The octets stay until the end of retention.": "Đóng hồ sơ mà không chuyển "
    "thư. Nội dung thư được giữ đến hết thời hạn lưu.",
    "Delete the octets now; who, when and why stay in the audit log.": "Xóa ngay nội dung thư; ai xóa, khi nào và vì sao "
    "vẫn còn trong nhật ký kiểm tra.",
    "Why; it is kept in the audit log, and asked for when missing.": "Lý do; được lưu vào nhật ký kiểm tra, nếu không ghi "
    "thì chương trình sẽ hỏi.",
    "What was sent: search, show, export, and which unit has (not) sent.": "Thư đã gửi: tìm, xem, kết xuất, và đơn vị nào "
    "đã gửi hoặc chưa gửi.",
    "Find messages, newest first.": "Tìm thư, mới nhất trước.",
    "Words of subject, sender, unit or file names; accents do not matter.": "Các từ trong tiêu đề, người gửi, đơn vị hoặc "
    "tên tệp; không cần dấu.",
    "First day: 2026-11-01 or 01/11/2026.": "Ngày đầu: 2026-11-01 hoặc 01/11/2026.",
    "Last day, included.": "Ngày cuối, tính cả ngày đó.",
    "Document number or a part of it: 123/BC.": "Số văn bản hoặc một phần: 123/BC.",
    "Show all that the register knows of one message.": "Xem mọi điều sổ đăng ký ghi về một thư.",
    "Reference of the message.": "Mã thư.",
    "Write CSV that Excel opens as it is, or JSON.": "Ghi ra CSV mở được ngay bằng Excel, hoặc JSON.",
    "File; default: standard output.": "Tệp; nếu không ghi thì in ra màn hình.",
    "Show for each unit what it has sent, and which have sent nothing.": "Cho biết mỗi đơn vị đã gửi những gì và đơn vị "
    "nào chưa gửi.",
    "Only units of this kind, as in units.csv.": "Chỉ các đơn vị thuộc loại này, như trong units.csv.",
    "Only units that have sent nothing.": "Chỉ các đơn vị chưa gửi gì.",
    "Print the script that lets Tab complete verbs, options, references of messages, units and kinds of units.": "In ra "
    "đoạn lệnh giúp phím Tab điền nốt lệnh, tùy chọn, mã thư, mã đơn vị và loại đơn vị.",
    "Which shell is to complete.": "Chương trình dòng lệnh cần dùng.",
    # the manual
    "NAME": "TÊN",
    "SYNOPSIS": "CÚ PHÁP",
    "DESCRIPTION": "MÔ TẢ",
    "VERBS": "CÁC LỆNH",
    "OPTIONS OF EVERY VERB": "TÙY CHỌN CHUNG",
    "EXIT STATUS": "MÃ THOÁT",
    "ENVIRONMENT": "BIẾN MÔI TRƯỜNG",
    "FILES": "TỆP",
    "OUTPUT": "KẾT QUẢ IN RA",
    "inbound mail gateway for public offices": "cổng tiếp nhận thư điện tử cho cơ quan nhà nước",
    "settings; every value is told there": "cấu hình; mọi giá trị đều được giải thích trong tệp",
    "units, mailboxes, directives, rules and texts, read again when they change": "đơn vị, hộp thư, công văn chỉ đạo, "
    "quy tắc và mẫu thông báo; tự đọc lại khi có thay đổi",
    "database, held mail, policies that were in force: back it up": "cơ sở dữ liệu, thư bị giữ, các chính sách từng có "
    "hiệu lực: cần sao lưu",
    "the settings file, as --config": "tệp cấu hình, như --config",
    "every setting, with its table before two underscores": "mọi giá trị cấu hình, tên bảng đứng trước hai dấu gạch dưới",
    "the language: English where it begins with en, else Vietnamese": "ngôn ngữ: tiếng Anh nếu bắt đầu bằng en, còn lại "
    "là tiếng Việt",
    "no colours; colours even into a pipe": "không dùng màu; dùng màu cả khi chuyển kết quả qua ống dẫn",
    "how wide tables and help are set": "bề rộng của bảng và của phần hướng dẫn",
    "Data go to standard output, everything else to standard error.": "Dữ liệu in ra đầu ra chuẩn, mọi thông tin khác in "
    "ra đầu ra lỗi.",
    "On a terminal tables are as wide as it; columns without room are named below the table. Into a pipe goes one line "
    "a row, with tabs, uncut and without heading.": "Trên màn hình, bảng rộng bằng màn hình; các cột không đủ chỗ được "
    "nêu tên dưới bảng. Khi chuyển qua ống dẫn, mỗi bản ghi là một dòng, các cột cách nhau bằng dấu tab, không cắt bớt "
    "và không có dòng tiêu đề.",
    "--json prints one document: an object, or one array of all rows. Its keys are English and do not change; new ones "
    "may be added.": "--json in ra một tài liệu: một đối tượng, hoặc một mảng gồm mọi bản ghi. Tên khóa bằng tiếng Anh "
    "và không thay đổi; có thể có thêm khóa mới.",
    # examples
    "Until SIGTERM; then what is in hand is finished:": "Chạy đến khi nhận SIGTERM; việc đang làm sẽ được làm xong:",
    "Seventeen messages and what becomes of each:": "Mười bảy thư và kết quả xử lý từng thư:",
    "The same in English, and kept running to be tried by hand:": "Như trên nhưng bằng tiếng Anh, và vẫn chạy để tự tay "
    "thử:",
    "The gateway.toml of this folder and its policies:": "Tệp gateway.toml của thư mục này và chính sách của nó:",
    "A copy of the policies before they count, for a program:": "Một bản sao chính sách trước khi áp dụng, dành cho "
    "chương trình:",
    "A message saved from a mail program, as if it came from that address:": "Một thư lưu từ chương trình thư, coi như "
    "đến từ địa chỉ đó:",
    "The same on the day when the directive is in force:": "Như trên, vào ngày quy định đã có hiệu lực:",
    "Begin with what is held:": "Bắt đầu bằng danh sách thư đang giữ:",
    "What waits for a decision:": "Những thư đang chờ quyết định:",
    "Of one unit, with these words:": "Của một đơn vị, có các từ này:",
    "Everything that was ever held, for a program:": "Mọi thư từng bị giữ, dành cho chương trình:",
    "The reference stands in the notice and in the list:": "Mã thư có trong thông báo và trong danh sách:",
    "The sender has telephoned, and it is right:": "Người gửi đã gọi điện xác nhận và nội dung đúng:",
    "With the reason, which is kept:": "Kèm lý do; lý do được lưu lại:",
    "What must not stay on this server:": "Thư không được lưu trên máy chủ này:",
    "Begin with a search:": "Bắt đầu bằng tìm kiếm:",
    "By words; accents do not matter:": "Theo từ; không cần dấu:",
    "By document number, since a day:": "Theo số văn bản, kể từ một ngày:",
    "All of one unit, for a program:": "Mọi thư của một đơn vị, dành cho chương trình:",
    "The reference stands in the list:": "Mã thư có trong danh sách:",
    "A file for Excel:": "Một tệp cho Excel:",
    "The same for a program:": "Như trên, dành cho chương trình:",
    "Which units have not sent since a day:": "Những đơn vị chưa gửi kể từ một ngày:",
    "Units of one kind, with what they have sent:": "Các đơn vị cùng loại và số thư đã gửi:",
    "For bash, for everybody:": "Cho bash, mọi người dùng:",
    "For zsh:": "Cho zsh:",
    "For fish:": "Cho fish:",
}
