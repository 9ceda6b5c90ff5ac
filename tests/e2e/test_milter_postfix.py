"""Our milter behind a real Postfix, set up from deploy/postfix: what is delivered, held, sent elsewhere and refused."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.dns import SERVFAIL, Script
from tests.support.milter_house import House, milter_house
from tests.support.milter_mail import (
    GMAIL_HOST,
    TEACHER,
    UNIT,
    UNIT_HOST,
    VANTHU,
    ZONE,
    free_mail,
    lf,
    message,
    signed,
    taken_apart,
    unit_mail,
    values,
    verifies,
)
from tests.support.submission import connect, submit, transact

pytestmark = [pytest.mark.postfix, pytest.mark.slow]

MAILBOXES = ("vanthu", "khaothi", "ketoan", "nguyenthilan", "lethihoa", "giulai", "Giu.Lai", "luutru", "tochuc")
ALIASES = (
    "inline:{ { bangiamdoc@longan.edu.vn = vanthu@longan.edu.vn,khaothi@longan.edu.vn },"
    " { tonghop@longan.edu.vn = khaothi@longan.edu.vn,ketoan@longan.edu.vn },"
    " { vanthu@localhost = vanthu@longan.edu.vn }, { vanthu@mx.longan.edu.vn = vanthu@longan.edu.vn } }"
)
RULES = [
    {
        "name": "refused-here",
        "when": {"header": ["X-Hoa-Toc"]},
        "then": {"refuse": {"code": 550, "text": "Please use the document system, 100% of the time"}},
    },
    {
        "name": "kept-here",
        "when": {"recipient": ["giulai@longan.edu.vn", "giu.lai@longan.edu.vn", "tonghop@longan.edu.vn"]},
        "then": {"hold": {"reason": "under-test"}},
    },
    {
        "name": "moved",
        "when": {"recipient": ["tochuc@longan.edu.vn"]},
        "then": {"relay": {"redirect": ["ketoan@longan.edu.vn"], "tags": ["unit-headers"]}},
    },
    {
        "name": "copied",
        "when": {"recipient": ["hieutruong@longan.edu.vn"]},
        "then": {"relay": {"copy_to": ["khaothi@longan.edu.vn", "ketoan@longan.edu.vn"], "tags": ["unit-headers"]}},
    },
    {
        "name": "filed",
        "when": {"recipient": ["luutru@longan.edu.vn"]},
        "then": {"relay": {"route": "kho", "tags": ["unit-headers"]}},
    },
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    overlay = {"rules_first": RULES, "routes": {"kho": {"protocol": "maildir", "path": "kho"}}}
    with milter_house(
        tmp_path_factory.mktemp("house"),
        ZONE,
        overlay=overlay,
        domains=("longan.edu.vn", "gmail.com"),
        mailboxes=(*MAILBOXES, "hieutruong"),
        settings={"virtual_alias_maps": ALIASES, "virtual_alias_domains": "localhost mx.longan.edu.vn"},
    ) as opened:
        yield opened


@pytest.fixture(autouse=True)
def clean(house: House) -> Iterator[None]:
    """Mailboxes are told apart by Message-ID, DNS is as it was."""
    yield
    house.dns.zone = ZONE


def delivered(house: House, number: str, local_part: str = "vanthu", domain: str = "") -> list[bytes]:
    """The messages of a mailbox with this number in their Message-ID."""
    return [octets for octets in house.postfix.messages(local_part, domain) if f"<{number}@".encode() in octets]


def await_delivered(house: House, number: str, local_part: str = "vanthu", domain: str = "") -> bytes:
    house.gate.await_true(lambda: delivered(house, number, local_part, domain), f"{number} is not delivered")
    [octets] = delivered(house, number, local_part, domain)
    return octets


def settled(house: House) -> None:
    """Wait until Postfix has nothing left to deliver."""
    house.gate.await_true(lambda: not house.postfix.queue(), f"mail stays in the queue\n{house.postfix.log[-3000:]}")


def from_unit(house: House, raw: bytes, *recipients: str) -> str:
    return submit(house.postfix.port, raw, UNIT, recipients or (VANTHU,), address=UNIT_HOST, helo="mail.longan.edu.vn")


def from_teacher(house: House, raw: bytes, *recipients: str) -> str:
    return submit(
        house.postfix.port, raw, TEACHER, recipients or (VANTHU,), address=GMAIL_HOST, helo="mail-wr1.google.com"
    )


# ---- a: passed on ---------------------------------------------------------------------------------------------------


def test_a_units_mail_is_tagged_on_top_and_else_as_sent(house: House) -> None:
    raw = unit_mail("a1")
    assert from_unit(house, raw).startswith("250 ")
    parts = taken_apart(await_delivered(house, "a1"))
    assert parts.rest == lf(raw)
    assert values(parts.ours + b"\n", "X-Sending-Unit") == ["pgddt-ben-luc"]
    assert values(parts.ours + b"\n", "X-Sending-Unit-Level") == ["signed"]
    [results] = values(parts.ours + b"\n", "Authentication-Results")
    assert results.startswith("mx.longan.edu.vn; ")
    assert "dkim=pass" in results
    assert "spf=pass" in results
    assert "dmarc=pass" in results
    assert parts.ours.startswith(b"Authentication-Results:")
    assert b"from mail.longan.edu.vn (unknown [192.0.2.10])" in parts.received
    [record] = [r for r in house.gate.json("register", "search", "bao cao") if r["message_id"] == "<a1@longan.edu.vn>"]
    assert (record["unit_id"], record["level"]) == ("pgddt-ben-luc", "signed")


FORGED = (
    b"Authentication-Results: mx.longan.edu.vn; dkim=pass header.d=moet.edu.vn\r\n",
    b"X-Sending-Unit: bo-gddt\r\n",
    b"authentication-results:\r\n\t(x) MX.LongAn.edu.vn/1 ; dmarc=pass\r\n",
    b"X-Sending-Unit-Name : Bo Giao duc\r\n",
    b"X-SENDING-UNIT-LEVEL:signed\r\n",
    b"X-Gateway-Decision: id=1\r\n",
    b"Authentication-Results:mx.longan.edu.vn;\r\n spf=pass\r\n",
    b"X-Sending-Unit:\t so-gddt\r\n",
)
FOREIGN = (
    b"Authentication-Results: mail.phongbenluc.example; dkim=fail\r\n",
    b"X-Sending-Program: Thunderbird\r\n",
    b"Authentication-Results: relay.example.net; spf=pass smtp.mailfrom=x@example.net\r\n",
)


def test_forged_fields_among_foreign_ones_are_deleted_by_index_s27_s28(house: House) -> None:
    """S-27, S-28: several of a name, ours and others', in odd spellings; the others' and their order stay."""
    base = signed(message(UNIT, "Bao cao 12/BC-PGDDT", "a2"))
    forged, foreign = list(FORGED), list(FOREIGN)
    mixed, kept = b"", b""
    while forged or foreign:
        for _ in range(3):
            mixed += forged.pop() if forged else b""
        if foreign:
            kept += foreign[-1]
            mixed += foreign.pop()
    assert from_unit(house, mixed + base).startswith("250 ")
    octets = await_delivered(house, "a2")
    assert taken_apart(octets).rest == lf(kept + base)
    assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]
    assert len(values(octets, "Authentication-Results")) == 3
    assert verifies(octets)


ODD = (
    b"From:  Phong GD  <pgdbenluc@longan.edu.vn>\r\n"
    b"To:<vanthu@longan.edu.vn>,\r\n\t\t<khaothi@longan.edu.vn> \r\n"
    b"Subject: Bao  cao\r\n   thang 11\r\n\tso 12/BC-PGDDT\r\n"
    b"Keywords:\r\n"
    b"Comments: \r\n"
    b"X-Tab:\tmot\thai\t\r\n"
    b"X-Trailing: cuoi dong \t \r\n"
    b"X-Fold-First:\r\n \r\n  gia tri\r\n"
    b"DATE: Sun, 22 Nov 2026 08:00:00 +0700\r\n"
    b"Message-ID:\r\n <%s@longan.edu.vn>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain;\r\n\tcharset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n"
)


@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed", "simple/relaxed", "relaxed/simple"])
def test_dkim_holds_for_us_and_after_delivery(house: House, canonicalization: str) -> None:
    """The octets that Postfix tells its milter are the client's: odd folding, tabs, no space after the colon, empty values."""
    number = f"a3-{canonicalization.replace('/', '-')}"
    raw = signed(ODD % number.encode() + b"\r\nNoi  dung \r\n\r\n\r\n", canonicalization)
    assert verifies(raw)
    assert from_unit(house, raw).startswith("250 ")
    octets = await_delivered(house, number)
    assert verifies(octets), octets
    [results] = values(octets, "Authentication-Results")
    assert "dkim=pass" in results
    assert values(octets, "X-Sending-Unit-Level") == ["signed"]


