"""What one program tells the next, and how the next one is started (safety O-2)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.supervisor.handover import VARIABLE, Handover, NotUnderstood, Older, received
from gateway.supervisor.holder import holder
from gateway.supervisor.trial import command


def handover(**changes: object) -> Handover:
    facts = {"trial": False, "state": Path("/var/lib/gateway"), "lock": 5, "bell": 6, "listeners": (("smtp", "", 7),)}
    return Handover(**{**facts, **changes})


def test_what_is_told_is_what_is_heard() -> None:
    given = handover(older=(Older(pid=7, kind="worker", slot=3, told=True, left=2.5),))
    environ = given.told(os.getpid())
    assert received(environ) == given
    assert environ == {}
    assert received({}) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"trial": false}', "7"])
def test_what_nobody_told_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood, match=f"{VARIABLE} cannot be used"):
        received({VARIABLE: text})


def test_what_is_told_to_another_process_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="another process"):
        received(handover().told(1))


def test_metrics_slots_of_the_living_are_not_used_again() -> None:
    def older(*slots: int) -> tuple[Older, ...]:
        return tuple(Older(pid=9, kind="worker", slot=slot) for slot in slots)

    assert handover().free_base(4) == 0
    assert handover(older=older(0, 1, 2)).free_base(4) == 3
    assert handover(older=older(4, 5)).free_base(4) == 0
    assert handover(older=older(3, 8)).free_base(4) == 4


def test_a_program_is_run_as_it_was_started(tmp_path: Path) -> None:
    script = tmp_path / "gateway"
    script.write_text("#!/usr/bin/python3 -I\n")
    python = "/usr/bin/python3"
    assert command(["python3", "-m", "gateway", "run"], python) == [python, "-m", "gateway", "run"]
    assert command([python, str(script), "run"], python) == [python, str(script), "run"], "not executable"
    script.chmod(0o755)
    assert command([python, "-I", str(script), "run"], python) == [str(script), "run"]
    assert command([python, str(script), "run"], python) == [python, str(script), "run"], "without -I"
    script.write_text("#!/usr/bin/env python3\n")
    assert command(["python3", str(script), "run", "-c", "x"], python) == [str(script), "run", "-c", "x"]


def test_who_has_a_port_or_a_socket_is_named(tmp_path: Path) -> None:
    """F-43. Our own process is left out: it asks."""
    path = tmp_path / "milter.sock"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        port = tcp.getsockname()[1]
        code = "import sys; sys.stdout.write('up\\n'); sys.stdout.flush(); sys.stdin.read()"
        assert holder(port) == holder(str(path)) == ""
        keeper = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[tcp.fileno(), unix.fileno()],
        )
        with keeper:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == b"up\n"
            assert holder(port).endswith(f"(process {keeper.pid})")
            assert holder(str(path)).endswith(f"(process {keeper.pid})")
            keeper.communicate()
        assert holder(1) == ""
