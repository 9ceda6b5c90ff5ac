"""The form of a notice: AR-2, AR-14, AR-15, S-41, read back with the standard library's parser and with our own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.envelope.message import Message
from gateway.identity.identity import Unit
from gateway.responder.compose import Sender, parse_sender, thread_of
from gateway.responder.eligibility import why_not
from gateway.responder.template import NoticeError
from tests.support.notices import (
    DIRECTIVE,
    NOW,
    OWN,
    SENDER,
    VANTHU,
    dkim,
    dmarc,
    evidence,
    identity,
    lint,
    message,
    notice,
    read,
    spf,
    text,
    transaction,
)  # fmt: skip

# ---- AR-14: the header ----------------------------------------------------------------------------------------------


def test_AR_14_fields_of_an_automatic_response() -> None:
    composed = notice()
    lint(composed.content)
    parsed = read(composed)
    assert {name: parsed[name] for name in ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Loop")} == {
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "Precedence": "bulk",
        "X-Loop": "no-reply@longan.edu.vn",
    }
    assert parsed["From"].addresses[0].display_name == "Cổng thư điện tử"
    assert parsed["From"].addresses[0].addr_spec == "no-reply@longan.edu.vn"
    assert parsed["Date"].datetime == NOW
    assert parsed["Date"].endswith("+0700")
    assert parsed["Message-ID"] == composed.message_id == "<n.7F3K9QXM2C4D@longan.edu.vn>"
    assert parsed["In-Reply-To"] == parsed["References"] == "<CAF-1@mail.gmail.com>"
    assert parsed.get_content_type() == "text/plain"
    assert parsed.get_content_charset() == "utf-8"
    assert parsed["Content-Language"] == "vi, en"
    assert len(set(parsed.keys())) == len(parsed.keys())


def test_AR_2_goes_to_the_reverse_path_and_to_nobody_else() -> None:
    composed = notice(
        transaction(message("Reply-To: khac@example.vn", "Cc: ban@example.vn"), reverse_path="that@gmail.com")
    )
    parsed = read(composed)
    assert str(composed.recipient) == parsed["To"] == "that@gmail.com"
    assert (parsed["Cc"], parsed["Bcc"], parsed["Reply-To"]) == (None, None, None)
    assert b"example.vn" not in composed.content


def test_AR_2_quoted_local_part_stays_one_address() -> None:
    composed = notice(transaction(reverse_path='"a, b>@x"@gmail.com'))
    assert [a.addr_spec for a in read(composed)["To"].addresses] == ['"a, b>@x"@gmail.com']


@pytest.mark.parametrize(
    ("own", "references", "expected"),
    [
        (None, None, ()),
        ("no brackets", None, ()),
        ("<a@b>, <c@d>", None, ("<a@b>",)),
        ("<a@b>", "<r@x> garbage <s@x>", ("<r@x>", "<s@x>", "<a@b>")),
        ("<a@b>", "<a@b>", ("<a@b>",)),
        (f"<{'x' * 300}@b>", None, ()),
        ("<a\x07b@c>", None, ()),
        ("<ế@c>", None, ()),
    ],
)
def test_AR_14_references(own: str | None, references: str | None, expected: tuple[str, ...]) -> None:
    assert thread_of(message(message_id=own, references=references)) == expected


def test_AR_14_references_are_bounded_and_keep_the_first() -> None:
    many = " ".join(f"<{n}@x.vn>" for n in range(1000))
    thread = thread_of(message(references=many))
    assert (len(thread), thread[0], thread[-2:]) == (10, "<0@x.vn>", ("<999@x.vn>", "<CAF-1@mail.gmail.com>"))
    lint(notice(transaction(message(references=many))).content)


@pytest.mark.parametrize(
    ("sender", "header"),
    [
        ("no-reply@longan.edu.vn", "no-reply@longan.edu.vn"),
        ("Mail Gateway <a@longan.edu.vn>", "Mail Gateway <a@longan.edu.vn>"),
        ('"Sở GD, Long An" <a@longan.edu.vn>', "=?utf-8?B?U+G7nyBHRCwgTG9uZyBBbg==?= <a@longan.edu.vn>"),
        ('"So GD, \\"LA\\"" <a@longan.edu.vn>', '"So GD, \\"LA\\"" <a@longan.edu.vn>'),
    ],
)
def test_sender_of_settings(sender: str, header: str) -> None:
    assert parse_sender(sender).header == header


@pytest.mark.parametrize("bad", ["", "x", "a@b.vn, c@d.vn", "Nhóm: a@b.vn;", "<>", "a@b.vn\r\nBcc: c@d.vn"])
def test_sender_that_is_not_one_mailbox(bad: str) -> None:
    with pytest.raises(NoticeError):
        parse_sender(bad)


# ---- what it says ---------------------------------------------------------------------------------------------------


def test_vietnamese_comes_first_and_survives_the_way() -> None:
    content = text(notice())
    vietnamese, _, english = content.partition("―" * 20)
    assert vietnamese.startswith("Kính gửi: Quý cơ quan, đơn vị\n")
    assert "Please" in english
    for words in (
        "Công văn số 1077/SGDĐT-KTQLCL ngày 02/5/2019 của Sở Giáo dục và Đào tạo tỉnh Long An",
        "Chỉ thị số 15/CT-TTg ngày 22/5/2012",
        "Quyết định số 36/2013/QĐ-UBND ngày 08/8/2013",
        "Công văn số 1028/UBND-VX ngày 03/4/2014",
        "moet.edu.vn, longan.edu.vn",
        "Báo cáo sơ kết học kỳ I",
        "14 giờ 05 phút ngày 21/11/2026",
        "tạm giữ đến 14 giờ 05 phút ngày 21/12/2026",
        "7F3K-9QXM-2C4D",
        "phòng Hành chính – Quản trị, điện thoại 0272 3521258",
        "không cần trả lời thư này",
    ):
        assert words in vietnamese
    assert "14:05 on 21 November 2026 (UTC+07:00)" in english


def test_held_asks_to_send_again_delivered_does_not() -> None:
    held, delivered = notice(), notice(until=None)
    assert "tạm giữ" in read(held)["Subject"]
    assert "Gửi lại thư" in text(held)
    assert "tạm giữ" not in read(delivered)["Subject"] + text(delivered)
    assert "không cần gửi lại" in text(delivered)
    assert "has been delivered" in text(delivered)


def test_the_units_own_mailbox_is_named_when_known() -> None:
    known = replace(identity(), unit=Unit("thpt-lhp", "Trường THPT Lê Hồng Phong", "thpt"))
    content = text(notice(identity=known, unit_mailbox="thptlehongphong@longan.edu.vn"))
    assert content.startswith("Kính gửi: Trường THPT Lê Hồng Phong\n")
    assert "hộp thư công vụ của đơn vị (thptlehongphong@longan.edu.vn) đến vanthu@longan.edu.vn." in content
    assert "()" not in text(notice())


@pytest.mark.parametrize("pattern", ["thptlehongphong.edu.vn", "*@longan.edu.vn", "*.longan.edu.vn"])
def test_a_domain_or_pattern_is_not_offered_as_a_mailbox(pattern: str) -> None:
    assert text(notice(unit_mailbox=pattern)) == text(notice())


def test_the_recipient_whose_fate_is_told() -> None:
    both = transaction(message(to=f"{VANTHU}, pgd@longan.edu.vn"), recipients=(VANTHU, "pgd@longan.edu.vn"))
    assert f"- Hộp thư nhận: {VANTHU}\n" in text(notice(both))
    told = both.forward_paths[1].mailbox
    assert "- Hộp thư nhận: pgd@longan.edu.vn\n" in text(notice(both, recipient=told))


def test_a_missing_template_is_an_error() -> None:
    with pytest.raises(NoticeError, match=r"no template notice\.fr"):
        notice(directive=replace(DIRECTIVE, templates=("notice.fr",)))
    with pytest.raises(NoticeError):
        notice(directive=replace(DIRECTIVE, templates=()))


def test_AR_3_nobody_to_answer() -> None:
    with pytest.raises(NoticeError):
        notice(transaction(reverse_path=None))


@pytest.mark.parametrize("token", ["", "a b", "a@b", "x\r\n", "<x>", ".a"])
def test_a_token_that_would_break_the_message_id(token: str) -> None:
    with pytest.raises(NoticeError):
        notice(token=token)


# ---- loops ----------------------------------------------------------------------------------------------------------


def test_AR_5_two_gateways_facing_each_other_never_answer_each_other() -> None:
    """Each sees the other's notice as a perfectly authenticated message; the envelope and the header each stop it alone."""
    there = Sender(parse_sender("Gateway <tra-cuu@daotao.example.vn>").mailbox)
    received = Message(notice(sender=there, txn=transaction(reverse_path=VANTHU)).content)
    proof = evidence(
        spf_mailfrom=spf(domain="daotao.example.vn"),
        dkim=(dkim(sdid="daotao.example.vn"),),
        dmarc=dmarc("pass", "daotao.example.vn"),
    )
    who = identity(str(there.mailbox))
    for path, stop in ((None, "AR-3"), (str(there.mailbox), "AR-5")):
        back = transaction(received, reverse_path=path)
        assert why_not(back, proof, who, own_domains=OWN, directive=DIRECTIVE).startswith(stop)


@pytest.mark.parametrize("dropped", [b"auto-submitted", b"x-loop", b"x-auto-response-suppress", b"precedence"])
def test_each_mark_of_a_notice_is_enough_alone(dropped: bytes) -> None:
    """A relay that strips all marks but one still leaves a message that nobody answers."""
    marks = (b"auto-submitted", b"x-loop", b"x-auto-response-suppress", b"precedence")
    whole = Message(
        notice(sender=Sender(parse_sender("tra-cuu@gmail.com").mailbox), txn=transaction(reverse_path=VANTHU)).content
    )
    drop = [field for field in whole.fields if field.key in marks and field.key != dropped]
    left = Message(b"".join(bytes(part) for part in whole.segments(drop=drop)))
    reason = why_not(transaction(left), evidence(), identity(SENDER), own_domains=OWN, directive=DIRECTIVE)
    assert reason[:4] in ("AR-5", "AR-6", "AR-7")
