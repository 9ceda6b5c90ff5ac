"""Messages that programs wrote, or that are too old or broken to answer: AR-5, AR-6, AR-7, AR-9, AR-13."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope.message import Message
from gateway.envelope.reply import Reply
from gateway.policy.decision import Discard, Hold, Refuse, Relay
from gateway.responder.age import parse_date
from gateway.responder.automation import _without_comments, words_of
from tests.support.notices import SENDER, evidence, identity, message, reason


@given(st.text(st.sampled_from("nNo \t()\\;=yéỆß\u3000"), max_size=40))
def test_a_value_without_comments_is_read_as_one_with_them(text: str) -> None:
    (field,) = Message(b"X-Word: " + text.encode() + b"\r\n\r\n").fields
    whole = field.unfolded.decode("utf-8", "replace")
    assert words_of(field) == _without_comments(whole).strip().lower()


# ---- AR-5, AR-6, AR-7, AR-9: the header -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ("Auto-Submitted: auto-replied",),
        ("Auto-Submitted: auto-generated",),
        ("AUTO-SUBMITTED: Auto-Replied",),
        ("auto-submitted:auto-notified; owner-email=a@example.vn",),
        ("Auto-Submitted: (no) auto-replied",),
        ("Auto-Submitted: auto-replied (no)",),
        ("Auto-Submitted:\r\n auto-replied",),
        ("Auto-Submitted: no", "Auto-Submitted: auto-replied"),
        ("Auto-Submitted:",),
        ("Auto-Submitted: n(o)o",),
        ("Auto-Submitted: (never closed no",),
        ("Auto-Submitted: noo",),
    ],
)
def test_AR_5_auto_submitted(lines: tuple[str, ...]) -> None:
    assert reason(message(*lines)) == "AR-5 Auto-Submitted is not no"


@pytest.mark.parametrize("value", ["no", "No", "NO (by hand)", "(c) no", " no ; x=y", "no(\\))"])
def test_AR_5_no_in_every_spelling_is_no_obstacle(value: str) -> None:
    assert reason(message(f"Auto-Submitted: {value}")) == ""


@pytest.mark.parametrize(
    "line",
    [
        "List-Id: <truong.longan.edu.vn>", "List-Unsubscribe: <mailto:x@example.vn>", "List-Post: NO", "List-Help: x",
        "LIST-OWNER: x", "List-Archive: x", "List-Subscribe: x", "Mailing-List: x", "X-Mailing-List: x",
        "Precedence: bulk", "Precedence: List", "precedence: JUNK (x)", "Feedback-ID: 1:2:3", "X-Loop: a",
        "X-Autoreply: yes", "X-Autorespond: x", "X-AutoReply-From: x", "X-Auto-Reply: x",
    ],
)  # fmt: skip
def test_AR_6_lists_and_bulk(line: str) -> None:
    assert reason(message(line)).startswith("AR-6")


def test_AR_6_other_precedence_is_no_obstacle() -> None:
    assert reason(message("Precedence: first-class")) == ""


@pytest.mark.parametrize("value", ["All", "OOF", "AutoReply", "DR, NDR, oof", "RN,\r\n autoreply", " ALL "])
def test_AR_7_suppressed(value: str) -> None:
    assert reason(message(f"X-Auto-Response-Suppress: {value}")).startswith("AR-7")


@pytest.mark.parametrize("value", ["None", "DR", "NDR, RN, NRN"])
def test_AR_7_requests_that_do_not_mean_us(value: str) -> None:
    assert reason(message(f"X-Auto-Response-Suppress: {value}")) == ""


@pytest.mark.parametrize(
    "value",
    [
        'multipart/report; report-type=delivery-status; boundary="b"', "Multipart/Report", "message/delivery-status",
        "message/disposition-notification", "text/calendar; method=REPLY", "(x) text/calendar", "message/feedback-report",
    ],
)  # fmt: skip
def test_AR_9_reports_and_receipts(value: str) -> None:
    assert reason(message(f"Content-Type: {value}")).startswith("AR-9")


@pytest.mark.parametrize("spelling", ["Content-Type: text/calendar; method=REPLY", "CONTENT-TYPE:\r\n\ttext/calendar"])
def test_AR_9_calendar_inside_a_multipart(spelling: str) -> None:
    body = f"--b\r\nContent-Type: text/plain\r\n\r\nĐồng ý\r\n--b\r\n{spelling}\r\n\r\nBEGIN:VCALENDAR\r\n--b--"
    assert reason(message('Content-Type: multipart/alternative; boundary="b"', body=body)) == "AR-9 calendar part"


def test_AR_9_a_request_for_a_receipt_is_no_receipt() -> None:
    assert reason(message(f"Disposition-Notification-To: {SENDER}")) == ""


# ---- AR-13 ----------------------------------------------------------------------------------------------------------


def test_AR_13_malformed() -> None:
    two = message(f"From: {SENDER}")
    assert reason(two, who=identity(None)) == "AR-13 malformed message"
    assert reason(proof=evidence(malformed=("2 Subject fields",))) == "AR-13 malformed message"
    assert reason(message("Subject: second")) == "AR-13 malformed message"


@pytest.mark.parametrize(
    "value", ["Fri, 20 Nov 2026 14:04:59 +0700", "1 Nov 2026 10:00 GMT", "Mon, 2 Jan 2006 15:04:05 -0700"]
)
def test_AR_13_old_date(value: str) -> None:
    assert reason(message(date=value)) == "AR-13 older than 24 hours"


@pytest.mark.parametrize("value", ["Fri, 20 Nov 2026 14:05:01 +0700", "Fri, 20 Nov 2026 07:05:01 -0000 (UTC)"])
def test_AR_13_just_young_enough(value: str) -> None:
    assert reason(message(date=value)) == ""


def test_AR_13_the_first_hop_tells_the_age_too() -> None:
    hops = [
        "Received: from a by b; Sat, 21 Nov 2026 14:05:00 +0700",
        "Received: from c by d; Thu, 19 Nov 2026 14:05:00 +0700",
    ]
    assert reason(message(*hops)) == "AR-13 older than 24 hours"
    assert reason(message(hops[0])) == ""


@pytest.mark.parametrize(
    "value", [None, "hôm nay", "32 Nov 2026 10:00:00 +0700", "1 Foo 2026 10:00 GMT", "1 Jan 0000 1:00 Z"]
)
def test_AR_13_no_date(value: str | None) -> None:
    assert reason(message(date=value)) == "AR-13 no date that can be read"


def test_AR_13_many_hops() -> None:
    hop = "Received: from a by b; Sat, 21 Nov 2026 14:05:00 +0700"
    assert reason(message(*[hop] * 25)) == ""
    assert reason(message(*[hop] * 26)).startswith("AR-13 more than 25")


@pytest.mark.parametrize("line", ["X-Spam-Flag: YES", "X-Spam-Status: Yes, score=9.1"])
def test_AR_13_tagged_as_spam(line: str) -> None:
    assert reason(message(line)) == "AR-13 tagged as spam"


def test_AR_13_held_with_a_notice_is_answered_refused_and_discarded_are_not() -> None:
    assert reason(disposition=Hold("free-provider")) == reason(disposition=Relay()) == ""
    assert reason(disposition=Refuse(Reply(550, "5.7.1", "No"))) == "AR-13 message is refused"
    assert reason(disposition=Discard()) == "AR-13 message is discarded"


def test_every_guard_is_bounded_on_a_large_header() -> None:
    """A header of the greatest size, full of nested comments and separators, is answered without running away."""
    hostile = ["Auto-Submitted: " + "(" * 60_000, "To: " + "a@b.vn," * 9000, "Precedence: " + "\\(" * 20_000]
    assert reason(message(*hostile, to=None)).startswith("AR-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sat, 21 Nov 2026 14:05:00 +0700", (2026, 11, 21, 7, 5)),
        ("Fri, 20 Nov 2026 22:35:00 -0830 (X)", (2026, 11, 21, 7, 5)),
        ("21 nov 2026 07:05", (2026, 11, 21, 7, 5)),
        ("21 Nov 2026 07:05:60 GMT", (2026, 11, 21, 7, 5)),
        ("21 Nov 2026 07:05:00 +9999", None),
        ("31 Dec 9999 23:59:59 -0100", None),
        ("21 Nov 26 07:05:00 GMT", None),
        ("", None),
    ],
)
def test_AR_13_dates_are_read_in_their_zone(text: str, expected: tuple[int, ...] | None) -> None:
    moment = parse_date(text)
    assert (moment and moment.timetuple()[:5]) == expected
