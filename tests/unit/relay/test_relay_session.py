"""Downstream transactions: live replies, kept connections, envelopes sent anew (R-14, R-15, S-5)."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import uvloop

from gateway.envelope.transaction import ForwardPath
from gateway.ports import Features, Session
from gateway.relay.client import Downstream
from gateway.relay.xclient_out import OURSELVES
from tests.support.relaying import CLIENT, CONTENT, EXAMS, FINANCE, OFFICE, OTHER_CLIENT, SCHOOL, downstream, route, to
from tests.support.sink import EHLO, Act, Sink, running


async def opened(
    behind: Downstream, sink: Sink, *paths: ForwardPath, client: object = CLIENT, **changes: object
) -> Session:
    session = behind.begin(route(sink.port, **changes), client)  # type: ignore[arg-type]
    assert (await session.mail(SCHOOL, ())).is_positive
    for path in paths:
        assert (await session.rcpt(path)).is_positive
    return session


async def once(behind: Downstream, sink: Sink) -> int:
    """The code of one whole transaction."""
    session = behind.begin(route(sink.port), CLIENT)
    if not (reply := await session.mail(SCHOOL, ())).is_positive:
        return reply.code
    await session.rcpt(OFFICE)
    return (await session.deliver([OFFICE], [CONTENT])).reply.code


async def settled(sink: Sink, count: int) -> None:
    """Wait until the sink has seen so many commands."""
    while len(sink.lines) < count:
        await asyncio.sleep(0.005)


# ---- live, pooled, honest -------------------------------------------------------------------------------------------


async def test_nothing_connects_before_mail(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path)
        session = behind.begin(route(sink.port), CLIENT)
        await session.abandon()
        assert sink.connections == 0


async def test_connections_are_reused_after_every_clean_end(tmp_path: Path) -> None:
    async with running(
        Sink({".": [b"250 2.0.0 Ok\r\n", b"550 5.7.1 No\r\n", b"451 4.7.1 Later\r\n", b"250 2.0.0 Ok\r\n"]})
    ) as sink:
        behind = downstream(tmp_path)
        assert [await once(behind, sink) for _ in range(4)] == [250, 550, 451, 250]
        assert sink.connections == 1
        assert len(sink.taken) == 4
        assert "RSET" not in sink.verbs()


async def test_s5_abandoned_transactions_leave_nothing_behind(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path)
        session = await opened(behind, sink, OFFICE)
        await session.abandon()
        assert await once(behind, sink) == 250
        assert sink.verbs() == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]
        assert sink.connections == 1


async def test_s5_a_refused_mail_is_reset_before_the_next_one(tmp_path: Path) -> None:
    """Postfix holds the SIZE of a refused MAIL against the next MAIL on the same connection."""
    async with running(Sink({"MAIL": [b"552 5.3.4 Too big\r\n", b"250 2.1.0 Ok\r\n"]})) as sink:
        behind = downstream(tmp_path)
        assert [await once(behind, sink), await once(behind, sink)] == [552, 250]
        assert sink.verbs()[:4] == ["EHLO", "MAIL", "RSET", "MAIL"]


@pytest.mark.parametrize("farewell", [b"", b"421 4.4.2 Timeout\r\n", b"250 what?\r\n"])
async def test_a_dead_or_confused_kept_connection_is_never_used(tmp_path: Path, farewell: bytes) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path)
        assert await once(behind, sink) == 250
        await (sink.say(farewell) if farewell else sink.kick())
        await asyncio.sleep(0.05)  # until it has come through the loopback
        assert await once(behind, sink) == 250
        assert sink.connections == 2
        assert len(sink.taken) == 2


@pytest.mark.parametrize("ending", [Act.CLOSE, (b"421 4.4.2 Idle too long\r\n", Act.CLOSE)])
async def test_a_kept_connection_closed_at_mail_is_replaced_once(tmp_path: Path, ending: Act) -> None:
    async with running(Sink({"MAIL": [b"250 Ok\r\n", ending, b"250 Ok\r\n"]})) as sink:
        behind = downstream(tmp_path)
        assert await once(behind, sink) == 250
        assert await once(behind, sink) == 250
        assert sink.connections == 2


async def test_a_fresh_connection_closed_at_mail_is_not_tried_again(tmp_path: Path) -> None:
    async with running(Sink({"MAIL": Act.CLOSE})) as sink:
        assert await once(downstream(tmp_path), sink) == 451
        assert sink.connections == 1


async def test_idle_connections_are_closed_in_time(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path, idle=0.05)
        assert await once(behind, sink) == 250
        await settled(sink, 5)
        assert sink.verbs()[-1] == "QUIT"


async def test_close_says_quit(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path)
        busy = await opened(behind, sink, OFFICE)
        assert await once(behind, sink) == 250
        await behind.close()
        await settled(sink, 8)
        assert sink.verbs().count("QUIT") == 1
        assert (await busy.deliver([OFFICE], [CONTENT])).reply.code == 250  # what has begun may end
        await settled(sink, 10)
        assert sink.verbs().count("QUIT") == 2


async def test_pool_is_bounded_and_waiting_has_an_end(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path, pool=2, connect_timeout=0.2)
        first, second = await opened(behind, sink, OFFICE), await opened(behind, sink, OFFICE)
        assert str(await behind.begin(route(sink.port), CLIENT).mail(SCHOOL, ())).startswith("451 4.3.2")
        await first.abandon()
        assert await once(behind, sink) == 250
        await second.abandon()
        assert sink.connections == 2


async def test_pool_serves_all_who_wait_and_never_opens_more(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path, pool=3)
        assert set(await asyncio.gather(*(once(behind, sink) for _ in range(60)))) == {250}
        assert sink.connections == 3


async def test_failures_free_their_place(tmp_path: Path) -> None:
    script = {"connect": [b"554 no\r\n", b"220 hi\r\n"], "MAIL": [b"550 no\r\n", Act.CLOSE, b"250 Ok\r\n"],
              "RCPT": [Act.CLOSE, b"250 Ok\r\n"], ".": [Act.CLOSE, b"250 Ok\r\n"]}  # fmt: skip
    async with running(Sink(script)) as sink:
        behind = downstream(tmp_path, pool=1, connect_timeout=1)
        codes = [await once(behind, sink) for _ in range(6)]
        assert codes[0] == 451
        assert codes[-1] == 250


async def test_cancelled_connecting_frees_its_place(tmp_path: Path) -> None:
    async with running(Sink({"connect": [Act.HANG, b"220 hi\r\n"]})) as sink:
        behind = downstream(tmp_path, pool=1)
        waiting = asyncio.ensure_future(once(behind, sink))
        while not sink.connections:
            await asyncio.sleep(0.005)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await once(behind, sink) == 250


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "RSET"])
async def test_cancelled_in_any_step_never_leaves_a_half_used_connection(tmp_path: Path, verb: str) -> None:
    async with running(Sink({verb: [Act.HANG, b"354 go\r\n" if verb == "DATA" else b"250 Ok\r\n"]})) as sink:
        behind = downstream(tmp_path, pool=1)

        async def all_of_it() -> None:
            session = await opened(behind, sink, OFFICE)
            if verb == "RSET":
                await session.abandon()
            await session.deliver([OFFICE], [CONTENT])

        task = asyncio.ensure_future(all_of_it())
        while verb not in sink.verbs():
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await once(behind, sink) == 250
        assert sink.connections == 2
        assert len(sink.taken) == 1


# ---- envelopes sent anew --------------------------------------------------------------------------------------------


async def test_deliver_to_exactly_those_accepted_goes_on_at_once(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE, EXAMS)
        delivery = await session.deliver([EXAMS, OFFICE], [CONTENT[:50], memoryview(CONTENT)[50:]])
        assert delivery.reply.code == 250
        assert {path for path, _ in delivery.replies} == {OFFICE, EXAMS}
        assert sink.verbs() == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA"]
        assert sink.taken[0].content == CONTENT


async def test_deliver_to_fewer_starts_anew(tmp_path: Path) -> None:
    """One of two is held: the other alone must get it."""
    async with running(Sink()) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE, EXAMS)
        assert (await session.deliver([EXAMS], [CONTENT])).reply.code == 250
        assert sink.taken[0].rcpts == ["RCPT TO:<khaothi@longan.edu.vn>"]
        assert sink.connections == 1


async def test_deliver_to_more_only_adds_them(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE)
        assert (await session.deliver([OFFICE, EXAMS, FINANCE], [CONTENT])).reply.code == 250
        assert len(sink.taken[0].rcpts) == 3
        assert "RSET" not in sink.verbs()


@pytest.mark.parametrize("ehlo", [EHLO, b"250-sink\r\n250 8BITMIME\r\n"], ids=["pipelining", "one by one"])
async def test_r15_connection_lost_while_the_body_came_in(tmp_path: Path, ehlo: bytes) -> None:
    async with running(Sink({"EHLO": ehlo})) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE, EXAMS)
        await sink.kick()
        assert (await session.deliver([OFFICE, EXAMS], [CONTENT])).reply.code == 250
        assert sink.verbs() == ["EHLO", "MAIL", "RCPT", "RCPT", "EHLO", "MAIL", "RCPT", "RCPT", "DATA"]
        assert len(sink.taken) == 1


@pytest.mark.parametrize("changed", [b"550 5.1.1 Gone\r\n", b"452 4.2.2 Full\r\n"])
async def test_r15_an_answer_that_changes_fails_all_with_451(tmp_path: Path, changed: bytes) -> None:
    async with running(Sink({"RCPT": [b"250 Ok\r\n", b"250 Ok\r\n", b"250 Ok\r\n", changed]})) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE, EXAMS)
        await sink.kick()
        delivery = await session.deliver([OFFICE, EXAMS], [CONTENT])
        assert delivery.reply.code == 451
        assert {reply.code for _, reply in delivery.replies} == {451}
        assert sink.taken == []


async def test_r15_a_sender_that_is_refused_the_second_time(tmp_path: Path) -> None:
    async with running(Sink({"MAIL": [b"250 Ok\r\n", b"550 5.1.8 No\r\n"]})) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE)
        await sink.kick()
        assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 451


async def test_a_recipient_never_asked_before_answers_for_itself(tmp_path: Path) -> None:
    async with running(Sink({"RCPT": [b"250 Ok\r\n", b"550 5.1.1 No such office\r\n"]})) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE)
        delivery = await session.deliver([OFFICE, to("chuyen-tiep@longan.edu.vn")], [CONTENT])
        assert str(delivery.reply) == "550 5.1.1 No such office"
        assert sink.taken == []


async def test_connection_lost_between_recipients(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE)
        await sink.kick()
        assert (await session.rcpt(EXAMS)).is_positive
        assert (await session.deliver([OFFICE, EXAMS], [CONTENT])).reply.code == 250
        assert len(sink.taken[0].rcpts) == 2


async def test_a_server_that_went_away_is_asked_once_not_for_each_recipient(tmp_path: Path) -> None:
    async with running(Sink({"connect": [b"220 hi\r\n", b"421 4.3.2 Restarting\r\n"]})) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE)
        await sink.kick()
        assert [str(await session.rcpt(path))[:9] for path in (EXAMS, FINANCE)] == ["451 4.3.2"] * 2
        assert sink.connections == 2


async def test_size_is_respected_before_sending(tmp_path: Path) -> None:
    async with running(Sink({"EHLO": b"250-sink\r\n250 SIZE 100\r\n"})) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE)
        assert str((await session.deliver([OFFICE], [CONTENT])).reply).startswith("552 5.3.4")
        assert "DATA" not in sink.verbs()


async def test_large_content_arrives_octet_for_octet(tmp_path: Path) -> None:
    """R-16, with lines that Postfix would fold, dots at every place, and no final CRLF."""
    content = b"Subject: x\r\n\r\n" + b"".join(b"." * (n % 5) + b"\xe1" * n + b"\r\n" for n in range(2500)) + b".end"
    async with running(Sink()) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE)
        assert (
            await session.deliver([OFFICE], [content[:7], content[7:99_999], memoryview(content)[99_999:]])
        ).reply.code == 250
        assert sink.taken[0].content == content + b"\r\n"


# ---- who the client is ----------------------------------------------------------------------------------------------

XCLIENT = b"250-sink\r\n250-XCLIENT NAME ADDR PORT PROTO HELO\r\n250 PIPELINING\r\n"


async def test_xclient_once_per_client_and_ehlo_again(tmp_path: Path) -> None:
    async with running(Sink({"EHLO": XCLIENT})) as sink:
        behind = downstream(tmp_path)
        for client in (CLIENT, CLIENT, OTHER_CLIENT):
            session = await opened(behind, sink, OFFICE, client=client)
            assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
        assert sink.verbs().count("XCLIENT") == 2
        assert sink.connections == 1
        assert sink.lines[:3] == [
            "EHLO mx.longan.edu.vn",
            "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.25 PORT=40251 PROTO=ESMTP HELO=mail.c2nguyenvanrong.edu.vn",
            "EHLO mail.c2nguyenvanrong.edu.vn",
        ]


async def test_a_connection_that_cannot_be_introduced_again_serves_one_client_only(tmp_path: Path) -> None:
    async with running(Sink({"EHLO": [XCLIENT, EHLO, XCLIENT, EHLO]})) as sink:
        behind = downstream(tmp_path, pool=1)
        for client in (CLIENT, CLIENT, OTHER_CLIENT):
            session = await opened(behind, sink, OFFICE, client=client)
            assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
        assert sink.connections == 2
        assert sink.verbs().count("XCLIENT") == 2


async def test_our_own_mail_is_introduced_as_nobody(tmp_path: Path) -> None:
    async with running(Sink({"EHLO": XCLIENT})) as sink:
        behind = downstream(tmp_path)
        for client in (OURSELVES, CLIENT, OURSELVES):
            session = await opened(behind, sink, OFFICE, client=client)
            assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
        assert sink.connections == 2  # the one that is now the client's cannot be ours again
        assert sink.verbs().count("XCLIENT") == 1


async def test_xforward_for_each_transaction(tmp_path: Path) -> None:
    async with running(Sink({"EHLO": b"250-sink\r\n250 XFORWARD NAME ADDR\r\n"})) as sink:
        behind = downstream(tmp_path)
        assert [await once(behind, sink), await once(behind, sink)] == [250, 250]
        assert sink.lines.count("XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.25") == 2


async def test_f6_xclient_without_the_right_to_it(tmp_path: Path) -> None:
    async with running(Sink({"EHLO": XCLIENT, "XCLIENT": b"550 5.7.0 Error: insufficient authorization\r\n"})) as sink:
        assert str(await downstream(tmp_path).begin(route(sink.port), CLIENT).mail(SCHOOL, ())).startswith("451 4.3.5")


# ---- LMTP -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([b"250 2.0.0 a\r\n", b"250 2.0.0 b\r\n"], "250 2.0.0 a"),
        ([b"550 5.2.1 a\r\n", b"250 2.0.0 b\r\n"], "250 2.0.0 b"),
        ([b"452 4.2.2 a\r\n", b"250 2.0.0 b\r\n"], "250 2.0.0 b"),
        ([b"550 5.2.1 a\r\n", b"452 4.2.2 b\r\n"], "452 4.2.2 b"),
        ([b"550 5.2.1 a\r\n", b"554 5.2.2 b\r\n"], "550 5.2.1 a"),
    ],
)
async def test_lmtp_one_reply_for_the_client_and_all_for_us(
    tmp_path: Path, replies: list[bytes], expected: str
) -> None:
    async with running(Sink({".": list(replies)}, lmtp=True)) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE, EXAMS, protocol="lmtp")
        delivery = await session.deliver([EXAMS, OFFICE], [CONTENT])
        assert str(delivery.reply) == expected
        assert [(path, str(reply).encode() + b"\r\n") for path, reply in delivery.replies] == [
            (OFFICE, replies[0]),  # in the order in which they were asked
            (EXAMS, replies[1]),
        ]
        assert not delivery.unknown
        assert sink.verbs()[0] == "LHLO"


async def test_f10_lmtp_lost_between_the_replies(tmp_path: Path) -> None:
    async with running(Sink({".": [b"250 2.0.0 a\r\n", Act.CLOSE]}, lmtp=True)) as sink:
        session = await opened(downstream(tmp_path), sink, OFFICE, EXAMS, protocol="lmtp")
        delivery = await session.deliver([OFFICE, EXAMS], [CONTENT])
        assert delivery.unknown
        assert delivery.reply.code == 451
        assert [reply.code for _, reply in delivery.replies] == [250, 451]


async def test_lmtp_over_a_local_socket(tmp_path: Path) -> None:
    sink = Sink(lmtp=True)
    async with running(sink):
        server = await asyncio.start_unix_server(sink._serve, tmp_path / "lmtp")
        session = await opened(downstream(tmp_path), sink, OFFICE, protocol="lmtp", host=f"unix:{tmp_path}/lmtp")
        assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
        server.close()


async def test_no_tls_over_a_local_socket(tmp_path: Path) -> None:
    """It never leaves this host, and no certificate can name a path; whatever the route says of STARTTLS, it works."""
    sink = Sink({"LHLO": b"250-sink.longan.edu.vn\r\n250 STARTTLS\r\n"}, lmtp=True)
    with TemporaryDirectory(prefix="thu-muc-" * 8) as folder:  # longer than any label of a host name
        place = f"{folder}/lmtp"
        server = await asyncio.start_unix_server(sink._serve, place)
        for starttls in ("may", "must"):
            session = await opened(
                downstream(tmp_path), sink, OFFICE, protocol="lmtp", host=f"unix:{place}", starttls=starttls
            )
            assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
        server.close()
    assert "STARTTLS" not in sink.verbs()


# ---- the whole ------------------------------------------------------------------------------------------------------


async def test_r17_features_are_learned_and_narrowed(tmp_path: Path) -> None:
    async with running(Sink()) as rich, running(Sink({"EHLO": b"250-x\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"})) as poor:
        behind = downstream(tmp_path)
        both = [route(rich.port), route(poor.port, name="old")]
        assert behind.features(both) == Features()
        assert [await behind.probe(r) for r in both] == [None, None]
        assert behind.features(both[:1]) == Features(52428800, True, True, True)
        assert behind.features(both) == Features(1000, True, False, False)
        assert behind.features([]) == Features()


async def test_o5_probe_is_cached_and_says_what_a_client_would_hear(tmp_path: Path) -> None:
    async with running(Sink({"connect": b"421 4.3.2 Busy\r\n"})) as sink:
        behind = downstream(tmp_path)
        outcomes = await asyncio.gather(*(behind.probe(route(sink.port)) for _ in range(5)))
        assert {str(outcome)[:9] for outcome in outcomes} == {"451 4.3.2"}
        assert sink.connections == 1


def test_everything_works_on_uvloop(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(Sink()) as sink:
            behind = downstream(tmp_path, pool=4)
            assert set(await asyncio.gather(*(once(behind, sink) for _ in range(40)))) == {250}
            big = [b"Subject: x\r\n\r\n", b"." + b"x" * 70 + b"\r\n"] + [b"y" * 78 + b"\r\n"] * 100_000
            session = await opened(behind, sink, OFFICE)
            assert (await session.deliver([OFFICE], big)).reply.code == 250
            assert sink.taken[-1].content == b"".join(big)
            await sink.kick()
            assert await once(behind, sink) == 250
            await behind.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    gc.collect()
