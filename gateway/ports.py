"""What the pipeline needs from the world, and what the doors need from the pipeline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message, Octets
from gateway.envelope.reply import Reply
from gateway.envelope.transaction import Client, ForwardPath, Parameters
from gateway.evidence.zone import Answer, Question, Zone
from gateway.policy.plan import Group
from gateway.policy.route import Route
from gateway.quarantine.entry import Entry
from gateway.register.record import Record
from gateway.values import value

Content = Sequence[bytes | memoryview]  # octets with CRLF line ends, not dot-stuffed, in order

# ---- DNS ------------------------------------------------------------------------------------------------------------


class Resolver(Protocol):
    """Answers DNS questions; failures are answers (Outcome.ERROR), nothing is raised."""

    @property
    def cache(self) -> Zone:
        """Answers that are still fresh, without I/O."""

    async def answer(self, questions: Collection[Question]) -> Mapping[Question, Answer]:
        """Every question answered, at once and within the resolver's time limit."""


# ---- downstream -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Features:
    """ESMTP extensions that depend on the downstream server (safety R-17)."""

    size: int | None = None  # octets; None: no limit told
    eightbitmime: bool = False
    smtputf8: bool = False
    dsn: bool = False

    def within(self, other: Features) -> Features:
        """What both can do."""
        sizes = [size for size in (self.size, other.size) if size]
        return Features(
            min(sizes, default=None),
            self.eightbitmime and other.eightbitmime,
            self.smtputf8 and other.smtputf8,
            self.dsn and other.dsn,
        )


@value
class Delivery:
    """How the downstream server answered the end of data."""

    reply: Reply  # for the client: the server's own where it gave one, else 451 by safety.md §3
    replies: tuple[tuple[ForwardPath, Reply], ...] = ()  # per recipient (LMTP differs, SMTP repeats `reply`)
    unknown: bool = False  # end of data was sent and no whole reply came: the message may have been taken (F-10, F-14)


