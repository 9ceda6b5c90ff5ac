"""The path of one message, top to bottom.

A 2yz reply passes responsibility for the message to us (RFC 5321 §6.1), so it is given last: after the downstream server
took the message, or the quarantine kept it durably.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter

from gateway import again, maillog, metrics, telling
from gateway.envelope.reply import ACCEPTED, MISCONFIGURED, Reply
from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.evidence import codec
from gateway.evidence.result import Evidence
from gateway.evidence.zone import Answer, Question
from gateway.gathering import gather, off_loop
from gateway.notices import Notices
from gateway.planning import planned
from gateway.policy.judge import Judgement, judge
from gateway.policy.parse import PolicySet
from gateway.policy.plan import Group
from gateway.ports import (
    Delivery,
    Downstream,
    Host,
    Notice,
    Outgoing,
    OutgoingKind,
    Resolver,
    Session,
    Settlement,
    Store,
    StoreError,
)
from gateway.quarantine.admit import admit
from gateway.register.compile import Draft, compile_record, fates_of
from gateway.values import value


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the pipeline reaches. Nothing of it is global: tests and the demo give their own."""

    policy: Callable[[], PolicySet]
    resolver: Resolver
    downstream: Downstream
    store: Store
    notices: Notices
    hostname: str
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    wake_outbox: Callable[[], None]  # there are rows that are due


@value
class Passage:
    """One message on its way: the transaction, the policy set that it began with, its live downstream session."""

    transaction: Transaction
    policy: PolicySet
    session: Session | None  # None: a mail server relays, and is told what to change
    digest: str  # SHA-256 of the octets as received, hex
    known: dict[Question, Answer]  # DNS answers asked for early
    host: Host | None = None
    key: bytes = b""  # of octets and envelope, alike in a retry

    async def let_go(self) -> None:
        """End the downstream transaction without a message."""
        if self.session is not None:
            await self.session.abandon()


async def process(world: World, passage: Passage) -> Reply:
    """Assess, identify, decide, hold, relay, record, answer."""
    transaction, policy = passage.transaction, passage.policy
    evidence = await gather(world.resolver, transaction, policy.authserv_id, passage.known)
    judgement = await off_loop(transaction.message, judge, transaction, evidence, policy, world.clock())
    telling.judged(evidence, judgement)
    if judgement.reply is not None:
        await passage.let_go()
        return telling.refused(transaction, judgement, judgement.reply)

    key = again.key_of(passage.key, judgement.decisions) if passage.host else b""
    live, others = _planned(world, passage, evidence, judgement, transaction.id)
    if key and (others or again.keeps_more(judgement.decisions)) and (earlier := world.store.done_as(key)):
        return await _told_again(world, passage, evidence, judgement, earlier)
    entry = admit(
        transaction,
        judgement.decisions,
        judgement.identity,
        digest=passage.digest,
        evidence=lambda: codec.plain(evidence),
        authserv_id=policy.authserv_id,
    )
    draft = _drafted(world, passage, evidence, judgement)
    later = [_outgoing(world, passage, group, path) for group in others for path in group.paths]
    try:
        if entry or later:
            await world.store.prepare(transaction.message, entry, later)
    except StoreError as error:
        await passage.let_go()
        return telling.refused(transaction, judgement, error.reply)

    delivery = await _relay(world, passage, live)
    if not delivery.reply.is_positive:
        if entry or later:
            await _take_back(world.store, transaction.id, delivery)
        return telling.refused(transaction, judgement, delivery.reply)
    failed = [path for path, reply in delivery.replies if not reply.is_positive]
    if failed and live:
        missed = [_outgoing(world, passage, live, path) for path in failed]
        later += missed
        try:  # LMTP took it for some: the others are ours now, and are tried again from the outbox
            await world.store.prepare(transaction.message, None, missed)
        except StoreError as error:
            await _take_back(world.store, transaction.id, replace(delivery, unknown=True))
            return telling.refused(transaction, judgement, error.reply)
    reply = await _settle(
        world, passage, judgement, draft, delivery,
        queued=later, prepared=bool(entry or later), relayed=live is not None, key=key,
    )  # fmt: skip
    return reply or await _told_again(world, passage, evidence, judgement, world.store.done_as(key))


async def _told_again(world: World, passage: Passage, evidence: Evidence, judgement: Judgement, earlier: str) -> Reply:
    """The mail server lost it after our answer: it is told the same again, and nothing else happens (R-23)."""
    maillog.event("came-again", id=earlier, queue_id=passage.transaction.queue_id)
    live, _ = _planned(world, passage, evidence, judgement, earlier or passage.transaction.id)
    return (await _relay(world, passage, live)).reply


def _planned(
    world: World, passage: Passage, evidence: Evidence, judgement: Judgement, transaction_id: str
) -> tuple[Group | None, list[Group]]:
    """The group that is passed on now and those that the outbox sends; their fields name this id."""
    transaction = passage.transaction
    if transaction.id != transaction_id:
        transaction = replace(transaction, id=transaction_id)
    return planned(
        transaction, evidence, judgement, authserv_id=passage.policy.authserv_id,
        hostname=world.hostname, signer=world.notices.signer, by_host=passage.host is not None,
    )  # fmt: skip


