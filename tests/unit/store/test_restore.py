"""Restores: whole or not at all, over nothing, and without doing again what was done since (O-10, AR-12, R-21)."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import replace

import pytest

from gateway.ports import OutgoingKind
from gateway.quarantine.entry import EntryFilter, State
from gateway.register.search import RecordFilter
from gateway.store import migrate
from gateway.store.backup import copying, database_check, manifest
from gateway.store.backup import restore as restoring
from gateway.store.backup.aftermath import Aftermath
from gateway.store.backup.restore import Damaged, Wish, restore
from gateway.store.backup.verify import verify_state
from gateway.store.backup.words import Trouble
from gateway.store.rows import spill_line
from tests.support.store_samples import NOW, message, notice, record, settlement
from tests.support.stores import CLERK, KEY, backed_up, fill, hold, open_store, source

ALL = EntryFilter(states=())


async def filled(tmp_path, **more):
    """A backup of a store with something of everything; the store is closed."""
    store = open_store(tmp_path / "var", **more)
    ids = await fill(store)
    made = backed_up(tmp_path / "var", tmp_path / "backups", **more)
    await store.close()
    return made, ids


async def test_R21_restored_store_sends_nothing_twice_by_itself(tmp_path):
    """AR-12: the notice is given up; the release waits for a person; the relay, for which 250 was said, is sent."""
    made, ids = await filled(tmp_path)
    done = restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    assert done.damage == []
    assert done.aftermath == Aftermath(
        notices_given_up=1, releases_unknown=1, relays_due=1, in_doubt=1, held=1, register_lines=0
    )
    store = open_store(tmp_path / "new")
    assert await store.recover(NOW) == 0
    due = await store.lease(100, NOW.replace(year=2030), NOW.replace(year=2031))
    assert [(row.outgoing.kind, row.outgoing.cause) for row in due] == [(OutgoingKind.RELAY, ids["relay"])]
    states = {entry.id: entry.state for entry in await store.list_entries(ALL)}
    uncertain = (State.UNCERTAIN, State.UNCERTAIN)
    assert (states[ids["held"]], states[ids["releasing"]], states[ids["pending"]]) == (State.HELD, *uncertain)
    assert "restored from the backup of" in (await store.entry(ids["held"])).note
    [act] = [act for act in await store.acts() if act.what == "restored"]
    assert act.who == CLERK
    assert await store.verify() == []
    await store.release(ids["held"], CLERK, NOW)
    await store.release(ids["releasing"], CLERK, NOW)
    await store.close()
    assert verify_state(source(tmp_path / "new")) == []


async def test_AR12_notices_of_a_spilled_settlement_are_not_sent_after_a_restore(tmp_path):
    store = open_store(tmp_path / "var")
    spilled = record()
    store._core.spill.append(spill_line(settlement(spilled, notice(spilled.id))))
    store._core.spill.append(b'{"cut by a cra\n')
    made = backed_up(tmp_path / "var", tmp_path / "backups")
    await store.close()
    done = restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    assert done.aftermath.register_lines == 1
    store = open_store(tmp_path / "new")
    assert [one.id for one in await store.search(RecordFilter())] == [spilled.id]
    assert await store.lease(100, NOW.replace(year=2030), NOW.replace(year=2031)) == []
    assert [path.name for path in (tmp_path / "new").glob("spill-*")] == ["spill-unreadable.jsonl"]
    await store.close()


async def test_nothing_is_overwritten(tmp_path):
    made, _ = await filled(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(Trouble) as caught:
        restore(Wish(backup=made.folder, state=tmp_path / "var", by=CLERK))
    assert "mv " in str(caught.value), "it says how to"
    (tmp_path / "file").write_text("")
    for state in (tmp_path / "file", tmp_path / "no" / "folder"):
        with pytest.raises(Trouble):
            restore(Wish(backup=made.folder, state=state, by=CLERK))
    assert {path: path.stat().st_mtime_ns for path in before} | {tmp_path: 0} == before | {tmp_path: 0}


async def test_damaged_backup_is_refused_and_what_is_whole_of_it_can_be_had(tmp_path):
    made, ids = await filled(tmp_path)
    store = open_store(tmp_path / "var")
    digest = (await store.entry(ids["held"])).digest
    await store.close()
    (made.folder / copying.blob_name(digest)).write_bytes(b"MGB1 bit rot")
    with pytest.raises(Damaged) as caught:
        restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    assert {one.word for one in caught.value.findings} == {"file-changed", "blob-damaged"}
    assert {path.name for path in tmp_path.iterdir()} == {"var", "backups"}
    done = restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK, accept_damage=True))
    assert len(done.damage) == 2
    assert [one.word for one in verify_state(source(tmp_path / "new"))] == ["blob-damaged"]
    (made.folder / "gateway.db").write_bytes((made.folder / "gateway.db").read_bytes()[:-4096])
    with pytest.raises(Trouble, match="nothing of it can be restored"):
        restore(Wish(backup=made.folder, state=tmp_path / "other", by=CLERK, accept_damage=True))


async def test_backup_of_a_store_that_lacked_a_message_is_restored_without_asking(tmp_path):
    store = open_store(tmp_path / "var")
    lost = await hold(store, "mất")
    store._core.blobs.remove(lost.digest)
    made = backed_up(tmp_path / "var", tmp_path / "backups")
    await store.close()
    done = restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    assert [one.word for one in done.damage] == ["blob-missing"]


async def test_encrypted_mail_needs_its_key_and_the_key_is_not_in_the_backup(tmp_path):
    made, ids = await filled(tmp_path, keys=[KEY])
    octets = b"".join(path.read_bytes() for path in made.folder.rglob("*") if path.is_file())
    assert KEY not in octets
    assert KEY.hex().encode() not in octets
    with pytest.raises(Damaged) as caught:
        restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    assert {one.word for one in caught.value.findings} == {"blob-locked"}
    restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK, keys=[KEY]))
    store = open_store(tmp_path / "new", keys=[KEY])
    assert store.open_blob((await store.entry(ids["held"])).digest) == message("giữ").raw
    await store.close()


async def test_key_goes_into_the_backup_only_when_asked_and_never_into_a_state(tmp_path):
    key = tmp_path / "store.key"
    key.write_text(KEY.hex())
    store = open_store(tmp_path / "var", keys=[KEY])
    await hold(store)
    made = backed_up(tmp_path / "var", tmp_path / "backups", keys=[KEY], key_file=key)
    await store.close()
    assert (made.folder / "store.key").read_text() == KEY.hex()
    restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK, keys=[KEY]))
    assert not (tmp_path / "new" / "store.key").exists()


async def test_O9_backup_of_an_older_schema_is_brought_up(tmp_path, monkeypatch):
    made, ids = await filled(tmp_path)
    for module in (migrate, database_check):
        monkeypatch.setattr(module, "VERSION", 2)
    add = "ALTER TABLE entries ADD COLUMN credited VARCHAR NOT NULL DEFAULT ''"
    monkeypatch.setattr(migrate, "STEPS", {1: lambda connection: connection.exec_driver_sql(add)})
    restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    store = open_store(tmp_path / "new")
    assert (await store.entry(ids["held"])).state is State.HELD
    assert await store._core.read(lambda c: c.exec_driver_sql("SELECT version FROM schema_version").scalar()) == 2
    await store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_files_belong_to_whom_the_folder_belongs(tmp_path):
    made, _ = await filled(tmp_path)
    nobody = pwd.getpwnam("nobody")
    state = tmp_path / "new"
    state.mkdir(mode=0o750)
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    restore(Wish(backup=made.folder, state=state, by=CLERK))
    assert {path.stat().st_uid for path in (state, *state.rglob("*"))} == {nobody.pw_uid}
    assert state.stat().st_mode & 0o777 == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_files_of_a_folder_that_root_has_just_made_belong_to_whom_they_belonged(tmp_path):
    """`mv var var.old; mkdir var; gateway restore`: the gateway could not open what is root's."""
    nobody = pwd.getpwnam("nobody")
    store = open_store(tmp_path / "var")
    await fill(store)
    await store.close()
    os.chown(tmp_path / "var", nobody.pw_uid, nobody.pw_gid)
    made = backed_up(tmp_path / "var", tmp_path / "backups")
    state = tmp_path / "new"
    state.mkdir()
    (state / "lost+found").mkdir()  # so that it is filled and not replaced
    done = restore(Wish(backup=made.folder, state=state, by=CLERK))
    assert done.owner == "nobody"
    mine = [path for path in (state, *state.rglob("*")) if path.name != "lost+found"]
    assert {path.stat().st_uid for path in mine} == {nobody.pw_uid}
    assert {path.stat().st_mode & 0o077 for path in mine if path != state} == {0}


