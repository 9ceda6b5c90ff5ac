"""The stories, in the order in which they are told. Units and mailboxes are those of the sample registry."""

from __future__ import annotations

from typing import Final

from gateway.demo.letters import Letter
from gateway.demo.story import (
    EVERYTHING_ELSE,
    FREE_PROVIDER,
    UNIT_MAIL,
    Outcome,
    Story,
    held,
    refused,
    relayed,
)
from gateway.demo.words import Words
from gateway.demo.zones import CAN_DUOC, COLLEGE, DUC_HOA, GOOGLE, LISTS, LONGAN, MOET, STRANGER

VAN_THU: Final = "vanthu@longan.edu.vn"
SO: Final = "sgddt@longan.edu.vn"
TRUNG_HOC: Final = "gdtrh.phong@longan.edu.vn"
MAM_NON: Final = "gdmn.phong@longan.edu.vn"
THU_HA: Final = "nguyenthithuha@longan.edu.vn"  # a person of the department
MAILBOXES: Final = (VAN_THU, SO, TRUNG_HOC, MAM_NON, THU_HA)
TEACHER: Final = "Nguyễn Thị Hoa <hoanguyen.tanan@gmail.com>"

_CLOSING: Final = "\n\nTrân trọng./.\n"
_REPORT: Final = "Kính gửi: Văn thư Sở Giáo dục và Đào tạo Long An\n\n"

OFFICIAL: Final = (
    Story(
        title=Words("Phòng GD&ĐT gửi báo cáo từ hộp thư Bộ cấp", "A district office reports from its ministry mailbox"),
        host=MOET,
        letter=Letter(
            author="Phòng GD&ĐT thành phố Tân An <pgdtanan.longan@moet.edu.vn>",
            to=(VAN_THU,),
            subject="Báo cáo số 45/BC-PGDĐT về công tác phổ cập giáo dục năm 2026",
            body=_REPORT + "Phòng GD&ĐT thành phố Tân An xin gửi báo cáo về công tác phổ cập giáo dục." + _CLOSING,
            files=("45_BC-PGDDT.pdf",),
            signed_by="moet.edu.vn",
        ),
        expected=relayed(VAN_THU, level="signed", unit="pgddt-tan-an", rule=UNIT_MAIL),
    ),
    Story(
        title=Words("Trường THPT gửi kế hoạch từ hộp thư longan.edu.vn", "A high school sends its plan, longan.edu.vn"),
        host=LONGAN,
        letter=Letter(
            author="Trường THPT Lê Quý Đôn <thptlequydon@longan.edu.vn>",
            to=(TRUNG_HOC,),
            subject="Kế hoạch số 118/KH-THPT về bồi dưỡng học sinh giỏi",
            body="Kính gửi: Phòng Giáo dục Trung học\n\nNhà trường xin gửi kế hoạch kèm theo." + _CLOSING,
            files=("118_KH-THPT.pdf",),
            signed_by="longan.edu.vn",
        ),
        expected=relayed(TRUNG_HOC, level="signed", unit="thpt-le-quy-don", rule=UNIT_MAIL),
    ),
    Story(
        title=Words("Trường tiểu học gửi từ máy chủ của phòng, không ký", "A primary school, own server, no signature"),
        host=DUC_HOA,
        letter=Letter(
            author="Trường Tiểu học Hậu Nghĩa <thhaunghia@pgdduchoa.longan.edu.vn>",
            to=(VAN_THU,),
            subject="Danh sách học sinh lớp 1 năm học 2026-2027",
            body=_REPORT + "Nhà trường xin gửi danh sách học sinh lớp 1." + _CLOSING,
            files=("danh_sach_lop_1.pdf",),
        ),
        expected=relayed(VAN_THU, level="authorized", unit="th-hau-nghia", rule=UNIT_MAIL),
    ),
    Story(
        title=Words("Trường gửi qua đám mây dùng chung, chưa bật DKIM", "A school by a shared cloud, DKIM not set up"),
        host=GOOGLE,
        letter=Letter(
            author="Trường THPT Tân An <c3tanan.longan@moet.edu.vn>",
            to=(VAN_THU,),
            subject="Thông báo lịch thi học kỳ I",
            body=_REPORT + "Nhà trường xin thông báo lịch thi học kỳ I." + _CLOSING,
        ),
        expected=relayed(VAN_THU, level="shared", unit="thpt-tan-an"),
    ),
)

