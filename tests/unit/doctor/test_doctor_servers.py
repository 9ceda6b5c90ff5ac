"""`gateway doctor --only doors,routes,milter`: against servers that do exactly what is scripted."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor.of_doors import FOREIGN, judge_greeting, judge_listen, judge_public
from gateway.doctor.of_milter import judge_postfix, judge_socket, negotiate, parse_postconf
from gateway.doctor.of_offers import judge_tls
from gateway.doctor.of_routes import judge_maildir
from gateway.doctor.of_running import Page, judge_alive, judge_policies, judge_ready, judge_restart, judge_version
from gateway.doctor.service import Service
from gateway.doctor.talk import Talk, converse
from gateway.doctor.world import World
from gateway.policy.route import Route
from gateway.settings import Address
from tests.support.doctoring import HOST, look, results, said, world
from tests.support.ports import free_port
from tests.support.sink import Act, Sink, running

DOORS = ("doors.listen", "doors.greeting", "doors.relay", "doors.recipient")
ROUTES = ("routes.connect", "routes.loop", "routes.recipient", "routes.offers", "routes.client", "routes.tls")
GREETING = f"220 {HOST} ESMTP\r\n".encode()
EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 52428800\r\n250 XFORWARD NAME ADDR\r\n"


def _closed(line: str) -> bytes:
    return b"550 5.7.1 Relaying denied\r\n" if FOREIGN in line else b"250 2.1.5 Ok\r\n"


@asynccontextmanager
async def door(folder: Path, script: dict[str, Any], **smtp: Any) -> AsyncIterator[World]:
    """The world of a gateway at whose address a scripted server answers."""
    async with (
        running(Sink(script)) as sink,
        world(folder, smtp={"listen": (f"127.0.0.1:{sink.port}",), **smtp}) as seen,
    ):
        yield seen


async def test_a_door_that_is_ours_and_closed_to_strangers(tmp_path: Path) -> None:
    async with door(tmp_path, {"connect": GREETING, "RCPT": _closed}) as seen:
        assert {check: await results(seen, check) for check in DOORS} == {check: ["ok"] for check in DOORS}


async def test_a_door_that_demands_a_proxy_header_gets_one(tmp_path: Path) -> None:
    """S-33: the header tells this very connection's addresses."""
    async with running(Sink({"connect": b"220 x\r\n"})) as sink:
        await converse(Address("127.0.0.1", sink.port), "localhost", proxy=True)
        assert sink.lines[0].startswith("PROXY TCP4 127.0.0.1 127.0.0.1 ")
        assert sink.lines[0].endswith(f" {sink.port}")


async def test_an_open_relay_is_an_error(tmp_path: Path) -> None:
    async with door(tmp_path, {"connect": GREETING}) as seen:
        [outcome] = await look(seen, "doors.relay")
    assert (outcome.result, FOREIGN in outcome.found.en) == ("error", True)


async def test_nothing_is_ever_sent(tmp_path: Path) -> None:
    """Quits before DATA, and says RSET first: no filter or count of the server takes it for mail."""
    sink = Sink({"connect": GREETING})
    async with running(sink), world(tmp_path, smtp={"listen": (f"127.0.0.1:{sink.port}",)}, port=sink.port) as seen:
        for check in (*DOORS, *ROUTES):
            await look(seen, check)
    verbs = [line.split()[0].upper() for line in sink.lines]
    assert "DATA" not in verbs
    assert sink.taken == []
    assert verbs.count("RSET") == 2  # one conversation with the door, one with the route: what they know is shared


async def test_recipients_that_are_all_refused(tmp_path: Path) -> None:
    """The banner is well and every RCPT dead."""
    async with door(tmp_path, {"connect": GREETING, "RCPT": b"451 4.4.1 Later\r\n"}) as seen:
        assert await results(seen, "doors.greeting") == ["ok"]
        assert await results(seen, "doors.recipient") == ["error"]
        assert await results(seen, "doors.relay") == ["warning"]  # nobody knows


async def test_an_address_that_another_server_has(tmp_path: Path) -> None:
    async with door(tmp_path, {"connect": b"220 exim.longan.edu.vn ESMTP\r\n"}) as seen:
        [outcome] = await look(seen, "doors.listen")
    assert (outcome.result, "ss -ltnp" in outcome.mend.vi) == ("error", True)


async def test_a_free_address_and_one_that_is_not_ours(tmp_path: Path) -> None:
    async with world(tmp_path, smtp={"listen": (f"127.0.0.1:{free_port()}", "203.0.113.77:2525")}) as seen:
        first, second = await look(seen, "doors.listen")
        assert (first.result, second.result) == ("ok", "error")
        assert await results(seen, "doors.greeting") == ["skipped", "skipped"]
    stuck = judge_listen(Address("127.0.0.1", 25), Talk(failure="Connection refused"), HOST, "", running=True)
    assert stuck.result == "error"  # it runs, and does not answer there


