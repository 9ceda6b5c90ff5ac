"""`gateway doctor --only dns`: each check passes once and fails once, over real sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import dns.message

from gateway.demo.dns import SILENT, DnsServer, Reply, Script
from gateway.doctor.wire import Heard, Server, servers_of
from tests.support.dns_server import settings_for
from tests.support.doctoring import ADDRESS, GOOD_ZONE, HOST, look, results, said, without, world

ALL = ("dns.servers", "dns.tcp", "dns.edns", "dns.honest", "dns.hostname", "dns.reverse")


async def test_everything_is_well_with_a_good_server_and_zone(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        assert {check: await results(seen, check) for check in ALL} == {check: ["ok"] for check in ALL}


class Silent(DnsServer):
    def reply(self, wire: bytes, *, tcp: bool) -> Reply:
        return Reply(b"", 0)


async def test_a_server_that_is_silent_is_told_and_the_rest_is_skipped(tmp_path: Path) -> None:
    """F-19: one error that names the cause, not twenty that follow from it."""
    async with world(tmp_path, server=Silent) as seen:
        assert await results(seen, "dns.servers") == ["error"]
        others = (*ALL[1:], "domains.mx", "domains.spf", "notice.dkim")
        for [outcome] in await asyncio.gather(*(look(seen, check) for check in others)):
            assert (outcome.result, "dns.servers" in outcome.found.en) == ("skipped", True)


async def test_one_dead_server_of_two_is_a_warning(tmp_path: Path) -> None:
    async with DnsServer(GOOD_ZONE) as good, world(tmp_path) as seen:
        both = replace(seen, servers=(Server("127.0.0.1", good.port), Server("127.0.0.1", 1)))
        assert await results(both, "dns.servers") == ["ok", "warning"]


async def test_no_server_at_all_is_an_error(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        nobody = replace(seen, servers=())
        assert await results(nobody, "dns.servers") == ["error"]


class NoTcp(DnsServer):
    def reply(self, wire: bytes, *, tcp: bool) -> Reply:
        return Reply(b"", 0) if tcp else super().reply(wire, tcp=tcp)


async def test_tcp_that_a_firewall_cuts_is_an_error(tmp_path: Path) -> None:
    async with world(tmp_path, server=NoTcp) as seen:
        [outcome] = await look(seen, "dns.tcp")
    assert outcome.result == "error"
    assert "firewall" in outcome.mend.en


class Old(DnsServer):
    """Knows no EDNS (RFC 1035 only): FORMERR."""

    def reply(self, wire: bytes, *, tcp: bool) -> Reply:
        query = dns.message.from_wire(wire)
        if query.edns < 0:
            return super().reply(wire, tcp=tcp)
        query.use_edns(-1)
        answer = dns.message.make_response(query)
        answer.set_rcode(1)
        return Reply(answer.to_wire(), 0)


async def test_a_server_without_edns_is_a_warning(tmp_path: Path) -> None:
    async with world(tmp_path, server=Old) as seen:
        [outcome] = await look(seen, "dns.edns")
    assert (outcome.result, "FORMERR" in outcome.found.en) == ("warning", True)


class Liar(DnsServer):
    """Sends everybody who mistypes a name to a page with advertisements."""

    def reply(self, wire: bytes, *, tcp: bool) -> Reply:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True)
        if name not in self.zone and name.endswith((".com", ".vn")):
            self.zone = {**self.zone, name: {"A": ["203.0.113.99"]}}
        return super().reply(wire, tcp=tcp)


async def test_a_resolver_that_invents_addresses_is_an_error(tmp_path: Path) -> None:
    async with world(tmp_path, server=Liar) as seen:
        found = await look(seen, "dns.honest")
    assert found[0].result == "error"
    assert "203.0.113.99" in said(found)


async def test_a_host_name_without_address(tmp_path: Path) -> None:
    async with world(tmp_path, without(GOOD_ZONE, HOST)) as seen:
        [outcome] = await look(seen, "dns.hostname")
        assert outcome.result == "error"
        assert f"{HOST}. 3600 IN A" in outcome.mend.vi
        assert await results(seen, "dns.reverse") == ["error"]


async def test_an_address_without_name_or_with_another_one(tmp_path: Path) -> None:
    zone = without(GOOD_ZONE, "25.2.0.192.in-addr.arpa")
    async with world(tmp_path, zone) as seen:
        [outcome] = await look(seen, "dns.reverse")
    assert (outcome.result, outcome.subject) == ("warning", ADDRESS)
    assert f"25.2.0.192.in-addr.arpa. 3600 IN PTR {HOST}." in outcome.mend.en
    async with world(tmp_path / "2", zone | {"25.2.0.192.in-addr.arpa": {"PTR": ["static.example.net"]}}) as seen:
        found = await look(seen, "dns.reverse")
    assert (found[0].result, "static.example.net" in said(found)) == ("warning", True)


async def test_a_zone_that_is_silent_is_not_taken_for_one_without_records(tmp_path: Path) -> None:
    async with world(tmp_path, GOOD_ZONE | {"_dmarc.moet.edu.vn": {"TXT": SILENT}}) as seen:
        assert await results(seen, "domains.dmarc") == ["ok", "skipped"]


async def test_an_answer_that_is_truncated_is_fetched_by_tcp(tmp_path: Path) -> None:
    long = Script(records=["v=spf1 " + " ".join(f"ip4:203.0.113.{n}" for n in range(120)) + " -all"])
    async with world(tmp_path, GOOD_ZONE | {"moet.edu.vn": {"TXT": long}}) as seen:
        assert await results(seen, "domains.spf") == ["ok", "ok"]


def test_servers_are_those_of_the_settings_with_their_ports() -> None:
    found = servers_of(settings_for("192.0.2.53", "127.0.0.1:5353", "[2001:db8::53]:54"))
    assert found == (Server("192.0.2.53"), Server("127.0.0.1", 5353), Server("2001:db8::53", 54))
    assert [str(each) for each in found][2] == "[2001:db8::53]:54"
    assert Heard().rcode == ""
