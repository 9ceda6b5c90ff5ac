"""The milter door over real sockets: strangers, limits, faults, and what a mail server is told (S-34, F-37, O-1)."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from gateway import metrics
from gateway.endpoint import milter_connection
from gateway.endpoint.milter_server import MilterDoor, serve_milter
from gateway.envelope.reply import ACCEPTED, ELSEWHERE, Reply
from gateway.settings import MilterSettings, parse_listen
from gateway.supervisor.sockets import listen
from tests.support.mail_server import Answer, Verdict
from tests.support.milter_client import POSTFIX_STEPS, MilterClient
from tests.support.reception import FakeReception

PATIENCE = 10.0  # seconds; only for a test that would hang otherwise
MESSAGE = (
    b"From: <vanthu@thcs-tanan.edu.vn>\r\nSubject:  Bao cao\r\n\ttuan 40\r\nX-Rong:\r\n\r\nKinh gui quy So.\r\n.\r\n"
)
SENDER, OFFICE = "vanthu@thcs-tanan.edu.vn", "vanthu@longan.edu.vn"
NO_STEPS = 0x100000  # a mail server that offers leading space and nothing else
RCPT_ANSWERED = POSTFIX_STEPS & ~0x8000  # one that waits for our answer to each recipient
EITHER = pytest.mark.parametrize("steps", [None, RCPT_ANSWERED], ids=["told-at-the-end", "told-at-rcpt"])


@asynccontextmanager
async def opened(reception: FakeReception | None = None, **settings: Any) -> AsyncIterator[tuple[MilterDoor, Any]]:
    """A door on a Unix socket, which is what should be used."""
    with tempfile.TemporaryDirectory(prefix="milter-") as folder:
        place = parse_listen(f"unix:{folder}/door.sock")
        door = await serve_milter(
            MilterSettings(**settings),
            reception or FakeReception(),
            spool=Path(folder) / "spool",
            sockets=[listen(place)],
        )
        try:
            yield door, place.path
        finally:
            await door.close()


async def host(address: str, steps: int | None = None, **session: Any) -> MilterClient:
    client = await MilterClient.connect(address)
    await (client.negotiate() if steps is None else client.negotiate(steps=steps))
    await client.session(session.pop("client", "192.0.2.7"), session.pop("helo", "mail.thcs-tanan.edu.vn"), **session)
    return client


def told(verdict: Verdict) -> Answer:
    """The final answer."""
    assert verdict.answer is not None
    return verdict.answer


def refusals(verdict: Verdict) -> list[str]:
    """What the client heard, in order."""
    answers = [verdict.mail, *verdict.rcpt, *([verdict.answer] if verdict.answer else [])]
    return [answer.text for answer in answers if answer and answer.kind == "replycode"]


def events(log: io.BytesIO, name: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == name]


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


# ---- what the pipeline gets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [None, NO_STEPS], ids=["postfix", "every-step-answered"])
async def test_the_pipeline_gets_the_client_the_envelope_and_every_octet(steps: int | None) -> None:
    """R-16: folds, two blanks, an empty value; whether the mail server lets us be silent or not."""
    reception = FakeReception()
    async with opened(reception) as (_, address):
        client = await host(
            address, steps, port=2025, macros={"tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"}
        )
        parameters = ("SIZE=1000", "BODY=8BITMIME", "MT-PRIORITY=3")
        for _ in range(2):
            verdict = await client.transact(
                MESSAGE, SENDER, [OFFICE], parameters=parameters, rcpt_parameters=("NOTIFY=NEVER", "XRCPT=1")
            )
            assert told(verdict).kind == "discard", "the pipeline took it and left nothing to relay"
    assert [intake.calls for intake in reception.intakes] == [["mail", "rcpt", "data"]] * 2
    intake = reception.intakes[1]
    assert intake.raw == MESSAGE
    assert intake.client.address == ip_address("192.0.2.7")
    assert (intake.client.port, intake.client.helo) == (2025, "mail.thcs-tanan.edu.vn")
    assert (intake.client.tls, intake.client.protocol) == ("TLSv1.3 TLS_AES_256_GCM_SHA384", "ESMTPS")
    assert intake.parameters == (("SIZE", "1000"), ("BODY", "8BITMIME")), "others are the mail server's affair"
    assert intake.asked[0].parameters == (("NOTIFY", "NEVER"),)


@pytest.mark.parametrize(("text", "address"), [("2001:db8::7", "2001:db8::7"), ("::ffff:192.0.2.8", "192.0.2.8")])
async def test_addresses_of_version_6(text: str, address: str) -> None:
    reception = FakeReception()
    async with opened(reception) as (_, path):
        await (await host(path, client=text)).transact(MESSAGE, SENDER, [OFFICE])
    assert reception.intakes[0].client.address == ip_address(address)


async def test_a_program_on_the_mail_servers_own_host_is_the_loopback() -> None:
    reception = FakeReception()
    async with opened(reception) as (_, path):
        await (await host(path, client="/run/mail.sock")).transact(MESSAGE, "", [OFFICE])
    assert reception.intakes[0].client.address == ip_address("127.0.0.1")
    assert reception.intakes[0].reverse_path is None


# ---- what the mail server is told -------------------------------------------------------------------------------------


async def test_the_pipelines_reply_reaches_the_client_in_its_words() -> None:
    reception = FakeReception(on_data=Reply(550, "5.7.1", "100% not from here\nsee directive 1077"))
    async with opened(reception) as (_, address):
        verdict = await (await host(address)).transact(MESSAGE, SENDER, [OFFICE])
    assert told(verdict).text.split("\r\n") == [
        "550-5.7.1 100% not from here",
        "550 5.7.1 see directive 1077",
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [None, RCPT_ANSWERED, NO_STEPS], ids=["at-the-end", "after-rcpt", "after-mail"])
async def test_a_refused_sender_hears_it_at_the_first_answer(steps: int | None) -> None:
    reception = FakeReception(on_mail=Reply(451, "4.3.0", "Not now"))
    async with opened(reception) as (_, address):
        client = await host(address, steps)
        verdict = await client.transact(MESSAGE, SENDER, [OFFICE])
        assert {text.removesuffix(" [TEST-0001]") for text in refusals(verdict)} == {"451 4.3.0 Not now"}
        reception.on_mail = Reply(250, "2.1.0", "OK")
        verdict = await client.transact(MESSAGE, SENDER, [OFFICE])
        assert told(verdict).kind == "discard"


READ_IN_TWO_WAYS = pytest.mark.parametrize(
    "path", ["vanthu", "a%b@longan.edu.vn", "@longan.edu.vn", "vanthu@longan..vn", 'x"y@longan.edu.vn']
)


@READ_IN_TWO_WAYS
async def test_paths_that_two_servers_may_read_in_two_ways_are_refused(path: str) -> None:
    """S-7, S-8: the mail server would complete, route or unquote them by its own lights, behind our judgement."""
    async with opened() as (_, address):
        verdict = await (await host(address, RCPT_ANSWERED)).transact(MESSAGE, SENDER, [path, OFFICE])
    assert [answer.code for answer in verdict.rcpt] == [501, 250]
    assert verdict.recipients == (OFFICE,)


@READ_IN_TWO_WAYS
async def test_where_rcpt_is_not_answered_such_a_path_refuses_the_message_by_name(path: str, log: io.BytesIO) -> None:
    """S-7, S-8: the mail server has kept the recipient, and would deliver what nobody has judged for him."""
    reception = FakeReception()
    async with opened(reception) as (_, address):
        client = await host(address)
        verdict = await client.transact(MESSAGE, SENDER, [OFFICE, path], queue_id="4c8ZqW2Jz9aa")
        assert told(verdict).text.startswith(f"501 5.1.3 Recipient <{path}>: ")
        assert reception.intakes[0].calls == ["mail", "rcpt", "abandon"]
        assert [event["queue_id"] for event in events(log, "refused")] == ["4c8ZqW2Jz9aa"]
        again = await client.transact(MESSAGE, SENDER, [OFFICE])
        assert told(again).kind == "discard"


async def test_a_path_of_any_octets_is_told_in_ascii_and_cut() -> None:
    """RFC 5321 §4.5.3.1.5: a reply line has 512 octets."""
    async with opened() as (_, address):
        client = await host(address)
        for path in ("v\u0103n\udcff", "x" * 3000, "a\nb\r\nc", "%s%%"):
            text = told(await client.transact(MESSAGE, SENDER, [path])).text
            assert text.startswith("501 5.1.3 Recipient <")
            assert text.isascii()
            assert all(len(line) <= 510 and line.isprintable() for line in text.split("\r\n"))


async def test_a_message_to_many_recipients_comes_in_one_go() -> None:
    """Nothing of it is answered before its end, so that a mail server may say it all at once."""
    reception = FakeReception()
    many = [f"phong{number}@longan.edu.vn" for number in range(3000)]
    async with opened(reception) as (_, address):
        verdict = await (await host(address)).transact(MESSAGE, SENDER, many)
    assert told(verdict).kind == "discard"
    assert [str(path.mailbox) for path in reception.intakes[0].asked] == many


async def test_a_fault_is_a_451_with_an_id_and_nothing_of_its_cause(log: io.BytesIO) -> None:
    """F-37, P-5; the connection goes on."""
    reception = FakeReception(on_data=ValueError("a secret"))
    async with opened(reception) as (_, address):
        client = await host(address)
        verdict = await client.transact(MESSAGE, SENDER, [OFFICE])
        assert told(verdict).text.startswith("451 4.3.0 Local error, please try again later [")
        reception.on_data = ACCEPTED
        again = await client.transact(MESSAGE, SENDER, [OFFICE])
        assert told(again).kind == "discard"
    [fault] = events(log, "fault")
    assert fault["place"] == "milter"
    assert fault["id"] in told(verdict).text


@EITHER
@pytest.mark.parametrize("where", ["begin", "rcpt"])
async def test_a_fault_in_the_envelope_is_a_451_too(where: str, steps: int | None) -> None:
    reception = FakeReception(on_begin=KeyError("x") if where == "begin" else None)
    if where == "rcpt":
        reception.on_rcpt[OFFICE] = KeyError("x")
    async with opened(reception) as (_, address):
        verdict = await (await host(address, steps)).transact(MESSAGE, SENDER, [OFFICE])
    assert [text[:9] for text in refusals(verdict)] == ["451 4.3.0"]


async def test_a_message_over_the_limit_is_refused_and_not_kept() -> None:
    """F-32: octets past the limit go nowhere."""
    reception = FakeReception()
    async with opened(reception, max_size=64 * 1024) as (_, address):
        client = await host(address)
        verdict = await client.transact(MESSAGE + b"x" * 76 * 1024 + b"\r\n", SENDER, [OFFICE])
        assert told(verdict).text.startswith("552 5.3.4")
        assert reception.intakes[0].calls == ["mail", "rcpt", "abandon"]
        verdict = await client.transact(MESSAGE, SENDER, [OFFICE])
        assert told(verdict).kind == "discard"


async def test_what_the_door_itself_refuses_is_found_in_both_logs_by_one_name(log: io.BytesIO) -> None:
    """The mail server's own log has only its queue id: too large, and a fault."""
    reception = FakeReception(on_data=ValueError("x"))
    async with opened(reception, max_size=64 * 1024) as (_, address):
        client = await host(address)
        await client.transact(MESSAGE + b"x" * 76 * 1024 + b"\r\n", SENDER, [OFFICE], queue_id="4c8ZqW2Jz9aa")
        await client.transact(MESSAGE, SENDER, [OFFICE], queue_id="4c8ZqW2Jz9bb")
    assert [event["queue_id"] for event in events(log, "refused")] == ["4c8ZqW2Jz9aa"]
    assert [event["queue_id"] for event in events(log, "fault")] == ["4c8ZqW2Jz9bb"]
    assert [event["queue_id"] for event in events(log, "deferred")] == ["4c8ZqW2Jz9bb"]


