"""S-1, S-2: only CR LF . CR LF ends a message; what looks like it is refused, and nothing behind it is ever obeyed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.support.dialogue import open_door

FAKE_ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CRLF.CR": b"\r\n.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n",
    "CRLF-NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL-CRLF": b"\r\n.\0\r\n",
    "LFLF.CRLF": b"\n\n.\r\n",
    "LFCR.LFCR": b"\n\r.\n\r",
}
SMUGGLED = b"MAIL FROM:<hieutruong@longan.edu.vn>\r\nRCPT TO:<ketoan@longan.edu.vn>\r\nDATA\r\nSubject: x\r\n\r\ny"


def one_by_one(octets: bytes) -> Iterator[bytes]:
    return (octets[i : i + 1] for i in range(len(octets)))


def at_random(octets: bytes) -> Iterator[bytes]:
    chance, start = random.Random(octets), 0
    while start < len(octets):
        end = start + chance.randint(1, 7)
        yield octets[start:end]
        start = end


def whole(octets: bytes) -> Iterator[bytes]:
    return iter([octets])


@pytest.mark.parametrize("cut", [one_by_one, at_random, whole])
@pytest.mark.parametrize("fake", FAKE_ENDS.values(), ids=FAKE_ENDS.keys())
@pytest.mark.parametrize("mode", ["refuse", "log"])
async def test_fake_end_of_data_is_held_as_data(fake: bytes, cut, mode: str) -> None:
    """S-1: one message, one reply; with "refuse" none is passed on and the session ends (S-2)."""
    inside = b"From: vanthu@thcs-tanan.edu.vn\r\n\r\nmot" + fake + SMUGGLED
    async with open_door(bare_newlines=mode) as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        for piece in cut(inside + b"\r\n.\r\nQUIT\r\n"):
            await client.send(piece)
        replies = await client.rest()
        assert len(opened.reception.intakes) == 1
        if mode == "refuse":
            assert [line[:9] for line in replies] == [b"550 5.5.2"]
            assert opened.reception.messages == []
        else:
            assert [line[:3] for line in replies] == [b"250", b"221"]
            assert opened.reception.messages == [inside.replace(b"\r\n.", b"\r\n") + b"\r\n"]


async def test_stray_cr_before_a_true_end_of_data_ends_the_session() -> None:
    """S-1: CR CR LF . CR LF holds a true end; what follows is not obeyed, since the message is refused."""
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        await client.send(b"x: y\r\r\n.\r\n" + SMUGGLED + b"\r\n.\r\n")
        assert [line[:3] for line in await client.rest()] == [b"550"]
        assert len(opened.reception.intakes) == 1


async def test_end_of_data_across_segments_ends_it() -> None:
    """The true end is found wherever it is cut, and the next command behind it is obeyed."""
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        for cut in range(1, 5):
            await client.envelope()
            await client.send(b"x: y\r\n.\r\n"[: 4 + cut])
            await client.send(b"x: y\r\n.\r\nNOOP\r\n"[4 + cut :])
            assert (await client.reply()).startswith(b"250 2.0.0 Message accepted")
            assert (await client.reply()).startswith(b"250 2.0.0 OK")
        assert opened.reception.messages == [b"x: y\r\n"] * 4
