"""The conformance suites through the whole gateway: real SMTP, real DNS messages, and the verdict read from
Authentication-Results as the receiving server gets it (docs/decisions/011-suites-through-the-door.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

import authres
import pytest

from gateway.demo.dns import Script
from tests.support.dns_server import SERVFAIL
from tests.support.node import SmtpClient, gateway
from tests.support.suites import SpfCase, SuiteZone, arc_cases, spf_cases

pytestmark = pytest.mark.suite
MESSAGE = b"From: <nguyenvanan@example.net>\r\nTo: <vanthu@longan.edu.vn>\r\nSubject: SPF\r\n\r\nxin chao\r\n"
RELAY_ALL = {"rules": [{"name": "all", "then": {"relay": {}}}]}

# Senders that are no Mailbox of RFC 5321 §4.1.2, and greetings that are no domain: refused at MAIL or EHLO, so that SPF
# is never asked. Name of the case: the reply's code.
NOT_SPEAKABLE = {
    "toolonglabel": "501",  # a label of 64 octets: RFC 1035 §2.3.4
    "emptylabel": "501",  # empty labels: RFC 5321 §4.1.2 Domain
    "nolocalpart": "501",  # no local-part: RFC 5321 §4.1.2 Mailbox
    "dorky-sentinel": "501",  # a blank that is not quoted: RFC 5321 §4.1.2 Dot-string
    "invalid-hello-macro": "501",  # a blank and an apostrophe in EHLO: RFC 5321 §4.1.1.1
}


class TimingOut(dict[str, Any]):
    """Records of a name whose other types time out. SERVFAIL stands for that: it means the same, and sooner."""

    def get(self, kind: str, default: Any = None) -> Any:
        return super().get(kind, SERVFAIL)


def served(zone: SuiteZone) -> dict[str, Any]:
    """A suite's zone for the DNS server, kept for no time at all."""
    names = {
        name: {kind: Script(records=records, ttl=0) for kind, records in types.items()}
        for name, types in zone.records.items()
    }
    for name in zone.timeouts:
        names[name] = TimingOut(names.get(name, {}))
    return names


def results(content: bytes) -> Any:
    """Our own Authentication-Results, which is the topmost field, as the authres library reads it."""
    field = re.split(rb"\r\n(?![ \t])", content)[0].decode()
    return authres.AuthenticationResultsHeader.parse(re.sub(r"\r\n\s+", " ", field)).results


async def spoken(client: SmtpClient, case: SpfCase) -> str:
    """Say EHLO, MAIL, RCPT, DATA as the case wants; the last reply, or the first that refuses."""
    told = f"IPV6:{case.client}" if case.client.version == 6 else str(case.client)
    assert (await client.ask(f"XCLIENT ADDR={told}")).startswith(b"220 ")
    reply = await client.command(f"EHLO {case.helo}")
    if not reply.startswith("250"):
        return reply
    return await client.transact(MESSAGE, case.mail_from, ("vanthu@longan.edu.vn",))


@pytest.fixture
async def verdicts(tmp_path: Any) -> AsyncIterator[Any]:
    """Runs SPF cases over few connections; gives (case, reply, the result of MAIL FROM)."""
    async with gateway(tmp_path, outbox=False, overlay=RELAY_ALL, smtp={"errors_per_session": 1000}) as gate:

        async def run(cases: Iterable[SpfCase]) -> list[tuple[SpfCase, str, str]]:
            client, found = await gate.connect(), []
            for case in cases:
                gate.dns.zone = served(case.zone)
                gate.node.resolver._channel.renew()  # c-ares keeps absences for a while, whatever our settings say
                gate.sink.taken.clear()
                reply = await spoken(client, case)
                if client.reader.at_eof() or not reply:
                    client = await gate.connect()
                said = [r.result for taken in gate.sink.taken for r in results(taken.content) if r.method == "spf"]
                found.append((case, reply, said[0] if len(said) == 2 else "?"))  # MAIL FROM, then HELO
            return found

        yield run


async def test_rfc7208_suite_through_the_door(verdicts: Any) -> None:
    cases = spf_cases()
    assert len(cases) == 203
    wrong, refused = [], {}
    for case, reply, said in await verdicts(cases):
        if not reply.startswith("250"):
            refused[case.name] = reply[:3]
        elif said not in case.results:
            wrong.append((case.name, case.helo, case.mail_from, said, case.results, case.clause))
    assert wrong == []
    assert refused == NOT_SPEAKABLE


async def test_arc_suite_through_the_door(tmp_path: Any) -> None:
    cases = arc_cases()
    assert len(cases) == 171
    wrong = []
    async with gateway(tmp_path, outbox=False, overlay=RELAY_ALL) as gate:
        client = await gate.connect()
        for case in cases:
            gate.dns.zone = served(case.zone)
            gate.sink.taken.clear()
            reply = await client.transact(case.message, "nguyenvanan@example.net", ("vanthu@longan.edu.vn",))
            said = [r.result for taken in gate.sink.taken for r in results(taken.content) if r.method == "arc"]
            if said != [case.result]:
                wrong.append((case.name, reply, said, case.result, case.clause))
    assert wrong == []
