"""SIGUSR2: the program on disk takes the place of the running one, in the same process (safety O-2)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import Service, service


def ask(connection: socket.socket, words: str) -> tuple[int, int]:
    """Slot and process that answered."""
    connection.sendall(words.encode() + b"\n")
    code, slot, pid = connection.makefile("rb").readline().split()
    assert code == b"250"
    return int(slot), int(pid)


def hand_over(running: Service, count: int = 1) -> None:
    """Ask for a hand-over, and wait until the new processes do the work."""
    running.process.send_signal(signal.SIGUSR2)
    running.wait_for("ready", count + 1)


@contextlib.contextmanager
def crowd(running: Service) -> Iterator[list[str]]:
    """Clients who connect one after another all the time; what went wrong for them."""
    over, wrong, done = threading.Event(), [], []

    def client() -> None:
        while not over.is_set():
            try:
                with running.connect() as connection:
                    ask(connection, "work 0.01")
                done.append(1)
            except (OSError, ValueError) as error:
                wrong.append(repr(error))

    clients = [threading.Thread(target=client) for _ in range(4)]
    for each in clients:
        each.start()
    try:
        yield wrong
    finally:
        over.set()
        for each in clients:
            each.join()
    assert len(done) > 20, "hardly anybody came: this proves nothing"


def test_the_process_stays_and_the_program_is_begun_anew_o2(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        running.wait_for("ready")
        with running.connect() as connection:
            _, before = ask(connection, "work 0")
        hand_over(running)
        first, second = running.wait_for("starting", 2)
        assert first["pid"] == second["pid"] == running.process.pid
        assert (first["doors"], second["older"]) == (second["doors"], 3)
        running.wait_for("handover-complete")
        with running.connect() as connection:
            assert ask(connection, "work 0")[1] != before
        assert {each["status"] for each in running.wait_for("ended", 3, older=True)} == {0}
        text = running.get("/metrics")[1]
        assert 'gateway_messages_total{reply="2yz"} 2.0' in text, "counters go on"
        assert 'gateway_handovers_total{outcome="done"} 1.0' in text
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0


def test_clients_notice_nothing_o2(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        running.wait_for("ready")
        with crowd(running) as wrong:
            for count in range(1, 4):
                hand_over(running, count)
        assert wrong == []


def test_old_workers_finish_what_they_have_begun_o1(tmp_path: Path) -> None:
    with service(tmp_path, "drain=60") as running:
        running.wait_for("ready")
        with running.connect() as connection:
            connection.sendall(b"work 4\n")
            time.sleep(0.2)
            hand_over(running)
            running.wait_for("ended", 2, older=True)  # those who had nothing in hand
            with running.connect() as other:
                _, new = ask(other, "work 0")
            code, _, old = connection.makefile("rb").readline().split()
            assert (code, int(old) != new) == (b"250", True)
        running.wait_for("handover-complete")


def test_a_second_handover_may_come_while_old_workers_drain(tmp_path: Path) -> None:
    with service(tmp_path, "drain=60") as running:
        running.wait_for("ready")
        with contextlib.ExitStack() as stack:
            busy = []
            for count in range(1, 4):
                busy.append(stack.enter_context(running.connect()))
                busy[-1].sendall(b"work 9\n")
                time.sleep(0.2)
                hand_over(running, count)
                running.wait_for("ended", 2 * count, older=True)  # those who had nothing in hand
            assert [each["older"] for each in running.wait_for("starting", 4)][2:] == [4, 5]
            processes = {connection.makefile("rb").readline().split()[2] for connection in busy}
            assert len(processes) == 3, "each generation has finished its own"
        running.wait_for("handover-complete")
        text = running.get("/metrics")[1]
        assert 'gateway_messages_total{reply="2yz"} 3.0' in text


def test_older_processes_are_ended_when_their_drain_is_over(tmp_path: Path) -> None:
    with service(tmp_path, "deaf", "drain=0.3") as running:
        running.wait_for("ready")
        hand_over(running)
        running.wait_for("handover-complete")
        assert {each["status"] for each in running.wait_for("ended", 3, older=True)} == {0}


def test_sigterm_in_the_middle_ends_all_of_them(tmp_path: Path) -> None:
    with service(tmp_path, "drain=60") as running:
        running.wait_for("ready")
        with running.connect() as connection:
            connection.sendall(b"work 3\n")
            time.sleep(0.2)
            hand_over(running)
            running.process.send_signal(signal.SIGTERM)
            assert connection.makefile("rb").readline().startswith(b"250")
        assert running.end() == 0
        assert len(running.wait_for("ended", 6)) == 6


def test_sigterm_during_the_trial_ends_the_service(tmp_path: Path) -> None:
    with service(tmp_path, "slow-trial") as running:
        running.wait_for("ready")
        running.process.send_signal(signal.SIGUSR2)
        running.wait_for("handover-asked")
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
        assert len(running.wait_for("starting")) == 1


def test_a_program_that_would_not_start_is_refused_and_the_old_one_goes_on(tmp_path: Path) -> None:
    with service(tmp_path, "refuse-trial") as running:
        running.wait_for("ready")
        with running.connect() as connection:
            _, before = ask(connection, "work 0")
            running.process.send_signal(signal.SIGUSR2)
            (refusal,) = running.wait_for("handover-refused")
            assert refusal["reasons"] == ["policies/units.csv:7: unit_id: 'PGD-BENLUC': given twice"]
            assert ask(connection, "work 0")[1] == before
        assert 'gateway_handovers_total{outcome="refused"} 1.0' in running.get("/metrics")[1]


def test_a_program_that_is_gone_is_refused(tmp_path: Path) -> None:
    """An upgrade that went wrong: there is nothing to be started."""
    program = tmp_path / "gateway"
    program.write_text(
        f"#!{sys.executable}\nimport runpy\nrunpy.run_module('tests.support.service', run_name='__main__')\n"
    )
    program.chmod(0o755)
    with service(tmp_path / "state", program=[str(program)]) as running:
        running.wait_for("ready")
        program.rename(tmp_path / "moved")
        running.process.send_signal(signal.SIGUSR2)
        (refusal,) = running.wait_for("handover-refused")
        assert "cannot be run" in refusal["reasons"][0] or "No such file" in " ".join(refusal["reasons"])
        (tmp_path / "moved").rename(program)
        hand_over(running)


def test_a_newer_file_of_the_same_name_is_what_is_run(tmp_path: Path) -> None:
    program = tmp_path / "gateway"
    text = f"#!{sys.executable}\nimport runpy, sys\nrunpy.run_module('tests.support.service', run_name='__main__')\n"
    program.write_text(text)
    program.chmod(0o755)
    with service(tmp_path / "state", "workers=1", program=[str(program)]) as running:
        running.wait_for("ready")
        newer = tmp_path / "newer"
        newer.write_text(text.replace("sys\n", "sys\nsys.argv.append('workers=3')\n", 1))
        newer.chmod(0o755)
        newer.replace(program)
        hand_over(running)
        assert [each["workers"] for each in running.wait_for("starting", 2)] == [1, 3]
        running.wait_for("handover-complete")


def test_new_workers_that_do_not_run_leave_the_work_to_the_old_ones(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    with service(tmp_path / "state", f"broken-when={flag}") as running:
        running.wait_for("ready")
        with running.connect() as connection:
            _, before = ask(connection, "work 0")
            flag.touch()
            running.process.send_signal(signal.SIGUSR2)
            running.wait_for("handover-stuck")
            assert ask(connection, "work 0")[1] == before
            flag.unlink()
            running.wait_for("ended", 3, older=True)
        with running.connect() as connection:
            assert ask(connection, "work 0")[1] != before


def test_a_change_of_address_opens_the_new_one_and_closes_the_old_one(tmp_path: Path) -> None:
    addresses = tmp_path / "address"
    addresses.write_text("127.0.0.1:0")
    with service(tmp_path / "state", f"address-in={addresses}") as running:
        running.wait_for("ready")
        before = running.port()
        with socket.create_server(("127.0.0.1", 0)) as other:
            addresses.write_text(f"127.0.0.1:{other.getsockname()[1]}")
            running.process.send_signal(signal.SIGUSR2)
            (refusal,) = running.wait_for("handover-refused")
            assert "Address already in use" in refusal["reasons"][0]
        hand_over(running)
        running.wait_for("handover-complete")
        assert running.wait_for("starting", 2)[1]["doors"]["smtp"] == [addresses.read_text()]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", before), 5)


def test_systemd_is_told_of_a_handover(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)

        def until(word: bytes) -> bytes:
            while word not in (told := manager.recv(300)):
                pass
            return told

        with service(tmp_path / "state", environ={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}) as running:
            until(b"READY=1")
            running.process.send_signal(signal.SIGUSR2)
            assert b"MONOTONIC_USEC=" in until(b"RELOADING=1")
            assert b"MAINPID=%d" % running.process.pid in until(b"READY=1")
            assert until(b"WATCHDOG=1") == b"WATCHDOG=1"
            running.process.send_signal(signal.SIGHUP)
            until(b"RELOADING=1")
            until(b"READY=1")


def test_sigusr2_to_the_whole_group_kills_nobody(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        running.wait_for("ready")
        os.killpg(running.process.pid, signal.SIGUSR2)
        running.wait_for("handover-complete")
        assert "died" not in {each["event"] for each in running.events}
