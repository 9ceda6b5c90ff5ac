"""`gateway policy`: what was in force is listed and comes back beside a gateway that runs (O-3, F-34)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from gateway.reloader.rollback import roll_back
from tests.support.gateway_process import GatewayProcess, prepared, running_gateway


@pytest.fixture
def folder(tmp_path: Path) -> GatewayProcess:
    return prepared(tmp_path, 10025, "")


def keep(gate: GatewayProcess, number: int) -> Path:
    """The policies as they are, as a generation that was in force."""
    kept = gate.folder / f"var/policies/generation-{number}"
    shutil.copytree(gate.folder / "policies", kept)
    return kept


def edit(gate: GatewayProcess, more: str = "\n# sửa\n") -> str:
    file = gate.folder / "policies/policy.yaml"
    before = file.read_text("utf-8")
    file.write_text(before + more, "utf-8")
    return before


def numbers(gate: GatewayProcess) -> list[int]:
    return [each["generation"] for each in gate.json("policy", "list")]


def test_a_gateway_that_runs_follows_a_rollback(tmp_path: Path) -> None:
    """Also where the later policy had brought a table of its own: its end is no file that was lost."""
    with running_gateway(tmp_path, 10025, "") as gate:
        gate.await_true(lambda: numbers(gate) == [1], "the first policy is not kept")
        before = edit(gate)
        (tmp_path / "policies/more.csv").write_text("a,b\n")
        gate.await_true(lambda: numbers(gate) == [2, 1], "the change is not followed")
        done = gate.command("policy", "rollback", "1")
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"{tmp_path}/policies: generation 1 is back")
        assert "written: policy.yaml" in done.stdout
        assert "removed: more.csv" in done.stdout
        assert (tmp_path / "policies/policy.yaml").read_text("utf-8") == before
        gate.await_true(lambda: numbers(gate) == [3, 2, 1], "the rollback is not followed")
        third, second, first = gate.json("policy", "list")
        assert (third["in_force"], third["in_folder"], first["in_force"]) == (True, True, False)
        assert third["digest"] == first["digest"] != second["digest"]
        assert gate.events("policy-refused") == []
        assert (tmp_path / "var/policies/before-rollback/more.csv").exists()


def test_what_cannot_be_used_today_is_refused_and_changes_nothing(folder: GatewayProcess) -> None:
    kept = keep(folder, 4)
    (kept / "policy.yaml").write_text("rules: [")
    edit(folder)
    files = sorted((path, path.read_bytes()) for path in (folder.folder / "policies").rglob("*") if path.is_file())
    done = folder.command("policy", "rollback", "4")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("generation 4 cannot be used today, so nothing was changed:\n  policy.yaml:")
    assert files == sorted(
        (path, path.read_bytes()) for path in (folder.folder / "policies").rglob("*") if path.is_file()
    )
    assert "bản chính sách số 4 nay không dùng được" in folder.command("policy", "rollback", "4", "--lang=vi").stderr


def test_a_generation_that_is_not_kept(folder: GatewayProcess) -> None:
    assert folder.command("policy", "list").stderr == "No policy has been in force here yet.\n"
    keep(folder, 4), keep(folder, 5)
    done = folder.command("policy", "rollback", "9")
    assert (done.returncode, done.stderr) == (66, "generation 9 is not kept; there are: 4, 5\n")


def test_going_back_to_what_is_there_changes_nothing(folder: GatewayProcess) -> None:
    keep(folder, 4)
    done = folder.command("policy", "rollback", "4", "--json")
    assert json.loads(done.stdout) == {"generation": 4, "written": [], "removed": [], "aside": None}
    assert not (folder.folder / "var/policies/before-rollback").exists()


def test_files_that_are_not_those_in_force_are_told(folder: GatewayProcess) -> None:
    keep(folder, 4)
    edit(folder)
    done = folder.command("policy", "list")
    assert done.stdout.split("\t")[0] == "4"
    assert done.stdout.endswith("\tin force\n")
    assert "its files are not those in force" in done.stderr


def test_a_folder_that_cannot_be_written_keeps_every_file(folder: GatewayProcess) -> None:
    """A full disk, a read-only mount: found out before the first file counts."""
    keep(folder, 4)
    edit(folder)
    policies = folder.folder / "policies"
    (policies / "units.csv").write_text((policies / "units.csv").read_text("utf-8") + "x,X,khac,\n", "utf-8")
    (policies / ".units.csv.draft").mkdir()  # which stands in the way of the second of two files, also for root
    changed = (policies / "policy.yaml").read_bytes()
    done = folder.command("policy", "rollback", "4")
    assert done.returncode == 73
    assert "cannot be written: Is a directory" in done.stderr
    assert (policies / "policy.yaml").read_bytes() == changed
    assert not (policies / ".policy.yaml.draft").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_files_to_their_owner(folder: GatewayProcess) -> None:
    """An administrator rolls back as root, perhaps with a strict umask; the service must still read and prune."""
    from gateway.reloader import Generations

    keep(folder, 4)
    edit(folder)
    policies, state = folder.folder / "policies", folder.folder / "var/policies"
    (policies / "policy.yaml").chmod(0o640)
    os.chown(policies / "policy.yaml", 0, 4321)
    os.chown(state, 4322, 4322)
    mask = os.umask(0o077)
    try:
        roll_back(policies, Generations(state), 4)
    finally:
        os.umask(mask)
    status = (policies / "policy.yaml").stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o640, 0, 4321)
    assert (state / "before-rollback/policy.yaml").stat().st_uid == 4322
