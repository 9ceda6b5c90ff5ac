"""`gateway demo`: everything on loopback, the stories told and checked, and what a person wants to see of them."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime

import uvloop

from gateway import metrics
from gateway.demo.report import Report
from gateway.demo.running import Stage, stage
from gateway.demo.stories import GMAIL_REPORT, STORIES
from gateway.demo.teller import Told, tell
from gateway.demo.words import STAY, STOPPED, WRONG, WRONG_ONE, DemoFailed, Language
from gateway.explaining import Question, explained
from gateway.quarantine.entry import EntryFilter
from gateway.reloader import PolicyError
from gateway.responder.sign import SignerError
from gateway.store.migrate import CannotStart

__all__ = ["DemoFailed", "show"]


def show(language: Language, *, stay: bool) -> None:
    """Give the demonstration; with `stay` it keeps running until SIGINT or SIGTERM.

    Raises DemoFailed when it cannot be given, or when a message meets another fate than expected.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_show(language, stay))
    except* (OSError, CannotStart, SignerError, PolicyError) as group:
        raise DemoFailed("; ".join(str(error) for error in group.exceptions)) from group
