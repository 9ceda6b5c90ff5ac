"""What one client may take: connections, time, memory, disk, guesses (S-22, S-23, S-24, R-19, F-22, F-32)."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from gateway import metrics
from gateway.endpoint import limits, smtp_connection
from gateway.endpoint.budget import Tarpit
from gateway.endpoint.limits import ClientLimits
from gateway.envelope.reply import Reply
from gateway.settings import SmtpSettings
from tests.support.dialogue import PATIENCE, RawClient, open_door
from tests.support.reception import FakeReception

NOBODY = ()


def client_limits(**settings: object) -> ClientLimits:
    return ClientLimits(SmtpSettings.model_validate({"exempt": ("192.0.2.0/24",), **settings}))


def test_neighbours_count_as_one_client() -> None:
    """S-23: /24 and /64; leaving makes room again."""
    found = client_limits(connections_per_client=2)
    for one, two, three, other in (
        ("198.51.100.1", "198.51.100.9", "198.51.100.200", "198.51.101.1"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8::2", "2001:db8:0:1::1"),
    ):
        assert found.enter(ip_address(one), 0)
        assert found.enter(ip_address(two), 0)
        assert not found.enter(ip_address(three), 0)
        assert found.enter(ip_address(other), 0)
        found.leave(ip_address(one))
        assert found.enter(ip_address(three), 0)


def test_rate_is_per_minute() -> None:
    found = client_limits(rate_per_client=3)
    address = ip_address("198.51.100.1")
    for _ in range(3):
        assert found.enter(address, 10.0)
        found.leave(address)
    assert not found.enter(address, 69.9)
    assert found.enter(ip_address("203.0.113.1"), 69.9)
    assert found.enter(address, 70.1)


def test_exempt_networks_have_no_limit() -> None:
    found = client_limits(connections_per_client=1, rate_per_client=1)
    assert all(found.enter(ip_address("192.0.2.1"), 0) for _ in range(50))


async def refused(client: RawClient) -> bool:
    return [line[:9] for line in await client.rest()] == [b"421 4.7.0"]


async def test_connections_per_client_and_leaving() -> None:
    async with open_door(exempt=NOBODY, connections_per_client=2) as opened:
        first, second = await opened.connect(), await opened.connect()
        await first.hello()
        await second.hello()
        assert await refused(await opened.connect())
        assert (await first.ask("QUIT")).startswith(b"221")
        assert await first.rest() == []
        await (await opened.connect()).hello()


async def test_the_address_behind_the_proxy_is_what_counts() -> None:
    """S-23: one busy client behind the load balancer does not lock out the others."""
    async with open_door(exempt=NOBODY, proxy_from=("127.0.0.0/8",), connections_per_client=1) as opened:
        for source, welcome in (("203.0.113.1", True), ("203.0.113.2", False), ("198.51.100.1", True)):
            client = await opened.connect()
            await client.send(f"PROXY TCP4 {source} 192.0.2.1 40000 25\r\n".encode())
            assert (await client.reply()).startswith(b"220 " if welcome else b"421 4.7.0")


async def test_the_address_told_by_xclient_counts() -> None:
    async with open_door(exempt=NOBODY, xclient_from=("127.0.0.0/8",), connections_per_client=1) as opened:
        first = await opened.connect()
        await first.hello()
        assert (await first.ask("XCLIENT ADDR=203.0.113.1")).startswith(b"220 ")
        second = await opened.connect()  # the proxy's own place is free again
        await second.hello()
        assert (await second.ask("XCLIENT ADDR=203.0.113.2")).startswith(b"421 4.7.0")
        assert await second.rest() == []


async def test_all_connections_together() -> None:
    async with open_door(connections=2) as opened:
        clients = [await opened.connect() for _ in range(2)]
        for client in clients:
            await client.hello()
        assert await refused(await opened.connect())


async def test_early_talker() -> None:
    """S-9: who speaks before the greeting is no mail client."""
    async with open_door() as opened:
        with socket.create_connection(opened.address) as talker:
            talker.send(b"EHLO mail.example\r\n")
            talker.setblocking(False)
            loop = asyncio.get_running_loop()
            assert (await asyncio.wait_for(loop.sock_recv(talker, 100), PATIENCE)).startswith(b"554 5.5.0")


async def test_idle_client_is_told_and_sent_away() -> None:
    """F-32, S-22: 421 4.4.2."""
    async with open_door(command_timeout=0.05) as opened:
        client = await opened.connect()
        await client.hello()
        assert [line[:9] for line in await client.rest()] == [b"421 4.4.2"]


async def test_dribbled_command_does_not_extend_the_time() -> None:
    """S-22: the time is for the whole command."""
    async with open_door(command_timeout=0.1) as opened:
        client = await opened.connect()
        await client.hello()
        ended = asyncio.create_task(client.rest())
        while not ended.done():
            client.writer.write(b"x")
            await asyncio.sleep(0.01)
        assert [line[:9] for line in ended.result()] in ([b"421 4.4.2"], [])  # a reset may overtake it


async def test_our_own_work_does_not_use_up_the_clients_time() -> None:
    """Finding 3: the timer rests while the pipeline judges."""

    async def judge() -> Reply:
        await asyncio.sleep(0.3)
        return Reply(250, "2.0.0", "OK")

    async with open_door(FakeReception(on_data=judge), command_timeout=0.1) as opened:
        client = await opened.connect()
        await client.hello()
        assert (await client.mail(b"x: y\r\n.\r\n")).startswith(b"250 ")


async def test_slow_data_is_cut_and_steady_data_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-19: the limit is by progress, after a grace."""
    monkeypatch.setattr(smtp_connection, "GRACE", 0.05)
    async with open_door(min_data_rate=2000) as opened:
        slow = await opened.connect()
        await slow.hello()
        await slow.envelope()
        await slow.send(b"x")
        assert [line[:9] for line in await slow.rest()] == [b"421 4.4.2"]
        steady = await opened.connect()
        await steady.hello()
        await steady.envelope()
        for _ in range(30):  # 0.3 s, six times the grace; each piece is worth 0.5 s
            await steady.send(b"y" * 900 + b"\r\n" + b"z" * 98)
            await asyncio.sleep(0.01)
        await steady.send(b"\r\n.\r\n")
        assert (await steady.reply()).startswith(b"250 ")