def test_mail_that_is_no_affair_of_ours_is_left_alone(house: House) -> None:
    """Recipients outside own_domains are Postfix's affair: gmail.com is served here too, and not by us."""
    raw = unit_mail("a4")
    assert from_unit(house, raw, "lethihoa@gmail.com").startswith("250 ")
    octets = await_delivered(house, "a4", "lethihoa", "gmail.com")
    assert taken_apart(octets).ours == b""
    assert taken_apart(octets).rest == lf(raw)


def test_several_messages_over_one_connection_do_not_mix(house: House) -> None:
    """Macros, envelope and verdict of one message are forgotten before the next; RSET and a refused RCPT between them."""
    client = connect(house.postfix.port, address=UNIT_HOST, helo="mail.longan.edu.vn")
    assert transact(client, unit_mail("a5"), UNIT, [VANTHU]).startswith("250 ")
    assert client.docmd("MAIL", f"FROM:<{TEACHER}>")[0] == 250
    assert client.docmd("RCPT", "TO:<giulai@longan.edu.vn>")[0] == 250
    assert client.rset()[0] == 250
    assert transact(client, unit_mail("a6"), UNIT, [VANTHU]).startswith("250 ")
    client.quit()
    for number in ("a5", "a6"):
        assert values(await_delivered(house, number), "X-Sending-Unit") == ["pgddt-ben-luc"]
    ids = {values(await_delivered(house, number), "X-Gateway-Decision")[0].split(";")[0] for number in ("a5", "a6")}
    assert len(ids) == 2


