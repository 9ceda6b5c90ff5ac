"""The failure matrix of downstream servers: one scripted fault each, and what the client hears (safety F-1 ... F-17)."""

from __future__ import annotations

import asyncio
import random
import socket
from pathlib import Path

import pytest

from gateway import metrics
from gateway.envelope.reply import Reply
from gateway.ports import Delivery
from tests.support.relaying import CLIENT, CONTENT, EXAMS, FINANCE, OFFICE, SCHOOL, downstream, route, to
from tests.support.sink import Act, Script, Sink, running

BIG = b"Subject: Ho so\r\n\r\n" + (b"x" * 76 + b"\r\n") * 300_000  # 23 MB: more than sockets buffer


async def send(tmp_path: Path, sink: Sink, content: bytes = CONTENT, **changes: float) -> list[Reply]:
    """MAIL, RCPT and content through a sink; the replies that the client hears, up to the first refusal."""
    async with running(sink):
        behind = downstream(tmp_path, **changes)
        session = behind.begin(route(sink.port, protocol="lmtp" if sink.lmtp else "smtp"), CLIENT)
        heard = [await session.mail(SCHOOL, ())]
        if heard[-1].is_positive:
            heard.append(await session.rcpt(OFFICE))
        if heard[-1].is_positive:
            heard.append((await session.deliver([OFFICE], [content])).reply)
        await session.abandon()
        await behind.close()
    return heard


async def last(tmp_path: Path, script: dict[str, Script], content: bytes = CONTENT, **changes: float) -> str:
    return str((await send(tmp_path, Sink(script), content, **changes))[-1])[:9]


async def deliver(tmp_path: Path, sink: Sink, content: bytes = CONTENT, **changes: float) -> Delivery:
    async with running(sink):
        behind = downstream(tmp_path, **changes)
        session = behind.begin(route(sink.port), CLIENT)
        assert (await session.mail(SCHOOL, ())).is_positive
        assert (await session.rcpt(OFFICE)).is_positive
        delivery = await session.deliver([OFFICE], [content])
        await session.abandon()
        await behind.close()
        return delivery


def unknown() -> float:
    return metrics.unknown_outcomes._value.get()


