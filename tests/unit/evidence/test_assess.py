"""assess() as a whole: few passes, bounded questions, nothing raised (safety S-16, S-21; fail closed)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.evidence import arc, authres, codec, dkim, dmarc, iprev, spf
from gateway.evidence.assess import assess, early_questions, message_questions
from gateway.evidence.recall import Recall
from gateway.evidence.result import Evidence
from gateway.evidence.zone import NXDOMAIN, Answer, Question, Unanswered, found
from tests.support.signing import rsa_key, sign
from tests.support.zones import NOW, SERVFAIL, Dns, assessed, transaction, txt

PLAIN = b"From: Van thu <vanthu@longan.edu.vn>\r\nTo: so@longan.edu.vn\r\nSubject: x\r\n\r\nKinh gui\r\n"
RAW = sign(PLAIN, "longan.edu.vn", "s1", rsa_key())


def world() -> Dns:
    zone = Dns(rsa_key().answer("longan.edu.vn", "s1"), txt("longan.edu.vn", "v=spf1 include:_spf.example -all"))
    zone.update(txt("_spf.example", "v=spf1 ip4:192.0.2.0/24 -all"))
    zone[Question("10.2.0.192.in-addr.arpa", "PTR")] = found("mail.longan.edu.vn")
    zone[Question("mail.longan.edu.vn", "A")] = found("192.0.2.10")
    return zone


def driven(case_raw: bytes, truth: Dns) -> tuple[Evidence, list[frozenset[Question]]]:
    """As the shell does it: ask what is missing, call again."""
    case, known, rounds = transaction(case_raw), {}, []
    while True:
        result = assess(case, known, now=NOW)
        if isinstance(result, Evidence):
            return result, rounds
        assert isinstance(result, Unanswered)
        assert result.questions
        rounds.append(result.questions)
        known.update({question: truth.get(question) for question in result})
        assert len(rounds) < 40


def test_real_mail_takes_three_passes_and_asks_of_all_methods_at_once() -> None:
    evidence, rounds = driven(RAW, world())
    assert evidence == assessed(RAW, world())
    assert len(rounds) == 2
    assert {q.name for q in rounds[0]} >= {
        "longan.edu.vn",
        "mail.longan.edu.vn",
        "s1._domainkey.longan.edu.vn",
        "_dmarc.longan.edu.vn",
        "_dmarc.edu.vn",
        "_dmarc.vn",
        "10.2.0.192.in-addr.arpa",
    }


def test_what_is_asked_early_is_all_that_the_first_pass_asks() -> None:
    case = transaction(RAW)
    first = assess(case, {}, now=NOW)
    assert isinstance(first, Unanswered)
    early = early_questions(case.client, case.client.helo, case.reverse_path)
    assert first.questions == early | message_questions(case.message)


def test_zone_of_the_evidence_holds_the_answers_used() -> None:
    evidence = assessed(RAW, world())
    assert evidence.zone[Question("_spf.example", "TXT")] == world()[Question("_spf.example", "TXT")]
    assert evidence.zone[Question("_dmarc.vn", "TXT")] == NXDOMAIN


def test_a_second_pass_hashes_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    case = transaction(RAW)
    assert isinstance(assess(case, world(), now=NOW), Evidence)
    monkeypatch.setattr("hashlib.sha256", lambda *_: pytest.fail("hashed again"))
    assert isinstance(assess(case, world(), now=NOW), Evidence)


def hostile() -> tuple[bytes, Dns]:
    """A message that wants far more than 64 answers: ten keys, fifty seals, deep names, a greedy SPF record."""
    deep = "a.b.c.d.e.f.g.h.longan.edu.vn"
    line = "DKIM-Signature: v=1; a=rsa-sha256; d=d{n}.edu.vn; s=s; h=from; bh=" + "A" * 43 + "=; b=AAAA\r\n"
    arc_set = (
        "ARC-Seal: i={n}; a=rsa-sha256; cv={cv}; d=s{n}.example; s=s; b=AAAA\r\n"
        "ARC-Message-Signature: i={n}; a=rsa-sha256; d=s{n}.example; s=s; h=from; bh=" + "A" * 43 + "=; b=AAAA\r\n"
        "ARC-Authentication-Results: i={n}; x.example; spf=pass\r\n"
    )
    head = "".join(line.format(n=n) for n in range(10))
    head += "".join(arc_set.format(n=n, cv="pass" if n > 1 else "none") for n in range(1, 51))
    zone = Dns(txt("longan.edu.vn", "v=spf1 " + " ".join(f"mx:m{n}.example" for n in range(10)) + " -all"))
    for n in range(10):
        zone[Question(f"m{n}.example", "MX")] = found(*((10, f"h{k}.m{n}.example") for k in range(10)))
    return f"{head}From: a@{deep}\r\n\r\nx\r\n".encode(), zone


def test_s21_sixty_four_questions_for_one_message_and_no_more() -> None:
    raw, truth = hostile()
    evidence, rounds = driven(raw, truth)
    case = transaction(raw)
    asked = frozenset().union(*rounds) | early_questions(case.client, case.client.helo, case.reverse_path)
    assert len(asked) <= 64
    assert evidence.arc.result == "fail"
    assert any("too many DNS questions" in answer.reason for answer in evidence.zone.values())
    assert all("too many" not in result.reason for result in evidence.dkim)


def test_s21_a_case_cut_short_replays_as_it_was() -> None:
    raw, truth = hostile()
    evidence, _ = driven(raw, truth)
    again = assess(transaction(raw), codec.from_plain(codec.plain(evidence)).zone, now=NOW)
    assert again == evidence


@pytest.mark.parametrize(
    ("module", "name", "attribute"),
    [
        (spf, "mail_from", "spf_mailfrom"),
        (spf, "of_helo", "spf_helo"),
        (dkim, "verify", "dkim"),
        (dmarc, "evaluate", "dmarc"),
        (arc, "verify", "arc"),
        (iprev, "verify", "iprev"),
    ],
)
def test_a_method_that_raises_is_a_permerror(
    module: object, name: str, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError("boom")

    monkeypatch.setattr("gateway.evidence.assess._SERVERS", Recall(8))  # of other tests, which asked the same
    monkeypatch.setattr(module, name, broken)
    result = getattr(assessed(RAW, world()), attribute)
    result = result[0] if isinstance(result, tuple) else result
    assert (result.result, result.reason) == ("permerror", "internal: RecursionError")


def test_spf_that_raises_inside_is_a_permerror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.evidence.spf._KEPT", Recall(8))  # of other tests, which asked the same
    monkeypatch.setattr("gateway.evidence.spf_query.Query.check", lambda _: 1 / 0)
    assert assessed(RAW, world()).spf_mailfrom.reason == "SPF evaluation: ZeroDivisionError"


def test_s29_a_malformed_message_proves_nobody() -> None:
    raw = RAW.replace(b"Subject: x\r\n", b"Subject: x\r\nSubject: y\r\n")
    evidence = assessed(raw, world())
    assert evidence.malformed == ("2 Subject fields",)
    assert (evidence.aligned_dkim, evidence.aligned_spf) == ((), "")


def test_dns_that_is_down_is_temperror_everywhere_and_nothing_passes() -> None:
    class Down(Dns):
        def get(self, question: Question, default: object = None, /) -> Answer:  # type: ignore[override]
            return SERVFAIL

    evidence = assessed(RAW, Down())
    assert {r.result for r in evidence.results if r.method != "arc"} == {"temperror"}


NAMES = st.sampled_from(
    b"From DKIM-Signature ARC-Seal ARC-Message-Signature ARC-Authentication-Results Authentication-Results Subject".split()
)
PIECES = st.sampled_from(
    b"v=1;|a=rsa-sha256;|d=longan.edu.vn;|s=s1;|h=from;|b=AAAA;|i=1;|cv=none;|l=1;|t=9;|x=1;|c=relaxed;|"
    b'<a@longan.edu.vn>|mx.longan.edu.vn;|\r\n |(|"|\\|=?utf-8?b?/w==?='.split(b"|")
) | st.just(b"bh=" + b"A" * 43 + b"=;")
FIELDS = st.lists(st.tuples(NAMES, st.lists(PIECES | st.binary(max_size=12), max_size=12)), max_size=8)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fields=FIELDS, body=st.binary(max_size=60), record=st.binary(max_size=60), spf_terms=st.text(max_size=40))
def test_no_octets_raise(fields: list[tuple[bytes, list[bytes]]], body: bytes, record: bytes, spf_terms: str) -> None:
    head = b"".join(name + b": " + b"".join(parts) + b"\r\n" for name, parts in fields)
    zone = Dns({Question("s1._domainkey.longan.edu.vn", "TXT"): found(record, rsa_key().record())})
    zone.update(txt("longan.edu.vn", "v=spf1 " + spf_terms))
    zone.update(txt("_dmarc.longan.edu.vn", b"v=DMARC1;" + record))
    raw = head + b"\r\n" + body
    evidence = assessed(raw, zone)
    assert not any(result.reason.startswith("internal:") for result in evidence.results), evidence
    assert evidence.dmarc.result != "pass" or evidence.aligned_spf or evidence.malformed
    authres.write(evidence, "mx.longan.edu.vn")
    authres.forged(transaction(raw).message, "mx.longan.edu.vn")
    assert codec.from_plain(codec.plain(evidence)) == evidence


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=400))
def test_no_octets_at_all_raise(raw: bytes) -> None:
    assert not any(result.reason.startswith("internal:") for result in assessed(raw, world()).results)


PLACES = {
    Question("10.2.0.192.in-addr.arpa", "PTR"): [found("mail.longan.edu.vn"), found("other.example"), NXDOMAIN, SERVFAIL],
    Question("mail.longan.edu.vn", "A"): [found("192.0.2.10"), found("192.0.2.99"), NXDOMAIN, SERVFAIL, None],
    Question("mail.longan.edu.vn", "TXT"): [
        found(b"v=spf1 a -all"), found(b"v=spf1 exists:%{t}.x.example -all"), found(b"x"), found(b"v=spf1 a a a:"),
        NXDOMAIN, SERVFAIL, None,
    ],
    Question("longan.edu.vn", "TXT"): [found(b"v=spf1 include:mail.longan.edu.vn -all"), NXDOMAIN, None],
    Question("s1._domainkey.longan.edu.vn", "TXT"): [rsa_key().answer("longan.edu.vn", "s1", "").popitem()[1], NXDOMAIN],
}  # fmt: skip
WORLDS = st.fixed_dictionaries({question: st.sampled_from(answers) for question, answers in PLACES.items()})
RECALLS = ("spf._KEPT", "iprev._KEPT", "dmarc._KEPT", "keys._KEPT", "assess._SERVERS")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(WORLDS, st.sampled_from(["mail.longan.edu.vn", "localhost"])), min_size=2, max_size=6))
def test_what_is_remembered_of_servers_and_senders_changes_nothing(
    many: list[tuple[dict[Question, Answer | None], str]],
) -> None:
    def given_(world_: dict[Question, Answer | None], helo: str) -> Evidence | Unanswered:
        return assess(transaction(RAW, helo=helo), _zone(world_), authserv_id="mx.longan.edu.vn", now=NOW)

    with pytest.MonkeyPatch.context() as patch:
        for name in RECALLS:
            patch.setattr(f"gateway.evidence.{name}", Recall(64))
        remembered = [given_(*one) for one in many * 2]
        for one, found_ in zip(many * 2, remembered, strict=True):
            for name in RECALLS:
                patch.setattr(f"gateway.evidence.{name}", Recall(64))
            fresh = given_(*one)
            assert found_ == fresh
            if isinstance(found_, Evidence) and isinstance(fresh, Evidence):
                assert found_.zone.items() >= fresh.zone.items()


def _zone(world_: dict[Question, Answer | None]) -> dict[Question, Answer]:
    """What is None is not known yet; all else that is not named does not exist."""

    class Known(dict[Question, Answer]):
        def get(self, question: Question, default: object = None, /) -> Answer | None:  # type: ignore[override]
            return world_.get(question, NXDOMAIN)

    return Known()