async def test_a_large_message_is_on_disk_and_whole() -> None:
    reception = FakeReception()
    big = MESSAGE + b"".join(b"%07d " % number + b"y" * 66 + b"\r\n" for number in range(40_000))
    async with opened(reception) as (_, address):
        await (await host(address)).transact(big, SENDER, [OFFICE])
    assert reception.intakes[0].on_disk
    assert reception.intakes[0].raw == big


async def test_a_header_section_that_nobody_can_read_is_refused() -> None:
    """S-13: more than we read of it; nothing is believed of what came before."""
    field = b"X-Dai: " + b"z" * 60_000 + b"\r\n"
    reception = FakeReception()
    async with opened(reception) as (_, address):
        verdict = await (await host(address)).transact(field * 40 + MESSAGE, SENDER, [OFFICE])
    assert told(verdict).code == 552
    assert "data" not in reception.intakes[0].calls


async def test_signs_of_life_while_a_message_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow DNS must not look like a dead milter."""
    monkeypatch.setattr(milter_connection, "PROGRESS_SECONDS", 0.02)
    go = asyncio.Event()

    async def slowly() -> Reply:
        await go.wait()
        return ACCEPTED

    async with opened(FakeReception(on_data=slowly)) as (_, address):
        client = await host(address)
        sending = asyncio.create_task(client.transact(MESSAGE, SENDER, [OFFICE]))
        await until(lambda: client.progress >= 3)
        go.set()
        verdict = await sending
    assert told(verdict).kind == "discard"


# ---- whose mail we do not look at -------------------------------------------------------------------------------------


@EITHER
async def test_mail_of_clients_that_logged_in_passes_unseen_and_only_theirs(steps: int | None) -> None:
    reception = FakeReception()
    async with opened(reception) as (_, address):
        client = await host(address, steps)
        macros = {"auth_type": "PLAIN", "auth_authen": "ketoan"}
        verdict = await client.transact(MESSAGE, SENDER, [OFFICE], macros=macros)
        assert told(verdict).kind == "accept"
        assert reception.intakes == []
        await client.transact(MESSAGE, SENDER, [OFFICE])
    assert len(reception.intakes) == 1


async def test_mail_of_clients_that_logged_in_is_judged_where_the_postmaster_says_so() -> None:
    reception = FakeReception()
    async with opened(reception, judge_authenticated=True) as (_, address):
        macros = {"auth_type": "PLAIN", "auth_authen": "ketoan"}
        await (await host(address)).transact(MESSAGE, SENDER, [OFFICE], macros=macros)
    assert len(reception.intakes) == 1


async def test_internal_clients_pass_unseen_and_others_do_not() -> None:
    reception = FakeReception()
    async with opened(reception, internal=("192.0.2.0/29",)) as (_, address):
        for place in ("192.0.2.7", "192.0.2.8"):
            await (await host(address, client=place)).transact(MESSAGE, SENDER, [OFFICE])
    assert [str(intake.client.address) for intake in reception.intakes] == ["192.0.2.8"]


# ---- what the mail server does not tell -------------------------------------------------------------------------------


async def test_mail_for_domains_that_are_not_ours_is_counted_and_each_domain_told_once(log: io.BytesIO) -> None:
    """A domain that was forgotten in own_domains passes unjudged: nothing else would show it."""
    elsewhere = {"vanthu@dongtam.longan.edu.vn": ELSEWHERE, "vanthu@tanan.longan.edu.vn": ELSEWHERE}
    before = metrics.child(metrics.milter_unseen, "elsewhere")._value.get()
    async with opened(FakeReception(on_rcpt=dict(elsewhere))) as (_, address):
        client = await host(address)
        for _ in range(2):
            assert told(await client.transact(MESSAGE, SENDER, list(elsewhere))).kind in ("continue", "accept")
        assert told(await client.transact(MESSAGE, SENDER, [OFFICE, "vanthu@tanan.longan.edu.vn"])).kind == "continue"
        domains = [event["domain"] for event in events(log, "not-our-domain")]
    assert domains == ["dongtam.longan.edu.vn", "tanan.longan.edu.vn"]
    assert "own_domains" in events(log, "not-our-domain")[0]["mend"]
    assert metrics.child(metrics.milter_unseen, "elsewhere")._value.get() == before + 2, "the third was seen"


async def test_a_missing_macro_is_named_with_the_setting_that_mends_it_and_once(log: io.BytesIO) -> None:
    async with opened() as (_, address):
        client = await MilterClient.connect(address)
        await client.negotiate(actions=0x1F)  # does not let itself be asked for macros
        client.negotiated = type(client.negotiated)(6, 0x1F, client.negotiated.steps, {0: "j"})
        await client.session("192.0.2.7", "mail.example.org")
        for _ in range(3):
            await client.transact(MESSAGE, SENDER, [OFFICE])
    [missing] = events(log, "macro-missing")
    assert missing["macro"] == "i"
    assert "milter_end_of_data_macros (Postfix)" in missing["setting"]
    assert "confMILTER_MACROS_EOM (Sendmail)" in missing["setting"]


@EITHER
async def test_without_the_clients_address_mail_is_deferred_and_the_log_says_why(
    log: io.BytesIO, steps: int | None
) -> None:
    """Fail closed: nothing can be proven of a client that nobody names."""
    reception = FakeReception()
    async with opened(reception) as (_, address):
        verdict = await (await host(address, steps, client="")).transact(MESSAGE, SENDER, [OFFICE])
    assert refusals(verdict) == ["451 4.3.5 The gateway is not set up for this yet, please try again later"]
    assert reception.intakes == []
    assert [event["macro"] for event in events(log, "macro-missing")] == ["client_addr"]


# ---- strangers (S-34, rspamd#3088) ------------------------------------------------------------------------------------

STRANGERS = {
    "http": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "smtp": b"EHLO mail.example.org\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + b"\0" * 40,
    "zeros": b"\0" * 64,
    "four-gigabytes": b"\xff\xff\xff\xffO",
    "old-milter": b"\0\0\0\x0dO" + (2).to_bytes(4, "big") + (0x3F).to_bytes(4, "big") + (0x7F).to_bytes(4, "big"),
    "out-of-order": b"\0\0\0\x01E",
}


@pytest.mark.parametrize("octets", STRANGERS.values(), ids=STRANGERS)
async def test_strangers_are_cut_and_the_door_goes_on(octets: bytes, log: io.BytesIO) -> None:
    """S-34: cut at once, with one line in the log for however many there are."""
    async with opened() as (door, address):
        for _ in range(20):
            reader, writer = await asyncio.open_unix_connection(address)
            writer.write(octets)
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(PATIENCE):
                    assert await reader.read() == b""
            writer.close()
        verdict = await (await host(address)).transact(MESSAGE, SENDER, [OFFICE])
        assert told(verdict).kind == "discard"
        await until(lambda: door.connections <= 1)
    [line] = events(log, "milter-protocol")
    assert line["reason"]


async def test_port_probes_leave_no_trace(log: io.BytesIO) -> None:
    """A load balancer's look, once a second for a year, is no news."""
    async with opened() as (door, address):
        for _ in range(50):
            _, writer = await asyncio.open_unix_connection(address)
            writer.close()
        await until(lambda: door.connections == 0)
    assert log.getvalue() == b""


