"""When an automatic response may not be sent: AR-2 ... AR-13, each guard with its variants."""

from __future__ import annotations

import pytest

from gateway.envelope.address import Mailbox
from gateway.identity.identity import Level
from gateway.responder.addresses import is_robot
from gateway.responder.eligibility import addressed_to
from tests.support.notices import (
    SENDER,
    VANTHU,
    dkim,
    dmarc,
    evidence,
    identity,
    message,
    reason,
    spf,
    transaction,
)  # fmt: skip


def test_an_authenticated_person_who_wrote_to_us_may_be_answered() -> None:
    assert reason() == ""


# ---- AR-2, AR-3: the reverse-path -----------------------------------------------------------------------------------


def test_AR_3_null_reverse_path() -> None:
    assert reason(reverse_path=None) == "AR-3 null reverse-path"


@pytest.mark.parametrize("path", ["x@[192.0.2.1]", "x@[IPv6:2001:db8::1]", "x@localhost", "hiệu.trưởng@gmail.com"])
def test_AR_2_reverse_path_that_cannot_be_answered(path: str) -> None:
    assert reason(reverse_path=path, proof=evidence(spf_mailfrom=spf(domain=path.rpartition("@")[2]))).startswith(
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
    answer = reason(proof=proof, reverse_path=path)
    assert answer == "" if allowed else answer.startswith("AR-4")


def test_AR_4_reverse_path_of_a_third_party_gets_nothing() -> None:
    assert reason(reverse_path="nan-nhan@example.vn").startswith("AR-4")


def test_AR_4_author_at_level_claimed() -> None:
    assert reason(who=identity(level=Level.CLAIMED)).startswith("AR-4")


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
    assert reason(who=identity("no-reply@gmail.com")) == "AR-8 address of a program"


# ---- AR-10, AR-11: ours, and to us ----------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["pgd@longan.edu.vn", "thpt@tanan.longan.edu.vn"])
def test_AR_10_own_domains(address: str) -> None:
    assert reason(reverse_path=address).startswith("AR-10")
    assert reason(who=identity(address)).startswith("AR-10")


def test_AR_10_look_alike_of_own_domain_is_not_ours() -> None:
    proof = evidence(spf_mailfrom=spf(domain="daihoclongan.edu.vn"))
    assert reason(reverse_path="vanphong@daihoclongan.edu.vn", proof=proof) == ""


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
