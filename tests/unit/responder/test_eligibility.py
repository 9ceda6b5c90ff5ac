"""When an automatic response may not be sent: AR-2 ... AR-13, each guard with its variants."""

from __future__ import annotations

import pytest

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.envelope.reply import Reply
from gateway.identity.identity import Level
from gateway.policy.decision import Discard, Hold, Refuse, Relay
from gateway.responder.addresses import is_robot
from gateway.responder.eligibility import addressed_to, why_not
from tests.support.notices import (
    DIRECTIVE,
    OWN,
    SENDER,
    VANTHU,
    dkim,
    dmarc,
    evidence,
    identity,
    message,
    spf,
    transaction,
)  # fmt: skip


def reason(msg: Message | None = None, *, extra: tuple[str, ...] = (), disposition=None, **parts) -> str:
    return why_not(
        transaction(msg, **{k: v for k, v in parts.items() if k in ("reverse_path", "recipients")}),
        parts.get("evidence", evidence()),
        parts.get("identity", identity()),
        own_domains=OWN,
        directive=DIRECTIVE,
        extra_addresses=extra,
        disposition=disposition,
    )


def test_an_authenticated_person_who_wrote_to_us_may_be_answered() -> None:
    assert reason() == ""


# ---- AR-2, AR-3: the reverse-path -----------------------------------------------------------------------------------


def test_AR_3_null_reverse_path() -> None:
    assert reason(reverse_path=None) == "AR-3 null reverse-path"


@pytest.mark.parametrize("path", ["x@[192.0.2.1]", "x@[IPv6:2001:db8::1]", "x@localhost", "hiệu.trưởng@gmail.com"])
def test_AR_2_reverse_path_that_cannot_be_answered(path: str) -> None:
    assert reason(reverse_path=path, evidence=evidence(spf_mailfrom=spf(domain=path.rpartition("@")[2]))).startswith(
        "AR-2"
    )


def test_AR_2_reply_to_and_from_do_not_matter() -> None:
    assert reason(message("Reply-To: nan-nhan@example.vn")) == ""


# ---- AR-4: twelve ways to be, or not to be, authenticated -----------------------------------------------------------