FREE: Final = (
    Story(
        title=Words("Trường gửi báo cáo từ Gmail", "A school's report from Gmail"),
        host=GOOGLE,
        letter=Letter(
            author=TEACHER,
            to=(VAN_THU,),
            subject="Báo cáo số 12/BC-THCS về tình hình thiết bị dạy học",
            body=_REPORT + "Trường THCS xin gửi báo cáo về tình hình thiết bị dạy học." + _CLOSING,
            files=("12_BC-THCS.pdf",),
            signed_by="gmail.com",
        ),
        expected=held(VAN_THU, rule=FREE_PROVIDER, level="signed", notices=1),
    ),
    Story(
        title=Words("Cùng người đó gửi thêm một báo cáo", "The same sender, another report"),
        host=GOOGLE,
        letter=Letter(
            author=TEACHER,
            to=(VAN_THU,),
            subject="Báo cáo số 13/BC-THCS về công tác thư viện",
            body=_REPORT + "Trường THCS xin gửi tiếp báo cáo về công tác thư viện." + _CLOSING,
            files=("13_BC-THCS.pdf",),
            signed_by="gmail.com",
        ),
        expected=held(VAN_THU, rule=FREE_PROVIDER, level="signed"),
    ),
    Story(
        title=Words("Phụ huynh viết thư riêng cho một cán bộ", "A parent's letter to a person"),
        host=GOOGLE,
        letter=Letter(
            author="Trần Văn Bình <binhtran.phuhuynh@gmail.com>",
            to=(THU_HA,),
            subject="Hỏi về hồ sơ chuyển trường cho cháu",
            body="Kính gửi cô Thu Hà,\n\nTôi xin hỏi cháu chuyển trường thì cần những giấy tờ gì. Xin cảm ơn cô.\n",
            signed_by="gmail.com",
        ),
        expected=relayed(THU_HA, level="signed"),
    ),
    Story(
        title=Words("Gửi cả văn thư lẫn một cán bộ từ Gmail", "From Gmail, to the records office and to a person"),
        host=GOOGLE,
        letter=Letter(
            author="Lê Minh Tâm <tamle.benluc@gmail.com>",
            to=(VAN_THU, THU_HA),
            subject="Báo cáo kết quả hội thi giáo viên dạy giỏi",
            body=_REPORT + "Trường xin gửi báo cáo kết quả hội thi, đồng thời gửi cô Thu Hà để biết." + _CLOSING,
            signed_by="gmail.com",
        ),
        expected=Outcome(
            codes=(250,),
            level="signed",
            fates=((VAN_THU, "held", FREE_PROVIDER), (THU_HA, "relayed", EVERYTHING_ELSE)),
            delivered=frozenset({THU_HA}),
            notices=1,
        ),
    ),
    Story(
        title=Words("Thư trả lời tự động (báo vắng) từ Gmail", "An out-of-office reply from Gmail"),
        host=GOOGLE,
        letter=Letter(
            author="Phạm Thị Ngọc <ngocpham.thuthua@gmail.com>",
            to=(VAN_THU,),
            subject="Trả lời tự động: Thông báo họp giao ban",
            body="Tôi đang đi công tác, sẽ trả lời thư sau ngày thứ Hai.\n",
            headers=(("Auto-Submitted", "auto-replied"),),
            signed_by="gmail.com",
        ),
        expected=held(VAN_THU, rule=FREE_PROVIDER, level="signed"),
    ),
    Story(
        title=Words("Bài gửi qua danh sách thư", "A post through a mailing list"),
        host=LISTS,
        reverse_path="tinhoc-bounces@lists.example.org",
        recipients=(TRUNG_HOC,),
        letter=Letter(
            author="Võ Hoàng Nam <namvo.cangiuoc@gmail.com>",
            to=("tinhoc@lists.example.org",),
            subject="Báo cáo hoạt động câu lạc bộ lập trình",
            body="Kính gửi các thầy cô,\n\nCâu lạc bộ xin báo cáo hoạt động trong tháng.\n",
            signed_by="gmail.com",
            through_list=True,
        ),
        expected=relayed(TRUNG_HOC, level="claimed"),
    ),
)