async def test_state_that_is_a_link_to_another_disk_is_filled_there(tmp_path):
    made, ids = await filled(tmp_path)
    (tmp_path / "disk").mkdir()
    for name, there in (("state", tmp_path / "disk"), ("state2", tmp_path / "not-yet")):
        (tmp_path / name).symlink_to(there)
        restore(Wish(backup=made.folder, state=tmp_path / name, by=CLERK))
        assert (tmp_path / name).is_symlink()
        store = open_store(there)
        assert (await store.entry(ids["held"])).id == ids["held"]
        await store.close()


async def test_file_that_changes_between_proof_and_copy_is_not_put_in_place(tmp_path, monkeypatch):
    made, _ = await filled(tmp_path)
    name = next(file.path for file in made.manifest.files if file.path.startswith("blobs/"))
    monkeypatch.setattr(restoring, "_proven", lambda *_: (made.folder / name).write_bytes(b"failing disk") and [])
    with pytest.raises(Trouble, match="nothing was put in place"):
        restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_mount_point_is_filled_for_it_cannot_be_replaced(tmp_path):
    """The data volume of a container; what a killed restore left there is cleared away."""
    made, ids = await filled(tmp_path)
    volume = tmp_path / "volume"
    volume.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(volume)], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (volume / ".restoring-1234" / "blobs").mkdir(parents=True)
        restore(Wish(backup=made.folder, state=volume, by=CLERK))
        assert {path.name for path in volume.iterdir()} == {"gateway.db", "blobs"}
        store = open_store(volume)
        assert (await store.entry(ids["held"])).id == ids["held"]
        await store.close()
    finally:
        subprocess.run(["umount", str(volume)], check=True)


async def test_manifest_that_leads_elsewhere_is_not_followed(tmp_path):
    """S-37: a backup may come from anywhere."""
    made, _ = await filled(tmp_path)
    files = (*made.manifest.files, manifest.File("../escaped", 0, "0" * 64))
    (made.folder / "manifest.json").write_bytes(manifest.encoded(replace(made.manifest, files=files)))
    with pytest.raises(Trouble, match="damaged"):
        restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
