"""assess(): what a transaction proves, as a function of the message and of DNS answers alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction
from gateway.evidence import arc, dkim, dmarc, iprev, spf
from gateway.evidence.dmarc import Alignment
from gateway.evidence.result import Evidence, MethodResult
from gateway.evidence.zone import Answer, Outcome, Question, Recorder, Unanswered, Zone

QUESTIONS_MAX = 60  # that assess() asks for one message; with the four of early_questions() 64 (safety S-21)

_OVER = Answer(Outcome.ERROR, reason="too many DNS questions for one message")


class Ration(Recorder):
    """A recorder that gives one message so many questions and no more; every further one is answered with an error.

    Answers that the zone has already cost nothing. `asked` outlives the pass, in Message.memo; the errors given out are
    recorded as answers, so that a replay meets them too.
    """

    def __init__(self, zone: Zone, asked: set[Question]) -> None:
        super().__init__(zone)
        self._asked = asked

    def get(self, question: Question, /) -> Answer | None:
        answer = super().get(question)
        if answer is None and question not in self._asked:
            if len(self._asked) >= QUESTIONS_MAX:
                self.missing.discard(question)
                self.used[question] = answer = _OVER
            else:
                self._asked.add(question)
        return answer


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Parts:
    """Results of one pass; None where answers are missing."""

    dkim: tuple[MethodResult, ...] | None
    mail_from: MethodResult | None
    helo: MethodResult | None
    iprev: MethodResult | None
    arc: MethodResult | None
    dmarc: Alignment | None


def assess(transaction: Transaction, zone: Zone, *, authserv_id: str = "", now: datetime) -> Evidence | Unanswered:
    """All evidence of a transaction, or the questions to answer before calling again.

    Every method asks in the same pass, so two to four passes are enough for real mail, and one when the zone knows all.
    Values derived from the octets stay in message.memo. `authserv_id` names us to SPF macros; `now` is aware. Nothing
    raises: whatever goes wrong inside a method is its permerror.
    """
    message = transaction.message
    recorder = Ration(zone, message.memo.setdefault("asked", set()))
    parts = _pass(transaction, recorder, authserv_id, now)
    alignment = parts.dmarc
    if not (parts.dkim and parts.mail_from and parts.helo and parts.iprev and parts.arc and alignment):
        return Unanswered(frozenset(recorder.missing))
    proven = not message.problems
    return Evidence(
        spf_mailfrom=parts.mail_from,
        spf_helo=parts.helo,
        dkim=parts.dkim,
        dmarc=alignment.result,
        arc=parts.arc,
        iprev=parts.iprev,
        malformed=message.problems,
        aligned_dkim=alignment.dkim if proven else (),
        aligned_spf=alignment.spf if proven else "",
        zone=recorder.used,
    )


def _pass(transaction: Transaction, zone: Zone, authserv_id: str, now: datetime) -> _Parts:
    """One pass, dearest evidence first: where the ration ends, it ends for ARC and HELO before it does for DKIM."""
    message, client = transaction.message, transaction.client
    address, helo, path = client.address, client.helo, transaction.reverse_path
    signed = _guard("dkim", lambda: dkim.verify(message, zone, now), lambda failed: (failed,))
    sent = _guard("spf", lambda: spf.mail_from(address, helo, path, zone, receiver=authserv_id, now=now), _same)
    if signed and sent:
        alignment = _guard("dmarc", lambda: dmarc.evaluate(message, sent, signed, zone), Alignment)
    else:
        alignment = None
        for question in dmarc_questions(message, path):
            zone.get(question)
    reverse = _guard("iprev", lambda: iprev.verify(address, zone), _same)
    greeted = _guard("spf", lambda: spf.of_helo(address, helo, zone, receiver=authserv_id, now=now), _same)
    sealed = _guard("arc", lambda: arc.verify(message, zone), _same)
    return _Parts(signed, sent, greeted, reverse, sealed, alignment)


def _same(result: MethodResult) -> MethodResult:
    return result


def _guard(method: str, run: Callable[[], _T | None], wrap: Callable[[MethodResult], _T]) -> _T | None:
    """What a method gives; an exception that nobody expected proves nothing and is told as such."""
    try:
        return run()
    except Exception as error:  # a library's or our own mistake must not become silence (DESIGN: fail closed)
        return wrap(MethodResult(method, "permerror", f"internal: {type(error).__name__}"))


def early_questions(client: Client, helo: str, reverse_path: Mailbox | None) -> set[Question]:
    """At most four questions that assess() is sure to ask, known at MAIL: SPF of both identities, and iprev."""
    domains = {spf.domain_of(helo), spf.domain_of(str(reverse_path)) if reverse_path else ""} - {""}
    return {iprev.pointer(client.address), *(Question(domain, "TXT") for domain in domains)}


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
