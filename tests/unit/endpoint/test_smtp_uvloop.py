"""The same door under uvloop, which has transports, sockets and TLS of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.dialogue import play
from tests.unit.endpoint import test_smtp_leaving as leaving
from tests.unit.endpoint import test_smtp_limits as limits
from tests.unit.endpoint import test_smtp_smuggling as smuggling
from tests.unit.endpoint import test_smtp_starttls as starttls

SCRIPTS = sorted((Path(__file__).parents[2] / "dialogues").glob("*.smtp"))


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def test_dialogues_under_uvloop() -> None:
    for script in SCRIPTS:
        run(play(script.read_text(encoding="utf-8")))


@pytest.mark.parametrize("leave", ["fin", "rst"])
def test_leaving_under_uvloop(leave: str) -> None:
    """R-9, F-15."""
    run(leaving.test_judging_goes_on_when_the_client_leaves(leave))


@pytest.mark.parametrize(
    "scenario",
    [
        leaving.test_half_closed_client_still_hears,
        leaving.test_drain_waits_for_what_is_under_way,
        leaving.test_drain_covers_a_client_that_left,
        limits.test_early_talker,
        limits.test_idle_client_is_told_and_sent_away,
        limits.test_client_that_does_not_read_is_cut,
        smuggling.test_end_of_data_across_segments_ends_it,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("test_"),
)
def test_scenario_under_uvloop(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(scenario())


@pytest.mark.parametrize(
    "scenario",
    [
        starttls.test_state_is_forgotten_and_the_client_is_not,
        starttls.test_octets_behind_the_command_end_the_session,
        starttls.test_octets_after_the_go_ahead_are_no_commands,
        starttls.test_large_message_over_tls,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("test_"),
)
def test_tls_under_uvloop(scenario: Callable[[dict[str, Any]], Coroutine[Any, Any, None]], tmp_path: Path) -> None:
    run(scenario(starttls.write_certificate(tmp_path)))