def test_a_door_that_only_this_host_reaches() -> None:
    assert judge_public([Address("0.0.0.0", 25)], behind=False).result == "ok"
    assert judge_public([Address("127.0.0.1", 2525)], behind=True).result == "ok"
    assert judge_public([Address("127.0.0.1", 25)], behind=False).result == "warning"
    assert judge_public([Address("0.0.0.0", 2525)], behind=False).result == "warning"


def test_greetings_that_do_not_fit_the_settings() -> None:
    address, hello = Address("127.0.0.1", 25), "250-mx\n250-SIZE 100\n250 STARTTLS"
    good = Talk(greeting=f"220 {HOST}", hello=hello)
    assert judge_greeting(address, good, True, 100).result == "ok"
    assert judge_greeting(address, Talk(greeting=f"220 {HOST}", hello="250 mx"), True, 100).result == "error"
    assert judge_greeting(address, good, True, 50).result == "warning"
    assert judge_greeting(address, Talk(greeting="421 4.3.2 Busy"), False, 100).result == "error"


# ---- routes -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def route(folder: Path, script: dict[str, Any], **settings: Any) -> AsyncIterator[World]:
    async with running(Sink(script)) as sink, world(folder, port=sink.port, **settings) as seen:
        yield seen


async def test_a_receiving_server_that_is_well(tmp_path: Path) -> None:
    async with route(tmp_path, {"EHLO": EHLO}) as seen:
        found = {check: await results(seen, check) for check in ROUTES}
    assert found == {check: ["ok"] for check in ROUTES} | {"routes.tls": []}  # its route says starttls: never


@pytest.mark.parametrize(
    ("script", "check", "expected", "word"),
    [
        ({"connect": b"554 5.3.2 No\r\n"}, "routes.connect", "error", "554 5.3.2"),
        ({"connect": Act.CLOSE}, "routes.connect", "error", "connection closed"),
        ({"EHLO": b"502 5.5.1 What?\r\n"}, "routes.connect", "error", "502"),
        ({"connect": GREETING}, "routes.loop", "warning", "our own name"),
        ({"MAIL": b"550 5.1.8 Null sender\r\n"}, "routes.recipient", "error", "MAIL FROM:<>"),
        ({"RCPT": b"550 5.1.1 Unknown\r\n"}, "routes.recipient", "error", "postmaster@longan.edu.vn: 550"),
        ({"RCPT": b"450 4.2.0 Greylisted\r\n"}, "routes.recipient", "warning", "450"),
        ({"EHLO": EHLO.replace(b"52428800", b"10240000")}, "routes.offers", "warning", "10240000"),
        ({"EHLO": EHLO.replace(b"250-8BITMIME\r\n", b"")}, "routes.offers", "warning", "8BITMIME"),
        ({"EHLO": EHLO.replace(b"XFORWARD NAME ADDR", b"DSN")}, "routes.client", "warning", "XCLIENT"),
    ],
)
async def test_a_receiving_server_that_is_not(
    tmp_path: Path, script: dict[str, Any], check: str, expected: str, word: str
) -> None:
    async with route(tmp_path, {"EHLO": EHLO} | script) as seen:
        found = await look(seen, check)
    assert ([str(each.result) for each in found], word in said(found)) == ([expected], True), found


async def test_a_server_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    async with world(tmp_path, port=free_port()) as seen:
        found = await look(seen, "routes.connect")
        assert (found[0].result, "Connection refused" in said(found)) == ("error", True)
        for check in ROUTES[1:-1]:
            assert await results(seen, check) == ["skipped"], check


async def test_a_route_to_our_own_door_is_a_loop(tmp_path: Path) -> None:
    port = free_port()
    async with (
        running(Sink({"connect": GREETING}), port),
        world(tmp_path, port=port, smtp={"listen": (f"0.0.0.0:{port}",)}) as seen,
    ):
        assert await results(seen, "routes.loop") == ["error"]


