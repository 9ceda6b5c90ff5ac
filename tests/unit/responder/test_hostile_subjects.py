"""What the message answered can put into the notice: AR-15, S-41."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.notices import lint, message, notice, read, text, transaction

# ---- AR-15 and S-41: what the message answered can put into the notice -------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    [
        "x\r\n Bcc: nan-nhan@example.vn", "=?utf-8?Q?x=0D=0ABcc:_nan-nhan@example.vn?=", "=?utf-8?B?eA0KDQpib2R5?=",
        "=?utf-8?Q?a=00b=1B[31m=7F?=", "=?utf-8?Q?x=E2=80=A8y=E2=80=AE=E2=81=A6z?=", "{{7*7}}", "{0.__class__}", "%n%s%x",
        "x" * 5000, "ế" * 3000, "=?utf-8?Q?" + "=F0=9F=8F=AB" * 500 + "?=", "a" + "\u0301" * 3000, "=?x?=", "",
    ],
)  # fmt: skip
def test_S_41_hostile_subjects(subject: str) -> None:
    composed = notice(transaction(message(subject=subject)))
    lint(composed.content)
    parsed = read(composed)
    assert parsed.keys() == read(notice()).keys()
    content = text(composed)
    assert not [c for c in content + parsed["Subject"] if unicodedata.category(c).startswith("C") and c != "\n"]
    if subject.startswith(("{", "%")):
        assert f"- Tiêu đề: {subject}\n" in content
    assert len(parsed["Subject"]) <= 200
    assert max(len(line) for line in content.splitlines()) < 500


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_S_41_any_subject_gives_one_clean_notice(subject: str) -> None:
    encoded = "=?utf-8?Q?" + "".join(f"={octet:02X}" for octet in subject.encode("utf-8", "replace")) + "?="
    composed = notice(transaction(message(subject=encoded)))
    lint(composed.content)
    assert text(composed).count("7F3K-9QXM-2C4D") == 4


def test_AR_15_the_body_is_never_quoted() -> None:
    composed = notice(transaction(message(body="mật khẩu BÍ-MẬT-1077")))
    assert "BÍ-MẬT" not in text(composed)


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("xem http://evil.example/a?b", "xem http[:]//evil[.]example/a?b"),
        ("HTTPS://EVIL.COM", "HTTPS[:]//EVIL[.]COM"),
        ("vào evil.com.vn/x ngay", "vào evil[.]com[.]vn/x ngay"),
        ("gửi mailto:a@evil.com", "gửi mailto[:]a@evil[.]com"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("xấu.xn--p1ai", "xấu[.]xn--p1ai"),
        ("evil。com", "evil[.]com"),
        ("Báo cáo số 12.BC-THPT, v.v., ngày 21.11.2026", "Báo cáo số 12.BC-THPT, v.v., ngày 21.11.2026"),
        ("V/v: nộp hồ sơ P.GDĐT Tp.Tân An 1.000.000đ", "V/v: nộp hồ sơ P.GDĐT Tp.Tân An 1.000.000đ"),
    ],
)
def test_AR_15_no_link_from_sender_data(subject: str, shown: str) -> None:
    content = text(notice(transaction(message(subject=subject))))
    assert f"- Tiêu đề: {shown}\n" in content
    assert not re.search(r"\bhttps?://|www\.\w|evil\.", content, re.I)
