"""The resolver against real servers: NSD (authoritative) with Unbound (recursive) before it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from gateway.evidence.zone import NODATA, NXDOMAIN, Outcome, Question
from gateway.resolver import Resolver
from tests.support.dns_server import Script, ZoneData, settings_for
from tests.support.nsd import nsd, unbound

pytestmark = pytest.mark.dns

KEY = b"v=DKIM1; k=rsa; p=" + b"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 80
ZONE: ZoneData = {
    "longan.edu.vn": {
        "A": ["192.0.2.10"],
        "MX": [(10, "mx.longan.edu.vn")],
        "TXT": ['v=spf1 ip4:192.0.2.0/24 -all; "\\', b"\x00\xff\xfe"],
    },
    "_dmarc.longan.edu.vn": {"TXT": ["v=DMARC1; p=reject"]},
    "s1._domainkey.longan.edu.vn": {"TXT": [KEY]},
    "pgd-benluc.longan.edu.vn": {"CNAME": Script(records=["longan.edu.vn"], ttl=5)},
    "mx.longan.edu.vn": {"AAAA": ["2001:db8::25"]},
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    directory: Path = tmp_path_factory.mktemp("dns")
    with nsd(ZONE, directory) as authority, unbound(authority, directory) as recursive:
        yield {"nsd": authority, "unbound": recursive}


@pytest.mark.parametrize("server", ["nsd", "unbound"])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_real_servers_are_read_like_the_scripted_one(servers: dict[str, str], server: str, loop: object) -> None:
    expected = {
        Question("longan.edu.vn", "A"): {"192.0.2.10"},
        Question("longan.edu.vn", "MX"): {(10, "mx.longan.edu.vn")},
        Question("longan.edu.vn", "TXT"): {b'v=spf1 ip4:192.0.2.0/24 -all; "\\', b"\x00\xff\xfe"},
        Question("_dmarc.longan.edu.vn", "TXT"): {b"v=DMARC1; p=reject"},
        Question("s1._domainkey.longan.edu.vn", "TXT"): {KEY},  # over UDP's limit: fetched again over TCP
        Question("pgd-benluc.longan.edu.vn", "MX"): {(10, "mx.longan.edu.vn")},
        Question("mx.longan.edu.vn", "AAAA"): {"2001:db8::25"},
    }
    absent = {
        Question("mx.longan.edu.vn", "A"): NODATA,
        Question("edu.vn", "TXT"): NODATA,  # an empty non-terminal
        Question("khong-co.longan.edu.vn", "A"): NXDOMAIN,
        Question("99.2.0.192.in-addr.arpa", "PTR"): NXDOMAIN,
    }

    async def main() -> None:
        resolver = Resolver(settings_for(servers[server]))
        answers = await resolver.answer([*expected, *absent])
        assert {question: answers[question] for question in absent} == absent
        assert {question: set(answers[question].records) for question in expected} == expected
        assert {answers[question].outcome for question in expected} == {Outcome.ANSWER}
        assert all(resolver.cache.get(question) == answers[question] for question in answers)
        assert await resolver.is_alive()
        await resolver.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
