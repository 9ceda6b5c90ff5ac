"""A gateway that cannot start says in one sentence what is wrong, where, and how to mend it (O-4, F-22, F-36, F-43)."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.certificates import write_certificate
from tests.support.gateway_process import GatewayProcess, environment, prepared
from tests.support.starts import Starts

CHANGE_SOMETHING, TRY_AGAIN = 78, 75  # EX_CONFIG, which systemd does not restart; EX_TEMPFAIL
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]  # root that may no more than others


_starts: dict[bool, Starts] = {}


@pytest.fixture(scope="module", autouse=True)
def starts() -> Iterator[None]:
    """For `refused`: as we are, and without power."""
    with Starts() as usual, Starts(*POWERLESS) as powerless:
        _starts.update({False: usual, True: powerless})
        yield
        _starts.clear()


@pytest.fixture
def gate(tmp_path: Path) -> GatewayProcess:
    return prepared(tmp_path, 9, "127.0.0.1:9")


def refused(gate: GatewayProcess, status: int, *arguments: str, powerless: bool = False, **changes: str) -> str:
    """What `gateway run` says when it does not start; one sentence a line, and no traceback."""
    ended, error = _starts[powerless].run(["run", *arguments], gate.folder, {**environment(), **changes})
    said = "\n".join(line for line in error.splitlines() if not line.startswith("{"))
    assert "Traceback" not in error, error
    assert ended == status, error
    assert said, "it says nothing"
    return said


def add(gate: GatewayProcess, text: str) -> None:
    with (gate.folder / "gateway.toml").open("a") as file:
        file.write(text)


def set_smtp(gate: GatewayProcess, text: str) -> None:
    path = gate.folder / "gateway.toml"
    path.write_text(path.read_text().replace("[smtp]\n", f"[smtp]\n{text}\n"))


# ---- settings -------------------------------------------------------------------------------------------------------


def test_wrong_settings_are_told_all_at_once(gate: GatewayProcess) -> None:
    path = gate.folder / "gateway.toml"
    path.write_text(
        path.read_text().replace("drain = 10", 'drain = "ten"\nworkrs = 4') + '[dns]\nnameservers = ["x y"]\n'
    )
    path.write_text(path.read_text().replace("[dns]\nnameservers", "[relay2]\nnameservers", 1))
    said = refused(gate, CHANGE_SOMETHING).splitlines()
    assert len(said) >= 3, said
    assert all(line.startswith("gateway.toml:") for line in said)


def test_a_misspelt_path_of_the_settings(gate: GatewayProcess) -> None:
    assert "gatway.toml: no such file" in refused(gate, CHANGE_SOMETHING, "-c", "gatway.toml")


def test_a_folder_as_settings(gate: GatewayProcess) -> None:
    assert "policies: a folder, not a file; name the file in it" in refused(gate, CHANGE_SOMETHING, "-c", "policies")


def test_settings_that_may_not_be_read(gate: GatewayProcess) -> None:
    (gate.folder / "gateway.toml").chmod(0)
    said = refused(gate, CHANGE_SOMETHING, "-c", "gateway.toml", powerless=True)
    assert "gateway.toml: cannot be read: Permission denied" in said


# ---- certificate and keys -------------------------------------------------------------------------------------------


def with_certificate(gate: GatewayProcess, certificate: Path, key: Path) -> None:
    set_smtp(gate, f'certificate = "{certificate}"\nkey = "{key}"')


def test_a_certificate_that_is_not_there_f36(gate: GatewayProcess) -> None:
    with_certificate(gate, Path("/etc/gateway/no.pem"), write_certificate(gate.folder)["key"])
    said = refused(gate, CHANGE_SOMETHING)
    assert "smtp.certificate: /etc/gateway/no.pem cannot be read: No such file or directory" in said
    assert "correct the path" in said


def test_a_key_that_may_not_be_read_f36(gate: GatewayProcess) -> None:
    files = write_certificate(gate.folder)
    files["key"].chmod(0)
    with_certificate(gate, **files)
    said = refused(gate, CHANGE_SOMETHING, powerless=True)
    assert f"smtp.key: {files['key']} cannot be read: Permission denied" in said


def test_a_key_of_another_certificate_f36(gate: GatewayProcess) -> None:
    (gate.folder / "other").mkdir()
    files, other = write_certificate(gate.folder), write_certificate(gate.folder / "other")
    with_certificate(gate, files["certificate"], other["key"])
    assert "do not work together" in refused(gate, CHANGE_SOMETHING)


def test_an_expired_certificate_is_a_warning_f36(gate: GatewayProcess) -> None:
    """STARTTLS is opportunistic: mail goes on."""
    with_certificate(gate, **write_certificate(gate.folder, until=datetime.now(UTC) - timedelta(hours=1)))
    gate.start()
    assert gate.stop() == 0
    (advice,) = gate.events("settings-advice")
    assert re.search(r"smtp.certificate: .*/cert.pem expired on 20[0-9-]+; renew it, then reload", advice["detail"])


@pytest.mark.parametrize("text", ["", "abc", "00" * 31, "zz" * 32, "00" * 33])
def test_a_store_key_of_the_wrong_length(gate: GatewayProcess, text: str) -> None:
    (gate.folder / "store.key").write_text(text)
    add(gate, '[store]\nkey_file = "store.key"\n')
    said = refused(gate, CHANGE_SOMETHING)
    assert "store.key_file" in said
    assert "openssl rand -hex 32" in said


# ---- addresses ------------------------------------------------------------------------------------------------------


def test_a_port_in_use_names_who_uses_it_f43(gate: GatewayProcess) -> None:
    with socket.create_server(("127.0.0.1", gate.port)):
        said = refused(gate, TRY_AGAIN)
    name = Path("/proc/self/comm").read_text().strip()
    assert f"127.0.0.1:{gate.port}: Address already in use; {name} (process {os.getpid()}) is listening there" in said


def test_a_port_that_is_not_permitted(gate: GatewayProcess) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 25:
        pytest.skip("everybody may open port 25 here")
    said = refused(gate, CHANGE_SOMETHING, powerless=True, GATEWAY_SMTP__LISTEN="127.0.0.1:25")
    assert "127.0.0.1:25: Permission denied; ports below 1024 need CAP_NET_BIND_SERVICE" in said


def test_an_address_of_another_host(gate: GatewayProcess) -> None:
    """It may be there later, when the network is up."""
    said = refused(gate, TRY_AGAIN, GATEWAY_SMTP__LISTEN="192.0.2.1:2525")
    assert "192.0.2.1:2525: Cannot assign requested address; write an IP address of this server" in said


def test_a_unix_socket_without_its_folder(gate: GatewayProcess) -> None:
    said = refused(gate, CHANGE_SOMETHING, GATEWAY_MILTER__LISTEN=f"unix:{gate.folder}/nowhere/milter.sock")
    assert f"No such file or directory; make the folder {gate.folder}/nowhere" in said


# ---- state and policies ---------------------------------------------------------------------------------------------


def test_a_state_that_is_a_file(gate: GatewayProcess) -> None:
    (gate.folder / "var").write_text("")
    said = refused(gate, CHANGE_SOMETHING)
    assert f"{gate.folder}/var: the state directory cannot be used: Not a directory" in said
    assert f"{gate.folder}/var is no directory: remove it" in said


def test_a_state_that_may_not_be_made_or_written(gate: GatewayProcess) -> None:
    locked = gate.folder / "locked"
    locked.mkdir(mode=0o555)
    for state in (locked, locked / "var"):
        said = refused(gate, CHANGE_SOMETHING, powerless=True, GATEWAY_STATE=str(state))
        assert f"{state}: the state directory cannot be used: Permission denied" in said
        assert f"chown {os.geteuid()} {state}" in said


def test_policies_that_may_not_be_read(gate: GatewayProcess) -> None:
    (gate.folder / "policies" / "policy.yaml").chmod(0)
    said = refused(gate, CHANGE_SOMETHING, powerless=True)
    assert "policy.yaml" in said
    assert "Permission denied" in said


def test_policies_that_are_not_there(gate: GatewayProcess) -> None:
    said = refused(gate, CHANGE_SOMETHING, GATEWAY_POLICIES="nowhere")
    assert (
        said
        == f"gateway: {gate.folder}/nowhere: there is no such folder; write the policies' folder as policies in gateway.toml"
    )


def test_a_store_that_is_damaged_f25(gate: GatewayProcess) -> None:
    (gate.folder / "var").mkdir()
    (gate.folder / "var" / "gateway.db").write_bytes(os.urandom(100_000))
    said = refused(gate, CHANGE_SOMETHING)
    assert f"{gate.folder}/var/gateway.db is not a database or is damaged: restore a backup" in said


def test_a_store_of_a_newer_program_o9(gate: GatewayProcess) -> None:
    make_newer(gate)
    said = refused(gate, CHANGE_SOMETHING)
    assert "newer gateway" in said
    assert "gateway.db" in said


def make_newer(gate: GatewayProcess) -> None:
    code = (
        "import asyncio, sqlite3, sys; from pathlib import Path; from gateway.settings import load_settings;"
        "from gateway.store.sqlite import database_of, open_store; s = load_settings(Path('gateway.toml'), {});"
        "asyncio.run(open_store(s).close()); c = sqlite3.connect(database_of(s));"
        "c.execute('UPDATE schema_version SET version = 999'); c.execute('DELETE FROM meta'); c.commit()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=gate.folder, env=environment(), check=True)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("left", [0, 200_000])
def test_a_full_disk_f22(gate: GatewayProcess, left: int) -> None:
    """Trying again helps as soon as somebody has made room."""
    with small_disk(gate.folder / "small", "2m") as disk:
        (disk / "fill").write_bytes(bytes(2 * 1024 * 1024 - 64 * 1024 - left))
        with contextlib.suppress(OSError), (disk / "rest").open("wb") as rest:
            while not left:
                rest.write(bytes(4096))
                rest.flush()
        said = refused(gate, TRY_AGAIN, GATEWAY_STATE=str(disk))
        assert f"{disk}: the state directory cannot be used: No space left on device; make room on that disk" in said


def test_a_state_of_a_running_gateway_f43(gate: GatewayProcess) -> None:
    gate.start()
    try:
        said = refused(gate, TRY_AGAIN)
        assert gate.process is not None
        assert f"another gateway is using this state directory (process {gate.process.pid})" in said
    finally:
        gate.stop()


def test_a_handover_that_nobody_has_made(gate: GatewayProcess) -> None:
    said = refused(gate, CHANGE_SOMETHING, MAILGATEWAY_HANDOVER="{}")
    assert "start the gateway without this variable" in said


def test_a_person_at_a_terminal_is_told_in_their_language(gate: GatewayProcess) -> None:
    """Into a journal the same sentence goes in English, like the log around it."""
    (gate.folder / "var").write_text("")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gateway", "run", "--lang", "vi"]
    done = subprocess.run(command, cwd=gate.folder, env=environment(), stderr=theirs, timeout=30)
    told = os.read(ours, 4096).decode()
    os.close(ours), os.close(theirs)
    assert done.returncode == CHANGE_SOMETHING
    assert "không dùng được thư mục trạng thái" in told
    assert "state directory" in refused(gate, CHANGE_SOMETHING, "--lang", "vi")