async def test_data_that_keeps_coming_is_no_pause() -> None:
    """R-19: each octet counts, not only each full buffer."""
    async with open_door(command_timeout=0.3, min_data_rate=0) as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        for _ in range(20):
            await client.send(b"x: y\r\n")
            await asyncio.sleep(0.03)
        await client.send(b".\r\n")
        assert (await client.reply()).startswith(b"250 ")


async def test_pause_within_data_is_cut() -> None:
    async with open_door(command_timeout=0.05, min_data_rate=0) as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        assert [line[:9] for line in await client.rest()] == [b"421 4.4.2"]
        assert opened.reception.intakes[0].calls == ["mail", "rcpt", "abandon"]


async def test_client_that_does_not_read_is_cut() -> None:
    """S-22: replies do not pile up in memory for a client that only writes."""
    async with open_door(command_timeout=0.2, errors_per_session=10_000_000) as opened:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(opened.address)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_recv(deaf, 512), PATIENCE)
            await loop.sock_sendall(deaf, b"EHLO mail.example\r\n")
            await asyncio.wait_for(loop.sock_recv(deaf, 512), PATIENCE)

            async def flood() -> None:
                while True:
                    await loop.sock_sendall(deaf, b"RCPT TO:<a@longan.edu.vn>\r\n" * 1000)

            with pytest.raises(ConnectionError):
                await asyncio.wait_for(flood(), PATIENCE)
        async with asyncio.timeout(PATIENCE):
            while opened.door.sessions:
                await asyncio.sleep(0.01)