# ---- b: held --------------------------------------------------------------------------------------------------------


def test_free_mail_is_held_answered_and_released_past_the_milter(house: House) -> None:
    """R-21: 250 to the client, nothing delivered, one notice out through the second door, one release in through it."""
    raw = free_mail("b1")
    assert from_teacher(house, raw).startswith("250 ")
    [entry] = [entry for entry in house.gate.entries() if entry["recipients"] == [VANTHU]]
    assert entry["reason"] == "free-provider"
    assert house.gate.held(entry) == raw
    [notice] = house.postfix.wait(1, "nguyenthilan", "gmail.com")
    assert b"1077" in notice
    assert values(notice, "Auto-Submitted")[0].startswith("auto-replied")
    settled(house)
    assert delivered(house, "b1") == []

    released = house.gate.command("quarantine", "release", entry["id"])
    assert "released" in released.stdout, released
    octets = await_delivered(house, "b1")
    assert octets.endswith(lf(raw))
    assert house.gate.command("quarantine", "release", entry["id"]).returncode == 65
    settled(house)
    assert len(delivered(house, "b1")) == 1
    assert [e for e in house.gate.entries() if e["recipients"] == [VANTHU]] == []  # it did not meet the milter again


# ---- c: recipients --------------------------------------------------------------------------------------------------


