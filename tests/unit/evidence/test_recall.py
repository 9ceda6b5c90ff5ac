"""What is given again must be what computing anew would give: after any change of DNS, and without asking more."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope.address import parse_mailbox
from gateway.envelope.message import Message
from gateway.evidence import dmarc, iprev, spf
from gateway.evidence.recall import OCTETS_MAX, Recall, Tape
from gateway.evidence.result import MethodResult
from gateway.evidence.zone import NXDOMAIN, Answer, Outcome, Question, Recorder, found
from tests.support.zones import NOW

CLIENT = ip_address("192.0.2.10")
FIRST, SECOND = Question("a.example", "TXT"), Question("b.example", "TXT")


def keep(recall: Recall[str], zone: dict[Question, Answer], *questions: Question) -> None:
    tape = Tape(zone)
    for question in questions:
        tape.get(question)
    recall.put("key", tape, "value")


def test_a_result_is_given_again_while_every_answer_is_the_same():
    recall: Recall[str] = Recall(8)
    keep(recall, {FIRST: found(b"one"), SECOND: NXDOMAIN}, FIRST, SECOND)
    assert recall.get("key", {FIRST: found(b"one"), SECOND: NXDOMAIN}) == "value"
    assert recall.get("other", {FIRST: found(b"one"), SECOND: NXDOMAIN}) is None


@pytest.mark.parametrize("changed", [found(b"two"), NXDOMAIN, Answer(Outcome.ERROR), None])
def test_a_changed_or_missing_answer_is_never_overlooked_and_nothing_behind_it_is_asked(changed: Answer | None):
    recall: Recall[str] = Recall(8)
    keep(recall, {FIRST: found(b"one"), SECOND: NXDOMAIN}, FIRST, SECOND)
    recorder = Recorder({SECOND: NXDOMAIN} | ({FIRST: changed} if changed else {}))
    assert recall.get("key", recorder) is None
    assert {*recorder.used, *recorder.missing} == {FIRST}


def test_an_answer_that_was_missing_and_has_come_counts_as_changed():
    recall: Recall[str] = Recall(8)
    keep(recall, {}, FIRST)
    assert recall.get("key", {FIRST: NXDOMAIN}) is None


def test_an_equal_answer_takes_the_place_of_one_that_has_expired():
    recall: Recall[str] = Recall(8)
    keep(recall, {FIRST: found(b"one"), SECOND: NXDOMAIN}, FIRST, SECOND)
    renewed = found(b"one")
    for _ in range(2):
        recorder = Recorder({FIRST: renewed, SECOND: NXDOMAIN})
        assert recall.get("key", recorder) == "value"
        assert list(recorder.used) == [FIRST, SECOND]
    assert recall._kept["key"][1][0] is renewed


def test_S21_large_answers_and_many_results_do_not_fill_the_memory():
    recall: Recall[int] = Recall(8)
    tape = Tape({FIRST: found(b"x" * (OCTETS_MAX + 1))})
    tape.get(FIRST)
    recall.put("large", tape, 1)
    for number in range(100):
        recall.put(number, Tape({}), number)
    assert recall.get("large", {FIRST: found(b"x" * (OCTETS_MAX + 1))}) is None
    assert sum(recall.get(number, {}) is not None for number in range(100)) <= 8


def mail_from(zone: dict[Question, Answer], mailbox: str, helo: str = "mail.tanan.example") -> str:
    result = spf.mail_from(CLIENT, helo, parse_mailbox(mailbox), zone, receiver="mx.longan.example", now=NOW)
    assert result is not None
    return f"{result.result} {result.get('smtp.mailfrom')}"


def test_spf_follows_a_record_that_changes():
    question = Question("recall.example", "TXT")
    for record, expected in ((b"v=spf1 ip4:192.0.2.10 -all", "pass"), (b"v=spf1 -all", "fail")) * 2:
        assert mail_from({question: found(record)}, "vanthu@recall.example") == f"{expected} vanthu@recall.example"


def test_spf_is_remembered_by_domain_and_told_by_mailbox():
    zone = {Question("verp.example", "TXT"): found(b"v=spf1 ip4:192.0.2.0/24 -all")}
    for local in ("tra+1", "tra+2"):
        assert mail_from(zone, f"{local}@verp.example") == f"pass {local}@verp.example"


def test_spf_with_a_macro_is_computed_for_every_mailbox():
    zone = {
        Question("macro.example", "TXT"): found(b"v=spf1 exists:%{l}.ok.macro.example -all"),
        Question("lan.ok.macro.example", "A"): found("127.0.0.2"),
        Question("hoa.ok.macro.example", "A"): NXDOMAIN,
    }
    assert mail_from(zone, "lan@macro.example").startswith("pass")
    assert mail_from(zone, "hoa@macro.example").startswith("fail")


def test_iprev_follows_a_name_that_no_longer_leads_back():
    client = ip_address("192.0.2.77")
    zone = {
        iprev.pointer(client): found("mail.iprev.example"),
        Question("mail.iprev.example", "A"): found("192.0.2.77"),
    }
    results = [iprev.verify(client, zone)]
    zone[Question("mail.iprev.example", "A")] = found("192.0.2.78")
    results.append(iprev.verify(client, zone))
    assert [result.result for result in results if result] == ["pass", "fail"]


def test_an_address_of_either_kind_is_itself_alone():
    """As numbers they may be equal."""
    old, new = ip_address("192.0.2.79"), ip_address("::c000:24f")
    assert int(old) == int(new)
    zone = {iprev.pointer(old): found("mail.old.example"), Question("mail.old.example", "A"): found("192.0.2.79")}
    zone[iprev.pointer(new)] = NXDOMAIN
    for address, expected in ((old, "pass"), (new, "permerror")) * 2:
        result = iprev.verify(address, zone)
        assert result is not None
        assert (result.result, result.get("policy.iprev")) == (expected, str(address))


def test_dmarc_tells_results_apart_that_rest_on_the_same_answers():
    message = Message(b"From: vanthu@recall-dmarc.example\r\n\r\n")
    zone = {
        Question("_dmarc.recall-dmarc.example", "TXT"): found(b"v=DMARC1; p=reject"),
        Question("_dmarc.example", "TXT"): NXDOMAIN,
    }
    none = MethodResult("spf", "none")
    for result in ("pass", "fail", "pass"):
        signed = MethodResult("dkim", result, "", (("header.d", "recall-dmarc.example"),))
        alignment = dmarc.evaluate(message, none, (signed,), zone)
        assert alignment is not None
        assert (alignment.result.result, bool(alignment.dkim)) == (result, result == "pass")


ANSWERS = [NXDOMAIN, found(b"one"), found(b"one"), Answer(Outcome.ERROR), None]
QUESTIONS = [Question(name, "TXT") for name in ("a.example", "b.example", "c.example")]
zones = st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(ANSWERS[:-1]))


@given(
    zones, zones, st.lists(st.tuples(st.sampled_from(QUESTIONS), st.sampled_from(ANSWERS)), unique_by=lambda x: x[0])
)
def test_all_at_once_is_as_one_by_one(
    known: dict[Question, Answer], earlier: dict[Question, Answer], kept: list[tuple[Question, Answer | None]]
):
    asked, confirmed = Recorder(known), Recorder(known)
    asked.used, confirmed.used = dict(earlier), dict(earlier)
    questions, answers = [question for question, _ in kept], [answer for _, answer in kept]
    given_one_by_one = [asked.get(question) for question in questions]
    same = all(one is other for one, other in zip(given_one_by_one, answers, strict=True))
    assert confirmed.confirms(questions, answers) is (same and None not in given_one_by_one)
    if None not in answers and same:
        assert list(confirmed.used.items()) == list(asked.used.items())
    else:
        assert confirmed.used == earlier
    assert not confirmed.missing
