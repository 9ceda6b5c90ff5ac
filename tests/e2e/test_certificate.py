"""A renewed certificate is taken up by a running service, on the signal that `systemctl reload` sends."""

from __future__ import annotations

import signal
import smtplib
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.certificates import write_certificate
from tests.support.gateway_process import GatewayProcess, prepared
from tests.support.ports import free_port


def shown(gate: GatewayProcess) -> str:
    """The common name of the certificate that a new connection gets to see."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", gate.port, timeout=10) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        octets = client.sock.getpeercert(binary_form=True)
    assert octets is not None
    (name,) = x509.load_der_x509_certificate(octets).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def test_sighup_reads_the_certificate_again_in_every_worker(tmp_path: Path) -> None:
    """F-36: new handshakes get the new one; one that cannot be used changes nothing."""
    files = write_certificate(tmp_path)
    gate = prepared(tmp_path, free_port(), "127.0.0.1:9", workers=2)
    settings = tmp_path / "gateway.toml"
    paths = "".join(f'{name} = "{path}"\n' for name, path in files.items())
    settings.write_text(settings.read_text().replace("[dns]", f"{paths}[dns]"))
    try:
        gate.start()
        gate.await_true(lambda: len(gate.workers()) == 2 and gate.events("ready"), "a worker is missing")
        assert shown(gate) == "mx.longan.edu.vn"
        write_certificate(tmp_path, "mx2.longan.edu.vn")
        hang_up(gate, "certificate-loaded")
        assert {shown(gate) for _ in range(8)} == {"mx2.longan.edu.vn"}
        files["certificate"].write_bytes(b"garbage")
        hang_up(gate, "certificate-unusable")
        assert {shown(gate) for _ in range(8)} == {"mx2.longan.edu.vn"}
    finally:
        gate.stop()


def hang_up(gate: GatewayProcess, event: str) -> None:
    """Send SIGHUP and wait until both workers have acted on it."""
    assert gate.process is not None
    gate.process.send_signal(signal.SIGHUP)
    gate.await_true(lambda: len(gate.events(event)) == 2, "the workers do not read the certificate again")