def test_of_two_recipients_one_is_held_with_its_local_part_as_written(house: House) -> None:
    """DELRCPT names the path as the client wrote it, in mixed case; a recipient named twice is no third."""
    raw = unit_mail("c1")
    reply = from_unit(house, raw, "Giu.Lai@LongAn.edu.vn", VANTHU, "VanThu@longan.edu.vn", VANTHU)
    assert reply.startswith("250 ")
    assert taken_apart(await_delivered(house, "c1")).rest == lf(raw)
    settled(house)
    assert delivered(house, "c1", "Giu.Lai") == delivered(house, "c1", "giu.lai") == []
    assert len(delivered(house, "c1")) == 1
    [entry] = [e for e in house.gate.entries() if [r.lower() for r in e["recipients"]] == ["giu.lai@longan.edu.vn"]]
    assert entry["reason"] == "under-test"


def test_a_source_route_does_not_keep_a_held_recipient_in_s7(house: House) -> None:
    """Postfix tells us the path with its route and keeps it without: each would not know the other's."""
    raw = unit_mail("c2")
    assert from_unit(house, raw, "@a.example,@b.example:giulai@longan.edu.vn", VANTHU).startswith("250 ")
    assert taken_apart(await_delivered(house, "c2")).rest == lf(raw)
    settled(house)
    assert delivered(house, "c2", "giulai") == []


def test_mail_to_the_servers_own_name_is_judged_s28(house: House) -> None:
    """$mydestination holds names that no policy lists; here they lead to the mailbox of vanthu."""
    raw = b"X-Sending-Unit: so-gddt\r\n" + unit_mail("c3")
    for domain in ("localhost", "mx.longan.edu.vn"):
        assert from_unit(house, raw, f"vanthu@{domain}").startswith("250 ")
    house.gate.await_true(lambda: len(delivered(house, "c3")) == 2, "c3 is not delivered twice")
    for octets in delivered(house, "c3"):
        assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]


def test_what_postfix_would_not_show_us_it_refuses_s28(house: House) -> None:
    """A value is shown up to its first NUL, and passed on whole: other readers would find a field behind it."""
    raw = unit_mail("c4", more=b"X-Mailer: a\0X-Sending-Unit: so-gddt\r\n")
    assert from_unit(house, raw).startswith("550 5.")
    settled(house)
    assert delivered(house, "c4") == []


def test_an_alias_is_expanded_after_us(house: House) -> None:
    """We judge the address that the sender wrote; Postfix expands it."""
    assert from_unit(house, unit_mail("c2-alias"), "bangiamdoc@longan.edu.vn").startswith("250 ")
    for mailbox in ("vanthu", "khaothi"):
        assert values(await_delivered(house, "c2-alias", mailbox), "X-Sending-Unit") == ["pgddt-ben-luc"]


def test_a_held_alias_reaches_none_of_its_members(house: House) -> None:
    """DELRCPT takes the alias away with all that it was expanded to, and not a member whom the sender named besides."""
    raw = unit_mail("c3")
    assert from_unit(house, raw, "tonghop@longan.edu.vn", "ketoan@longan.edu.vn").startswith("250 ")
    await_delivered(house, "c3", "ketoan")
    settled(house)
    assert delivered(house, "c3", "khaothi") == []
    assert len(delivered(house, "c3", "ketoan")) == 1
    [entry] = [e for e in house.gate.entries() if e["recipients"] == ["tonghop@longan.edu.vn"]]
    done = house.gate.command("quarantine", "release", entry["id"])
    assert "released" in done.stdout, done
    await_delivered(house, "c3", "khaothi")  # released to the alias, expanded now


def test_redirect_takes_one_off_and_puts_one_on(house: House) -> None:
    raw = unit_mail("c4")
    assert from_unit(house, raw, "tochuc@longan.edu.vn").startswith("250 ")
    octets = await_delivered(house, "c4", "ketoan")
    assert taken_apart(octets).rest == lf(raw)
    assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]
    settled(house)
    assert delivered(house, "c4", "tochuc") == []


def test_copies_go_to_the_named_and_to_others(house: House) -> None:
    assert from_unit(house, unit_mail("c5"), "hieutruong@longan.edu.vn", "ketoan@longan.edu.vn").startswith("250 ")
    for mailbox in ("hieutruong", "khaothi", "ketoan"):
        await_delivered(house, "c5", mailbox)
    settled(house)
    assert [len(delivered(house, "c5", mailbox)) for mailbox in ("hieutruong", "khaothi", "ketoan")] == [1, 1, 1]


