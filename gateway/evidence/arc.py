"""ARC chains (RFC 8617 §5.2): the newest message signature and every seal. A hint only; policy names whom it trusts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.envelope.header import Field
from gateway.envelope.message import Message
from gateway.evidence.canonical import body_hash, canonical_field, relaxed_field
from gateway.evidence.dkim import verified
from gateway.evidence.dkim_key import KeyFlaw, verifies
from gateway.evidence.keys import question, usable_keys
from gateway.evidence.result import MethodResult
from gateway.evidence.signature import Signature, parse_ams, parse_seal
from gateway.evidence.tags import TagError, parse, without_signature
from gateway.evidence.zone import Question, Zone

SETS_MAX = 50  # RFC 8617 §4.2.1

_NAMES = (b"arc-authentication-results", b"arc-message-signature", b"arc-seal")
_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,3})[ \t\r\n]*(?:;|\Z)")
_NONE = MethodResult("arc", "none", "no ARC set")


class ChainError(ValueError):
    """The sets are no chain. str(error) says why."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain whose structure is right: instance 1 first."""

    results: tuple[Field, ...]  # ARC-Authentication-Results
    messages: tuple[Field, ...]  # ARC-Message-Signature
    seals: tuple[Signature, ...]
    newest: Signature  # the message signature of the highest instance


def verify(message: Message, zone: Zone) -> MethodResult | None:
    """none, pass or fail, temperror when a key cannot be had; None while the zone lacks a key.

    Facts: sealer and instances (how many sets). The sealer is d= of the newest seal, and only of a chain that passes and
    whose newest message signature covers From and the whole body: it vouches for nothing else (RFC 6376 §8.2).
    """
    chain = _kept(message)
    if chain is None:
        return _NONE
    if isinstance(chain, ChainError):
        return MethodResult("arc", "fail", str(chain))
    instances = (("instances", str(len(chain.seals))),)
    flaw: tuple[str, str] | None = None
    waiting = False
    checks: list[tuple[Signature, Callable[[], str]]] = [(chain.newest, partial(_message_flaw, message, chain, zone))]
    newest_first = reversed(range(len(chain.seals)))
    checks += [(chain.seals[at], partial(_seal_flaw, message, chain, at, zone)) for at in newest_first]
    for signature, check in checks:
        keys = usable_keys(signature, zone)
        waiting = waiting or keys is None
        if waiting or flaw:
            continue
        if isinstance(keys, KeyFlaw):
            flaw = ("temperror" if keys.result == "temperror" else "fail", keys.reason)
        elif reason := check():
            flaw = ("fail", reason)
    if waiting:
        return None
    if flaw:
        return MethodResult("arc", *flaw, facts=instances)
    covers = b"from" in chain.newest.names and chain.newest.limit is None
    sealer = (("sealer", chain.seals[-1].domain),) if covers else ()
    return MethodResult("arc", "pass", facts=(*sealer, *instances))


def questions(message: Message) -> set[Question]:
    """The keys that verify() will ask for."""
    chain = _kept(message)
    return {question(signature) for signature in (chain.newest, *chain.seals)} if isinstance(chain, Chain) else set()


def sets(message: Message) -> list[tuple[Field, Field, Field]]:
    """(ARC-Authentication-Results, ARC-Message-Signature, ARC-Seal) of each instance in turn; empty without a chain."""
    chain = _kept(message)
    if not isinstance(chain, Chain):
        return []
    return [
        (result, signature, seal.field)
        for result, signature, seal in zip(chain.results, chain.messages, chain.seals, strict=True)
    ]


def _kept(message: Message) -> Chain | ChainError | None:
    memo = message.memo
    if "arc chain" not in memo:
        try:
            memo["arc chain"] = _chain(message)
        except ChainError as error:
            memo["arc chain"] = error
        except TagError as error:
            memo["arc chain"] = ChainError(str(error))
    kept: Chain | ChainError | None = memo["arc chain"]
    return kept