DOUBTFUL: Final = (
    Story(
        title=Words("Kẻ lạ mạo danh Sở để gửi công văn", "A stranger writes in the department's name"),
        host=STRANGER,
        letter=Letter(
            author="Sở GD&ĐT Long An <sogddt@longan.edu.vn>",
            to=(VAN_THU,),
            subject="Công văn khẩn về việc cập nhật tài khoản thư điện tử",
            body="Kính gửi các đơn vị,\n\nĐề nghị mở tệp kèm theo và nhập mật khẩu thư điện tử.\n",
            files=("cong_van_khan.pdf",),
        ),
        expected=held(VAN_THU, rule="false-official-sender", level="claimed"),
    ),
    Story(
        title=Words("Tên miền na ná: daihoclongan.edu.vn", "A look-alike domain: daihoclongan.edu.vn"),
        host=COLLEGE,
        letter=Letter(
            author="Phòng Đào tạo <daotao@daihoclongan.edu.vn>",
            to=(SO,),
            subject="Thư mời dự hội thảo hướng nghiệp",
            body="Kính gửi Sở Giáo dục và Đào tạo,\n\nNhà trường trân trọng kính mời Sở dự hội thảo hướng nghiệp.\n",
            signed_by="daihoclongan.edu.vn",
        ),
        expected=relayed(SO, level="signed"),
    ),
    Story(
        title=Words("Văn bản ghi độ mật gửi qua thư điện tử", "A document marked secret, by mail"),
        host=LONGAN,
        letter=Letter(
            author="Trường THPT Hậu Nghĩa <thpthaunghia@longan.edu.vn>",
            to=(VAN_THU,),
            subject="[MẬT] Đề thi chọn học sinh giỏi cấp tỉnh",
            body=_REPORT + "Nhà trường xin gửi đề thi đề xuất." + _CLOSING,
            files=("de_thi.pdf",),
            signed_by="longan.edu.vn",
        ),
        expected=held(VAN_THU, rule="secret-document-subject", level="signed", unit="thpt-hau-nghia"),
    ),
    Story(
        title=Words("Thư sai quy cách: hai trường From", "A malformed message: two From fields"),
        host=STRANGER,
        letter=Letter(
            author="Văn thư <vanthu@longan.edu.vn>",
            to=(SO,),
            subject="Quyết định bổ nhiệm",
            body="Kính gửi Ban Giám đốc,\n\nXin gửi quyết định kèm theo.\n",
            second_author="sales@example.net",
        ),
        reverse_path="sales@example.net",
        expected=held(SO, rule="malformed", level="claimed"),
    ),
)

TRANSPORT: Final = (
    Story(
        title=Words("DNS không trả lời đúng lúc thư đến", "DNS is silent when the message comes"),
        host=CAN_DUOC,
        silent=("ed1._domainkey.pgdcanduoc.longan.edu.vn",),
        letter=Letter(
            author="Trường Mầm non Hoa Mai <mnhoamai@pgdcanduoc.longan.edu.vn>",
            to=(MAM_NON,),
            subject="Báo cáo số 07/BC-MN về công tác nuôi dưỡng trẻ",
            body="Kính gửi: Phòng Giáo dục Mầm non\n\nNhà trường xin gửi báo cáo kèm theo." + _CLOSING,
            files=("07_BC-MN.pdf",),
            signed_by="pgdcanduoc.longan.edu.vn",
        ),
        expected=relayed(MAM_NON, level="signed", unit="mn-hoa-mai", rule=UNIT_MAIL, codes=(451, 250)),
    ),
    Story(
        title=Words("Gửi đến hộp thư không có ở Sở", "To a mailbox that does not exist there"),
        host=MOET,
        letter=Letter(
            author="Phòng GD&ĐT huyện Bến Lức <pgdbenluc.longan@moet.edu.vn>",
            to=("totochuc@longan.edu.vn",),
            subject="Báo cáo số 31/BC-PGDĐT về tổ chức cán bộ",
            body="Kính gửi Sở,\n\nPhòng GD&ĐT huyện Bến Lức xin gửi báo cáo." + _CLOSING,
            signed_by="moet.edu.vn",
        ),
        expected=refused(),
    ),
    Story(
        title=Words("Lợi dụng cổng để gửi đến tên miền khác", "Somebody tries to relay to a foreign domain"),
        host=STRANGER,
        letter=Letter(
            author="Khuyến mãi <sales@example.net>",
            to=("khachhang@example.com",),
            subject="Ưu đãi lớn",
            body="Kính gửi quý khách.\n",
        ),
        expected=refused(),
    ),
)

STORIES: Final = (*OFFICIAL, *FREE, *DOUBTFUL, *TRANSPORT)
GMAIL_REPORT: Final = STORIES.index(FREE[0])
