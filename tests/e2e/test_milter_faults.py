"""The gateway dies behind a real Postfix: 4xx to the client, whose retry is delivered, held and answered exactly once."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Generator, Iterator

import pytest

from gateway.demo.dns import SILENT
from tests.support.milter_house import House, milter_house, shipped
from tests.support.milter_mail import GMAIL_HOST, UNIT, UNIT_HOST, VANTHU, ZONE, message, unit_mail, values
from tests.support.submission import connect, submit

pytestmark = [pytest.mark.postfix, pytest.mark.slow]

STAGES = (
    "before CONNECT",
    "after HELO",
    "after MAIL",
    "after RCPT",
    "in the body",
    "while deciding",
    "after the verdict",
)
TEACHERS = tuple(f"giaovien{n}" for n in range(len(STAGES)))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with milter_house(
        tmp_path_factory.mktemp("faults"),
        ZONE,
        tapped=True,
        dns_timeout=20.0,
        domains=("longan.edu.vn", "gmail.com"),
        mailboxes=("vanthu", "khaothi", *TEACHERS),
    ) as opened:
        yield opened


def conversation(house: House, raw: bytes, sender: str, recipient: str, address: str) -> Generator[str, None, str]:
    """Send a message; stops before each step with the name of the stage, and returns the last reply."""
    yield STAGES[0]
    client: smtplib.SMTP | None = None
    try:
        client = connect(house.postfix.port, address=address)
        yield STAGES[1]
        yield from _envelope(client, sender, recipient)
        client.putcmd("data")
        code, text = client.getreply()
        if code == 354:
            half = raw.index(b"\r\n\r\n") + 40
            client.send(raw[:half])
            yield STAGES[4]
            client.send(raw[half:].replace(b"\r\n.", b"\r\n..") + b".\r\n")
            yield STAGES[5]
            code, text = client.getreply()
    except smtplib.SMTPResponseException as refused:
        code, text = refused.smtp_code, str(refused.smtp_error).encode()
    except smtplib.SMTPServerDisconnected:
        code, text = 421, b"disconnected"
    finally:
        if client:
            client.close()
    return f"{code} {text.decode()}"


def _envelope(client: smtplib.SMTP, sender: str, recipient: str) -> Iterator[str]:
    for verb, argument, stage in (("MAIL", f"FROM:<{sender}>", STAGES[2]), ("RCPT", f"TO:<{recipient}>", STAGES[3])):
        code, text = client.docmd(verb, argument)
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
        yield stage


def advance(talk: Generator[str, None, str], stage: str) -> None:
    while next(talk) != stage:
        pass


def finish(talk: Generator[str, None, str]) -> str:
    while True:
        try:
            next(talk)
        except StopIteration as end:
            return str(end.value)


def await_stage(house: House, stage: str) -> Callable[[], None]:
    """What makes the gateway stay in the stage, before the conversation; returned is the waiting for it to be there."""
    tap = house.tap
    assert tap is not None
    if stage == "while deciding":
        names = ("_dmarc.longan.edu.vn", "_dmarc.gmail.com")
        house.dns.zone = {**ZONE, **{name: {"TXT": SILENT} for name in names}}
        house.dns.asked.clear()
        asked = house.dns.asked
        return lambda: house.gate.await_true(lambda: all(asked[name, "TXT"] for name in names), "DNS is not asked")
    if stage == "after the verdict":
        tap.armed = True
        return lambda: house.gate.await_true(lambda: len(tap.caught) == 2, "there are no two verdicts")
    return lambda: None


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_gateway_costs_a_retry_and_nothing_else_r23(house: House, stage: str) -> None:
    """R-23, F-33: a unit's mail and a teacher's, both in this stage when every process of the gateway is killed."""
    number = STAGES.index(stage)
    teacher = f"{TEACHERS[number]}@gmail.com"
    for_unit = (unit_mail(f"u{number}"), UNIT, VANTHU, UNIT_HOST)
    for_teacher = (message(teacher, "Bao cao so 45/BC-THCS", f"t{number}"), teacher, VANTHU, GMAIL_HOST)
    is_there = await_stage(house, stage)
    talks = [conversation(house, *mail) for mail in (for_unit, for_teacher)]
    for talk in talks:
        advance(talk, "while deciding" if stage == "after the verdict" else stage)
    is_there()
    if stage == "after the verdict":  # a notice that is in hand when its sender is killed is given up: at most once
        house.postfix.wait(1, teacher.partition("@")[0], "gmail.com")
    house.gate.kill()
    assert house.tap is not None
    house.tap.release()
    house.dns.zone = ZONE
    for talk in talks:
        reply = finish(talk)
        assert reply.startswith("4"), reply
    assert house.postfix.queue() == []

    house.gate.start()
    for raw, sender, recipient, address in (for_unit, for_teacher):
        reply = submit(house.postfix.port, raw, sender, [recipient], address=address)
        assert reply.startswith("250 "), (reply, house.gate.log[-3000:])
    _once(house, f"u{number}", teacher)


def _once(house: House, number: str, teacher: str) -> None:
    """One copy delivered, one entry held, one record of each, one notice."""
    house.gate.restart()
    mailbox = teacher.partition("@")[0]
    [notice] = house.postfix.wait(1, mailbox, "gmail.com")
    assert values(notice, "Auto-Submitted")[0].startswith("auto-replied")
    house.gate.await_true(lambda: not house.postfix.queue(), "mail stays in the queue")
    copies = [octets for octets in house.postfix.messages() if f"<{number}@".encode() in octets]
    assert [values(octets, "X-Sending-Unit") for octets in copies] == [["pgddt-ben-luc"]]
    entries = [entry for entry in house.gate.entries() if entry["author"] == teacher]
    assert [entry["state"] for entry in entries] == ["held"]
    records = house.gate.json("register", "search", "bao cao")
    assert [record["message_id"] for record in records].count(f"<{number}@longan.edu.vn>") == 1
    assert [record["reverse_path"] for record in records].count(teacher) == 1
    assert len(house.postfix.messages(mailbox, "gmail.com")) == 1


def test_without_a_socket_mail_is_deferred_and_the_second_door_stays_open(house: House) -> None:
    """Not only a dead process: the socket itself is gone, as on a host where the gateway was never started.

    What comes in by the second door meets no milter, so that the gateway cannot judge its own mail, or wait for itself.
    """
    assert house.tap is not None
    away = house.tap.listen.with_name("away.sock")
    house.tap.listen.rename(away)
    try:
        talk = conversation(house, unit_mail("s1"), UNIT, VANTHU, UNIT_HOST)
        reply = finish(talk)
        assert reply.startswith("4"), reply
        assert house.postfix.queue() == []
        assert submit(house.reinject, unit_mail("s2"), UNIT, ["khaothi@longan.edu.vn"]).startswith("250 ")
        [octets] = house.postfix.wait(1, "khaothi")
        assert values(octets, "X-Sending-Unit") == []
    finally:
        away.rename(house.tap.listen)


def test_the_shipped_settings_defer() -> None:
    """R-23: never accept, and never Postfix's own default, which has changed between its versions."""
    lines = shipped("postfix/main.cf.milter", {}).splitlines()
    assert [line for line in lines if line.startswith("milter_default_action")] == ["milter_default_action = tempfail"]
