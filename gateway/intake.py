"""A mail transaction as the doors drive it: MAIL and RCPT go downstream live, DATA goes down the path (safety R-14)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import perf_counter

from gateway import maillog, metrics
from gateway.aside import FAULTS_MAX, Faults, set_aside
from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.envelope.reply import BAD_SEQUENCE, ELSEWHERE, NOT_RELAYED, Reply
from gateway.envelope.trace import is_looping
from gateway.envelope.transaction import Client, ForwardPath, Parameters, Transaction
from gateway.evidence.assess import early_questions
from gateway.evidence.zone import Answer, Question
from gateway.gathering import off_loop
from gateway.pipeline import Passage, World, process
from gateway.policy.parse import PolicySet
from gateway.ports import Features, Host, Session

UNHEARD_FOR = timedelta(hours=48)  # safety R-12
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
LOOP = Reply(554, "5.4.6", "Mail loop: this message has passed here before")


class Pipeline:
    """ports.Reception: begins a transaction for a door."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults = Faults()

    def features(self) -> Features:
        return self._world.downstream.features(tuple(self._world.policy().routes.values()))

    def begin(self, client: Client, host: Host | None = None) -> Transit:
        return Transit(self._world, client, self._world.policy(), self._world.new_id(), self._faults, host)


@dataclass(slots=True)
class Transit:
    """ports.Intake: one transaction, with the policy set that it began with."""

    world: World
    client: Client
    policy: PolicySet
    id: str
    faults: Faults
    host: Host | None = None  # the mail server that relays (milter); None: we relay
    reverse_path: Mailbox | None = None
    parameters: Parameters = ()
    paths: list[ForwardPath] = field(default_factory=list)
    _session: Session | None = None
    _early: asyncio.Task[Mapping[Question, Answer]] | None = None
    _reply: Reply | None = None
    _key: bytes = b""

    async def mail(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply:
        """Open the downstream transaction; DNS is asked meanwhile for what SPF will want."""
        self.reverse_path, self.parameters = reverse_path, parameters
        cache = self.world.resolver.cache
        asked = [
            question
            for question in early_questions(self.client, self.client.helo, reverse_path)
            if cache.get(question) is None
        ]
        if asked:
            self._early = asyncio.ensure_future(self.world.resolver.answer(asked))
        if self.host is not None:
            return SENDER_OK
        self._session = self.world.downstream.begin(self.policy.routes["main"], self.client)
        return await self._session.mail(reverse_path, parameters)

    async def rcpt(self, path: ForwardPath) -> Reply:
        """Our own domains only (safety S-8); then the downstream server's own answer.

        Whether a mail server whose milter we are relays for other domains is its own affair: ELSEWHERE.
        """
        is_ours = self.policy.accepts(path.mailbox)
        if self.host is not None and not is_ours and not _names_server(path.mailbox.domain, self.world.hostname):
            return ELSEWHERE
        reply = await self._ask(path) if is_ours or self.host is not None else NOT_RELAYED
        if reply.is_positive:
            self.paths.append(path)
        else:
            verb: maillog.Verb = "deferred" if reply.is_temporary else "refused"
            metrics.child(metrics.fates, verb).inc()
            maillog.fate(verb, self.id, recipient=str(path.mailbox), reply=str(reply), client=str(self.client.address))
        return reply

    async def _ask(self, path: ForwardPath) -> Reply:
        if self.host is not None:
            return RECIPIENT_OK
        return await self._session.rcpt(path) if self._session else BAD_SEQUENCE

    async def data(self, message: Message, queue_id: str = "") -> Reply:
        """Judge, hold, relay, record; the reply carries the transaction id."""
        if not self.paths:
            return BAD_SEQUENCE
        began = perf_counter()
        try:
            self._reply = reply = await self._replied(message, queue_id)
        finally:
            metrics.data_seconds.observe(perf_counter() - began)
        metrics.child(metrics.messages, f"{reply.code // 100}yz").inc()
        return reply

    async def _replied(self, message: Message, queue_id: str) -> Reply:
        digest = await off_loop(message, hashlib.sha256, message.raw)
        self._key = self._transaction_key(digest.digest())
        # It carries the id of the message that was taken. A mail server must be told its edits again.
        if self.host is None and (reply := self.world.store.unheard(self._key)):
            maillog.event("answered-again", id=self.id, reply=str(reply))
            await self.abandon()
            return reply
        return (await self._answer(message, digest.hexdigest(), queue_id)).with_id(self.id)

    async def _answer(self, message: Message, digest: str, queue_id: str) -> Reply:
        if self.host is None and is_looping(message, self.world.hostname):
            await self.abandon()
            return LOOP
        transaction = Transaction(
            id=self.id,
            client=self.client,
            reverse_path=self.reverse_path,
            forward_paths=tuple(self.paths),
            received_at=self.world.clock(),
            message=message,
            parameters=self.parameters,
            queue_id=queue_id,
        )
        session, self._session = self._session, None
        if session is None and self.host is None:
            return BAD_SEQUENCE
        known = dict(await self._early) if self._early else {}
        passage = Passage(transaction, self.policy, session, digest, known, self.host, self._key)
        try:
            return await process(self.world, passage)
        except BaseException as error:  # the door answers 451 (safety F-37)
            await asyncio.shield(passage.let_go())  # the connection must not be reused half-way
            if not isinstance(error, Exception) or self.faults.note(digest) < FAULTS_MAX:
                raise
            maillog.event("set-aside", id=self.id, digest=digest, error=repr(error)[:500])
            metrics.faults.labels("pipeline").inc()
        return await set_aside(self.world, passage)

    def _transaction_key(self, digest: bytes) -> bytes:
        """What makes a retry the same transaction: octets, reverse-path, recipients (safety R-12)."""
        envelope = [str(self.reverse_path or ""), *sorted([path.mailbox.key for path in self.paths])]
        return hashlib.sha256(digest + "\0".join(envelope).encode()).digest()

    async def unheard(self) -> None:
        """The client left before our 2yz: remember it, so that the retry is answered and not delivered again (R-12)."""
        if self._reply is not None and self._reply.is_positive:
            await self.world.store.remember_unheard(self._key, self._reply, self.world.clock() + UNHEARD_FOR)

    async def abandon(self) -> None:
        """Let go of the downstream transaction and of questions nobody waits for."""
        session, self._session = self._session, None
        if self._early:
            self._early.cancel()
        if session:
            await session.abandon()


def _names_server(domain: str, hostname: str) -> bool:
    """Whether a mail server takes it for itself: under these names too its mailboxes would get what nobody has judged."""
    return "." not in domain or domain[0] == "[" or domain.startswith("localhost.") or domain == hostname.lower()