async def test_f1_refused_connection(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        session = downstream(tmp_path).begin(route(closed.getsockname()[1]), CLIENT)
        assert str(await session.mail(SCHOOL, ())).startswith("451 4.4.1")


async def test_f1_name_that_does_not_exist(tmp_path: Path) -> None:
    session = downstream(tmp_path).begin(route(25, host="khong-co.invalid"), CLIENT)
    assert str(await session.mail(SCHOOL, ())).startswith("451 4.4.1")


async def test_f2_no_greeting(tmp_path: Path) -> None:
    assert await last(tmp_path, {"connect": Act.HANG}, connect_timeout=0.2) == "451 4.4.1"


async def test_f2_slow_ehlo(tmp_path: Path) -> None:
    assert await last(tmp_path, {"EHLO": Act.HANG}, connect_timeout=0.2) == "451 4.4.1"


async def test_f2_closes_without_greeting(tmp_path: Path) -> None:
    assert await last(tmp_path, {"connect": Act.CLOSE}) == "451 4.4.1"


@pytest.mark.parametrize(
    "greeting",
    [b"554 5.7.1 Go away\r\n", b"421 4.3.2 Busy\r\n", b"450 Later\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"250 hm\r\n"],
)
async def test_f3_greeting_that_refuses_is_never_a_bounce(tmp_path: Path, greeting: bytes) -> None:
    assert await last(tmp_path, {"connect": (greeting, Act.CLOSE)}) == "451 4.3.2"


async def test_f3_ehlo_and_helo_refused(tmp_path: Path) -> None:
    assert await last(tmp_path, {"EHLO": b"550 no\r\n", "HELO": b"550 no\r\n"}) == "451 4.3.2"


async def test_f4_helo_when_ehlo_is_unknown(tmp_path: Path) -> None:
    sink = Sink({"EHLO": b"502 5.5.2 Error: command not recognized\r\n"})
    assert (await send(tmp_path, sink))[-1].code == 250
    assert sink.verbs()[:3] == ["EHLO", "HELO", "MAIL"]
    assert sink.taken[0].content == CONTENT


async def test_f4_8bit_message_for_a_server_without_8bitmime(tmp_path: Path) -> None:
    eight = CONTENT + "Sở Giáo dục và Đào tạo\r\n".encode()
    async with running(Sink({"EHLO": b"250 sink\r\n"})) as sink:
        behind = downstream(tmp_path)
        for content, expected in ((eight, "451 4.3.5"), (CONTENT, "250 2.0.0")):
            session = behind.begin(route(sink.port), CLIENT)
            assert (await session.mail(SCHOOL, (("BODY", "8BITMIME"),))).is_positive
            assert (await session.rcpt(OFFICE)).is_positive
            assert str((await session.deliver([OFFICE], [content])).reply).startswith(expected)
        assert len(sink.taken) == 1
        assert "BODY" not in "".join(sink.lines)


async def test_f4_internationalised_mail_for_a_server_without_smtputf8(tmp_path: Path) -> None:
    async with running(Sink({"EHLO": b"250-sink\r\n250 8BITMIME\r\n"})) as sink:
        session = downstream(tmp_path).begin(route(sink.port), CLIENT)
        utf8 = (("SMTPUTF8", None),)
        assert str(await session.mail(to("nguyễn.văn.rỗng@longan.edu.vn").mailbox, utf8)).startswith("550 5.6.7")
        assert (await session.mail(SCHOOL, utf8)).is_positive
        assert str(await session.rcpt(to("văn.thư@longan.edu.vn"))).startswith("553 5.6.7")
        assert (await session.rcpt(OFFICE)).is_positive
        subject = "Subject: Báo cáo\r\n\r\nx\r\n".encode()
        assert str((await session.deliver([OFFICE], [subject])).reply).startswith("550 5.6.7")
        assert sink.taken == []


@pytest.mark.parametrize("reply", ["450 4.1.8 Sender address rejected", "550 5.1.8 <x> Domain not found"])
async def test_f5_mail_refusal_goes_through_verbatim(tmp_path: Path, reply: str) -> None:
    heard = await send(tmp_path, Sink({"MAIL": f"{reply}\r\n".encode()}))
    assert [str(r) for r in heard] == [reply]


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("MAIL", b"530 5.7.0 Must issue a STARTTLS command first\r\n"),
        ("MAIL", b"535 5.7.8 Authentication required\r\n"),
        ("RCPT", b"554 5.7.1 <vanthu@longan.edu.vn>: Relay access denied\r\n"),
        ("RCPT", b"550 5.7.1 <vanthu@longan.edu.vn>... Relaying denied\r\n"),
        ("RCPT", b"550 relay not permitted\r\n"),
        ("RCPT", b"550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain\r\n"),
        ("RCPT", b"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n"),
        ("DATA", b"530 5.7.0 Authentication required\r\n"),
    ],
)
async def test_f6_our_misconfiguration_is_not_the_senders_fault(tmp_path: Path, verb: str, reply: bytes) -> None:
    assert await last(tmp_path, {verb: reply}) == "451 4.3.5"


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.1 Message refused by policy",
        "550 5.1.1 <relay@longan.edu.vn>: Recipient address rejected",
        "554 5.7.1 No",
    ],
)
async def test_f6_a_refusal_of_the_recipient_is_not_mistaken_for_one_of_us(tmp_path: Path, reply: str) -> None:
    assert str((await send(tmp_path, Sink({"RCPT": f"{reply}\r\n".encode()})))[-1]) == reply


