"""What lies in the state or in the target and is not ours: nothing of it is copied, counted, deleted or waited for."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.store.backup import copying, manifest
from gateway.store.backup.verify import verify_backup, verify_state
from gateway.store.backup.words import Trouble
from tests.support.store_samples import Clock
from tests.support.stores import backed_up, hold, open_store, source


async def kept(state: Path) -> str:
    """A store with one held message: its digest."""
    store = open_store(state)
    held = await hold(store)
    await store.close()
    return held.digest


async def test_S37_no_link_leads_a_backup_out_of_the_state(tmp_path):
    """The service's user owns the state and root copies it: what root alone may read must not come back as his."""
    state = tmp_path / "var"
    digest = await kept(state)
    secret = tmp_path / "secret"
    (secret / "generation-8").mkdir(parents=True)
    (secret / "generation-8" / "key").write_text("geheim")
    (state / "policies" / "generation-1").mkdir(parents=True)
    (state / "policies" / "generation-1" / "rules.yaml").symlink_to(secret / "generation-8" / "key")
    (state / "policies" / "generation-2").symlink_to(secret / "generation-8")
    (state / "policies" / "generation-3").mkdir()
    (state / "policies" / "generation-3" / "rules.yaml").write_text("rules: []")
    (state / "spill-1.jsonl").symlink_to(secret / "generation-8" / "key")
    blob = state / copying.blob_name(digest)
    blob.rename(secret / "blob")
    blob.symlink_to(secret / "blob")
    made = backed_up(state, tmp_path / "backups")
    files = {file.path for file in made.manifest.files}
    assert files == {"gateway.db", "policies/generation-3/rules.yaml"}
    assert made.manifest.left_out == ("policies/generation-1", "policies/generation-2")
    assert made.manifest.missing == (digest,)
    assert [one.word for one in verify_state(source(state))] == ["blob-missing"]
    (state / "policies").rename(secret / "policies")
    (state / "policies").symlink_to(secret / "policies")
    assert backed_up(state, tmp_path / "backups").manifest.left_out == ("policies",)


async def test_S37_pipe_among_the_files_holds_nobody_up(tmp_path):
    state = tmp_path / "var"
    digest = await kept(state)
    os.mkfifo(state / "spill-7.jsonl")
    (state / copying.blob_name(digest)).unlink()
    os.mkfifo(state / copying.blob_name(digest))
    program = "import sys; from pathlib import Path; from tests.support.stores import backed_up, source; "
    program += "from gateway.store.backup.verify import verify_state; state, target = map(Path, sys.argv[1:]); "
    program += "verify_state(source(state)); print(backed_up(state, target).manifest.missing)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(state), str(tmp_path / "backups")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (f"('{digest}',)\n", "")


async def test_keep_deletes_nothing_but_backups(tmp_path):
    """A target that is shared with others: manifest.json is a common name."""
    await kept(tmp_path / "var")
    target = tmp_path / "srv"
    for name in ("0-app", "webapp"):
        (target / name).mkdir(parents=True)
        (target / name / "manifest.json").write_text('{"name": "học bạ"}')
    first = backed_up(tmp_path / "var", target)
    first.folder.rename(target / "before-upgrade")
    (target / "2020-01-01T000000Z").symlink_to(target / "before-upgrade")
    backed_up(tmp_path / "var", target)
    last = backed_up(tmp_path / "var", target, keep=1)
    assert {path.name for path in target.iterdir()} == {
        *(".lock", "0-app", "webapp", "before-upgrade", "2020-01-01T000000Z"),
        last.folder.name,
    }
    assert manifest.choose(target) == last.folder
    assert verify_backup(target / "before-upgrade") == []


async def test_keep_never_deletes_what_was_just_made(tmp_path):
    """O-10: a clock that was a day ahead has left a name that sorts as the newest."""
    await kept(tmp_path / "var")
    clock = Clock()
    for _ in range(2):
        ahead = backed_up(tmp_path / "var", tmp_path / "backups", clock=clock)
        clock.advance(minutes=1)
    clock.now -= timedelta(days=1)
    made = backed_up(tmp_path / "var", tmp_path / "backups", keep=2, clock=clock)
    assert manifest.backups(tmp_path / "backups") == [made.folder, ahead.folder]
    made = backed_up(tmp_path / "var", tmp_path / "backups", keep=1, clock=clock)
    assert manifest.backups(tmp_path / "backups") == [made.folder]


async def test_keep_leaves_the_backups_of_another_gateway(tmp_path):
    await kept(tmp_path / "var")
    clock = Clock()
    other = backed_up(tmp_path / "var", tmp_path / "backups", hostname="mx2.longan.edu.vn", clock=clock)
    for _ in range(3):
        clock.advance(minutes=1)
        own = backed_up(tmp_path / "var", tmp_path / "backups", hostname="mx1.longan.edu.vn", clock=clock, keep=1)
    assert manifest.backups(tmp_path / "backups") == [other.folder, own.folder]


async def test_lock_of_the_target_is_no_link(tmp_path):
    await kept(tmp_path / "var")
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / ".lock").symlink_to(tmp_path / "made-by-root")
    with pytest.raises(Trouble, match=r"\.lock"):
        backed_up(tmp_path / "var", tmp_path / "backups")
    assert not (tmp_path / "made-by-root").exists()


async def test_tenth_backup_of_one_second_is_the_newest(tmp_path):
    await kept(tmp_path / "var")
    made = [backed_up(tmp_path / "var", tmp_path / "backups", clock=Clock()).folder for _ in range(11)]
    assert manifest.backups(tmp_path / "backups") == made


async def test_verify_lets_go_of_the_database_before_it_reads_the_messages(tmp_path):
    """R-5: while a reader stays in its snapshot, the write-ahead log of a busy gateway only grows."""
    store = open_store(tmp_path / "var")
    await hold(store)
    left: list[int] = []

    def look(what: str, _done: int, _of: int) -> None:
        if what == "files":
            with closing(sqlite3.connect(tmp_path / "var" / "gateway.db")) as connection:
                left.append(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])

    verify_state(source(tmp_path / "var"), look)
    assert left == [0]
    await store.close()
