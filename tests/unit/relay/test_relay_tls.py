"""STARTTLS to the server behind us: `may` does what it can, `must` does nothing without proof (S-6 seen from the client)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.relay import handshake
from tests.support.relaying import CLIENT, CONTENT, OFFICE, SCHOOL, downstream, route
from tests.support.sink import EHLO, Act, Sink, running

WITH_TLS = EHLO.replace(b"250 DSN", b"250-STARTTLS\r\n250 DSN")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A server context for 127.0.0.1, whose issuer the gateway trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.longan.edu.vn")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1077)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "chain.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    handshake._tls_context.cache_clear()
    yield context
    handshake._tls_context.cache_clear()


async def send(tmp_path: Path, sink: Sink, starttls: str, host: str = "127.0.0.1") -> str:
    async with running(sink):
        behind = downstream(tmp_path)
        session = behind.begin(route(sink.port, starttls=starttls, host=host), CLIENT)
        reply = await session.mail(SCHOOL, ())
        if reply.is_positive:
            await session.rcpt(OFFICE)
            reply = (await session.deliver([OFFICE], [CONTENT])).reply
        await behind.close()
        return str(reply)[:9]


@pytest.mark.parametrize("starttls", ["may", "must"])
async def test_tls_is_used_where_offered(tmp_path: Path, certificate: ssl.SSLContext, starttls: str) -> None:
    sink = Sink({"EHLO": [WITH_TLS, EHLO]}, tls=certificate)
    assert await send(tmp_path, sink, starttls) == "250 2.0.0"
    assert sink.verbs()[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
    assert sink.taken[0].content == CONTENT


@pytest.mark.parametrize("new_event_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_large_content_over_tls(
    tmp_path: Path, certificate: ssl.SSLContext, new_event_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Flow control works through TLS, on both event loops."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(large_content(tmp_path, certificate))


async def large_content(tmp_path: Path, certificate: ssl.SSLContext) -> None:
    content = b"Subject: x\r\n\r\n" + b".ho so\r\n" * 400_000
    async with running(Sink({"EHLO": [WITH_TLS, EHLO]}, tls=certificate)) as sink:
        session = downstream(tmp_path).begin(route(sink.port, starttls="must"), CLIENT)
        assert (await session.mail(SCHOOL, ())).is_positive
        assert (await session.rcpt(OFFICE)).is_positive
        assert (await session.deliver([OFFICE], [content])).reply.code == 250
        assert sink.taken[0].content == content


async def test_never_means_never(tmp_path: Path, certificate: ssl.SSLContext) -> None:
    sink = Sink({"EHLO": WITH_TLS}, tls=certificate)
    assert await send(tmp_path, sink, "never") == "250 2.0.0"
    assert "STARTTLS" not in sink.verbs()


@pytest.mark.parametrize("script", [{}, {"EHLO": WITH_TLS, "STARTTLS": b"454 4.7.0 TLS not available\r\n"}])
async def test_may_goes_on_in_clear_and_must_does_not(tmp_path: Path, script: dict[str, bytes]) -> None:
    assert await send(tmp_path, Sink(dict(script)), "may") == "250 2.0.0"
    assert await send(tmp_path, Sink(dict(script)), "must") == "451 4.3.5"


async def test_failed_handshake(tmp_path: Path) -> None:
    """`may` begins again without TLS on a new connection."""
    broken = (b"220 2.0.0 Ready\r\n", Act.CLOSE)
    assert await send(tmp_path, sink := Sink({"EHLO": WITH_TLS, "STARTTLS": broken}), "may") == "250 2.0.0"
    assert sink.connections == 2
    assert await send(tmp_path, Sink({"EHLO": WITH_TLS, "STARTTLS": broken}), "must") == "451 4.3.5"


async def test_must_verifies_the_name(tmp_path: Path, certificate: ssl.SSLContext) -> None:
    sink = Sink({"EHLO": [WITH_TLS, EHLO]}, tls=certificate)
    assert await send(tmp_path, sink, "must", host="localhost") == "451 4.3.5"
    assert "MAIL" not in sink.verbs()


async def test_must_verifies_the_issuer(
    tmp_path: Path, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    handshake._tls_context.cache_clear()
    assert await send(tmp_path, Sink({"EHLO": WITH_TLS}, tls=certificate), "must") == "451 4.3.5"


@pytest.mark.parametrize("injected", [b"250 2.1.0 Ok\r\n", b"250-half of a reply"])
async def test_s6_replies_in_clear_after_starttls_are_not_believed(tmp_path: Path, injected: bytes) -> None:
    script = {"EHLO": WITH_TLS, "STARTTLS": (b"220 2.0.0 Ready\r\n" + injected, Act.HANG)}
    assert await send(tmp_path, Sink(script), "may") == "451 4.3.0"
