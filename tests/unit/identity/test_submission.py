"""What makes a message an administrative submission, and what must not (DESIGN §3; the golden stories)."""

import pytest

from gateway.envelope.address import parse_mailbox
from gateway.envelope.message import Message
from gateway.identity.grounds import Administrative
from gateway.identity.identity import Submission
from gateway.identity.submission import submission
from tests.support.identity_samples import grounds
from tests.support.mime_samples import multipart, part, with_files

SIGNS = Administrative(
    mailboxes=("vanthu@longan.edu.vn", "*.phong@longan.edu.vn"),
    subject_words=("báo cáo", "công văn", "tờ trình", "v/v"),
    document_number=True,
    attachment_types=("pdf", "doc", ".DOCX", "xls", "xlsx"),
)
VANTHU, PHONG, PERSON = "vanthu@longan.edu.vn", "khtc.phong@longan.edu.vn", "nguyenvanan@longan.edu.vn"


def judge(message: Message, recipient: str, administrative: Administrative = SIGNS) -> Submission:
    return submission(message, parse_mailbox(recipient), grounds(administrative=administrative))


@pytest.mark.parametrize(
    ("recipient", "subject", "files", "expected"),
    [
        (VANTHU, "Gửi Sở", ["thang11.pdf"], True),
        (VANTHU, "BAO CAO thang 11", [], True),
        (PHONG, "Bao cao", [], True),
        (VANTHU, "12/KH-THPT", [], True),
        (VANTHU, "Hỏi về công văn số 1077/SGDĐT-KTQLCL", [], True),
        (VANTHU, "Xin hỏi lịch tiếp công dân", [], False),
        (VANTHU, "Ảnh lễ khai giảng", ["IMG_2019.jpg"], False),
        (VANTHU, "", [], False),
        (PERSON, "Xin phép cho con nghỉ học", [], False),
        (PERSON, "Đơn xin nghỉ học", ["don.pdf"], False),
        (PERSON, "Báo cáo tiểu luận của em", ["baocao.docx"], False),
        (PERSON, "Hỏi về nội dung công văn số 1077/SGDĐT-KTQLCL", [], False),
        (PERSON, "Nội dung công văn số 1077/SGDĐT-KTQLCL", [], True),
        (PERSON, "Hỏi về 1077/SGDĐT-KTQLCL", [], False),
        (PERSON, "Gửi 12/KH-THPT", [], True),
        (PERSON, "Gửi thầy", ["12_BC-THPT.pdf"], True),
        (PERSON, "Báo cáo theo 1077/SGDĐT-KTQLCL", ["bc.xlsx"], True),
    ],
)
def test_stories(recipient: str, subject: str, files: list[str], expected: bool) -> None:
    assert judge(with_files(*files, subject=subject), recipient).is_administrative is expected


def test_every_sign_is_a_reason() -> None:
    found = judge(
        with_files("12_BC-THPT.pdf", "Phụ lục.xlsx", subject="Báo cáo số 12/BC-THPT theo 1077/SGDĐT-KTQLCL"), PHONG
    )
    assert found == Submission(
        True,
        (
            "recipient khtc.phong@longan.edu.vn (*.phong@longan.edu.vn)",
            "subject word báo cáo",
            "attachment type pdf",
            "attachment type xlsx",
            "document number 12/BC-THPT",
            "document number 1077/SGDĐT-KTQLCL (cited)",
            "document number 12/BC-THPT in a file name",
        ),
        ("12/BC-THPT", "1077/SGDĐT-KTQLCL"),
        "BC",
    )


def test_numbers_are_told_but_are_no_sign_where_policy_says_so() -> None:
    without = Administrative(mailboxes=(VANTHU,), document_number=False)
    found = judge(with_files(subject="12/KH-THPT"), VANTHU, without)
    assert (found.is_administrative, found.document_numbers, found.document_kind) == (False, ("12/KH-THPT",), "KH")


def test_a_file_without_a_name_is_known_by_its_media_type() -> None:
    message = Message(multipart(part(b"%PDF", "Content-Type: application/pdf"), subject="x"))
    assert judge(message, VANTHU).reasons[-1] == "attachment type pdf"


def test_signs_are_found_once_for_all_recipients(monkeypatch: pytest.MonkeyPatch) -> None:
    message = with_files("a.pdf")
    judge(message, VANTHU)
    monkeypatch.setattr("gateway.identity.submission._find_signs", lambda *_: pytest.fail("looked again"))
    assert judge(message, VANTHU).is_administrative
    assert not judge(message, PERSON).is_administrative


def test_another_policy_looks_again() -> None:
    message = with_files("a.pdf", subject="x")
    assert judge(message, VANTHU).is_administrative
    assert not judge(message, VANTHU, Administrative(mailboxes=(VANTHU,))).is_administrative
