"""Our milter among others of one Postfix: OpenDKIM before and after us, and what is large or not ASCII."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import opendkim
from tests.support.milter_house import House, milter_house
from tests.support.milter_mail import (
    SELECTOR,
    UNIT,
    UNIT_HOST,
    VANTHU,
    ZONE,
    lf,
    message,
    signed,
    taken_apart,
    unit_mail,
    values,
    verifies,
)
from tests.support.signing import rsa_key
from tests.support.submission import submit

pytestmark = [pytest.mark.postfix, pytest.mark.slow]

OUT = "out"  # the selector of the signer behind us
OURS = "+Authentication-Results,+X-Sending-Unit,+X-Sending-Unit-Level,+X-Gateway-Decision"
KEYS = {f"{SELECTOR}._domainkey.longan.edu.vn": rsa_key().record()}
RULES = [
    {"name": "kept", "when": {"recipient": ["tổ.chức@longan.edu.vn"]}, "then": {"hold": {"reason": "under-test"}}},
]
BEFORE, BETWEEN, AFTER = "opendkim-v", "gateway", "opendkim-s"


@contextmanager
def chain(folder: Path, *order: str) -> Iterator[House]:
    """A house whose Postfix asks these milters, in this order."""
    milters = ", ".join(f"unix:{name}/milter.sock" for name in order)
    with milter_house(
        folder / "house",
        ZONE,
        overlay={"rules_first": RULES},
        main_lines=f"smtpd_milters = {milters}\n",
        mailboxes=("vanthu", "văn.thư", "tổ.chức"),
    ) as house:
        before, after = (house.postfix.socket_folder(name) / "milter.sock" for name in (BEFORE, AFTER))
        with (
            opendkim.verifier(folder / "v", before, KEYS),
            opendkim.signer(folder / "s", after, "longan.edu.vn", OUT, rsa_key(serial=1).private, OURS),
        ):
            yield house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opendkim.find()
    with chain(tmp_path_factory.mktemp("chain"), BEFORE, BETWEEN, AFTER) as opened:
        yield opened


def send(house: House, raw: bytes, *recipients: str, sender: str = UNIT, parameters: tuple[str, ...] = ()) -> None:
    reply = submit(
        house.postfix.port,
        raw,
        sender,
        recipients or (VANTHU,),
        address=UNIT_HOST,
        helo="mail.longan.edu.vn",
        parameters=parameters,
    )
    assert reply.startswith("250 "), (reply, house.postfix.log[-3000:], house.gate.log[-3000:])


def await_delivered(house: House, number: str, local_part: str = "vanthu") -> bytes:
    token = f"<{number}@".encode()

    def found() -> list[bytes]:
        return [octets for octets in house.postfix.messages(local_part) if token in octets[:65536]]

    house.gate.await_true(found, f"{number} is not delivered\n{house.postfix.log[-3000:]}")
    [octets] = found()
    return octets


def test_what_a_verifier_before_us_wrote_stays_and_a_signer_behind_us_signs_our_fields(house: House) -> None:
    """A forged field of ours is deleted by its place among those that the verifier has put before it (S-27)."""
    forged = b"Authentication-Results: mx.longan.edu.vn; dkim=pass header.d=moet.edu.vn\r\n"
    foreign = b"Authentication-Results: relay.example.net; spf=pass smtp.mailfrom=x@example.net\r\n"
    raw = unit_mail("k1")
    send(house, foreign + forged + raw)
    octets = await_delivered(house, "k1")
    results = values(octets, "Authentication-Results")
    assert [result.partition(";")[0] for result in results] == [
        "mx.longan.edu.vn",
        opendkim.AUTHSERV_ID,
        "relay.example.net",
    ]
    assert "dkim=pass" in results[0]
    assert "dkim=pass" in results[1]
    assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]
    outer = values(octets, "DKIM-Signature")[0].replace(" ", "")
    assert f"s={OUT};" in outer
    covered = outer.partition(";h=")[2].partition(";")[0].lower().split(":")
    assert {"authentication-results", "x-sending-unit", "x-sending-unit-level", "x-gateway-decision"} <= set(covered)
    assert verifies(octets, OUT, record=rsa_key(serial=1).record())
    assert verifies(octets, SELECTOR)
    assert octets.endswith(lf(raw))


def test_a_changed_field_of_ours_breaks_the_signers_signature(house: House) -> None:
    """The signature behind us really covers what we wrote."""
    send(house, unit_mail("k2"))
    octets = await_delivered(house, "k2")
    changed = octets.replace(b"X-Sending-Unit: pgddt-ben-luc", b"X-Sending-Unit: pgddt-can-giuoc")
    assert changed != octets
    assert not verifies(changed, OUT, record=rsa_key(serial=1).record())


def test_a_verifier_behind_us_finds_the_senders_signature_whole(tmp_path: Path) -> None:
    """What we put on top and take away costs the next milter nothing."""
    opendkim.find()
    with chain(tmp_path, BETWEEN, BEFORE) as house:
        forged = b"X-Sending-Unit: bo-gddt\r\n"
        send(house, forged + signed(message(UNIT, "Bao cao 12/BC-PGDDT", "k3"), "simple/simple"))
        octets = await_delivered(house, "k3")
        results = values(octets, "Authentication-Results")
        assert [result.partition(";")[0] for result in results] == [opendkim.AUTHSERV_ID, "mx.longan.edu.vn"]
        assert all("dkim=pass" in result for result in results)
        assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]


def test_fifty_megabytes_pass_unchanged(house: House) -> None:
    """50 MB in 64 KiB pieces through three milters; bodies above 1 MiB are on disk with us."""
    line = b"VGjDtG5nIHRpbiBjw6FjIMSRxqFuIHbhu4sgdHLGsOG7nW5nIGjhu41jIHRyw6puIMSR4buLYSBiw6Bu\r\n"
    raw = signed(message(UNIT, "Bao cao 12/BC-PGDDT", "k4", body=line * (50_000_000 // len(line))), "relaxed/simple")
    send(house, raw)
    octets = await_delivered(house, "k4")
    house.gate.await_true(lambda: not house.postfix.queue(), "it stays in the queue")
    assert octets.endswith(lf(raw))
    assert values(octets[:65536] + b"\n\n", "X-Sending-Unit-Level") == ["signed"]


UTF8_HEAD = (
    "From: Phòng GDĐT Bến Lức <pgdbenluc@longan.edu.vn>\r\nTo: Văn thư Sở <văn.thư@longan.edu.vn>\r\n"
    "Subject: Báo cáo số 12/BC-PGDĐT về cơ sở vật chất\r\nDate: Sun, 22 Nov 2026 08:00:00 +0700\r\n"
    "Message-ID: <%s@longan.edu.vn>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nKính gửi Sở Giáo dục và Đào tạo Long An.\r\n"
)
UTF8 = ("SMTPUTF8", "BODY=8BITMIME")


def test_smtputf8_in_paths_and_header(house: House) -> None:
    """RFC 6531: reverse-path, forward-path and fields in UTF-8; the signature by simple/simple still holds."""
    raw = signed((UTF8_HEAD % "k5").encode(), "simple/simple")
    send(house, raw, "văn.thư@longan.edu.vn", sender="bến.lức@longan.edu.vn", parameters=UTF8)
    octets = await_delivered(house, "k5", "văn.thư")
    assert taken_apart(octets).rest == lf(raw)
    assert verifies(octets)
    [ours, _] = values(octets, "Authentication-Results")
    assert "dkim=pass" in ours
    assert "spf=pass smtp.mailfrom=longan.edu.vn" in ours  # the field stays ASCII
    assert values(octets, "X-Sending-Unit") == ["pgddt-ben-luc"]


def test_a_recipient_in_utf8_is_held_and_released(house: House) -> None:
    """DELRCPT and the second door take the path in UTF-8."""
    raw = signed((UTF8_HEAD % "k6").encode())
    send(house, raw, "tổ.chức@longan.edu.vn", "văn.thư@longan.edu.vn", parameters=UTF8)
    await_delivered(house, "k6", "văn.thư")
    house.gate.await_true(lambda: not house.postfix.queue(), "it stays in the queue")
    assert house.postfix.messages("tổ.chức") == []
    [entry] = house.gate.entries()
    assert entry["recipients"] == ["tổ.chức@longan.edu.vn"]
    assert house.gate.held(entry).endswith(raw)  # behind the verifier's field
    released = house.gate.command("quarantine", "release", entry["id"])
    assert "released" in released.stdout, released
    assert await_delivered(house, "k6", "tổ.chức").endswith(lf(raw))