async def test_f7_each_recipient_hears_its_own_reply(tmp_path: Path) -> None:
    """F-7, R-14."""
    script: Script = lambda line: (  # noqa: E731
        b"550 5.1.1 No such office\r\n"
        if "khaothi" in line
        else b"451 4.2.1 Full\r\n"
        if "ketoan" in line
        else b"250 2.1.5 Ok\r\n"
    )
    async with running(Sink({"RCPT": script})) as sink:
        session = downstream(tmp_path).begin(route(sink.port), CLIENT)
        await session.mail(SCHOOL, ())
        assert [str(await session.rcpt(path)) for path in (OFFICE, EXAMS, FINANCE)] == [
            "250 2.1.5 Ok",
            "550 5.1.1 No such office",
            "451 4.2.1 Full",
        ]
        assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
        assert sink.taken[0].rcpts == ["RCPT TO:<vanthu@longan.edu.vn>"]


async def test_f7_no_valid_recipient(tmp_path: Path) -> None:
    async with running(Sink({"RCPT": b"550 5.1.1 No\r\n"})) as sink:
        session = downstream(tmp_path).begin(route(sink.port), CLIENT)
        await session.mail(SCHOOL, ())
        await session.rcpt(OFFICE)
        assert str((await session.deliver([], [CONTENT])).reply).startswith("554 5.5.1")
        assert "DATA" not in sink.verbs()


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_f8_421_at_any_step(tmp_path: Path, verb: str) -> None:
    before = unknown()
    assert await last(tmp_path, {verb: (b"421 4.3.0 Shutting down\r\n", Act.CLOSE)}) == "451 4.3.2"
    assert unknown() == before


@pytest.mark.parametrize("ending", [Act.CLOSE, Act.RESET])
async def test_f9_lost_before_354(tmp_path: Path, ending: Act) -> None:
    delivery = await deliver(tmp_path, sink := Sink({"DATA": ending}))
    assert str(delivery.reply).startswith("451 4.4.2")
    assert not delivery.unknown
    assert sink.verbs().count("DATA") == 2  # nothing was sent yet, so a second connection may be tried


@pytest.mark.parametrize("ending", [Act.CLOSE, Act.RESET])
async def test_f9_lost_in_mid_body(tmp_path: Path, ending: Act) -> None:
    before = unknown()
    delivery = await deliver(tmp_path, Sink({"body": ending}, body_after=1000), BIG)
    assert str(delivery.reply).startswith("451 4.4.2")
    assert not delivery.unknown
    assert unknown() == before


async def test_f9_stops_reading_in_mid_body(tmp_path: Path) -> None:
    delivery = await deliver(tmp_path, Sink({"body": Act.HANG}, body_after=1000), BIG, command_timeout=0.3)
    assert str(delivery.reply).startswith("451 4.4.2")
    assert not delivery.unknown


async def test_f9_refusal_in_mid_body_is_the_servers_own(tmp_path: Path) -> None:
    refusal = (b"552 5.3.4 Message too big\r\n", Act.HANG)
    delivery = await deliver(tmp_path, Sink({"body": refusal}, body_after=1000), BIG)
    assert str(delivery.reply) == "552 5.3.4 Message too big"
    assert not delivery.unknown


async def test_f9_a_connection_refused_in_mid_body_is_never_used_again(tmp_path: Path) -> None:
    """The server would take the next commands for content."""
    refusal = (b"552 5.3.4 Message too big\r\n", Act.HANG)
    async with running(Sink({"body": refusal}, body_after=1000)) as sink:
        behind = downstream(tmp_path)
        for connections in (1, 2):
            session = behind.begin(route(sink.port), CLIENT)
            assert (await session.mail(SCHOOL, ())).is_positive
            assert (await session.rcpt(OFFICE)).is_positive
            assert (await session.deliver([OFFICE], [BIG])).reply.code == 552
            assert sink.connections == connections
        await behind.close()


