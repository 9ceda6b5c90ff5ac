"""HAProxy before two gateways, Postfix behind them, all real and set up from deploy/haproxy and deploy/postfix-behind."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gateway.settings import Settings
from tests.support.dns_thread import dns_thread
from tests.support.gateway_process import GatewayProcess, prepared
from tests.support.haproxy import running_haproxy
from tests.support.milter_house import DEPLOY, shipped
from tests.support.milter_mail import TEACHER, VANTHU, ZONE, free_mail, message
from tests.support.ports import free_port
from tests.support.postfix import Postfix, running_postfix
from tests.support.submission import submit

pytestmark = [pytest.mark.postfix, pytest.mark.slow]

PARENT = "phuhuynh@lop12a.example.org"
CLIENT = "127.0.0.5"  # a real address of the loopback network, which is not the balancer's


class Balanced(GatewayProcess):
    """A gateway that talks to nobody but a balancer."""

    def is_live(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the gateway has ended\n{self.log[-4000:]}"
        try:
            return self.get("/livez")[0] == 200
        except OSError:
            return False


@dataclass
class Office:
    port: int  # HAProxy's
    gates: tuple[Balanced, Balanced]
    server: Postfix
    direct: int  # the port for the gateway at Postfix


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    receiving, notices = free_port(), free_port()
    doors = {"127.0.0.1:10025": f"127.0.0.1:{receiving}", "127.0.0.1:10026": f"127.0.0.1:{notices}"}
    routes = yaml.safe_load(
        shipped("postfix-behind/policy-routes.yaml", {"10025": str(receiving), "10026": str(notices)})
    )
    with ExitStack() as stack:
        dns = stack.enter_context(dns_thread(ZONE))
        server = stack.enter_context(
            running_postfix(
                services=shipped("postfix-behind/master.cf.receiving", doors),
                main_lines=shipped("postfix-behind/main.cf.receiving", {}),
                domains=("longan.edu.vn", "gmail.com"),
                mailboxes=("vanthu", "khaothi", "nguyenthilan"),
            )
        )
        gates = []
        for name in ("gw1", "gw2"):
            place = folder / name
            place.mkdir()
            made = prepared(
                place, receiving, dns.address, workers=1, overlay=routes, more='[notice]\nroute = "notices"\n'
            )
            gate = Balanced(made.folder, made.port, made.http)
            _behind_a_balancer(gate)
            stack.callback(gate.stop)
            gate.start()
            gates.append(gate)
        first, second = gates
        port = stack.enter_context(running_haproxy(folder, (first.port, second.port)))
        yield Office(port, (first, second), server, receiving)


def _behind_a_balancer(gate: GatewayProcess) -> None:
    """The settings of deploy/haproxy/gateway.toml, with our addresses."""
    changes = {"192.0.2.11:2525": f"127.0.0.1:{gate.port}", "192.0.2.5/32": "127.0.0.1/32"}
    door = shipped("haproxy/gateway.toml", changes)
    file = gate.folder / "gateway.toml"
    text = re.sub(r"\[smtp\]\n(?:[^\[].*\n)*", lambda _: door.split("\n\n")[1] + "\n", file.read_text())
    assert "proxy_from" in text
    file.write_text(text)


def test_the_real_client_is_known_all_the_way(office: Office) -> None:
    """S-33: PROXY to the gateway, XCLIENT to Postfix; SPF is asked for the client, not for the balancer."""
    reply = submit(office.port, message(PARENT, "Hoi lich thi", "1"), PARENT, [VANTHU], source=CLIENT)
    assert reply.startswith("250"), reply
    [delivered] = office.server.wait(1)
    received = [line for line in delivered.decode().replace("\n\t", " ").split("\n") if line.startswith("Received:")]
    assert all("[127.0.0.5]" in line for line in received[:2]), received
    assert "postfix/gateway/smtpd[" in office.server.log
    assert f"client=unknown[{CLIENT}]" in office.server.log
    [record] = [one for gate in office.gates for one in gate.json("register", "search", "lich thi")]
    assert record["client_address"] == CLIENT


def test_recipients_are_asked_live_behind_both(office: Office) -> None:
    """R-14: Postfix's own answer reaches the client, so no bounce is made of it."""
    reply = submit(office.port, message(PARENT, "Hoi", "2"), PARENT, ["khongco@longan.edu.vn"], source=CLIENT)
    assert re.match(r"550 5\.1\.1", reply), reply


def test_a_notice_leaves_by_the_second_door(office: Office) -> None:
    """AR-2: its recipient is not of our domains, which the first door would not relay for."""
    reply = submit(office.port, free_mail("3"), TEACHER, [VANTHU], source="127.0.0.20")
    assert reply.startswith("250"), reply
    [notice] = office.server.wait(1, "nguyenthilan", "gmail.com")
    assert b"1077" in notice
    assert "postfix/notices/smtpd[" in office.server.log


def test_one_gateway_goes_and_mail_goes_on(office: Office) -> None:
    """O-1: HAProxy brings nobody to a gateway that has been stopped."""
    office.gates[0].stop()
    for number in range(6):
        raw = message(PARENT, "Hoi", f"n{number}")
        assert submit(office.port, raw, PARENT, ["khaothi@longan.edu.vn"], source=CLIENT).startswith("250")
    assert len(office.server.wait(6, "khaothi")) == 6


def test_postfix_believes_xclient_of_the_gateway_only(office: Office) -> None:
    """The first door listens on loopback and offers XCLIENT to 127.0.0.1; the second offers it to nobody."""
    with_it = submit(office.direct, message(PARENT, "Hoi", "2"), PARENT, [VANTHU], address="203.0.113.9")
    assert with_it.startswith("250")
    with pytest.raises(AssertionError, match="insufficient authorization"):
        submit(office.direct, message(PARENT, "Hoi", "2"), PARENT, [VANTHU], address="203.0.113.9", source=CLIENT)


def test_the_shipped_settings_are_settings() -> None:
    """Also where the tests above change an address."""
    for file in ("haproxy/gateway.toml", "postfix/gateway.toml", "sendmail/gateway.toml", "gateway.toml"):
        Settings.model_validate(tomllib.loads(Path(DEPLOY / file).read_text()))
