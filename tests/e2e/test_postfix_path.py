"""Real servers all the way: Postfix before the gateway, `gateway run` with two workers, Postfix behind it, NSD for DNS."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import format_datetime, localtime
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.nsd import nsd
from tests.support.ports import free_port
from tests.support.postfix import Postfix, running_postfix
from tests.support.signing import rsa_key, sign

pytestmark = [pytest.mark.postfix, pytest.mark.dns, pytest.mark.slow]

ZONE = {
    "longan.edu.vn": {"TXT": ["v=spf1 ip4:192.0.2.10 -all"]},
    "_dmarc.longan.edu.vn": {"TXT": ["v=DMARC1; p=reject"]},
    "vp._domainkey.longan.edu.vn": {"TXT": [rsa_key().record()]},
    "gmail.com": {"TXT": ["v=spf1 ip4:127.0.0.1 ~all"]},
    "_dmarc.gmail.com": {"TXT": ["v=DMARC1; p=none"]},
}
HEAD = (
    "From: {sender}\nTo: <vanthu@longan.edu.vn>, <khaothi@longan.edu.vn>\nSubject: {subject}\nDate: {date}\n"
    "Message-ID: <{number}@longan.edu.vn>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: 8bit\n\n"
)
BODY = "Kính gửi Sở Giáo dục và Đào tạo Long An,\n.dòng có dấu chấm\n..\n\nTrân trọng.\n"


def message(sender: str, subject: str, number: int) -> bytes:
    """LF line ends, as a local sendmail takes it."""
    head = HEAD.format(sender=sender, subject=subject, number=number, date=format_datetime(localtime()))
    return (head + BODY).encode()


def signed(raw: bytes) -> bytes:
    return sign(raw.replace(b"\n", b"\r\n"), "longan.edu.vn", "vp", rsa_key()).replace(b"\r\n", b"\n")


@dataclass
class Path3:
    """Client, gateway, receiving server."""

    client: Postfix
    gate: GatewayProcess
    server: Postfix


@contextmanager
def path_of_mail(folder: Path, nameserver: str, **changes: object) -> Iterator[Path3]:
    """The whole path; the receiving server tells recipients apart, and the client retries after some seconds."""
    with ExitStack() as stack:
        server = stack.enter_context(running_postfix())
        gate = stack.enter_context(running_gateway(folder, server.port, nameserver, **changes))
        client = stack.enter_context(
            running_postfix(
                domains=("thcs.example.org",),
                settings={
                    "relayhost": f"[127.0.0.1]:{gate.port}",
                    "smtp_host_lookup": "native",
                    "disable_dns_lookups": "yes",
                    "minimal_backoff_time": "2s",
                    "maximal_backoff_time": "2s",
                    "queue_run_delay": "2s",
                    "myhostname": "mail.thcs.example.org",
                    "notify_classes": "",
                    "default_transport": "smtp",
                },
            )
        )
        yield Path3(client, gate, server)


def field(octets: bytes, name: str) -> str:
    """The first field of this name, unfolded."""
    head = octets.partition(b"\n\n")[0].decode().replace("\n ", " ").replace("\n\t", " ")
    prefix = name.lower() + ":"
    return next((line[len(prefix) :].strip() for line in head.split("\n") if line.lower().startswith(prefix)), "")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path3]:
    """The path of the tests that need nothing to fail."""
    folder = tmp_path_factory.mktemp("path")
    with nsd(ZONE, _made(folder / "dns")) as nameserver, path_of_mail(_made(folder / "g"), nameserver) as opened:
        yield opened


def test_a_units_mail_is_verified_tagged_and_delivered(path: Path3) -> None:
    """Injected by sendmail, over three real servers, into a Maildir; and the signature still passes in the end (R-16)."""
    raw = signed(message("<pgdbenluc@longan.edu.vn>", "Bao cao 12/BC-PGDDT", 1))
    path.client.inject("pgdbenluc@longan.edu.vn", ["vanthu@longan.edu.vn"], raw)
    [delivered] = path.server.wait(1)
    assert field(delivered, "X-Sending-Unit") == "pgddt-ben-luc"
    assert field(delivered, "X-Sending-Unit-Level") == "signed"
    results = field(delivered, "Authentication-Results")
    assert results.startswith("mx.longan.edu.vn; ")
    assert "dkim=pass header.d=longan.edu.vn" in results
    assert "dmarc=pass" in results
    assert delivered.endswith(raw.partition(b"\n\n")[2])
    assert raw.partition(b"\n\n")[0] in delivered
    [record] = path.gate.json("register", "search", "bao cao")
    assert (record["unit_id"], record["level"]) == ("pgddt-ben-luc", "signed")
    assert path.gate.get("/readyz")[0] == 200
    assert "gateway_" in path.gate.get("/metrics")[1]


def test_held_mail_is_released_once_with_the_same_octets(path: Path3) -> None:
    """R-21: hold, `gateway quarantine release`, one delivery; a second release is refused."""
    raw = message("Nguyễn Thị Lan <nguyenthilan@gmail.com>", "Báo cáo số 45/BC-THCS", 2)
    path.client.inject("nguyenthilan@gmail.com", ["khaothi@longan.edu.vn"], raw)
    path.gate.await_true(lambda: path.gate.json("quarantine", "list"), "nothing is held")
    [entry] = path.gate.json("quarantine", "list")
    assert (entry["reason"], entry["recipients"]) == ("free-provider", ["khaothi@longan.edu.vn"])
    assert path.server.messages("khaothi") == []
    done = path.gate.command("quarantine", "release", entry["id"])
    assert "released" in done.stdout, (done, path.gate.log[-3000:])
    [delivered] = path.server.wait(1, "khaothi")
    assert delivered.endswith(raw.partition(b"\n\n")[2])
    assert field(delivered, "Message-ID") == "<2@longan.edu.vn>"
    again = path.gate.command("quarantine", "release", entry["id"])
    assert again.returncode == 65
    assert len(path.server.messages("khaothi")) == 1


def test_postfix_retries_after_our_451(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-18, F-19: DNS is down, so an official domain's mail is deferred; when it is up again the retry is delivered."""
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", port := free_port()))
        with path_of_mail(_made(tmp_path / "g"), f"127.0.0.1:{port}") as path:
            raw = signed(message("<pgdbenluc@longan.edu.vn>", "Ke hoach", 3))
            path.client.inject("pgdbenluc@longan.edu.vn", ["vanthu@longan.edu.vn"], raw)
            path.gate.await_true(lambda: path.gate.events("deferred"), "not deferred")
            assert path.server.messages() == []
            silent.close()
            monkeypatch.setattr("tests.support.nsd.free_port", lambda: port)
            with nsd(ZONE, _made(tmp_path / "dns")):
                [delivered] = path.server.wait(1)
                assert field(delivered, "X-Sending-Unit") == "pgddt-ben-luc"
                time.sleep(0.5)
                assert len(path.server.messages()) == 1


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
