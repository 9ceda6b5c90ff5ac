"""Số, ký hiệu by Nghị định 30/2020/NĐ-CP: found in every form offices write, and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope.folding import fold
from gateway.identity import document_number
from gateway.identity.document_kinds import ADMINISTRATIVE, KINDS, is_agency, kind_of
from gateway.identity.document_number import find_in_name, find_numbers


@pytest.mark.parametrize(
    ("text", "number", "kind"),
    [
        ("123/BC-PGDĐT", "123/BC-PGDĐT", "BC"),
        ("45/TTr-THPTTA", "45/TTr-THPTTA", "TTr"),
        ("1077/SGDĐT-KTQLCL", "1077/SGDĐT-KTQLCL", "CV"),
        ("36/2013/QĐ-UBND", "36/2013/QĐ-UBND", "QĐ"),
        ("15/CT-TTg", "15/CT-TTg", "CT"),
        ("30/2020/NĐ-CP", "30/2020/NĐ-CP", "NĐ"),
        ("Số: 12/BC-THPT", "12/BC-THPT", "BC"),
        ("số 05/KH-THCS&THPT về việc", "05/KH-THCS&THPT", "KH"),
        ("Số 12/BC", "12/BC", "BC"),
        ("BÁO CÁO SỐ 12/BC-THPT.NTT tháng 11", "12/BC-THPT.NTT", "BC"),
        ("123/bc-pgddt", "123/bc-pgddt", "BC"),
        ("1077/sgddt-ktqlcl", "1077/sgddt-ktqlcl", "CV"),
        ("123 / BC - PGDĐT về việc", "123/BC-PGDĐT", "BC"),
        ("Báo cáo (12/BC-THPT)", "12/BC-THPT", "BC"),
        ("V/v góp ý, 429/GDĐT-TTTT", "429/GDĐT-TTTT", "CV"),
        ("12/BC–THPT", "12/BC-THPT", "BC"),
        ("12a/QĐ-THPT", "12a/QĐ-THPT", "QĐ"),
        ("12/BC-THPT.", "12/BC-THPT", "BC"),
        ("Số 12/BC - Trường THPT Tân An", "12/BC", "BC"),
        ("429/UBND-VX", "429/UBND-VX", "CV"),
        ("12/BC-MNHoaMai", "12/BC-MNHoaMai", "BC"),
        ("7/HĐ-THPTTA", "7/HĐ-THPTTA", "HĐ"),
        ("7/HD-SGDĐT", "7/HD-SGDĐT", "HD"),
        ("37/2020/TT-BGDĐT", "37/2020/TT-BGDĐT", "TT"),
        ("ngày 12/05/2019 số 9/TB-SGDĐT", "9/TB-SGDĐT", "TB"),
        ("Lớp 10/2: 9/TB-SGDĐT", "9/TB-SGDĐT", "TB"),
    ],
)
def test_found_in_a_subject(text: str, number: str, kind: str) -> None:
    assert [(found.text, found.kind) for found in find_numbers(text)] == [(number, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "ngày 12/05/2019",
        "tỷ lệ 3/4",
        "0272/3826334",
        "(0272) 3826.334",
        "https://longan.edu.vn/2019/BC-SGDDT",
        "www.longan.edu.vn/12/BC-SGD",
        "a@12/BC-PGD",
        "Hỗ trợ 24/7-miễn phí",
        "km/h 50/60",
        "Họp phụ huynh lớp 10/A1",
        "Lớp 12/CT",
        "12/05/BC",
        "V/v nghỉ học",
        "10/12-THPT",
        "5/ngày-đêm",
        "Re: lịch 3/tuần - Trường",
        "3.5/BC-PGD",
        "3,5/BC-PGD",
        "50/kg-VND",
        "Chào mừng 20/11 - NGÀY NHÀ GIÁO",
        "20/11-NGÀY NHÀ GIÁO",
        "giảm giá 50/50 - SALE OFF",
        "12/BC - gửi anh",
        "1/CT-a",
        "x12/BC-THPT",
        "12/BC-THPT@x.vn",
        "123456/BC-THPT",
        "Em An 12/A-B",
        "",
    ],
)
def test_not_a_number(text: str) -> None:
    assert find_numbers(text) == ()


@pytest.mark.parametrize(
    ("name", "number", "kind"),
    [
        ("12_BC-THPT.pdf", "12/BC-THPT", "BC"),
        ("12.BC-THPT.docx", "12/BC-THPT", "BC"),
        ("12.BC-THPT", "12/BC-THPT", "BC"),
        ("12-BC-THPT.pdf", "12/BC-THPT", "BC"),
        ("12_bc-thpt.pdf", "12/bc-thpt", "BC"),
        ("1077-SGDĐT-KTQLCL.pdf", "1077/SGDĐT-KTQLCL", "CV"),
        ("1077_SGDDT-KTQLCL.pdf", "1077/SGDDT-KTQLCL", "CV"),
        ("CV 12 BC-PGDDT.pdf", "12/BC-PGDDT", "BC"),
        ("BC_12_BC-THPT_tan_an.xlsx", "12/BC-THPT", "BC"),
        ("Bao cao 36_2013_QD-UBND.pdf", "36/2013/QD-UBND", "QĐ"),
        ("45_TTr-THPTTA signed.pdf", "45/TTr-THPTTA", "TTr"),
    ],
)
def test_found_in_a_file_name(name: str, number: str, kind: str) -> None:
    assert [(found.text, found.kind) for found in find_in_name(name)] == [(number, kind)]


@pytest.mark.parametrize(
    "name",
    [
        "IMG_2019_1234.jpg",
        "2024_KH_THPT.pdf",
        "don xin nghi hoc.pdf",
        "12-05-2019.pdf",
        "scan 1.pdf",
        "bai tap 12-a-b.doc",
        "01.KH-NH2024.pdf",
        "2019-KH-nam-hoc.pdf",
        "image001.png",
        "CV Nguyen Van An.pdf",
        "Screenshot 2024-11-20 at 10.22.33 PM.png",
        "12 cd nhac.mp3",
        "Zalo 12 th 3.jpg",
        "3 hd su dung.pdf",
        "de thi lop 12 tt huyen.pdf",
        "20.11 CHAO MUNG.pdf",
        "0272.3826334.vcf",
        "",
    ],
)
def test_not_in_a_file_name(name: str) -> None:
    assert find_in_name(name) == ()


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("theo Công văn số 1077/SGDĐT-KTQLCL", True),
        ("Trả lời công văn 1077/SGDĐT-KTQLCL", True),
        ("Hỏi về nội dung công văn số 1077/SGDĐT-KTQLCL", True),
        ("Báo cáo thực hiện Công văn 1077/SGDĐT-KTQLCL", True),
        ("Công văn số 1077/SGDĐT-KTQLCL", False),
        ("Báo cáo số 12/BC-THPT", False),
        ("12/BC-THPT", False),
    ],
)
def test_a_cited_number_is_another_documents(text: str, cited: bool) -> None:
    assert [found.is_cited for found in find_numbers(text)] == [cited]


def test_several_numbers_each_once_in_order() -> None:
    found = find_numbers("23/TB-SGDĐT,24/KH-SGDĐT; 023/tb-sgddt")
    assert [number.text for number in found] == ["23/TB-SGDĐT", "24/KH-SGDĐT"]


def test_appendix_III_has_29_kinds_two_of_them_without_abbreviation() -> None:
    assert len(ADMINISTRATIVE) == 27
    assert "CV" in KINDS  # công văn, as offices write it; thư công is numbered by nobody
    assert all(kind_of(kind) == kind for kind in KINDS)
    assert all(kind_of(kind.upper()) == kind for kind in KINDS)


@pytest.mark.parametrize(
    ("text", "kind"), [("qd", "QĐ"), ("TTR", "TTr"), ("hd", "HD"), ("hđ", "HĐ"), ("QYD", "QyĐ"), ("xx", "")]
)
def test_kinds_in_any_spelling(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PGDĐT", True),
        ("sgddt", True),
        ("TTg", True),
        ("THPTTA", True),
        ("Trường", False),
        ("ngày", False),
        ("a", False),
        ("", False),
    ],
)
def test_agencies(text: str, expected: bool) -> None:
    assert is_agency(text) is expected


@pytest.mark.timeout(10)  # linear readers need milliseconds, quadratic ones half a minute
@pytest.mark.parametrize("piece", ["1/", "1/A-", "số ", "1 ", "12/BC-", "Số: ", "-", "12/BC-PGDĐT ", "a&b."])
def test_S15_crafted_text_is_read_through(piece: str) -> None:
    text = piece * 100_000
    assert len(find_numbers(text)) <= 1
    assert len(find_in_name(text)) <= 1


PIECES = [
    "số ",
    "Số: ",
    "so",
    "S",
    "12",
    "0",
    "07a",
    "/",
    " / ",
    "2026/",
    "BC",
    "-",
    " - ",
    "–",
    "PGDĐT",
    "THPT",
    "CV",
    "∕",
]
OTHERS = ["theo công văn ", "www.", "a@b ", "http://", "lớp ", " ", ",", ".", "&", "\u00a0", "đ", "\u0301", "ﾞ", "\n"]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES + OTHERS), max_size=14).map("".join))
def test_the_quick_ways_find_the_same_numbers(text: str) -> None:
    found = find_numbers(text)
    plain = _find_plainly(text)
    assert found == plain
    for number in (*found, *find_in_name(text)):
        assert number.key == fold(number.text).lstrip("0")


def test_a_number_far_behind_is_found_with_its_prefix() -> None:
    text = "Phòng Giáo dục và Đào tạo " * 20 + "theo công văn số : 00123a / 2026 / QĐ-UBND và 7/BC-PGDĐT"
    assert [number.text for number in find_numbers(text)] == ["00123a/2026/QĐ-UBND", "7/BC-PGDĐT"]
    assert find_numbers(text) == _find_plainly(text)


def _find_plainly(text: str) -> tuple[document_number.DocumentNumber, ...]:
    """Every sign translated, every word looked at, every place tried."""
    text = text.translate(document_number._PLAIN_SIGNS)
    words = text.split(" ")
    text = " ".join("" if "://" in w or "@" in w or w.lower().startswith("www.") else w for w in words)
    found = {}
    for match in document_number._NUMBER.finditer(text):
        if number := document_number._read(match):
            found.setdefault(fold(number.text).lstrip("0"), number)
    return tuple(found.values())
