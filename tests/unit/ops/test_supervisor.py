"""The supervisor with real processes, real signals and real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.running import REPOSITORY, Service, service


def ask(connection: socket.socket, command: str) -> tuple[int, int]:
    """Slot and process that answered."""
    connection.sendall(command.encode() + b"\n")
    code, slot, pid = connection.makefile("rb").readline().split()
    assert code == b"250"
    return int(slot), int(pid)


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_worker_is_replaced_and_no_connection_is_refused(tmp_path: Path) -> None:
    """The sockets belong to the parent: what arrives while a worker is away waits in their queue."""
    with service(tmp_path, "workers=1") as running:
        running.wait_for("ready")
        for _ in range(3):
            with running.connect() as connection:
                _, pid = ask(connection, "work 0")
                os.kill(pid, signal.SIGKILL)
                with running.connect() as waiting:
                    assert ask(waiting, "work 0")[1] != pid
        died = running.wait_for("died", 3)
        assert {(each["process"], each["status"]) for each in died} == {("worker", -signal.SIGKILL)}
        text = running.get("/metrics")[1]
        assert 'gateway_process_restarts_total{process="worker"} 3.0' in text
        assert 'gateway_messages_total{reply="2yz"} 6.0' in text  # over the lives of one slot


def test_sigterm_lets_transactions_finish_and_refuses_new_ones(tmp_path: Path) -> None:
    """F-39, O-1: stop accepting, finish what runs, services last, exit 0."""
    with service(tmp_path) as running:
        running.wait_for("ready")
        assert running.get("/readyz")[0] == 200
        connections = [running.connect() for _ in range(12)]
        for connection in connections:
            connection.sendall(b"work 1\n")
        time.sleep(0.3)  # all twelve are under way
        running.process.send_signal(signal.SIGTERM)
        running.wait_for("stopping")
        status, body = running.get("/readyz")
        assert (status, json.loads(body)["checks"]) == (503, {"stopping": "the service is draining"})
        assert running.get("/livez")[0] == 200
        for connection in connections:
            with connection:
                assert connection.makefile("rb").readline().startswith(b"250")
        assert running.end() == 0
        ended = [(each["process"], each["status"]) for each in running.wait_for("ended", 3)]
        assert sorted(ended[:2]) == [("worker", 0), ("worker", 0)]
        assert ended[2] == ("services", 0)


def test_drain_has_an_end(tmp_path: Path) -> None:
    with service(tmp_path, "deaf", "drain=0.3") as running:
        running.wait_for("ready")
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
        assert_ended_by_themselves(running)


def assert_ended_by_themselves(running: Service) -> None:
    assert {each["status"] for each in running.wait_for("ended", 3)} == {0}
    assert "killed" not in {each["event"] for each in running.events}


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_means_now(tmp_path: Path, first: signal.Signals) -> None:
    """O-1."""
    with service(tmp_path, "deaf", "drain=600") as running:
        running.wait_for("ready")
        running.process.send_signal(first)
        running.wait_for("stopping")
        running.process.send_signal(first)
        assert running.end() == 0
        running.wait_for("hurrying")
        assert_ended_by_themselves(running)


def test_ctrl_c_reaches_the_group_and_still_drains(tmp_path: Path) -> None:
    with service(tmp_path, "workers=1") as running, running.connect() as connection:
        running.wait_for("ready")
        connection.sendall(b"work 0.5\n")
        time.sleep(0.2)
        os.killpg(running.process.pid, signal.SIGINT)
        assert connection.makefile("rb").readline().startswith(b"250")
        assert running.end() == 0


def test_sighup_reaches_every_process(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        running.wait_for("ready")
        running.process.send_signal(signal.SIGHUP)
        assert {each["slot"] for each in running.wait_for("reloaded", 3)} == {0, 1, 2}


def test_a_worker_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    """O-5: the heartbeat of the event loop is what counts."""
    with service(tmp_path, "workers=1", "hung=3") as running:
        running.wait_for("ready")
        with running.connect() as connection:
            connection.sendall(b"hang\n")
            assert running.wait_for("hung")[0]["slot"] == 0
            running.wait_for("died")
        with running.connect() as connection:
            assert ask(connection, "work 0")[0] == 0


def test_workers_that_crash_at_once_again_and_again_end_the_service(tmp_path: Path) -> None:
    with service(tmp_path, "broken") as running:
        assert running.end() == 1
        assert "as told" in running.wait_for("crashed")[0]["error"]
        assert len(running.wait_for("died")) < 12
        running.wait_for("giving-up")


def test_one_worker_that_cannot_run_does_not_end_the_others_work(tmp_path: Path) -> None:
    """F-42: as with a store that can be used, but not opened anew."""
    obstacle = tmp_path / "obstacle"
    with service(tmp_path / "state", f"broken-when={obstacle}") as running:
        running.wait_for("ready")
        with running.connect() as connection:
            slot, pid = ask(connection, "work 0")
        time.sleep(4)  # long enough at work to be no worker that crashes at once
        obstacle.touch()
        os.kill(pid, signal.SIGKILL)
        running.wait_for("died", 7, slot=slot)
        with running.connect() as connection:
            assert ask(connection, "work 0")[0] != slot
        assert not any(each["event"] == "giving-up" for each in running.events)
        obstacle.unlink()
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0


def test_mail_goes_on_while_the_services_process_cannot_run(tmp_path: Path) -> None:
    """F-42."""
    with service(tmp_path, "broken-services") as running:
        running.wait_for("died", 6, process="services")
        with running.connect() as connection:
            ask(connection, "work 0")
        assert running.process.poll() is None


def test_a_second_gateway_on_the_same_state_is_refused_in_words(tmp_path: Path) -> None:
    """F-43."""
    with service(tmp_path) as running:
        running.wait_for("ready")
        with service(tmp_path) as second:
            assert second.end() == 75
            (line,) = second.other
            assert f"another gateway is using this state directory (process {running.process.pid})" in line
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
    with service(tmp_path) as third:  # the lock ends with its holder
        third.wait_for("ready")


def test_an_address_in_use_is_refused_in_words(tmp_path: Path) -> None:
    """F-43."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with service(tmp_path, f"address={address}") as running:
            assert running.end() == 75
            (line,) = running.other
            name = Path("/proc/self/comm").read_text().strip()
            who = f"{name} (process {os.getpid()})"
            assert (
                line
                == f"gateway: {address}: Address already in use; {who} is listening there; stop it, or choose another port\n"
            )


