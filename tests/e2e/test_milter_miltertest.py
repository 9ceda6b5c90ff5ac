"""miltertest, the tool by which OpenDKIM's own milters are tested, drives our milter door: scripts in miltertest/."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dns_thread import dns_thread
from tests.support.milter_house import MilterGateway, prepared_milter
from tests.support.milter_mail import ZONE
from tests.support.ports import free_port

pytestmark = [pytest.mark.postfix]

SCRIPTS = Path(__file__).parent / "miltertest"
RULES = [
    {"name": "refused-here", "when": {"header": ["X-Hoa-Toc"]}, "then": {"refuse": {"code": 550, "text": "Not here"}}},
    {"name": "kept", "when": {"recipient": ["giulai@longan.edu.vn"]}, "then": {"hold": {"reason": "under-test"}}},
    {
        "name": "moved",
        "when": {"recipient": ["tochuc@longan.edu.vn"]},
        "then": {"relay": {"redirect": ["ketoan@longan.edu.vn"], "tags": ["unit-headers"]}},
    },
]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilterGateway]:
    if shutil.which("miltertest") is None:
        pytest.skip("miltertest is not installed (Debian package miltertest)")
    with dns_thread(ZONE) as dns, tempfile.TemporaryDirectory() as short:  # of the path of a socket, 107 octets count
        folder, door = tmp_path_factory.mktemp("gateway"), Path(short) / "milter.sock"
        overlay = {"rules_first": RULES}
        opened = prepared_milter(folder, "postfix", door, dns.address, free_port(), overlay)
        try:
            opened.start()
            yield opened
        finally:
            opened.stop()
    assert opened.events("fault") == []


def run(gate: MilterGateway, name: str) -> None:
    """Run one script; its first complaint is the failure."""
    words = {"door": gate.door, "scripts": SCRIPTS, "name": name}
    defined = [word for key, value in words.items() for word in ("-D", f"{key}={value}")]
    done = subprocess.run(
        ["miltertest", *defined, "-s", str(SCRIPTS / f"{name}.lua")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr + gate.log[-3000:]


def test_a_conversation_with_edits_of_the_header(gate: MilterGateway) -> None:
    run(gate, "tagged")
    lines = [line for line in gate.events("relayed") if line["queue_id"] == "4BQueueId1"]
    assert lines, "the macro i is in no line of the log"
    assert {line["unit"] for line in lines} == {"pgddt-ben-luc"}


def test_edits_of_recipients(gate: MilterGateway) -> None:
    run(gate, "held")
    held = [entry["recipients"] for entry in gate.entries() if entry["rule"] == "kept"]
    assert sorted(recipients[0].lower() for recipients in held) == ["giulai@longan.edu.vn"] * 2


def test_a_refusal_an_abort_and_a_login(gate: MilterGateway) -> None:
    before = len(gate.entries())
    run(gate, "refused")
    assert len(gate.entries()) == before
    assert [line["reply"] for line in gate.events("refused")] == ["550 5.7.1 Not here"]


def test_a_mail_server_that_cannot_do_enough_is_told_apart_in_the_log(gate: MilterGateway) -> None:
    """S-34, rspamd#3088: the door serves the next one."""
    run(gate, "ancient")
    [line, *_] = gate.events("milter-protocol")
    assert "version 2" in line["reason"]
