"""The evidence of one message, with DNS asked round by round; and work on large messages kept off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from gateway.envelope.message import Message
from gateway.envelope.transaction import Transaction
from gateway.evidence.assess import assess
from gateway.evidence.result import Evidence
from gateway.evidence.zone import Answer, Layered, Outcome, Question
from gateway.ports import Resolver

ROUNDS_MAX = 24  # of DNS questions for one message: SPF includes follow one another
EVIDENCE_SECONDS = 30.0  # safety R-10
# Octets from which work on a message leaves the event loop (safety F-38). Below it a message takes milliseconds, and the
# threads would share the interpreter in slices of five (sys.getswitchinterval) with more work for all.
THREAD_ABOVE = 1024 * 1024

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def off_loop(message: Message, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run pure work on the message: at once when it is small, in a thread when it would hold up other sessions."""
    if message.size > THREAD_ABOVE:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)


async def gather(
    resolver: Resolver, transaction: Transaction, authserv_id: str, known: dict[Question, Answer]
) -> Evidence:
    """Assess, answer what it asks, assess again: DNS enters as data. Time is bounded; what is late is a temperror."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + EVIDENCE_SECONDS
    for round_ in range(ROUNDS_MAX + 2):
        zone = Layered(known, resolver.cache) if known else resolver.cache
        outcome = await off_loop(
            transaction.message, assess, transaction, zone, authserv_id=authserv_id, now=transaction.received_at
        )
        if isinstance(outcome, Evidence):
            return outcome
        answers: Mapping[Question, Answer] = {}
        if round_ < ROUNDS_MAX:
            try:
                async with asyncio.timeout_at(deadline):
                    answers = await resolver.answer(outcome.questions)
            except TimeoutError:
                answers = {}
        late = Answer(Outcome.ERROR, reason="no answer within the time for one message")
        known.update({question: answers.get(question, late) for question in outcome.questions})
    raise RuntimeError("evidence asks for ever new questions")