def _chain(message: Message) -> Chain | None:
    """Put the sets together (RFC 8617 §5.2 steps 1 to 3). Raises ChainError, TagError; None without any set."""
    given = tuple(map(message.all, _NAMES))
    if not any(given):
        return None
    count = max(map(len, given))
    if count > SETS_MAX:
        raise ChainError(f"more than {SETS_MAX} ARC sets")
    results = _by_instance(given[0], count, _result_instance)
    messages = _by_instance(given[1], count, _tag_instance)
    seal_fields = _by_instance(given[2], count, _tag_instance)
    seals = tuple(parse_seal(field) for field in seal_fields)
    for instance, seal in enumerate(seals, 1):
        if seal.chain != ("none" if instance == 1 else "pass"):
            raise ChainError(f"cv={seal.chain} in seal {instance}")
    newest = parse_ams(messages[-1])
    if any(signature.algorithm == "rsa-sha1" for signature in (newest, *seals)):
        raise ChainError("rsa-sha1 proves nothing (RFC 8301)")
    return Chain(results, messages, seals, newest)


def _by_instance(fields: list[Field], count: int, instance: Callable[[Field], int]) -> tuple[Field, ...]:
    """The fields in the order of their instances, which must be 1 to `count`, each once."""
    ordered = {instance(field): field for field in fields}
    if len(fields) != count or set(ordered) != set(range(1, count + 1)):
        raise ChainError("ARC sets are not complete, or an instance comes twice")
    return tuple(ordered[number] for number in range(1, count + 1))


def _tag_instance(field: Field) -> int:
    text = parse(field.value).get(b"i", b"")
    if not text.isdigit() or len(text) > 3:
        raise ChainError("i= is not an instance")
    return int(text)


def _result_instance(field: Field) -> int:
    """ARC-Authentication-Results starts with `i=N;` and is otherwise no tag list (RFC 8617 §4.1.1)."""
    match = _INSTANCE.match(field.value)
    if not match or not match[0].endswith(b";"):
        raise ChainError("ARC-Authentication-Results does not start with its instance")
    return int(match[1])


def _message_flaw(message: Message, chain: Chain, zone: Zone) -> str:
    """What is wrong with the newest message signature, "" for nothing."""
    signature = chain.newest
    digest, total = body_hash(message, relaxed=signature.relaxed_body, limit=signature.limit)
    if digest != signature.body_hash or (signature.limit or 0) > total:
        return "body hash of the newest ARC-Message-Signature does not match"
    keys = usable_keys(signature, zone)
    if isinstance(keys, tuple) and any(verified(message, signature, key) for key in keys):
        return ""
    return "the newest ARC-Message-Signature does not match"


def _seal_flaw(message: Message, chain: Chain, position: int, zone: Zone) -> str:
    """What is wrong with one seal, "" for nothing (RFC 8617 §5.1.1: it signs all sets up to its own)."""
    seal = chain.seals[position]
    digest = _seal_digests(message, chain)[position]
    keys = usable_keys(seal, zone)
    if isinstance(keys, tuple) and any(verifies(key, seal.signature, digest) for key in keys):
        return ""
    return f"ARC-Seal {position + 1} does not match"


def _seal_digests(message: Message, chain: Chain) -> list[bytes]:
    """What each seal signs, hashed in one go over all sets; kept in message.memo."""
    digests: list[bytes] | None = message.memo.get("arc seal digests")
    if digests is None:
        digests, running = [], hashlib.sha256()
        for result, signature, seal in zip(chain.results, chain.messages, chain.seals, strict=True):
            running.update(canonical_field(message, result, relaxed=True))
            running.update(canonical_field(message, signature, relaxed=True))
            own = running.copy()
            own.update(relaxed_field(seal.field.name, without_signature(seal.field.value)))
            digests.append(own.digest())
            running.update(canonical_field(message, seal.field, relaxed=True))
        message.memo["arc seal digests"] = digests
    return digests
