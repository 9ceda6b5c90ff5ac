"""The gateway that the libraries' own READMEs lead to, to be measured against: `python -m tests.bench.naive PORT SINK DNS`.

aiosmtpd's handler, spf.check2 and dkim.verify in a thread pool, a plain DMARC look-up, a new smtplib connection for each
message. It checks the same things as ours and relays; it is not safe, and not ours to ship.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesHeaderParser
from email.utils import parseaddr

import dkim
import dns.resolver
import spf
from aiosmtpd.smtp import SMTP
from authres import (
    AuthenticationResultsHeader,
    DKIMAuthenticationResult,
    SPFAuthenticationResult,
)
from authres.dmarc import DMARCAuthenticationResult

PORT, SINK, DNS = (int(argument) for argument in sys.argv[1:4])
pool = ThreadPoolExecutor(20)
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], DNS
resolver.cache = dns.resolver.LRUCache()
dns.resolver.default_resolver = resolver


def txt(name: bytes, timeout: int = 5) -> bytes | None:
    try:
        return b"".join(next(iter(resolver.resolve(name.decode().rstrip("."), "TXT"))).strings)
    except dns.resolver.DNSException:
        return None


def judge(content: bytes, client: str, mail_from: str, helo: str) -> bytes:
    result, _ = spf.check2(i=client, s=mail_from, h=helo)
    verifier = dkim.DKIM(content)
    signed = verifier.verify(dnsfunc=txt)
    domain = parseaddr(BytesHeaderParser().parsebytes(content)["From"])[1].rpartition("@")[2]
    record = txt(b"_dmarc." + domain.encode())
    aligned = (signed and verifier.domain.decode() == domain) or (result == "pass" and mail_from.endswith("@" + domain))
    field = AuthenticationResultsHeader(
        authserv_id="mx.longan.edu.vn",
        results=[
            SPFAuthenticationResult(result=result, smtp_mailfrom=mail_from),
            DKIMAuthenticationResult(result="pass" if signed else "fail", header_d=domain),
            DMARCAuthenticationResult(result=("pass" if aligned else "fail") if record else "none", header_from=domain),
        ],
    )
    return str(field).replace("\n", "\r\n").encode() + b"\r\n"


class Handler:
    async def handle_PROXY(self, server, session, envelope, proxy) -> bool:
        session.client = str(proxy.src_addr)
        return True

    async def handle_DATA(self, server, session, envelope) -> str:
        return await asyncio.get_running_loop().run_in_executor(pool, self.relay, session, envelope)

    def relay(self, session, envelope) -> str:
        field = judge(envelope.content, session.client, envelope.mail_from, session.host_name)
        with smtplib.SMTP("127.0.0.1", SINK, "mx.longan.edu.vn") as link:
            link.sendmail(envelope.mail_from, envelope.rcpt_tos, field + envelope.content)
        return "250 2.0.0 OK"


async def main() -> None:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", PORT))
    loop = asyncio.get_running_loop()
    await loop.create_server(
        lambda: SMTP(
            Handler(), hostname="mx.longan.edu.vn", loop=loop, data_size_limit=1 << 26, proxy_protocol_timeout=5
        ),
        sock=listening,
        backlog=1024,
    )
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