class Session(Protocol):
    """One live downstream transaction. No method raises for anything that the server or network does."""

    async def mail(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply: ...

    async def rcpt(self, path: ForwardPath) -> Reply: ...

    async def deliver(self, recipients: Sequence[ForwardPath], content: Content) -> Delivery:
        """Send the message to these recipients, and only these.

        Where they are not exactly those accepted by rcpt(), or the connection went away meanwhile, the envelope is sent
        anew first, and a recipient answered otherwise than before fails it all with 451 (safety R-15).
        """

    async def abandon(self) -> None:
        """End without delivering; the connection goes back to the pool or is closed."""


class Downstream(Protocol):
    """The servers behind us."""

    def features(self, routes: Collection[Route]) -> Features:
        """What all these routes are known to offer; nothing for a server not met yet."""

    def begin(self, route: Route, client: Client) -> Session:
        """A new transaction; no connection is made before mail()."""


class Host(Protocol):
    """The mail server that has us judge its mail and relays by itself: the other side of a milter."""

    def edit(self, group: Group | None) -> Delivery:
        """Have it pass the message on to the group's recipients, with these fields on top and those left out.

        All other recipients of ours are taken off; without a group all are. Never asked twice for one message; 451 when
        the server is gone, or has given the message up.
        """


# ---- durable state --------------------------------------------------------------------------------------------------


class OutgoingKind(StrEnum):
    NOTICE = "notice"  # at most once
    RELEASE = "release"  # exactly once, unknown outcomes wait for a person
    RELAY = "relay"  # a recipient on a second route of a mixed transaction; at least once


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message that we shall send ourselves: one row of the outbox."""

    id: str
    kind: OutgoingKind
    cause: str  # transaction or entry id
    route: str
    reverse_path: Mailbox | None
    parameters: Parameters = ()
    recipients: tuple[ForwardPath, ...]
    digest: str = ""  # blob of the octets as received, when `content` is empty
    content: bytes = b""  # octets of our own making (notices), or header fields to put before the blob
    drop: tuple[tuple[int, int], ...] = ()  # ranges of the blob left out (forged fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An automatic response, composed, with the window it must fit into (AR-12)."""

    outgoing: Outgoing
    directive: str
    sender: str  # key of the mailbox answered
    unit_id: str
    not_again_before: datetime
    per_sender_day: int
    per_domain_hour: int
    per_hour: int


@value(kw_only=True)
class Settlement:
    """What is written at once when a message has been accepted."""

    record: Record
    notices: tuple[Notice, ...] = ()
    key: bytes = b""  # by which done_as() knows the message when a mail server brings it again (safety R-23)
    key_until: datetime | None = None  # set exactly when `key` is
    prepared: bool = True  # False: prepare() has kept nothing of it, so there is nothing to confirm


class StoreError(Exception):
    """The store cannot do it; `reply` is what the client hears (safety F-22 ... F-28)."""

    def __init__(self, reason: str, reply: Reply) -> None:
        super().__init__(reason)
        self.reply = reply


class Store(Protocol):
    """What must survive a crash. Every method returns after the commit is durable, or raises StoreError."""

    async def prepare(self, message: Message, entry: Entry | None, outgoing: Sequence[Outgoing]) -> None:
        """Keep the octets, a pending entry and waiting outbox rows, before anything is relayed (safety R-8)."""

    async def settle(self, settlement: Settlement) -> Literal["done", "known", "spilled"]:
        """Write the record and the notices, and make pending held and waiting due, in one group-committed write.

        Without notices, "known" where done_as() knows the key: nothing is written then.
        When that fails the record goes to the local spill file ("spilled"); StoreError only when that fails too.
        """

    async def withdraw(self, transaction_id: str) -> None:
        """Forget what prepare() kept: the transaction was answered 4yz or 5yz (safety R-2)."""

    async def doubt(self, transaction_id: str) -> None:
        """Mark what prepare() kept as uncertain: the downstream's answer is unknown."""

    def unheard(self, key: bytes) -> Reply | None:
        """The outcome of an earlier identical transaction whose client never heard our 250 (safety R-12)."""

    async def remember_unheard(self, key: bytes, reply: Reply, until: datetime) -> None: ...

    def done_as(self, key: bytes) -> str:
        """The id under which a message of this key has been settled, "" if it has not (safety R-23)."""


@dataclass(frozen=True, slots=True)
class Leased:
    """One row of the outbox, ours until the lease ends."""

    outgoing: Outgoing
    attempts: int  # attempts made before this one
    first_due: datetime  # when it first became due, aware, UTC


class OutboxStore(Protocol):
    """The outbox as the sender sees it. Coroutines raise StoreError."""

    async def lease(self, limit: int, now: datetime, lease_until: datetime) -> list[Leased]:
        """Take up to `limit` rows that are due, oldest first; no other worker or node gets them before `lease_until`.

        A lease that ran out, or whose process has ended, means that a sender died with the row in hand, and nobody
        knows how far it came: a RELAY is due again, a NOTICE becomes abandoned and a RELEASE unknown (at least, at most,
        exactly once).
        """

    async def settle_outgoing(
        self,
        id: str,  # noqa: A002 -- the word that rows, logs and replies use
        state: Literal["sent", "failed", "abandoned", "unknown", "due"],
        reply: str,
        next_attempt: datetime | None,
    ) -> None:
        """End the lease. `next_attempt` is set exactly when `state` is "due"."""

    def open_blob(self, digest: str) -> Octets:
        """The octets as received. Blocking: it reads, decrypts and unpacks. Raises StoreError or OSError."""


# ---- doors ----------------------------------------------------------------------------------------------------------


class Intake(Protocol):
    """One mail transaction, as a door drives it: mail, rcpt ..., then data or abandon."""

    @property
    def id(self) -> str: ...

    async def mail(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply: ...

    async def rcpt(self, path: ForwardPath) -> Reply: ...

    async def data(self, message: Message, queue_id: str = "") -> Reply:
        """Judge, hold, relay, record. The door shields it from the client's going (safety R-9).

        `queue_id` is the name that the mail server gave the message, where we are its milter.
        """

    async def unheard(self) -> None:
        """The final reply could not be given to the client."""

    async def abandon(self) -> None:
        """RSET, a new EHLO, or the client is gone."""


class Reception(Protocol):
    """The pipeline as the doors see it."""

    def features(self) -> Features: ...

    def begin(self, client: Client, host: Host | None = None) -> Intake:
        """A transaction of this client; with `host` that mail server relays, and our own downstream is not asked."""