async def test_a_server_that_hangs_ends_within_the_time_of_its_check(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("gateway.doctor.talk.WHOLE", 0.2)
    async with route(tmp_path, {"connect": Act.HANG}) as seen:
        [outcome] = await look(seen, "routes.connect")
    assert (outcome.result, "in time" in outcome.found.en) == ("error", True)


def test_tls_by_what_the_route_demands() -> None:
    may, must = Route("main", starttls="may"), Route("main", starttls="must")
    plain, offered = Talk(hello="250 x"), Talk(hello="250-x\n250 STARTTLS")
    assert judge_tls(may, plain, "").result == "ok"
    assert judge_tls(must, plain, "").result == "error"
    assert judge_tls(must, offered, "").result == "ok"
    assert judge_tls(may, offered, "self-signed certificate").result == "ok"
    assert judge_tls(must, offered, "self-signed certificate").result == "error"


async def test_tls_of_a_server_whose_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    overlay = {"routes": {"main": {"protocol": "smtp", "host": "127.0.0.1", "port": 0, "starttls": "must"}}}
    async with running(
        Sink({"EHLO": EHLO.replace(b"250-8BITMIME", b"250-STARTTLS"), "STARTTLS": b"454 4.7.0 No\r\n"})
    ) as sink:
        overlay["routes"]["main"]["port"] = sink.port
        async with world(tmp_path, overlay=overlay) as seen:
            assert await results(seen, "routes.tls") == ["error"]


def test_maildir_routes(tmp_path: Path) -> None:
    route = Route("kho", protocol="maildir", path="mail")
    assert judge_maildir(route, tmp_path, Service(0, 0, frozenset())).result == "ok"
    assert judge_maildir(route, tmp_path, Service(0, 4711, frozenset({4711}))).result == "error"


# ---- milter -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def milter(path: Path, answer: bytes) -> AsyncIterator[Address]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(17)
        writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    path.chmod(0o660)
    async with server:
        yield Address(path=str(path))


async def test_a_milter_socket(tmp_path: Path) -> None:
    """S-34: mode 0660, of a group that Postfix is in."""
    optneg = struct.pack("!IcIII", 13, b"O", 6, 0, 0)
    async with milter(tmp_path / "m.sock", optneg) as address:
        assert await negotiate(address) == ""
        assert judge_socket(address, "", "", running=True).result == "ok"
        assert judge_socket(address, "", "root", running=True).result == "ok"
        found = judge_socket(address, "", "nobody", running=True)
        assert (found.result, "2750" in found.mend.en) == ("error", True)
        os.chmod(address.path, 0o666)
        assert judge_socket(address, "", "", running=True).result == "error"
    answer = await negotiate(address)
    assert judge_socket(address, answer, "", running=False).result == "skipped"
    assert judge_socket(address, answer, "", running=True).result == "error"
    async with milter(tmp_path / "n.sock", b"220 x") as address:
        assert "not a milter" in await negotiate(address)


async def test_a_socket_without_a_door_behind_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "m.sock"))
    async with world(tmp_path, milter={"listen": (f"unix:{tmp_path}/m.sock",)}) as seen:
        assert await results(seen, "milter.socket") == ["skipped"]
    async with world(tmp_path / "2") as seen:
        assert await results(seen, "milter.postfix") == ["skipped"]  # no milter door


POSTCONF = """\
smtpd_milters = unix:opendkim/verify.sock, unix:gateway/milter.sock
milter_default_action = tempfail
milter_protocol = 6
message_size_limit = 51200000
queue_directory = /var/spool/postfix
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("x", "x", "ok"),
        ("tempfail", "accept", "error"),
        ("unix:gateway/milter.sock", "unix:other.sock", "error"),
        ("milter_protocol = 6", "milter_protocol = 2", "warning"),
        ("51200000", "0", "warning"),
        ("51200000", "99999999", "warning"),
        ("unix:gateway/", "unix:/var/spool/postfix/gateway/", "ok"),
    ],
)
def test_settings_of_postfix(old: str, new: str, expected: str) -> None:
    settings = parse_postconf(POSTCONF.replace(old, new))
    found = judge_postfix(settings, [Address(path="/var/spool/postfix/gateway/milter.sock")], 50 * 1024**2)
    assert found.result == expected
    assert expected == "ok" or "main.cf" in found.mend.vi


def test_settings_of_postfix_for_a_door_on_a_port() -> None:
    settings = parse_postconf(POSTCONF.replace("unix:gateway/milter.sock", "inet:127.0.0.1:8891"))
    assert judge_postfix(settings, [Address("127.0.0.1", 8891)], 50 * 1024**2).result == "ok"
    assert "inet:127.0.0.1:8892" in judge_postfix(settings, [Address("127.0.0.1", 8892)], 50 * 1024**2).mend.en


# ---- the running gateway: what its own pages cannot be made to say ------------------------------------------------------


def test_pages_of_a_running_gateway() -> None:
    assert judge_alive(Page(200, "{}"), 12).result == "ok"
    assert judge_alive(Page(503, '{"status":"failed"}'), 12).result == "error"
    assert judge_ready(Page(200, "{}")).result == "ok"
    failed = judge_ready(Page(503, '{"status":"failed","checks":{"store":"ok","dns":"no DNS server answers"}}'))
    assert (failed.result, failed.values["reasons"]) == ("error", {"dns": "no DNS server answers"})
    assert judge_ready(Page(500, "oh")).result == "error"
    assert judge_policies(3, differs=False).result == "ok"
    assert judge_version("0.1.0", "0.1.0").result == "ok"
    assert judge_version("0.1.0", "0.2.0").result == "warning"
    assert judge_restart([]).result == "ok"
    assert judge_restart(["gateway.toml", "a.py"]).result == "warning"
