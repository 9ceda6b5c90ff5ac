"""Our milter behind a real Sendmail with deploy/sendmail: the same engine, another mail server's manners."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.support.dns_thread import dns_thread
from tests.support.milter_house import MilterGateway, prepared_milter
from tests.support.milter_mail import (
    TEACHER,
    UNIT,
    VANTHU,
    ZONE,
    free_mail,
    lf,
    message,
    signed,
    unit_mail,
    values,
    verifies,
)
from tests.support.postfix import Postfix, running_postfix
from tests.support.sendmail import Sendmail, safe_folder, unavailable
from tests.support.submission import submit

pytestmark = [pytest.mark.postfix, pytest.mark.slow]

UNIT_HOST, GMAIL_HOST = "127.0.0.10", "127.0.0.20"  # Sendmail knows no XCLIENT: clients really come from there
RULES = [
    {
        "name": "refused-here",
        "when": {"header": ["X-Hoa-Toc"]},
        "then": {"refuse": {"code": 550, "text": "Please use the document system, 100% of the time"}},
    },
    {"name": "kept", "when": {"recipient": ["giulai@longan.edu.vn"]}, "then": {"hold": {"reason": "under-test"}}},
    {
        "name": "moved",
        "when": {"recipient": ["tochuc@longan.edu.vn"]},
        "then": {"relay": {"redirect": ["ketoan@longan.edu.vn"], "tags": ["unit-headers"]}},
    },
]


@dataclass
class Place:
    """Sendmail, the gateway, and the mail store behind Sendmail."""

    sendmail: Sendmail
    gate: MilterGateway
    store: Postfix


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if reason := unavailable():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("gateway")
    mailboxes = ("vanthu", "khaothi", "ketoan", "giulai", "tochuc", "nguyenthilan")
    with ExitStack() as stack:
        safe = stack.enter_context(safe_folder())
        dns = stack.enter_context(dns_thread(ZONE))
        store = stack.enter_context(
            running_postfix(
                domains=("longan.edu.vn", "gmail.com"),
                mailboxes=mailboxes,
                settings={"myhostname": "store.longan.edu.vn"},  # of the same name as its own, Sendmail sees a loop
            )
        )
        sendmail = Sendmail(safe / "sendmail", store.port, safe / "milter.sock")
        overlay = {"rules_first": RULES}
        gate = prepared_milter(folder, "sendmail", sendmail.door, dns.address, sendmail.reinject, overlay)
        stack.callback(gate.stop)
        gate.start()
        stack.enter_context(sendmail.running())
        yield Place(sendmail, gate, store)
    assert gate.events("fault") == []


def send(place: Place, raw: bytes, *recipients: str, sender: str = UNIT, source: str = UNIT_HOST) -> str:
    return submit(place.sendmail.port, raw, sender, recipients or (VANTHU,), source=source, helo="mail.longan.edu.vn")


def delivered(place: Place, number: str, local_part: str = "vanthu") -> list[bytes]:
    return [octets for octets in place.store.messages(local_part) if f"<{number}@".encode() in octets]


def await_delivered(place: Place, number: str, local_part: str = "vanthu") -> bytes:
    place.gate.await_true(
        lambda: delivered(place, number, local_part), f"{number} is not delivered\n{place.sendmail.log[-3000:]}"
    )
    [octets] = delivered(place, number, local_part)
    return octets


def settled(place: Place) -> None:
    """Wait until neither server has anything left to deliver."""
    place.gate.await_true(lambda: not place.sendmail.queue() and not place.store.queue(), "mail stays in a queue")


@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed"])
def test_a_units_mail_is_proven_and_tagged(place: Place, canonicalization: str) -> None:
    """Sendmail tells its milter the header with leading spaces: the signature holds for us by both canonicalisations."""
    number = f"a1-{canonicalization.partition('/')[0]}"
    odd = b"X-Tab:\tmot\thai\r\nX-Fold:  gia\r\n\t tri \r\nX-Close:lien\r\n"
    raw = signed(message(UNIT, "Bao cao 12/BC-PGDDT", number, more=odd), canonicalization)
    assert send(place, raw).startswith("250 "), place.gate.log[-3000:]
    octets = await_delivered(place, number)
    [results] = values(octets, "Authentication-Results")
    assert results.startswith("mx.longan.edu.vn; ")
    assert "dkim=pass" in results
    assert "spf=pass" in results
    assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]
    assert values(octets, "X-Sending-Unit-Level") == ["signed"]
    assert octets.endswith(lf(raw))
    assert verifies(octets)
    assert octets.index(b"\nX-Gateway-Decision:") < octets.index(b"\n\tby mail.longan.edu.vn (8.")  # above its Received
    [line] = [line for line in place.gate.events("relayed") if line["id"] in values(octets, "X-Gateway-Decision")[0]]
    assert line["queue_id"] in place.sendmail.log


def test_forged_fields_are_deleted_by_index_s27_s28(place: Place) -> None:
    forged = (
        b"X-Sending-Unit: bo-gddt\r\nX-Sending-Unit-Name : Bo Giao duc\r\n",
        b"x-sending-unit:\r\n\tso-gddt\r\n",
    )
    results = (
        b"Authentication-Results: mx.longan.edu.vn; dkim=pass header.d=moet.edu.vn\r\n",
        b"Authentication-Results: mail.phongbenluc.example; dkim=fail\r\n",
        b"authentication-results: MX.LongAn.edu.vn/1; dmarc=pass\r\n",
    )
    raw = results[0] + forged[0] + results[1] + results[2] + forged[1] + unit_mail("a2")
    assert send(place, raw).startswith("250 ")
    octets = await_delivered(place, "a2")
    assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]
    assert len(values(octets, "X-Sending-Unit-Name")) == 1
    ours, foreign = values(octets, "Authentication-Results")
    assert ours.startswith("mx.longan.edu.vn; spf=")
    assert foreign == "mail.phongbenluc.example; dkim=fail"


def test_free_mail_is_held_answered_and_released_past_the_milter(place: Place) -> None:
    """DISCARD after the durable copy is a 250 to the client; notice and release use the second door of gateway.mc."""
    raw = free_mail("b1")
    assert send(place, raw, sender=TEACHER, source=GMAIL_HOST).startswith("250 ")
    [entry] = [entry for entry in place.gate.entries() if entry["author"] == TEACHER]
    assert entry["reason"] == "free-provider"
    assert place.gate.held(entry) == raw
    [notice] = place.store.wait(1, "nguyenthilan", "gmail.com")
    assert values(notice, "Auto-Submitted")[0].startswith("auto-replied")
    settled(place)
    assert delivered(place, "b1") == []
    released = place.gate.command("quarantine", "release", entry["id"])
    assert "released" in released.stdout, released
    assert await_delivered(place, "b1").endswith(lf(raw.partition(b"\r\n\r\n")[2]))
    assert [entry for entry in place.gate.entries() if entry["author"] == TEACHER] == []


def test_one_recipient_is_held_one_moved_one_left(place: Place) -> None:
    """DELRCPT with the path as the client wrote it, and ADDRCPT."""
    reply = send(place, unit_mail("c1"), "GiuLai@LongAn.edu.vn", "tochuc@longan.edu.vn", VANTHU)
    assert reply.startswith("250 ")
    await_delivered(place, "c1")
    assert values(await_delivered(place, "c1", "ketoan"), "X-Sending-Unit") == ["pgddt-ben-luc"]
    settled(place)
    assert delivered(place, "c1", "giulai") == delivered(place, "c1", "tochuc") == []
    [entry] = [entry for entry in place.gate.entries() if entry["reason"] == "under-test"]
    assert [recipient.lower() for recipient in entry["recipients"]] == ["giulai@longan.edu.vn"]


def test_a_refusal_reaches_the_client_with_code_text_and_id(place: Place) -> None:
    reply = send(place, unit_mail("d1", more=b"X-Hoa-Toc: 1\r\n"))
    assert reply.startswith("550 5.7.1 Please use the document system, 100% of the time"), reply
    [line] = [line for line in place.gate.events("refused") if line["id"] in reply]
    assert line["rule"] == "refused-here"


def test_without_the_gateway_mail_is_deferred_and_the_second_door_stays_open(place: Place) -> None:
    """F=T of gateway.mc (R-23); what the gateway sends itself meets no milter."""
    place.gate.kill()
    try:
        assert send(place, unit_mail("e1")).startswith("451 "), place.sendmail.log[-2000:]
        own = submit(place.sendmail.reinject, unit_mail("e2"), UNIT, ["khaothi@longan.edu.vn"])
        assert own.startswith("250 "), own
    finally:
        place.gate.start()
    assert send(place, unit_mail("e1")).startswith("250 ")
    await_delivered(place, "e1")
    assert values(await_delivered(place, "e2", "khaothi"), "X-Sending-Unit") == []
