"""`gateway doctor` as an operator calls it: beside a running gateway, before the first start, with things broken."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.dns_thread import dns_thread
from tests.support.doctoring import GOOD_ZONE
from tests.support.gateway_process import GatewayProcess, prepared, running_gateway
from tests.support.milter_house import milter_house
from tests.support.ports import free_port
from tests.support.postfix import running_postfix
from tests.support.sink import EHLO, Sink, running


@contextmanager
def sink_thread() -> Iterator[Sink]:
    """A receiving server in a thread of its own."""
    sink, loop = Sink({"EHLO": EHLO.replace(b"250 DSN", b"250 XFORWARD NAME")}), asyncio.new_event_loop()
    ready, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with running(sink, free_port()):
            ready.set()
            await stop.wait()

    thread = Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(ready.wait(), loop).result(10)
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with sink_thread() as sink, dns_thread(GOOD_ZONE) as dns, running_gateway(folder, sink.port, dns.address) as gate:
        gate.await_true(lambda: gate.get("/readyz")[0] == 200, "not ready")
        yield gate


def examined(
    gate: GatewayProcess, *arguments: str, status: int = 0, **environment: str
) -> dict[str, list[dict[str, Any]]]:
    """Findings by the id of their check."""
    done = gate.command("doctor", "--json", *arguments, **environment)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr == ""
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["id"], []).append(finding)
    return found


def results(found: dict[str, list[dict[str, Any]]]) -> dict[str, set[str]]:
    return {name: {each["result"] for each in findings} for name, findings in found.items()}


def test_beside_a_running_gateway_there_is_no_error(gate: GatewayProcess) -> None:
    told = results(examined(gate))
    assert [name for name, found in told.items() if "error" in found] == []
    well = [name for name in told if name.startswith(("settings", "policies", "dns", "doors", "routes", "running"))]
    # the test's door is on loopback only; and program files may change while they are being developed
    well = [name for name in well if name not in ("doors.public", "running.restart")]
    assert {name: told[name] for name in well} == {name: {"ok"} for name in well}
    assert told["store.schema"] == told["store.integrity"] == told["store.held"] == {"ok"}


def test_it_leaves_no_trace_in_the_running_gateway(gate: GatewayProcess) -> None:
    """No mail, no held entry, no record; the log knows of no fault."""
    examined(gate)
    assert gate.json("quarantine", "list", "--all") == []
    assert gate.events("fault") == []


def test_text_for_people_in_both_languages(gate: GatewayProcess) -> None:
    for language, words in (("en", ("Look again: 0 errors", "Why:")), ("vi", ("Cần xem lại: 0 lỗi", "Lý do:"))):
        done = gate.command("doctor", "--lang", language)
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        last = done.stdout.rstrip().splitlines()[-1]
        assert last.startswith(words[0])
        assert words[1] in done.stdout


def test_exit_statuses_and_choice(gate: GatewayProcess) -> None:
    assert set(examined(gate, "--only", "tls.certificate")) == {"tls.certificate"}  # a warning is no failure
    examined(gate, "--only", "tls.certificate", "--strict", status=1)
    done = gate.command("doctor", "--only", "dnss")
    assert (done.returncode, "dnss" in done.stderr, done.stdout) == (2, True, "")
    listed = gate.command("doctor", "--list").stdout.split("\n")
    told = gate.json("doctor", "--list")
    assert [one["id"] for one in told] == [line.split()[0] for line in listed if line]
    assert any(line.startswith("store.integrity") for line in listed)


def test_policies_that_were_broken_under_a_running_gateway(gate: GatewayProcess) -> None:
    """F-34: the set in force stays, and the doctor says which one that is."""
    file = gate.folder / "policies" / "policy.yaml"
    before = file.read_text()
    file.write_text("rules: [")
    try:
        gate.await_true(lambda: gate.get("/readyz")[0] == 503, "still ready")
        told = examined(gate, "--only", "running.alive,running.ready,running.policies,policies,doors.relay", status=78)
        assert results(told) == {
            "policies.files": {"error"},
            "policies.folder": {"ok"},
            "doors.relay": {"skipped"},
            "running.alive": {"ok"},
            "running.ready": {"error"},
            "running.policies": {"warning"},
        }
        assert "policy" in told["running.ready"][0]["values"]["reasons"]
    finally:
        file.write_text(before)
        gate.await_true(lambda: gate.get("/readyz")[0] == 200, "not ready again")


def test_settings_that_were_changed_since_the_start(gate: GatewayProcess) -> None:
    file = gate.folder / "gateway.toml"
    before = file.stat()
    try:
        file.write_text(file.read_text() + "# changed\n")
        [finding] = examined(gate, "--only", "running.restart")["running.restart"]
        assert finding["result"] == "warning"
        assert finding["values"]["first"].endswith("gateway.toml")
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_before_the_first_start_nothing_is_made_and_what_lacks_is_told(tmp_path: Path) -> None:
    folder = prepared(tmp_path, free_port(), "127.0.0.1:1")
    before = sorted(tmp_path.rglob("*"))
    told = results(examined(folder, status=69))
    assert sorted(tmp_path.rglob("*")) == before
    assert told["dns.servers"] == told["routes.connect"] == {"error"}
    assert told["doors.listen"] == told["store.schema"] == {"ok"}
    assert told["running.alive"] == told["domains.mx"] == told["doors.relay"] == {"skipped"}


def test_a_gateway_that_hangs_is_not_alive(tmp_path: Path) -> None:
    """O-5: its lock file names a living process, and nothing answers."""
    folder = prepared(tmp_path, free_port(), "127.0.0.1:1")
    (tmp_path / "var").mkdir()
    pretender = tmp_path / "gateway"
    pretender.symlink_to("/bin/sleep")
    pid = os.spawnv(os.P_NOWAIT, str(pretender), [str(pretender), "60"])
    try:
        (tmp_path / "var" / "gateway.lock").write_text(f"{pid}\n")
        told = results(examined(folder, "--only", "running,doors.listen", status=69))
        assert told["running.alive"] == told["running.ready"] == told["doors.listen"] == {"error"}
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_settings_with_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    folder = prepared(tmp_path, free_port(), "")
    (tmp_path / "gateway.toml").write_text('workers = 0\nhostname = "-"\n')
    told = examined(folder, status=78)
    assert told["settings.file"][0]["result"] == "error"
    assert "gateway.toml:1" in told["settings.file"][0]["found"]
    others = {result for name, found in results(told).items() for result in found if name != "settings.file"}
    assert others == {"skipped"}


@pytest.mark.postfix
def test_a_real_postfix_as_receiving_server(tmp_path: Path) -> None:
    with running_postfix(
        settings={"smtpd_authorized_xforward_hosts": "127.0.0.1"}, mailboxes=("postmaster",)
    ) as postfix:
        folder = prepared(tmp_path, postfix.port, "")
        told = results(examined(folder, "--only", "routes"))
        assert told["routes.connect"] == told["routes.recipient"] == told["routes.loop"] == {"ok"}
        assert told["routes.client"] == {"ok"}
        assert told["routes.offers"] == {"warning"}  # Postfix takes 10 MB by default, our door 50 MiB


@pytest.mark.postfix
def test_a_real_postfix_that_asks_us_as_its_milter(tmp_path: Path) -> None:
    with milter_house(tmp_path / "house", GOOD_ZONE) as house:
        environment = {"MAIL_CONFIG": str(house.postfix.folder / "etc")}
        told = examined(house.gate, "--only", "milter", **environment)
        assert results(told) == {"milter.socket": {"ok"}, "milter.postfix": {"ok"}}, told
        with (house.postfix.folder / "etc" / "main.cf").open("a") as file:
            file.write("milter_default_action = accept\n")
        told = examined(house.gate, "--only", "milter", status=69, **environment)
        assert results(told) == {"milter.socket": {"ok"}, "milter.postfix": {"error"}}
        assert "milter_default_action = tempfail" in told["milter.postfix"][0]["mend"]
