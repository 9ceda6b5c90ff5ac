"""Entries, their moves and what a release puts back on its way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.envelope.address import Mailbox
from gateway.envelope.transaction import ForwardPath
from gateway.quarantine.entry import MOVES, OPEN, MoveRefused, State, is_id
from gateway.quarantine.release import reinjection
from gateway.store.schema import OutState
from tests.support.store_samples import entry, message

STATES = Path(__file__).parents[3] / "docs" / "states.md"


def test_every_state_has_its_moves_and_the_ends_have_none():
    assert set(MOVES) == set(State)
    assert {state for state in State if not MOVES[state]} == set(State) - set(OPEN)


def test_every_state_and_move_is_drawn():
    drawn = STATES.read_text(encoding="utf-8")
    for source, targets in MOVES.items():
        assert f"`{source}`" in drawn
        for target in targets:
            assert f"{source} --> {target}" in drawn, f"{source} --> {target}"
    for state in OutState:
        assert f"`{state}`" in drawn


def test_only_allowed_moves_are_drawn():
    lines = STATES.read_text(encoding="utf-8").split("## Outbox")[0].splitlines()
    moves = [line.strip().split(":")[0].split(" --> ") for line in lines if " --> " in line and "[*]" not in line]
    assert moves
    for source, target in moves:
        assert State(target) in MOVES[State(source)]


def test_release_has_the_original_envelope_and_held_recipients_only():
    held = entry(message())
    again = reinjection(held)
    assert again.reverse_path == held.reverse_path
    assert again.recipients == held.recipients
    assert again.digest == held.digest
    assert reinjection(replace(held, reverse_path=None)).reverse_path is None


def test_nothing_is_released_without_its_octets():
    with pytest.raises(MoveRefused):
        reinjection(replace(entry(message()), has_body=False, state=State.UNCERTAIN))


def test_merge_key_is_that_of_the_same_message_whatever_the_order_of_recipients():
    held = entry(message())
    other = ForwardPath(Mailbox("phongtc", "longan.edu.vn"))
    two = replace(held, recipients=(*held.recipients, other))
    assert two.merge_key == replace(two, id="7K2M-1", recipients=tuple(reversed(two.recipients))).merge_key
    keys = {
        held.merge_key,
        two.merge_key,
        replace(held, reverse_path=None).merge_key,
        replace(held, digest="0").merge_key,
    }
    assert len(keys) == 4


@pytest.mark.parametrize("bad", ["", "-a", "a/b", "..", "a\n", "é", "a" * 65])
def test_S37_what_cannot_be_an_id(bad):
    assert not is_id(bad)


def test_ids_of_transactions_are_ids():
    assert is_id("7K2M-4QX9-ZTR1")
