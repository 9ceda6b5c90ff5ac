"""`gateway demo`: everything on loopback, the stories told and checked, and what a person wants to see of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence

import uvloop

from gateway import metrics
from gateway.demo.places import commands, places
from gateway.demo.report import Report
from gateway.demo.running import Stage, stage
from gateway.demo.stories import GMAIL_REPORT, STORIES
from gateway.demo.teller import Told, tell
from gateway.demo.words import STAY, STOPPED, WRONG, WRONG_ONE, DemoFailed, Language
from gateway.explaining import Question, explained
from gateway.responder.sign import SignerError
from gateway.store.migrate import CannotStart

__all__ = ["DemoFailed", "show"]

_FORESEEN = (DemoFailed, OSError, CannotStart, SignerError)


def show(language: Language, *, stay: bool) -> None:
    """Give the demonstration; with `stay` it keeps running until SIGINT or SIGTERM.

    Raises DemoFailed when it cannot be given, or when a message meets another fate than expected.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_show(language, stay))
    except (*_FORESEEN, ExceptionGroup) as error:  # a task group wraps what breaks inside it
        leaves = list(_leaves(error))
        if not all(isinstance(leaf, _FORESEEN) for leaf in leaves):
            raise
        raise DemoFailed("\n".join(map(str, leaves))) from error


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _show(language: Language, stay: bool) -> None:
    report = Report(language)
    report.opening()
    async with stage(stay=stay) as running:
        told = await tell(running, STORIES)
        report.table(told)
        _judge(running, told, language)
        report.as_expected(len(told))
        await _details(running, report, told, language)
        running.place.metrics.write_bytes(metrics.exposition(None))
        report.places(places(running, stay=stay, language=language))
        report.commands(commands(running, told, stay=stay, language=language))
        if stay:
            report.say(STAY)
            await _until_told_to_stop()
    report.ending(STOPPED if stay else None)


def _judge(running: Stage, told: Sequence[Told], language: Language) -> None:
    """The demonstration is a test too."""
    wrong = [
        WRONG_ONE.of(language).format(number=one.number, what="; ".join(one.differences))
        for one in told
        if one.differences
    ]
    if wrong:
        raise DemoFailed("\n".join([WRONG.of(language).format(log=running.place.log), *wrong]))


async def _details(running: Stage, report: Report, told: Sequence[Told], language: Language) -> None:
    """One notice and one explanation in full, what is held, who has sent."""
    gmail = told[GMAIL_REPORT]
    if gmail.notice is not None:
        report.notice(gmail.number, gmail.notice)
    question = Question(
        raw=running.place.letter(gmail.number).read_bytes(),
        sender=gmail.story.mail_from,
        recipients=gmail.story.forward_paths,
        client=gmail.story.host.address,
        helo=gmail.story.host.name,
        zone=running.place.zone,
        at="",
    )
    answer = await explained(running.settings, running.settings.policies, question, language)
    report.explanation(gmail.number, answer.lines)
    await report.held(running)
    await report.units(running)


async def _until_told_to_stop() -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()
