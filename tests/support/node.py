"""A whole gateway in this process, with nothing of it pretended: policies, SQLite, DNS over the loopback, the relay, the
SMTP and milter doors; around it a scripted receiving server and a DNS server whose zone the test may change at any time."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gateway.app import Node, meet_routes, open_door, open_milter, open_node
from gateway.demo.dns import DnsServer
from gateway.endpoint.milter_server import MilterDoor
from gateway.quarantine.entry import Entry, EntryFilter, State
from gateway.register.record import Record
from gateway.register.search import RecordFilter
from gateway.reloader import Reloader
from gateway.settings import Settings, parse_listen
from gateway.supervisor.sockets import listen
from tests.support.dialogue import RawClient
from tests.support.milter_client import MilterClient
from tests.support.sink import Sink, Taken, running

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
SENDER = "nguyenvanan@lop12a.example.org"
OFFICE = "vanthu@longan.edu.vn"
PATIENCE = 20.0  # seconds; only for a test that would hang otherwise
_ID = re.compile(r"\[([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})\]")


def policy_folder(folder: Path, port: int, overlay: Mapping[str, Any] | None = None) -> Path:
    """The shipped policies in `folder`, relaying to the port, changed by `overlay`.

    Its keys replace those of policy.yaml; besides, `rules_first` go before the rules, `routes` are added, and `append`
    maps a file's name to lines that are put behind its own. Golden cases are left out where something was changed.
    """
    shutil.copytree(POLICIES, folder)
    overlay = dict(overlay or {})
    policy: dict[str, Any] = yaml.safe_load((folder / "policy.yaml").read_text())
    policy["routes"]["main"] |= {"port": port, "starttls": "never"}
    if overlay:
        shutil.rmtree(folder / "cases")
    for name, lines in overlay.pop("append", {}).items():
        with (folder / name).open("a") as file:
            file.write(lines)
    policy["routes"] |= overlay.pop("routes", {})
    policy["rules"] = overlay.pop("rules_first", []) + policy["rules"]
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy | overlay, allow_unicode=True, sort_keys=False))
    return folder


def settings_of(folder: Path, dns: str, **changes: Any) -> Settings:
    """Settings on loopback that keep nothing of DNS and give up soon."""
    values: dict[str, Any] = {
        "policies": folder / "policies",
        "state": folder / "var",
        "smtp": {"listen": ("127.0.0.1:0",), "xclient_from": ("127.0.0.0/8",)},
        "dns": {"nameservers": (dns,), "max_ttl": 0, "negative_ttl": 0, "error_ttl": 0, "timeout": 3.0},
        "relay": {"connect_timeout": 2.0, "command_timeout": 3.0, "final_timeout": 3.0},
    }
    for name, value in changes.items():
        values[name] = values.get(name, {}) | value if isinstance(value, dict) else value
    return Settings.model_validate(values)


@dataclass
class Gateway:
    """A running node and what is around it."""

    node: Node
    sink: Sink
    dns: DnsServer
    address: tuple[str, int]
    milter_door: MilterDoor
    folder: Path
    clients: list[SmtpClient] = field(default_factory=list)

    async def connect(self, *, helo: str = "mail.example.org", address: str = "192.0.2.99") -> SmtpClient:
        """A client that has said EHLO, to the gateway at this address of its own."""
        client = SmtpClient(*await asyncio.open_connection(*self.address, limit=1 << 20))
        self.clients.append(client)
        await client.introduce(helo, address)
        return client

    async def send(
        self,
        message: bytes,
        sender: str = SENDER,
        recipients: tuple[str, ...] = (OFFICE,),
        *,
        helo: str = "mail.example.org",
        address: str = "192.0.2.99",
        parameters: str = "",
    ) -> str:
        """One transaction over a connection of its own; the reply to DATA, or the first refusal before it."""
        client = await self.connect(helo=helo, address=address)
        reply = await client.transact(message, sender, recipients, parameters=parameters)
        await client.quit()
        return reply

    async def milter(
        self, *, helo: str = "mail.example.org", address: str = "192.0.2.99", **session: Any
    ) -> MilterClient:
        """A mail server whose milter the gateway is, with a client of this address that has said EHLO."""
        client = await MilterClient.connect(self.milter_door.addresses[0])
        await client.negotiate()
        await client.session(address, helo, **session)
        return client

    async def entries(self, *states: State) -> list[Entry]:
        """Quarantine, in these states or in all."""
        return await self.node.store.list_entries(EntryFilter(states=states or tuple(State), limit=10_000))

    async def records(self) -> list[Record]:
        return await self.node.store.search(RecordFilter(limit=10_000))

    async def counts(self) -> dict[str, int]:
        """Rows of the store by state, only those that there are."""
        return {name: number for name, number in (await self.node.store.counts()).items() if number}

    async def taken(self, number: int) -> list[Taken]:
        """Wait until the receiving server has got this many messages."""
        async with asyncio.timeout(PATIENCE):
            while len(self.sink.taken) < number:
                await asyncio.sleep(0.01)
        return self.sink.taken


class SmtpClient(RawClient):
    """A raw client that knows the verbs; every reply line that it reads is linted (safety R-18)."""

    async def introduce(self, helo: str, address: str) -> None:
        assert (await self.reply()).startswith(b"220 ")
        assert (await self.ask(f"EHLO {helo}")).startswith(b"250")
        if address:
            told = f"IPV6:{address}" if ":" in address else address
            assert (await self.ask(f"XCLIENT ADDR={told}")).startswith(b"220 ")
            assert (await self.ask(f"EHLO {helo}")).startswith(b"250")

    async def command(self, line: str) -> str:
        return (await self.ask(line)).decode().rstrip()

    async def transact(self, message: bytes, sender: str, recipients: tuple[str, ...], *, parameters: str = "") -> str:
        """MAIL to the end of data; the last reply. RCPTs may fail as long as one is accepted."""
        reply = await self.command(f"MAIL FROM:<{sender}>{parameters and ' ' + parameters}")
        if not reply.startswith("250"):
            return reply
        replies = [await self.command(f"RCPT TO:<{recipient}>") for recipient in recipients]
        if not any(each.startswith("250") for each in replies):
            return replies[0]
        return await self.content(message)

    async def content(self, message: bytes) -> str:
        """DATA and the message; the last reply."""
        reply = await self.command("DATA")
        if not reply.startswith("354"):
            return reply
        await self.send(stuffed(message))
        return (await self.reply()).decode().rstrip()

    async def quit(self) -> None:
        await self.command("QUIT")
        self.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def stuffed(message: bytes) -> bytes:
    """The message as DATA wants it: dots doubled, its last CRLF there, the end of data behind (RFC 5321 §4.5.2)."""
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def id_of(reply: str) -> str:
    """The transaction id in a final reply."""
    found = _ID.search(reply)
    assert found, reply
    return found[1]


@asynccontextmanager
async def gateway(
    folder: Path,
    *,
    zone: Mapping[str, Any] | None = None,
    overlay: Mapping[str, Any] | None = None,
    sink: Sink | None = None,
    outbox: bool = True,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """A running gateway; `overlay` changes the policies, `settings` the settings, table by table."""
    sink = sink or Sink()
    async with running(sink), DnsServer(dict(zone or {})) as dns:
        policy_folder(folder / "policies", sink.port, overlay)
        async with opened(folder, sink, dns, outbox=outbox, **settings) as gate:
            yield gate


@asynccontextmanager
async def opened(
    folder: Path,
    sink: Sink,
    dns: DnsServer,
    *,
    outbox: bool = True,
    wake_outbox: Callable[[], None] | None = None,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """A gateway over a folder that has its policies already, and perhaps the state of an earlier one."""
    chosen = settings_of(folder, dns.address, **settings)
    reloader = Reloader(chosen.policies, chosen.state)
    await asyncio.to_thread(reloader.start)
    async with open_node(chosen, reloader, wake_outbox) as node:
        await meet_routes(node)
        door = await open_door(node)
        milter = await open_milter(node, [listen(parse_listen("127.0.0.1:0"))])
        gate = Gateway(node, sink, dns, door.addresses[0], milter, folder)
        sending = asyncio.create_task(node.outbox.run()) if outbox else None
        try:
            yield gate
        finally:
            for client in gate.clients:
                client.close()
            await door.close()
            await milter.close()
            if sending:
                await node.outbox.stop()
                await sending
