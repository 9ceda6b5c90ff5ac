"""A reception that says what it is told to say and remembers what it was asked: the door's other side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.envelope.reply import ACCEPTED, Reply
from gateway.envelope.transaction import Client, ForwardPath, Parameters
from gateway.ports import Features, Host, Intake

OK = Reply(250, "2.1.0", "OK")
EVERYTHING = Features(size=None, eightbitmime=True, smtputf8=True, dsn=True)
Answer = Reply | Exception | Callable[[], Awaitable[Reply]]


@dataclass
class FakeIntake:
    """One transaction as the door drove it. `calls` are the verbs in order."""

    id: str
    client: Client
    script: FakeReception
    calls: list[str] = field(default_factory=list)
    reverse_path: Mailbox | None = None
    parameters: Parameters = ()
    asked: list[ForwardPath] = field(default_factory=list)
    raw: bytes | None = None
    on_disk: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # after data, abandon

    async def mail(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply:
        self.calls.append("mail")
        self.reverse_path, self.parameters = reverse_path, parameters
        return await _say(self.script.on_mail)

    async def rcpt(self, path: ForwardPath) -> Reply:
        self.calls.append("rcpt")
        self.asked.append(path)
        return await _say(self.script.on_rcpt.get(path.mailbox.key, OK))

    async def data(self, message: Message, queue_id: str = "") -> Reply:
        self.calls.append("data")
        self.on_disk = not isinstance(message.raw, bytes)
        self.raw = bytes(message.raw) if self.script.keep else None
        self.script.data_begun.set()
        try:
            return await _say(self.script.on_data)
        finally:
            self.ended.set()

    async def unheard(self) -> None:
        self.calls.append("unheard")
        self.script.unheard.set()

    async def abandon(self) -> None:
        self.calls.append("abandon")
        self.ended.set()


@dataclass
class FakeReception:
    """Says 250 to everything unless told otherwise; on_rcpt is by mailbox key."""

    offered: Features = EVERYTHING
    on_mail: Answer = OK
    on_rcpt: dict[str, Answer] = field(default_factory=dict)
    on_data: Answer = ACCEPTED
    on_begin: Exception | None = None
    keep: bool = True
    intakes: list[FakeIntake] = field(default_factory=list)
    data_begun: asyncio.Event = field(default_factory=asyncio.Event)
    unheard: asyncio.Event = field(default_factory=asyncio.Event)

    def features(self) -> Features:
        return self.offered

    def begin(self, client: Client, host: Host | None = None) -> Intake:
        if self.on_begin is not None:
            raise self.on_begin
        intake = FakeIntake(f"TEST-{len(self.intakes) + 1:04d}", client, self)
        self.intakes.append(intake)
        return intake

    @property
    def messages(self) -> list[bytes]:
        """The octets of every message that the door handed over."""
        return [intake.raw for intake in self.intakes if intake.raw is not None]


async def _say(answer: Answer) -> Reply:
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, Exception):
        raise answer
    return await answer()