@pytest.mark.parametrize("ending", [Act.CLOSE, Act.RESET])
async def test_f10_closed_after_the_dot(tmp_path: Path, ending: Act) -> None:
    """F-10, R-13: nobody knows, so 451, a warning and a count."""
    before = unknown()
    delivery = await deliver(tmp_path, sink := Sink({".": ending}))
    assert str(delivery.reply).startswith("451 4.4.2")
    assert delivery.unknown
    assert unknown() == before + 1
    assert len(sink.taken) == 1  # and it was not sent again by ourselves


@pytest.mark.parametrize("partial", [b"25", b"250", b"250-x\r\n", b"250 2.0.0 Ok\r"])
async def test_f11_partial_reply_is_no_success(tmp_path: Path, partial: bytes) -> None:
    delivery = await deliver(tmp_path, Sink({".": (partial, Act.CLOSE)}))
    assert str(delivery.reply).startswith("451 4.4.2")
    assert delivery.unknown


@pytest.mark.parametrize("reply", ["451 4.7.1 Greylisted", "550 5.7.1 relaying of viruses is not allowed"])
async def test_f12_final_refusal_is_verbatim(tmp_path: Path, reply: str) -> None:
    delivery = await deliver(tmp_path, Sink({".": f"{reply}\r\n".encode()}))
    assert str(delivery.reply) == reply
    assert delivery.replies == ((OFFICE, delivery.reply),)
    assert not delivery.unknown


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("MAIL", b"354 go\r\n"),
        ("RCPT", b"354 go\r\n"),
        ("DATA", b"250 Ok\r\n"),
        ("DATA", b"334 \r\n"),
        (".", b"354 more\r\n"),
    ],
)
async def test_f13_unexpected_success(tmp_path: Path, verb: str, reply: bytes) -> None:
    assert await last(tmp_path, {verb: reply}) == "451 4.3.0"


async def test_f13_bad_sequence_is_ours_to_mend(tmp_path: Path) -> None:
    assert await last(tmp_path, {"RCPT": b"503 5.5.1 Error: need MAIL command\r\n"}) == "451 4.3.0"


async def test_f14_final_reply_that_does_not_come(tmp_path: Path) -> None:
    delivery = await deliver(tmp_path, Sink({".": Act.HANG}), final_timeout=0.2)
    assert str(delivery.reply).startswith("451 4.4.2")
    assert delivery.unknown


async def test_f15_shielded_delivery_ends_although_the_client_left(tmp_path: Path) -> None:
    """F-15, R-9: cancelling the one who waits does not cancel a shielded delivery; the message arrives once."""
    async with running(Sink()) as sink:
        session = downstream(tmp_path).begin(route(sink.port), CLIENT)
        await session.mail(SCHOOL, ())
        await session.rcpt(OFFICE)
        delivery = asyncio.ensure_future(session.deliver([OFFICE], [BIG]))
        waiting = asyncio.ensure_future(asyncio.shield(delivery))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        waiting.cancel()
        assert (await delivery).reply.code == 250
        assert [taken.content for taken in sink.taken] == [BIG]


async def test_f16_cut_in_mid_body_delivers_nothing(tmp_path: Path) -> None:
    """F-16: a delivery that is cancelled never lets the server see an end of data, and its connection is not kept."""
    async with running(Sink({"body": (Act.HANG,)}, body_after=1000)) as sink:
        behind = downstream(tmp_path, pool=1)
        session = behind.begin(route(sink.port), CLIENT)
        await session.mail(SCHOOL, ())
        await session.rcpt(OFFICE)
        delivery = asyncio.ensure_future(session.deliver([OFFICE], [BIG]))
        while not sink.partial:
            await asyncio.sleep(0.005)
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery
        assert sink.taken == []
        assert (await behind.begin(route(sink.port), CLIENT).mail(SCHOOL, ())).is_positive  # the place is free again
        assert sink.connections == 2


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    "flood",
    [b"250-" + b"x" * 1_000_000 + b"\r\n250 ok\r\n", b"250-more\r\n" * 100_000, b"250 ok\r\n" * 100_000, b"\0\xff\r\n"],
    ids=["long line", "endless reply", "many replies", "garbage"],
)
async def test_f17_flood_is_bounded(tmp_path: Path, verb: str, flood: bytes) -> None:
    assert await last(tmp_path, {verb: flood}) == "451 4.3.0"


