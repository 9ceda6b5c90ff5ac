"""What goes wrong around a hand-over, and does not end the service (safety O-2, O-4)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson

from gateway.supervisor.bell import Bell
from gateway.supervisor.handover import VARIABLE, Handover, Older, received
from gateway.supervisor.lock import occupy
from tests.support.running import REPOSITORY, service


def knock(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(b"work 0\n")
        return client.recv(100)


def test_a_unix_socket_whose_name_is_gone_is_opened_anew(tmp_path: Path) -> None:
    """Its trial opens it too, and what that leaves behind must not be taken for the socket that can be reached."""
    path = tmp_path / "door.sock"
    with service(tmp_path / "state", f"address=unix:{path}") as running:
        running.wait_for("ready")
        path.unlink()
        running.process.send_signal(signal.SIGUSR2)
        running.wait_for("handover-complete")
        assert knock(path).startswith(b"250 ")


def test_a_unix_socket_that_others_have_left_dead_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    with service(tmp_path / "state", f"address=unix:{path}") as running:
        running.wait_for("ready")
        path.unlink()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        running.process.send_signal(signal.SIGUSR2)
        running.wait_for("handover-complete")
        assert knock(path).startswith(b"250 ")


def test_a_unix_socket_that_can_be_reached_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    with service(tmp_path / "state", f"address=unix:{path}") as running:
        running.wait_for("ready")
        before = path.stat().st_ino
        running.process.send_signal(signal.SIGUSR2)
        running.wait_for("handover-complete")
        assert path.stat().st_ino == before
        assert knock(path).startswith(b"250 ")


def test_a_trial_leaves_no_socket_behind(tmp_path: Path) -> None:
    state, path = tmp_path / "state", tmp_path / "new.sock"
    lock, bell = occupy(state), Bell()
    handover = Handover(trial=True, state=state, lock=lock, bell=bell.fileno(), listeners=())
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.service", str(state), f"address=unix:{path}"],
        cwd=REPOSITORY,
        env={**os.environ, **handover.told(os.getpid())},
        pass_fds=handover.descriptors(),
        capture_output=True,
        timeout=60,
    )
    os.close(lock)
    bell.close()
    assert done.returncode == 0, done.stderr
    assert not path.exists()


def test_a_passing_fault_after_the_trial_does_not_end_the_service(tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    with service(tmp_path / "state", f"passing-fault={fault}") as running:
        running.wait_for("ready")
        fault.touch()
        running.process.send_signal(signal.SIGUSR2)
        running.wait_for("handover-complete")
        assert not fault.exists()
        assert "handover-failed" not in {each["event"] for each in running.events}


def test_the_watchdog_waits_while_the_new_program_begins(tmp_path: Path) -> None:
    """It reads policies and opens the store, and cannot give a sign of life meanwhile."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        with service(tmp_path / "state", environ={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}) as running:
            running.wait_for("ready")
            running.process.send_signal(signal.SIGUSR2)
            told = b""
            while b"WATCHDOG_USEC=600000000" not in told:
                told = manager.recv(300)
            assert b"WATCHDOG_USEC=400000" in manager.recv(300), "the next that is heard comes from the new program"


def test_what_a_newer_program_tells_beyond_our_knowledge_is_left() -> None:
    given = Handover(trial=False, state=Path("/s"), lock=5, bell=6, listeners=(), older=(Older(7, "worker", 3),))
    facts = orjson.loads(given.told(os.getpid())[VARIABLE])
    facts |= {"mood": "good", "older": [each | {"mood": "good"} for each in facts["older"]]}
    assert received({VARIABLE: orjson.dumps(facts).decode()}) == given
