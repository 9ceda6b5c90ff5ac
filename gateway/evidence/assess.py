"""assess(): what a transaction proves, as a function of the message and of DNS answers alone."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction
from gateway.evidence import arc, dkim, dmarc, iprev, spf
from gateway.evidence.dmarc import Alignment
from gateway.evidence.names import NAME_MAX
from gateway.evidence.recall import Recall, Tape
from gateway.evidence.result import Evidence, MethodResult
from gateway.evidence.zone import Answer, Outcome, Question, Recorder, Unanswered, Zone

QUESTIONS_MAX = 60  # that assess() asks for one message; with the four of early_questions() 64 (safety S-21)

_INTERNAL = "internal: "
_OVER = Answer(Outcome.ERROR, reason="too many DNS questions for one message")

_Server = tuple[MethodResult | None, MethodResult | None]  # what is known of the server itself; None as in _Parts
_SERVERS: Recall[_Server] = Recall(2048)


class Ration(Recorder):
    """A recorder that gives one message so many questions and no more; every further one is answered with an error.

    Answers that the zone has already cost nothing. `asked` outlives the pass, in Message.memo; the errors given out are
    recorded as answers, so that a replay meets them too.
    """

    def __init__(self, zone: Zone, asked: set[Question]) -> None:
        super().__init__(zone)
        self._asked = asked

    def _unknown(self, question: Question) -> Answer | None:
        if question not in self._asked:
            if len(self._asked) >= QUESTIONS_MAX:
                self.used[question] = _OVER
                return _OVER
            self._asked.add(question)
        return super()._unknown(question)


def assess(transaction: Transaction, zone: Zone, *, authserv_id: str = "", now: datetime) -> Evidence | Unanswered:
    """All evidence of a transaction, or the questions to answer before calling again.

    Every method asks in the same pass, so two to four passes are enough for real mail, and one when the zone knows all.
    Values derived from the octets stay in message.memo. `authserv_id` names us to SPF macros; `now` is aware. Nothing
    raises: whatever goes wrong inside a method is its permerror.
    """
    message = transaction.message
    recorder = Ration(zone, message.memo.setdefault("asked", set()))
    signed, sent, greeted, reverse, sealed, alignment = _pass(transaction, recorder, authserv_id, now)
    if not (signed and sent and greeted and reverse and sealed and alignment):
        return Unanswered(frozenset(recorder.missing))
    problems = message.problems
    return Evidence(
        spf_mailfrom=sent,
        spf_helo=greeted,
        dkim=signed,
        dmarc=alignment.result,
        arc=sealed,
        iprev=reverse,
        malformed=problems,
        aligned_dkim=() if problems else alignment.dkim,
        aligned_spf="" if problems else alignment.spf,
        zone=recorder.used,
    )


_Parts = tuple[  # results of one pass; None where answers are missing
    tuple[MethodResult, ...] | None,  # of DKIM
    MethodResult | None,  # of SPF for MAIL FROM
    MethodResult | None,  # of SPF for HELO
    MethodResult | None,  # of iprev
    MethodResult | None,  # of ARC
    Alignment | None,
]


def _pass(transaction: Transaction, zone: Zone, authserv_id: str, now: datetime) -> _Parts:
    """One pass, dearest evidence first: where the ration ends, it ends for ARC and HELO before it does for DKIM."""
    message, client, path = transaction.message, transaction.client, transaction.reverse_path
    address, helo = client.address, client.helo
    try:
        signed = dkim.verify(message, zone, now)
    except Exception as error:
        signed = (_fault("dkim", error),)
    try:
        sent = spf.mail_from(address, helo, path, zone, receiver=authserv_id, now=now)
    except Exception as error:
        sent = _fault("spf", error)
    alignment = None
    if signed and sent:
        try:
            alignment = dmarc.evaluate(message, sent, signed, zone)
        except Exception as error:
            alignment = Alignment(_fault("dmarc", error))
    else:
        for question in dmarc_questions(message, path):
            zone.get(question)
    reverse, greeted = _of_server(address, helo, zone, authserv_id, now)
    try:
        sealed = arc.verify(message, zone)
    except Exception as error:
        sealed = _fault("arc", error)
    return signed, sent, greeted, reverse, sealed, alignment


def _of_server(address: iprev.Address, helo: str, zone: Zone, receiver: str, now: datetime) -> _Server:
    """iprev and SPF of the HELO name, which are the same for all messages of a server, and remembered together."""
    key = (iprev.key_of(address), helo)
    known = _SERVERS.get(key, zone)
    if known is not None:
        return known
    tape = Tape(zone)
    try:
        reverse = iprev.verify(address, tape)
    except Exception as error:
        reverse = _fault("iprev", error)
    try:
        greeted = spf.of_helo(address, helo, tape, receiver=receiver, now=now)
    except Exception as error:
        greeted = _fault("spf", error)
    if reverse is None or greeted is None or reverse.reason.startswith(_INTERNAL):
        return reverse, greeted
    if len(helo) <= NAME_MAX and spf.is_lasting(greeted.result, greeted.reason, tape):
        _SERVERS.put(key, tape, (reverse, greeted))
    return reverse, greeted


def _fault(method: str, error: Exception) -> MethodResult:
    """The result of a method that raised what nobody expected: it proves nothing and is told as such.

    A library's or our own mistake must not become silence (DESIGN: fail closed).
    """
    return MethodResult(method, "permerror", f"{_INTERNAL}{type(error).__name__}")


def early_questions(client: Client, helo: str, reverse_path: Mailbox | None) -> frozenset[Question]:
    """At most four questions that assess() is sure to ask, known at MAIL: SPF of both identities, and iprev."""
    domain = reverse_path.domain if reverse_path else ""
    ask = _early if len(helo) <= NAME_MAX and len(domain) <= NAME_MAX else _early.__wrapped__
    return ask(iprev.key_of(client.address), helo, domain)


@lru_cache(maxsize=2048)  # a server sends for the same few domains
def _early(client: iprev.Address | int, *identities: str) -> frozenset[Question]:
    domains = filter(None, map(spf.domain_of, identities))
    return frozenset((iprev.pointer_of(client), *(Question(domain, "TXT") for domain in domains)))


def message_questions(message: Message) -> set[Question]:
    """Questions that the message itself leads to, known at the end of DATA: keys of DKIM and ARC, and DMARC walks."""
    keys = dkim.questions(message) | arc.questions(message)
    return keys | dmarc_questions(message, None)


def dmarc_questions(message: Message, reverse_path: Mailbox | None) -> set[Question]:
    """Tree walks of the Author Domain and of the identifiers that may be aligned with it."""
    domains = {c.signature.domain for c in dkim.candidates(message) if c.signature}
    if reverse_path:
        domains.add(reverse_path.domain)
    return dmarc.questions(dmarc.author_domain(message), domains)