async def _relay(world: World, passage: Passage, group: Group | None) -> Delivery:
    """Pass on the first group live. Its session ends here, whatever comes of it."""
    if passage.host is not None:
        return passage.host.edit(group)
    if group is None:
        await passage.let_go()
        return Delivery(ACCEPTED)
    session, transaction = passage.session, passage.transaction
    if session is None or group.route != "main":
        await passage.let_go()
        route = passage.policy.routes.get(group.route)
        if route is None:
            return Delivery(MISCONFIGURED)
        session = world.downstream.begin(route, transaction.client)
        reply = await session.mail(transaction.reverse_path, transaction.parameters)
        if not reply.is_positive:
            await session.abandon()
            return Delivery(reply)
    if refusal := await _targets_refused(session, transaction, group):
        await session.abandon()
        return Delivery(refusal)
    with metrics.child(metrics.downstream_seconds, "deliver").time():
        delivery = await session.deliver(group.paths, transaction.message.segments(group.prepend, group.drop))
    if delivery.unknown:
        maillog.event("unknown-outcome", id=transaction.id, note="may be delivered more than once")  # safety R-13
    return delivery


async def _targets_refused(session: Session, transaction: Transaction, group: Group) -> Reply | None:
    """Why the server does not take a mailbox that a rule named and the sender did not: never a 5yz of his (safety F-6)."""
    named = {path.mailbox.key for path in transaction.forward_paths}
    for path in group.paths:
        if path.mailbox.key in named:
            continue
        reply = await session.rcpt(path)
        if not reply.is_positive:
            maillog.event("target-refused", id=transaction.id, recipient=str(path.mailbox), reply=str(reply))
            return reply if reply.is_temporary else MISCONFIGURED
    return None


async def _take_back(store: Store, transaction_id: str, delivery: Delivery) -> None:
    """Undo prepare() after a refusal; after an unknown outcome the copies stay for a person to decide (R-2, R-8)."""
    try:
        await (store.doubt(transaction_id) if delivery.unknown else store.withdraw(transaction_id))
    except StoreError as error:  # the pending rows are found again at the next start
        maillog.event("withdraw-failed", id=transaction_id, reason=str(error))


def _drafted(world: World, passage: Passage, evidence: Evidence, judgement: Judgement) -> tuple[Draft, Notice | None]:
    """The register's line and the notice, before anything is relayed: what can break, breaks while 451 is still true."""
    notice, word = world.notices.prepare(passage.transaction, evidence, judgement, passage.policy)
    draft = compile_record(  # quick for a large message too: its parts have been read
        passage.transaction, judgement.identity, judgement.submissions,
        digest=passage.digest, notice=word, generation=passage.policy.generation, facts=judgement.facts(),
    )  # fmt: skip
    return draft, notice


async def _settle(
    world: World,
    passage: Passage,
    judgement: Judgement,
    draft: tuple[Draft, Notice | None],
    delivery: Delivery,
    *,
    queued: Sequence[Outgoing],
    prepared: bool,
    relayed: bool,
    key: bytes,
) -> Reply | None:
    """Write the register, confirm what is held, queue the notice: one durable write before our 250.

    None where the message has been settled before, under another id.
    """
    transaction = passage.transaction
    waiting = {(item.route, path.mailbox.key) for item in queued for path in item.recipients}
    fates = fates_of(judgement.decisions, waiting)
    record_with, notice = draft
    record = record_with(fates=fates, reply=str(delivery.reply) if relayed else "")
    try:
        outcome = await _written(world.store, again.settlement(record, notice, key, prepared=prepared))
    except StoreError as error:
        maillog.event("register-failed", id=transaction.id, reason=str(error))
        if passage.host or not relayed:  # nothing has left us, nor the mail server: the client may try again
            await _take_back(world.store, transaction.id, Delivery(error.reply))
            return telling.refused(transaction, judgement, error.reply)
        outcome = "lost"
    if outcome == "known":  # it came twice at once: the other one has its copies
        if prepared:
            await _take_back(world.store, transaction.id, Delivery(delivery.reply))
        return None
    telling.settled(transaction, record, fates, is_noticed=notice is not None)
    if notice or queued:
        world.wake_outbox()
    return delivery.reply


async def _written(store: Store, settlement: Settlement) -> str:
    began = perf_counter()
    try:
        outcome = await store.settle(settlement)
    finally:
        metrics.store_seconds.observe(perf_counter() - began)
    if outcome == "spilled":
        metrics.spilled.inc()
    return outcome


def _outgoing(world: World, passage: Passage, group: Group, path: ForwardPath) -> Outgoing:
    """A row of its own for each recipient: a full mailbox neither delays nor doubles the mail of the others (R-21)."""
    return Outgoing(
        id=world.new_id(),
        kind=OutgoingKind.RELAY,
        cause=passage.transaction.id,
        route=group.route,
        reverse_path=passage.transaction.reverse_path,
        parameters=passage.transaction.parameters,
        recipients=(path,),
        digest=passage.digest,
        content=group.prepend,
        drop=tuple((field.start, field.end) for field in group.drop),
    )