async def test_memory_budget_is_temporary_and_comes_back() -> None:
    """F-32: 452 4.3.1 while other messages fill it."""
    gate = asyncio.Event()

    async def judge() -> Reply:
        await gate.wait()
        return Reply(250, "2.0.0", "OK")

    content = b"x: y\r\n\r\n" + (b"0" * 98 + b"\r\n") * 9000
    async with open_door(FakeReception(on_data=judge), memory=1024 * 1024) as opened:
        first, second = await opened.connect(), await opened.connect()
        await first.hello()
        await first.envelope()
        await first.send(content + b".\r\n")
        await asyncio.wait_for(opened.reception.data_begun.wait(), PATIENCE)
        await second.hello()
        assert (await second.mail(content + b".\r\n")).startswith(b"452 4.3.1")
        gate.set()
        assert (await first.reply()).startswith(b"250 ")
        assert (await second.mail(content + b".\r\n")).startswith(b"250 ")


async def test_disk_nearly_full_is_said_at_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-22: below 1.5 times the largest message; the look at the disk is good for a second."""
    looks = 0

    def statvfs(folder: object) -> SimpleNamespace:
        nonlocal looks
        looks += 1
        return SimpleNamespace(f_bavail=149, f_frsize=1024, f_favail=10, f_files=100)

    monkeypatch.setattr(limits.os, "statvfs", statvfs)
    before = metrics.no_room.labels("disk")._value.get()
    async with open_door(max_size=100 * 1024) as opened:
        client = await opened.connect()
        await client.hello()
        for _ in range(5):
            assert (await client.ask("MAIL FROM:<>")).startswith(b"452 4.3.1")
        assert looks == 1
        assert metrics.no_room.labels("disk")._value.get() == before + 5
        assert opened.reception.intakes == []


async def test_guessing_recipients_becomes_slow_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-24: from the eleventh refusal on each waits; the error budget ends the session."""
    waits: list[float] = []
    plain = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await plain(0)

    reception = FakeReception()
    reception.on_rcpt |= {f"gv{i}@longan.edu.vn": Reply(550, "5.1.1", "No such mailbox") for i in range(15)}
    async with open_door(reception, errors_per_session=15) as opened:
        client = await opened.connect()
        await client.hello()
        await client.ask("MAIL FROM:<a@thcs-tanan.edu.vn>")
        monkeypatch.setattr("gateway.endpoint.smtp_session.asyncio.sleep", sleep)
        for i in range(15):
            assert (await client.ask(f"RCPT TO:<gv{i}@longan.edu.vn>")).startswith(b"550 5.1.1")
        assert (await client.reply()).startswith(b"421 4.7.0")
        assert waits == [Tarpit.SECONDS] * 5


async def test_accepted_message_forgives_errors() -> None:
    """A long session with much good mail is not cut for a mistake now and then."""
    async with open_door(errors_per_session=3) as opened:
        client = await opened.connect()
        await client.hello()
        for _ in range(3):
            await client.ask("FOO")
            await client.ask("FOO")
            assert (await client.mail(b"x: y\r\n.\r\n")).startswith(b"250 ")


async def test_temporary_refusals_are_no_errors() -> None:
    """A sender met by 4yz from the downstream server keeps its session."""
    reception = FakeReception(on_mail=Reply(451, "4.7.1", "Greylisted"))
    async with open_door(reception, errors_per_session=3) as opened:
        client = await opened.connect()
        await client.hello()
        for _ in range(10):
            assert (await client.ask("MAIL FROM:<a@thcs-tanan.edu.vn>")).startswith(b"451 4.7.1")


async def test_endless_idling_ends() -> None:
    """S-24: a hundred NOOPs without mail are patience enough."""
    async with open_door(errors_per_session=2) as opened:
        client = await opened.connect()
        await client.hello()
        await client.send(b"NOOP\r\n" * 200)
        replies = await client.rest()
        assert [line[:3] for line in replies] == [b"250"] * 101 + [b"421"]
