"""Every reply path of the SMTP door, as dialogues in tests/dialogues (their language: tests/support/dialogue.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dialogue import play

SCRIPTS = sorted((Path(__file__).parents[2] / "dialogues").glob("*.smtp"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
async def test_dialogue(script: Path) -> None:
    await play(script.read_text(encoding="utf-8"))


async def test_a_wrong_expectation_fails() -> None:
    with pytest.raises(AssertionError, match="line 1"):
        await play("S: 221 *")
    with pytest.raises(AssertionError, match="messages is 0"):
        await play("S: 220 *\n= messages 1")
