"""Who asks is not who serves: what the asker may not see is no damage, and advice about rights names the right ones."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.doctor.of_database import RESTORE, judge_failure
from gateway.doctor.of_policies import judge_folder as judge_policies
from gateway.doctor.of_store import judge_folder
from gateway.doctor.of_tls import judge_key
from gateway.doctor.service import Service, find_service
from tests.support import stores
from tests.support.doctoring import look, world

ROOT = Path(__file__).parents[3]


@pytest.fixture
def seen_by_all() -> Iterator[Path]:
    """A folder that other users than root reach, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def test_advice_gives_a_key_to_the_services_own_group_and_to_no_group_that_it_shares(tmp_path: Path) -> None:
    """The lowest number of its groups is `mail` or `ssl-cert`, whose other members would read our keys."""
    own = Service(0, 4711, frozenset({8, 4711}), 4711)
    key = tmp_path / "key.pem"
    key.touch(mode=0o600)
    assert f"chown root:4711 {key}" in judge_key("smtp.key", key, own).mend.en
    assert f"chown -R root:4711 {tmp_path}" in judge_policies(tmp_path, own, ["policy.yaml"], []).mend.en


def test_own_group_of_a_user_of_the_system(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if os.geteuid() == 0:
        os.chown(tmp_path, nobody.pw_uid, -1)
        assert find_service(tmp_path).gid == nobody.pw_gid
    assert find_service(tmp_path / "not there").gid == pwd.getpwuid(os.geteuid()).pw_gid


@as_root
def test_file_in_the_state_that_root_has_left_there_is_told(seen_by_all: Path) -> None:
    """Once started by hand as root: the folder is the service's, the database is not, and it does not start."""
    state = seen_by_all / "var"
    state.mkdir(mode=0o750)
    for name in ("gateway.db", "note-of-the-admin"):
        (state / name).touch(mode=0o600)
    os.chown(state, 65534, 65534)
    who = find_service(state)
    told = judge_folder(state, who)
    assert (told.result, "gateway.db" in told.found.vi) == ("error", True)
    done = subprocess.run(["sh", "-c", told.mend.en], check=True, capture_output=True)
    assert done.stderr == b""
    assert judge_folder(state, who).result == "ok"


@pytest.mark.parametrize(
    ("code", "result", "restore"),
    [
        (sqlite3.SQLITE_BUSY, "skipped", False),
        (sqlite3.SQLITE_LOCKED, "skipped", False),
        (sqlite3.SQLITE_CORRUPT, "error", True),
        (sqlite3.SQLITE_NOTADB, "error", True),
        (sqlite3.SQLITE_IOERR, "error", True),
    ],
)
def test_only_damage_wants_a_backup(code: int, result: str, restore: bool) -> None:
    failure = sqlite3.OperationalError("as told by SQLite")
    failure.sqlite_errorcode = code
    told = judge_failure(failure)
    assert (told.result, told.mend == RESTORE) == (result, restore)


@as_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs root that becomes somebody")
@pytest.mark.parametrize("hidden", ["var", "var/gateway.db"])
async def test_user_who_may_not_read_the_state_is_told_so_and_not_to_restore(seen_by_all: Path, hidden: str) -> None:
    (seen_by_all / "gateway.toml").write_text('hostname = "mx.longan.edu.vn"\npolicies = "policies"\nstate = "var"\n')
    (seen_by_all / "gateway.toml").chmod(0o644)
    store = stores.open_store(seen_by_all / "var")
    await store.close()
    (seen_by_all / "var").chmod(0o755)
    (seen_by_all / hidden).chmod(0o700)
    command = ["setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-m", "gateway", "doctor", "--json"]
    done = subprocess.run(
        [*command, "--only", "store.schema,store.integrity,store.outbox,store.held,host.clock"],
        cwd=seen_by_all,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = json.loads(done.stdout)
    assert [one["id"] for one in told["findings"] if one["result"] == "error"] == [], done.stdout
    [schema] = [one for one in told["findings"] if one["id"] == "store.schema"]
    assert (schema["result"], "root" in schema["found"]) == ("skipped", True)


async def test_policies_that_are_not_there_are_not_to_be_given_away(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        folder = seen.settings.policies
        moved = folder.rename(folder.with_name("elsewhere"))
        try:
            [told] = await look(seen, "policies.folder")
        finally:
            moved.rename(folder)
    assert (told.result, "chown" in told.mend.en, str(folder) in told.found.vi) == ("error", False, True)


def test_no_vietnamese_sentence_calls_the_gateway_a_port() -> None:
    """docs/glossary.md: the gateway is `cổng thư`, a port is `cổng (port)`; bare `cổng` could be either."""
    bare = re.compile(r"(?<!\w)[Cc]ổng(?!\w)(?! thư| \(port\))")
    sources = [*(ROOT / "gateway" / "doctor").glob("*.py"), ROOT / "docs" / "how-to" / "vi" / "kham-he-thong.md"]
    assert [(path.name, found) for path in sources for found in bare.findall(path.read_text())] == []