NOTHING = {"aligned_dkim": (), "aligned_spf": "", "dkim": ()}
AUTHENTICATION = {
    "spf and dmarc pass": (evidence(dkim=(), aligned_dkim=()), True),
    "dkim of the same domain and dmarc pass": (evidence(spf_mailfrom=spf("softfail")), True),
    "dkim of the same organization": (
        evidence(spf_mailfrom=spf("none"), dkim=(dkim(sdid="thpt.edu.vn"),), dmarc=dmarc("pass", "thpt.edu.vn")),
        "x@mail.thpt.edu.vn",
    ),
    "no dmarc record, aligned dkim": (evidence(dmarc=dmarc("none", ""), aligned_spf=""), True),
    "no dmarc record, aligned spf": (evidence(dmarc=dmarc("none", ""), aligned_dkim=(), dkim=()), True),
    "no dmarc record, nothing aligned": (evidence(dmarc=dmarc("none", ""), aligned_spf="", aligned_dkim=()), False),
    "dmarc fail": (evidence(dmarc=dmarc("fail")), False),
    "dmarc temperror": (evidence(dmarc=dmarc("temperror")), False),
    "dmarc permerror": (evidence(dmarc=dmarc("permerror")), False),
    "spf neutral": (evidence(spf_mailfrom=spf("neutral"), **NOTHING), False),
    "spf none": (evidence(spf_mailfrom=spf("none"), **NOTHING), False),
    "spf softfail": (evidence(spf_mailfrom=spf("softfail"), **NOTHING), False),
    "spf fail": (evidence(spf_mailfrom=spf("fail"), **NOTHING), False),
    "spf temperror": (evidence(spf_mailfrom=spf("temperror"), **NOTHING), False),
    "spf permerror": (evidence(spf_mailfrom=spf("permerror"), **NOTHING), False),
    "spf pass by +all": (evidence(spf_mailfrom=spf(mechanism="+all"), dkim=()), False),
    "spf pass for another domain": (evidence(spf_mailfrom=spf(domain="example.vn"), dkim=()), False),
    "dkim fail": (evidence(spf_mailfrom=spf("none"), dkim=(dkim("fail"),)), False),
    "dkim temperror": (evidence(spf_mailfrom=spf("none"), dkim=(dkim("temperror"),)), False),
    "dkim through l=": (evidence(spf_mailfrom=spf("none"), dkim=(dkim(partial="yes"),)), False),
    "dkim of a stranger": (evidence(spf_mailfrom=spf("none"), dkim=(dkim(sdid="example.vn"),)), False),
    "dkim of a look-alike suffix": (
        evidence(spf_mailfrom=spf("none"), dkim=(dkim(sdid="notgmail.com"),), dmarc=dmarc("pass", "gmail.com")),
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AUTHENTICATION)
def test_AR_4_authentication(name: str) -> None:
    proof, allowed = AUTHENTICATION[name]
    path = allowed if isinstance(allowed, str) else SENDER
    answer = reason(evidence=proof, reverse_path=path)
    assert answer == "" if allowed else answer.startswith("AR-4")


def test_AR_4_reverse_path_of_a_third_party_gets_nothing() -> None:
    assert reason(reverse_path="nan-nhan@example.vn").startswith("AR-4")


def test_AR_4_author_at_level_claimed() -> None:
    assert reason(identity=identity(level=Level.CLAIMED)).startswith("AR-4")


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


# ---- AR-8: forty addresses ------------------------------------------------------------------------------------------

ROBOTS = """mailer-daemon MAILER-DAEMON mailer_daemon mailer.daemon MailerDaemon postmaster Postmaster owner-truong
owner_truong truong-owner truong.owner truong-request truong_request truong-bounces truong-bounces+thpt=example.vn
bounce+123 bounce-123 bounces.abc bounce_x bounces noreply no-reply no_reply no.reply No-Reply donotreply do-not-reply
do_not_reply do.not.reply noreply-maps-timeline no-reply+tag listserv LISTSERV majordomo root daemon nobody www-data
mailman sympa khong-tra-loi khongtraloi notifications lop10+user=example.vn smtp-noreply no-response""".split()  # noqa: SIM905


@pytest.mark.parametrize("local", ROBOTS)
def test_AR_8_robots(local: str) -> None:
    assert reason(reverse_path=f"{local}@gmail.com") == "AR-8 address of a program"


PEOPLE = """thptlehongphong.la c2binhduc nguyen.van.an vanthu.thptta mn-hoa-mai pgd.bentluc owner bouncer requestor
tran.request.a le.thi.reply rootvn postmasterly daemonn hoang+longan noriko.replyan prvs=123=an""".split()  # noqa: SIM905


@pytest.mark.parametrize("local", PEOPLE)
def test_AR_8_people_are_no_robots(local: str) -> None:
    assert not is_robot(Mailbox(local, "gmail.com"))


def test_AR_8_robot_as_author_counts_too() -> None:
    assert reason(identity=identity("no-reply@gmail.com")) == "AR-8 address of a program"


# ---- AR-10, AR-11: ours, and to us ----------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["pgd@longan.edu.vn", "thpt@tanan.longan.edu.vn"])
def test_AR_10_own_domains(address: str) -> None:
    assert reason(reverse_path=address).startswith("AR-10")
    assert reason(identity=identity(address)).startswith("AR-10")


def test_AR_10_look_alike_of_own_domain_is_not_ours() -> None:
    proof = evidence(spf_mailfrom=spf(domain="daihoclongan.edu.vn"))
    assert reason(reverse_path="vanphong@daihoclongan.edu.vn", evidence=proof) == ""


def test_AR_10_gateway_address_in_any_case() -> None:
    assert reason(extra=("THPTLeHongPhong.LA@gmail.com",)).startswith("AR-10")


@pytest.mark.parametrize("local", ["he-thong", "hethong", "system", "canh_bao", "scanner"])
def test_AR_10_systems_of_official_domains(local: str) -> None:
    assert reason(reverse_path=f"{local}@moet.edu.vn").startswith("AR-10")
    assert not reason(reverse_path=f"{local}@gmail.com")


def test_AR_10_sender_is_recipient() -> None:
    assert reason(message(to=SENDER), recipients=(SENDER,)) == "AR-10 reverse-path is a recipient"


@pytest.mark.parametrize("field", ["X-Forwarded-To", "X-Forwarded-For"])
def test_AR_10_forwarded_by_a_program(field: str) -> None:
    assert reason(message(f"{field}: {VANTHU}")).startswith("AR-10")


@pytest.mark.parametrize(
    "to",
    [None, "undisclosed-recipients:;", "khac@longan.edu.vn", "vanthu@longan.edu.vn.example.vn", "(vanthu@longan.edu.vn)",
     '"vanthu@longan.edu.vn" <khac@longan.edu.vn>', "not an address", ","],
)  # fmt: skip
def test_AR_11_blind_copies_and_expansions(to: str | None) -> None:
    assert reason(message(to=to)) == "AR-11 recipient is in neither To nor Cc"


@pytest.mark.parametrize("to", ["VanThu@LongAn.edu.vn", "khac@longan.edu.vn,\r\n Văn thư <vanthu@longan.edu.vn>"])
def test_AR_11_named_in_to(to: str) -> None:
    assert reason(message(to=to)) == ""


def test_AR_11_named_in_cc_only() -> None:
    assert reason(message(f"Cc: {VANTHU}", to="phongtc@longan.edu.vn")) == ""


def test_AR_11_listed_alias() -> None:
    msg = message(to="sogddt@longan.gov.vn")
    assert reason(msg).startswith("AR-11")
    assert reason(msg, extra=("sogddt@longan.gov.vn",)) == ""


def test_AR_11_the_recipient_that_is_named_is_told() -> None:
    both = transaction(message(to=VANTHU), recipients=("bimat@longan.edu.vn", VANTHU))
    assert str(addressed_to(both)) == VANTHU


# ---- AR-13 ----------------------------------------------------------------------------------------------------------


def test_AR_13_malformed() -> None:
    two = message(f"From: {SENDER}")
    assert reason(two, identity=identity(None)) == "AR-13 malformed message"
    assert reason(evidence=evidence(malformed=("2 Subject fields",))) == "AR-13 malformed message"
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