async def test_f17_reply_text_is_sanitised(tmp_path: Path) -> None:
    (reply,) = await send(tmp_path, Sink({"MAIL": b"550 5.1.8 \x1b[31m\xe1\xba\xa5" + b"y" * 2000 + b"\r\n"}))
    assert reply.code == 550
    assert all(len(line) <= 512 for line in reply.wire().splitlines(keepends=True))
    assert reply.wire().isascii()
    assert b"\x1b" not in reply.wire()


FAULTY: list[Script] = [
    b"250 2.0.0 Ok\r\n",
    b"250-2.0.0 two\r\n250 2.0.0 lines\r\n",
    b"354 go\r\n",
    b"421 4.3.2 Closing\r\n",
    (b"421 4.3.2 Closing\r\n", Act.CLOSE),
    b"450 4.2.1 Later\r\n",
    b"550 5.7.1 No\r\n",
    b"503 5.5.1 Bad sequence\r\n",
    b"25",
    (b"250", Act.CLOSE),
    (b"250 2.0.0 Ok\r\n", Act.CLOSE),
    b"250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n",
    b"garbage\r\n",
    Act.CLOSE,
    Act.RESET,
    Act.HANG,
]


@pytest.mark.parametrize("seed", range(12))
async def test_r1_250_means_taken_and_refused_means_not_taken_whatever_the_server_does(
    tmp_path: Path, seed: int
) -> None:
    """R-1, R-2, R-13: random servers. 2yz: it said a whole 2yz to that content and those recipients.

    4yz or 5yz: it did not, or the outcome is called unknown.
    """
    dice = random.Random(seed)
    good: dict[str, Script] = {"MAIL": b"250 Ok\r\n", "RCPT": b"250 Ok\r\n", "DATA": b"354 go\r\n", ".": b"250 Ok\r\n"}

    def step(verb: str) -> Script:
        return lambda line: good[verb] if dice.random() < 0.75 else dice.choice(FAULTY)  # type: ignore[return-value]

    def final(line: str) -> bytes | Act | tuple[bytes | Act, ...]:
        chosen = step(".")(line)  # type: ignore[operator]
        text = chosen[0] if isinstance(chosen, tuple) else chosen
        confirmed[len(sink.taken) - 1] = isinstance(text, bytes) and text.startswith(b"250") and text.endswith(b"\r\n")
        return chosen

    confirmed: dict[int, bool] = {}
    sink = Sink({verb: step(verb) for verb in ("MAIL", "RCPT", "DATA", "RSET")} | {".": final})
    async with running(sink):
        behind = downstream(tmp_path, command_timeout=0.03, final_timeout=0.03, pool=2)
        for number in range(60):
            content = b"Subject: %d\r\n\r\nx\r\n" % number
            session = behind.begin(route(sink.port), CLIENT)
            if not (await session.mail(SCHOOL, ())).is_positive:
                await session.abandon()
                continue
            accepted = [path for path in (OFFICE, EXAMS, FINANCE) if (await session.rcpt(path)).is_positive]
            delivery = await session.deliver(accepted[: dice.randrange(4)], [content])
            places = [place for place, taken in enumerate(sink.taken) if taken.content == content]
            assert len(places) <= 1
            said_yes = [place for place in places if confirmed.get(place)]
            if delivery.reply.is_positive:
                assert said_yes
                wanted = {f"RCPT TO:<{path.mailbox}>" for path, _ in delivery.replies}
                assert set(sink.taken[places[0]].rcpts) == wanted
            elif not delivery.unknown:
                assert not said_yes
        await behind.close()