async def test_a_silent_stranger_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milter_connection, "NEGOTIATION_SECONDS", 0.05)
    async with opened() as (_, address):
        reader, _ = await asyncio.open_unix_connection(address)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b""


async def test_a_mail_server_that_says_nothing_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milter_connection, "NEGOTIATION_SECONDS", 0.05)
    async with opened(idle=0.05) as (_, address):
        client = await host(address)
        async with asyncio.timeout(PATIENCE):
            assert await client.reader.read() == b""


async def test_connections_over_the_limit_are_cut() -> None:
    """The mail server defers: its own default action."""
    async with opened(connections=2) as (door, address):
        first = [await host(address) for _ in range(2)]
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await host(address)
        first[0].quit()
        await until(lambda: door.connections == 1)
        await host(address)


async def test_the_socket_is_for_owner_and_group_only() -> None:
    """S-34."""
    async with opened() as (_, address):
        assert stat.S_IMODE(os.stat(address).st_mode) == 0o660


async def test_over_tcp_answers_leave_at_once() -> None:
    """TCP_NODELAY on what is accepted, or each answer may wait 40 ms for the other side's acknowledgement."""
    door = await serve_milter(
        MilterSettings(), FakeReception(), spool=Path(tempfile.mkdtemp()), sockets=[listen(parse_listen("127.0.0.1:0"))]
    )
    [address] = door.addresses
    client = await MilterClient.connect(address)
    await client.negotiate()
    [connection] = door._shared.connections
    accepted = connection._transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await door.close()


