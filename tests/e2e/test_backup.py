"""`gateway backup`, `verify` and `restore` beside a gateway at work, as an operator calls them (O-10)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.demo.dns import DnsServer
from gateway.store.backup.verify import verify_backup
from tests.support.gateway_process import PATIENCE, GatewayProcess, prepared
from tests.support.node import ROOT, SmtpClient
from tests.support.sink import Sink, running
from tests.support.stores import backed_up, fill, hold, open_store

INSPECTORS, OFFICE = "thanhtra.phong@longan.edu.vn", "vanthu@longan.edu.vn"
OVERLAY = {
    "rules_first": [
        {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"hold": {"reason": "inspection"}}}
    ]
}
BACKUPS = 3


class Load:
    """Clients that send without end; `answered` are the tokens that got 250."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered: set[int] = set()
        self.over = False
        self._next = 0

    async def client(self) -> None:
        client = SmtpClient(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            await client.introduce("mail.example.org", "192.0.2.99")
            while not self.over:
                self._next += 1
                token = self._next
                recipients = (OFFICE,) if token % 3 == 0 else (INSPECTORS,)
                body = b"Subject: token-%d-\r\nFrom: <a@example.org>\r\n\r\n" % token + os.urandom(900).hex().encode()
                reply = await client.transact(body, "a@example.org", recipients)
                assert reply.startswith("250"), reply
                self.answered.add(token)
                await asyncio.sleep(0.01)  # else nobody else gets a word in
        finally:
            client.close()

    async def more(self, number: int) -> None:
        wanted = len(self.answered) + number
        async with asyncio.timeout(PATIENCE):
            while len(self.answered) < wanted:
                await asyncio.sleep(0.01)


def tokens(database: Path, query: str) -> set[int]:
    """What the rows of a database are about, by the subjects in their JSON."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
        return {int(found[1]) for (plain,) in connection.execute(query) if (found := re.search(r"token-(\d+)-", plain))}


@pytest.mark.slow
async def test_O10_backups_in_a_loop_while_mail_is_taken_held_and_deleted(tmp_path: Path) -> None:
    """Every message answered 250 before a backup began is in it, every backup is whole, and the last one runs."""
    async with running(Sink()) as sink, DnsServer({}) as dns:
        gate = prepared(tmp_path, sink.port, dns.address, overlay=OVERLAY)
        try:
            await asyncio.to_thread(gate.start)
            load = Load(gate.port)
            clients = asyncio.gather(*(load.client() for _ in range(4)))
            before = [await _backup_with_deletions(gate, load) for _ in range(BACKUPS)]
            load.over = True
            await clients
            made = sorted((tmp_path / "backups").glob("2*"))
            live = await asyncio.to_thread(gate.command, "verify")
        finally:
            await asyncio.to_thread(gate.stop)
        assert (live.returncode, "whole" in live.stdout) == (0, True), live.stderr
        assert len(made) == BACKUPS
        for folder, answered in zip(made, before, strict=True):
            missing = answered - tokens(folder / "gateway.db", "SELECT plain FROM records")
            assert not missing, f"{missing} got 250 before the backup and are not in it"
            held = tokens(folder / "gateway.db", "SELECT plain FROM entries WHERE state <> 'pending'")
            assert {token for token in answered if token % 3} <= held
            assert await asyncio.to_thread(verify_backup, folder) == []
        shared = [path for path in (made[-1] / "blobs").glob("??/*") if path.stat().st_nlink > 1]
        assert len(shared) >= len(list((made[-2] / "blobs").glob("??/*"))) - BACKUPS * 2
        await _runs_from(gate, made[-1])


async def _backup_with_deletions(gate: GatewayProcess, load: Load) -> set[int]:
    """One backup, with two entries deleted meanwhile; what had been answered before it began."""
    await load.more(40)
    entries = await asyncio.to_thread(gate.json, "quarantine", "list", "--limit", "1")
    answered = set(load.answered)
    backup = asyncio.create_task(asyncio.to_thread(gate.command, "backup", "backups", "--json"))
    for entry in entries:
        done = await asyncio.to_thread(gate.command, "quarantine", "delete", entry["id"], "--reason", "gửi nhầm")
        assert done.returncode == 0, done.stderr
    done = await backup
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["purge_paused"]
    assert told["missing"] == told["damaged"] == []
    return answered


async def _runs_from(gate: GatewayProcess, backup: Path) -> None:
    """Restore beside the old state, start from it, and find everything."""
    done = await asyncio.to_thread(gate.command, "restore", str(backup), "--state", "new")
    assert done.returncode == 0, done.stderr
    settings = gate.folder / "gateway.toml"
    settings.write_text(settings.read_text().replace('state = "var"', 'state = "new"'))
    try:
        await asyncio.to_thread(gate.start)
        held = await asyncio.to_thread(gate.json, "quarantine", "list", "--limit", "100000")
        at_backup = "SELECT plain FROM entries WHERE state IN ('held', 'pending')"
        assert {int(entry["subject"].split("-")[1]) for entry in held} == tokens(backup / "gateway.db", at_backup)
        load = Load(gate.port)
        client = asyncio.create_task(load.client())
        await load.more(5)
        load.over = True
        await client
    finally:
        assert await asyncio.to_thread(gate.stop) == 0


# ---- the command itself -------------------------------------------------------------------------------------------------


@pytest.fixture
async def folder(tmp_path: Path) -> GatewayProcess:
    """A gateway that has run: settings, policies, and a store with something of everything."""
    gate = prepared(tmp_path, 10025, "")
    store = open_store(tmp_path / "var")
    await fill(store)
    await store.close()
    return gate


def test_backup_verify_restore_in_both_languages(folder: GatewayProcess) -> None:
    done = folder.command("backup", "backups")
    assert (done.returncode, done.stderr) == (0, "")
    assert "MiB new" in done.stdout
    assert "MiB mới" in folder.command("backup", "backups", LC_ALL="vi_VN.UTF-8").stdout
    assert (folder.command("backup", "backups", "--keep", "1", "--quiet").stdout) == ""
    [made] = (folder.folder / "backups").glob("2*")
    assert folder.json("verify", "backups")["place"] == f"backups/{made.name}"
    assert folder.command("verify", "backups", "--quiet").stdout == ""
    refused = folder.command("restore", "backups")
    assert refused.returncode == 73
    assert "nothing is overwritten" in refused.stderr
    (folder.folder / "var").rename(folder.folder / "var.old")
    done = folder.command("restore", "backups", LC_ALL="vi_VN.UTF-8")
    assert done.returncode == 0, done.stderr
    assert "đã khôi phục từ" in done.stdout
    assert "1 thư sẽ được gửi lại" in done.stdout
    assert folder.json("verify")["findings"] == []


def test_O9_copy_made_before_a_migration_becomes_a_backup(folder: GatewayProcess) -> None:
    """The lines of docs/how-to/en/upgrade.md: to go back further than the store allows."""
    state = folder.folder / "var"
    with closing(sqlite3.connect(state / "gateway.db")) as database:
        database.execute("VACUUM INTO ?", (str(state / "gateway.db.schema-1"),))
        database.execute("UPDATE schema_version SET version = 99")
        database.commit()
    done = folder.command("backup", "before", GATEWAY_STORE__URL=f"sqlite:///{state}/gateway.db.schema-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "not copied" not in done.stdout
    state.rename(folder.folder / "var.new")
    done = folder.command("restore", "before")
    assert done.returncode == 0, done.stderr
    assert len(folder.json("quarantine", "list")) == 3


def test_damage_is_told_with_status_65(folder: GatewayProcess) -> None:
    folder.command("backup", "backups")
    for blob in (folder.folder / "var" / "blobs").glob("??/*"):
        blob.write_bytes(b"MGB1")
    done = folder.command("verify")
    assert done.returncode == 65
    assert "4 things to mend" in done.stdout
    assert len(done.stderr.splitlines()) == 4
    told = json.loads(folder.command("verify", "--json").stdout)
    assert {one["word"] for one in told["findings"]} == {"blob-damaged"}
    done = folder.command("backup", "backups", "--full")
    assert done.returncode == 65
    assert "not whole in the store" in done.stderr
    done = folder.command("restore", "backups", "--state", "new")
    assert done.returncode == 65
    assert "--accept-damage" in done.stderr
    assert not (folder.folder / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("backup", "var/backups"), 73, "inside the state folder"),
        (("backup", "nowhere/backups"), 73, "is the disk mounted?"),
        (("backup", "backups", "--with-key"), 78, "store.key_file"),
        (("verify", "nowhere"), 66, "no finished backup"),
        (("restore", "policies"), 66, "no finished backup"),
        (("verify", "--key-file", "gateway.toml"), 78, "octets in hex"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    folder: GatewayProcess, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = folder.command(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root that gives up its power")
def test_permissions_are_told_with_the_file(folder: GatewayProcess) -> None:
    """As a user who may read the settings and not the state; nothing is left where he may write."""
    state = folder.folder / "var"
    for mode, place in ((0o755, "var/gateway.db"), (0o700, "var")):
        state.chmod(mode)
        for path in (state, *state.glob("gateway.db*")):
            shutil.chown(path, "nobody")
        for verb in ("backup", "verify"):
            done = _without_power(folder, verb, *(["backups"] if verb == "backup" else []))
            assert (done.returncode, done.stdout) == (69, ""), done.stderr
            assert f"{place}" in done.stderr
            assert "run as root or as the gateway's user" in done.stderr
            assert len(done.stderr.splitlines()) == 1
    assert {path.name for path in folder.folder.glob("backups/*")} <= {".lock"}
    folder.command("backup", "backups")
    locked = folder.folder / "locked"
    locked.mkdir(mode=0o555)
    for arguments in (("backup", "locked/backups"), ("restore", "backups", "--state", "locked/var")):
        state.chmod(0o755)
        for path in (state, *state.rglob("*")):
            shutil.chown(path, "root")
        done = _without_power(folder, *arguments)
        assert (done.returncode, done.stdout) == (73, ""), done.stderr
        assert "locked" in done.stderr
        assert "cannot be written" in done.stderr


def test_settings_that_name_another_database_are_told(folder: GatewayProcess) -> None:
    """Else the gateway would start with that one, and nobody would miss the restored one until a clerk does."""
    folder.command("backup", "backups")
    (folder.folder / "var").rename(folder.folder / "var.old")
    elsewhere = folder.folder / "fast.db"
    done = folder.command("restore", "backups", GATEWAY_STORE__URL=f"sqlite:///{elsewhere}")
    assert done.returncode == 0
    assert f"move {folder.folder}/var/gateway.db there" in done.stderr
    assert str(elsewhere) in done.stderr
    done = folder.command("restore", "backups", "--state", "new")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root that gives up its power")
def test_backups_that_one_may_not_read_are_told(folder: GatewayProcess) -> None:
    folder.command("backup", "backups")
    made = next((folder.folder / "backups").glob("2*"))
    for closed in (made, made.parent):
        os.chown(closed, 65534, 65534)  # which root without its power may not enter
        for place in ("backups", f"backups/{made.name}"):
            for arguments in (("verify", place), ("restore", place, "--state", "new")):
                done = _without_power(folder, *arguments)
                assert (done.returncode, done.stdout) == (69, ""), done.stderr
                assert "run as root" in done.stderr
                assert len(done.stderr.splitlines()) == 1


def _without_power(folder: GatewayProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Root for whom files have permissions, as for everybody else."""
    return subprocess.run(
        ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", sys.executable, "-m", "gateway", *arguments],
        cwd=folder.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "en_US.UTF-8"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


async def test_backup_of_a_gateway_that_does_not_run_leaves_its_files_to_their_owner(tmp_path: Path) -> None:
    """Root makes backups; what SQLite makes beside the database must still be the gateway's."""
    if os.geteuid() != 0:
        pytest.skip("only root could do harm")
    store = open_store(tmp_path / "var")
    await hold(store)
    await store.close()
    for path in (tmp_path / "var", *(tmp_path / "var").rglob("*")):
        shutil.chown(path, "nobody")
    backed_up(tmp_path / "var", tmp_path / "backups")
    assert {path.owner() for path in (tmp_path / "var").rglob("*")} == {"nobody"}