def test_a_refused_configuration_ends_before_anything_is_opened(tmp_path: Path) -> None:
    """O-4: exit 78, which systemd does not restart."""
    with service(tmp_path / "state", "refuse") as running:
        assert running.end() == 78
        assert running.other == ["gateway: policies/units.csv:7: unit_id: 'PGD-BENLUC': given twice\n"]
        assert not (tmp_path / "state").exists()


def test_processes_end_when_their_supervisor_was_killed(tmp_path: Path) -> None:
    with service(tmp_path, "workers=1") as running:
        running.wait_for("ready")
        with running.connect() as connection:
            _, pid = ask(connection, "work 0")
        running.process.kill()
        running.process.wait()
        assert {each["slot"] for each in running.wait_for("orphaned", 2)} == {0, 1}
        while not has_ended(pid):
            time.sleep(0.05)


def test_systemd_is_told_and_asked_for_nothing_else(tmp_path: Path) -> None:
    """O-7: READY when the doors are open, signs of life, STOPPING."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
        with service(tmp_path / "state", environ=environ) as running:
            told = [manager.recv(200)]
            while not told[-1].startswith(b"READY=1"):
                told.append(manager.recv(200))
            assert told[-1] == b"READY=1\nMAINPID=%d\nSTATUS=serving" % running.process.pid
            assert manager.recv(100) == b"WATCHDOG=1"
            running.process.send_signal(signal.SIGTERM)
            while told[-1] != b"STOPPING=1":
                told.append(manager.recv(100))
            assert running.end() == 0


def test_sockets_of_systemd_are_taken_over_by_name(tmp_path: Path) -> None:
    """O-2: systemd keeps the queue while we are away."""
    with socket.create_server(("127.0.0.1", 0)) as passed:
        port = passed.getsockname()[1]
        code = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
            "os.execv(sys.executable, [sys.executable, '-m', 'tests.support.service', *sys.argv[2:]])"
        )
        environ = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(passed.fileno()), str(tmp_path), "address=192.0.2.1:25"],
            cwd=REPOSITORY,
            env=environ,
            pass_fds=[passed.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            with socket.create_connection(("127.0.0.1", port), 20) as connection:
                ask(connection, "work 0")
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