def test_another_route_is_served_from_our_outbox(house: House) -> None:
    """Postfix keeps one recipient; the other's copy is ours and carries Postfix's client in our Received."""
    raw = unit_mail("c6")
    assert from_unit(house, raw, "luutru@longan.edu.vn", VANTHU).startswith("250 ")
    await_delivered(house, "c6")
    filed = house.gate.folder / "var" / "kho" / "new"
    house.gate.await_true(lambda: filed.is_dir() and list(filed.iterdir()), "nothing is filed")
    [file] = filed.iterdir()
    octets = lf(file.read_bytes())
    assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]
    assert UNIT_HOST in values(octets, "Received")[0]
    assert octets.endswith(lf(raw))
    settled(house)
    assert delivered(house, "c6", "luutru") == []
    assert len(delivered(house, "c6")) == 1


# ---- d: refused and deferred ----------------------------------------------------------------------------------------


def test_a_refusal_reaches_the_client_with_code_text_and_id(house: House) -> None:
    """A per cent sign is one to the client too; the id finds the line in our log."""
    reply = from_unit(house, unit_mail("d1", more=b"X-Hoa-Toc: 1\r\n"))
    assert reply.startswith("550 5.7.1 Please use the document system, 100% of the time")
    [line] = [line for line in house.gate.events("refused") if line["id"] in reply]
    assert line["rule"] == "refused-here"
    settled(house)
    assert delivered(house, "d1") == []


def test_an_official_domain_without_dns_is_deferred_and_taken_later(house: House) -> None:
    """F-18: SERVFAIL is no reason to say that nothing proves the sender."""
    raw = message(UNIT, "Bao cao 12/BC-PGDDT", "d2")
    house.dns.zone = {**ZONE, "longan.edu.vn": {"TXT": SERVFAIL}}
    assert from_unit(house, raw).startswith("451 4."), house.gate.log[-2000:]
    house.dns.zone = ZONE
    assert from_unit(house, raw).startswith("250 ")
    assert taken_apart(await_delivered(house, "d2")).rest == lf(raw)


def test_bad_paths_of_the_client_are_postfixs_affair(house: House) -> None:
    """A recipient that Postfix does not know is refused by Postfix; the others are delivered."""
    client = connect(house.postfix.port, address=UNIT_HOST, helo="mail.longan.edu.vn")
    assert client.docmd("MAIL", f"FROM:<{UNIT}>")[0] == 250
    assert client.docmd("RCPT", "TO:<khongco@longan.edu.vn>")[0] == 550
    assert client.docmd("RCPT", f"TO:<{VANTHU}>")[0] == 250
    assert client.data(unit_mail("d3"))[0] == 250
    client.quit()
    assert values(await_delivered(house, "d3"), "X-Sending-Unit") == ["pgddt-ben-luc"]


def test_progress_keeps_postfix_waiting_while_dns_is_slow(tmp_path: Path) -> None:
    """Postfix would give up after six seconds of silence; the SPF record's seven parts come one after the other."""
    names = ["longan.edu.vn", *(f"spf{n}.longan.edu.vn" for n in range(1, 7))]
    chain = {name: [f"v=spf1 include:{after} -all"] for name, after in itertools.pairwise(names)}
    chain[names[-1]] = [f"v=spf1 ip4:{UNIT_HOST} -all"]
    slow = {name: {"TXT": Script(records=records, delay=1.2, ttl=0)} for name, records in chain.items()}
    impatient = "milter_content_timeout = 6s\n"
    with milter_house(tmp_path / "slow", ZONE | slow, main_lines=impatient, dns_timeout=10.0) as house:
        begin = time.monotonic()
        assert from_unit(house, unit_mail("d4")).startswith("250 "), house.postfix.log[-2000:]
        assert time.monotonic() - begin > 6  # or the test would show nothing
        octets = await_delivered(house, "d4")
        assert "spf=pass smtp.mailfrom" in values(octets, "Authentication-Results")[0]
