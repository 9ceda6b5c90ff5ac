"""STARTTLS (RFC 3207, S-6): nothing in clear is carried over, except who the client is."""

from __future__ import annotations

import ssl
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.certificates import write_certificate
from tests.support.dialogue import HOSTNAME, RawClient, open_door


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, Any]:
    return write_certificate(tmp_path)


async def start_tls(client: RawClient) -> str:
    """Upgrade the client; the common name that the server showed."""
    assert (await client.ask("STARTTLS")).startswith(b"220 2.0.0")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await client.writer.start_tls(context)
    shown = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    (common_name,) = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common_name.value)


async def test_state_is_forgotten_and_the_client_is_not(certificate: dict[str, Any]) -> None:
    """S-6, finding 5: EHLO again, no transaction left, and the PROXY address survives."""
    async with open_door(proxy_from=("127.0.0.0/8",), **certificate) as opened:
        client = await opened.connect()
        await client.send(b"PROXY TCP4 203.0.113.9 198.51.100.1 40123 25\r\n")
        assert b"STARTTLS\r\n" in await client.hello()
        await client.ask("MAIL FROM:<a@thcs-tanan.edu.vn>")
        assert await start_tls(client) == HOSTNAME
        assert (await client.ask("MAIL FROM:<a@thcs-tanan.edu.vn>")).startswith(b"503 5.5.1")
        assert b"STARTTLS" not in await client.ask("EHLO mail.thcs-tanan.edu.vn")
        assert (await client.ask("STARTTLS")).startswith(b"503 5.5.1")
        assert (await client.mail(b"x: y\r\n.\r\n")).startswith(b"250 ")
        before, after = opened.reception.intakes
        assert before.calls == ["mail", "abandon"]
        assert before.client.tls == ""
        assert after.client.address == before.client.address == IPv4Address("203.0.113.9")
        assert after.client.protocol == "ESMTPS"
        assert after.client.tls.startswith("TLSv1.3 TLS_")
        assert (await client.ask("PROXY TCP4 192.0.2.1 198.51.100.1 1 25")).startswith(b"500 ")
        assert (await client.ask("QUIT")).startswith(b"221 ")
        assert await client.rest() == []


async def test_octets_behind_the_command_end_the_session(certificate: dict[str, Any]) -> None:
    """S-6, CVE-2011-0411: commands injected in clear are never obeyed."""
    async with open_door(**certificate) as opened:
        client = await opened.connect()
        await client.hello()
        await client.send(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<a@evil.example>\r\n")
        assert [line[:9] for line in await client.rest()] == [b"554 5.5.0"]
        assert opened.reception.intakes == []


async def test_octets_after_the_go_ahead_are_no_commands(certificate: dict[str, Any]) -> None:
    """S-6: clear text where a handshake should be closes the connection."""
    async with open_door(**certificate) as opened:
        client = await opened.connect()
        await client.hello()
        assert (await client.ask("STARTTLS")).startswith(b"220 ")
        await client.send(b"EHLO evil.example\r\nMAIL FROM:<a@evil.example>\r\n")
        assert b"EHLO" not in await client.reader.read()
        assert opened.reception.intakes == []


async def test_argument_is_refused(certificate: dict[str, Any]) -> None:
    async with open_door(**certificate) as opened:
        client = await opened.connect()
        await client.hello()
        assert (await client.ask("STARTTLS now")).startswith(b"501 5.5.4")


async def test_certificate_is_read_again(certificate: dict[str, Any]) -> None:
    """F-36: a new one serves from the next handshake on; an unusable one changes nothing."""
    async with open_door(**certificate) as opened:
        certificate["certificate"].write_bytes(b"garbage")
        assert not opened.door.reload_certificate()
        client = await opened.connect()
        await client.hello()
        assert await start_tls(client) == HOSTNAME
        write_certificate(certificate["key"].parent, "mx2.longan.edu.vn")
        assert opened.door.reload_certificate()
        client = await opened.connect()
        await client.hello()
        assert await start_tls(client) == "mx2.longan.edu.vn"


async def test_unusable_certificate_does_not_close_the_door(tmp_path: Path) -> None:
    """F-36: mail goes on in clear, and STARTTLS is not offered."""
    async with open_door(certificate=tmp_path / "none.pem", key=tmp_path / "none.pem") as opened:
        client = await opened.connect()
        assert b"STARTTLS" not in await client.hello()
        assert (await client.ask("STARTTLS")).startswith(b"454 4.7.0")


async def test_large_message_over_tls(certificate: dict[str, Any]) -> None:
    content = b"x: y\r\n\r\n" + (b"0" * 76 + b"\r\n") * 30_000
    async with open_door(**certificate) as opened:
        client = await opened.connect()
        await client.hello()
        await start_tls(client)
        await client.ask("EHLO mail.thcs-tanan.edu.vn")
        assert (await client.mail(content + b".\r\n")).startswith(b"250 ")
        assert opened.reception.messages == [content]
        assert opened.reception.intakes[0].on_disk