# ---- leaving ----------------------------------------------------------------------------------------------------------


async def test_abort_and_a_lost_connection_abandon_the_transaction() -> None:
    reception = FakeReception()
    async with opened(reception) as (_, address):
        client = await host(address, RCPT_ANSWERED)
        for leave in (client.abort, client.next_session, client.quit):
            await client._step(b"M", b"<a@example.org>\0")
            await client._step(b"R", b"<vanthu@longan.edu.vn>\0")
            leave()
            client._flush()
            await asyncio.wait_for(reception.intakes[-1].ended.wait(), PATIENCE)
            if leave == client.next_session:
                await client.session("192.0.2.7", "mail.example.org")
        client = await host(address, RCPT_ANSWERED)
        await client._step(b"M", b"<a@example.org>\0")
        await client._step(b"R", b"<vanthu@longan.edu.vn>\0")
        await client.close()
        await until(lambda: len(reception.intakes) == 4)
        await asyncio.wait_for(reception.intakes[-1].ended.wait(), PATIENCE)
    assert [intake.calls for intake in reception.intakes] == [["mail", "rcpt", "abandon"]] * 4


async def test_a_message_being_judged_is_finished_when_the_service_stops() -> None:
    """O-1: the verdict is given; a mail server at rest is left alone for a moment, then let go."""
    go = asyncio.Event()

    async def slowly() -> Reply:
        await go.wait()
        return ACCEPTED

    reception = FakeReception(on_data=slowly)
    async with opened(reception) as (door, address):
        client, idle = await host(address), await host(address)
        sending = asyncio.create_task(client.transact(MESSAGE, SENDER, [OFFICE]))
        await asyncio.wait_for(reception.data_begun.wait(), PATIENCE)
        draining = asyncio.create_task(door.drain(PATIENCE))
        assert await idle.reader.read() == b""
        assert not draining.done()
        go.set()
        verdict = await sending
        assert told(verdict).kind == "discard"
        assert await draining


async def test_what_does_not_finish_in_time_is_cut() -> None:
    async def never() -> Reply:
        await asyncio.Event().wait()
        return ACCEPTED

    reception = FakeReception(on_data=never)
    async with opened(reception) as (door, address):
        client = await host(address)
        sending = asyncio.create_task(client.transact(MESSAGE, SENDER, [OFFICE]))
        await asyncio.wait_for(reception.data_begun.wait(), PATIENCE)
        assert not await door.drain(0.05)
        await door.close()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await sending
        assert door.connections == 0
