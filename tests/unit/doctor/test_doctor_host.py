"""`gateway doctor --only settings,policies,host,tls`: each check passes once and fails once."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.doctor.files import mount_of, permits
from gateway.doctor.of_host import (
    installed,
    judge_backlog,
    judge_clock,
    judge_files,
    judge_python,
    judge_user,
    judge_zone,
)
from gateway.doctor.of_policies import judge_folder, rights
from gateway.doctor.of_tls import covers, judge_certificate, judge_key
from gateway.doctor.service import Service, find_service
from tests.support.certificates import write_certificate
from tests.support.doctoring import look, results, world

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SERVICE = Service(0, 4711, frozenset({4711}))  # nobody's


async def test_settings_and_policies_that_are_well(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        assert await results(seen, "settings.file") == ["ok"]
        assert await results(seen, "policies.files") == ["ok"]
        assert await results(seen, "host.timezone") == ["ok"]
        assert await results(seen, "host.python") == ["ok"]
        assert (await results(seen, "host.backlog"))[0] in ("ok", "warning")  # this machine's
        assert await results(seen, "tls.keys") == ["ok"]


async def test_settings_that_contradict_and_policies_with_errors(tmp_path: Path) -> None:
    async with world(tmp_path, notice={"route": "nowhere"}) as seen:
        [outcome] = await look(seen, "settings.file")
        assert (outcome.result, "nowhere" in outcome.found.en) == ("error", True)
    (tmp_path / "2").mkdir()
    async with world(tmp_path / "2", overlay={"append": {"mailboxes.csv": "khong-co-a-cong,sgddt,,,,\n"}}) as seen:
        [outcome] = await look(seen, "policies.files")
    assert (outcome.result, "mailboxes.csv" in outcome.found.vi) == ("error", True)


async def test_advice_is_a_warning(tmp_path: Path) -> None:
    """S-34: a milter that other hosts can reach."""
    async with world(tmp_path, milter={"listen": ("0.0.0.0:8891",)}) as seen:
        [outcome] = await look(seen, "settings.file")
    assert (outcome.result, "8891" in outcome.found.vi) == ("warning", True)


def test_rights_on_the_policy_folder(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "policy.yaml").write_text("version: 1\n")
    for place in (*folder.parents, folder):  # pytest closes its folders to others
        if place.stat().st_mode & 0o001 == 0 and place.owner() == "root":
            place.chmod(place.stat().st_mode | 0o055)
    assert rights(folder, SERVICE) == ([], [])
    assert judge_folder(folder, SERVICE, [], []).result == "ok"
    (folder / "policy.yaml").chmod(0o600)
    assert rights(folder, SERVICE) == ([str(folder / "policy.yaml")], [])
    (folder / "policy.yaml").chmod(0o666)
    unreadable, writable = rights(folder, SERVICE)
    assert judge_folder(folder, SERVICE, unreadable, writable).result == "warning"
    found = judge_folder(folder, SERVICE, [str(folder)], [])
    assert (found.result, str(folder) in found.mend.en) == ("error", True)


def test_permissions_by_owner_group_and_others(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o640)
    os.chown(file, 1234, 4711)
    assert permits(file.stat(), SERVICE, 4)
    assert not permits(file.stat(), SERVICE, 2)
    assert permits(file.stat(), replace(SERVICE, uid=1234), 6)
    assert not permits(file.stat(), Service(0, 5, frozenset({5})), 4)
    assert permits(file.stat(), Service(0, 0, frozenset()), 6)


def test_user(tmp_path: Path) -> None:
    assert judge_user(4711, "gateway", Path("/srv/thu")).result == "ok"
    told = judge_user(0, "root", Path("/srv/thu"))
    assert (told.result, "chown -R gateway:gateway /srv/thu" in told.mend.vi) == ("warning", True)
    state = tmp_path / "var"
    state.mkdir()
    os.chown(state, 4711, 4711)
    assert find_service(state).uid == 4711
    (state / "gateway.lock").write_text("999999999\n")  # of a gateway that was killed
    assert not find_service(state).is_running
    (state / "gateway.lock").write_text(
        f"{os.getpid()}\n"
    )  # its number, given to another program: this one is no gateway
    assert find_service(state).is_running == (b"gateway" in Path("/proc/self/cmdline").read_bytes())


def test_limits() -> None:
    """F-31, O-7."""
    assert judge_files(65535, running=True).result == "ok"
    assert judge_files(-1, running=False).result == "ok"
    assert judge_files(1024, running=False).result == "warning"
    assert judge_backlog(4096).result == "ok"
    assert judge_backlog(128).result == "warning"


def test_clock() -> None:
    before = NOW - timedelta(days=3)
    assert judge_clock(NOW, before, before, True).result == "ok"
    assert judge_clock(NOW, before, None, None).result == "ok"
    assert judge_clock(NOW, before, None, False).result == "warning"
    assert judge_clock(NOW, NOW + timedelta(days=1), None, True).result == "error"
    found = judge_clock(datetime(1970, 1, 1, tzinfo=UTC), before, before, True)
    assert (found.result, "1970" in found.found.vi) == ("error", True)
    assert judge_clock(NOW, before, NOW + timedelta(hours=1), True).result == "error"


def test_time_zones() -> None:
    assert judge_zone("Asia/Ho_Chi_Minh").found.en == "UTC+07:00"
    assert judge_zone("Asia/Ho_Chi_Minh_City").result == "error"


def test_python_and_libraries() -> None:
    wanted = ["aiosmtpd==1.4.6", "idna>=3.20", 'pytest>=9.0; extra == "test"']
    good = {"aiosmtpd": "1.4.6", "idna": "4.0"}
    assert judge_python((3, 11, 2), wanted, good).result == "ok"
    assert judge_python((3, 10, 9), wanted, good).result == "error"
    assert judge_python((3, 12, 0), wanted, good | {"aiosmtpd": "1.5.0"}).result == "error"
    assert judge_python((3, 12, 0), wanted, good | {"idna": "3.9"}).result == "error"
    assert judge_python((3, 12, 0), wanted, {"idna": "3.20"}).values["wrong"] == ["aiosmtpd - (==1.4.6)"]
    assert set(installed(wanted)) == {"aiosmtpd", "idna"}


# ---- certificate and keys -----------------------------------------------------------------------------------------------


def _certificate(folder: Path, *, days: int, name: str = "mx.longan.edu.vn", issuer: str = "CA") -> x509.Certificate:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509.oid import NameOID

    key = load_pem_private_key(write_certificate(folder)["key"].read_bytes(), None)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
    return (
        x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())  # type: ignore[arg-type]
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("changes", "expected", "word"),
    [
        ({"days": 60}, "ok", "60 days"),
        ({"days": 60, "name": "*.longan.edu.vn"}, "ok", "*.longan.edu.vn"),
        ({"days": 20}, "warning", "20 days"),
        ({"days": -1}, "error", "expired"),
        ({"days": 60, "name": "mail.longan.edu.vn"}, "warning", "not mx.longan.edu.vn"),
        ({"days": 60, "issuer": "mx.longan.edu.vn"}, "warning", "signed by itself"),
    ],
)
def test_certificate(tmp_path: Path, changes: dict[str, object], expected: str, word: str) -> None:
    found = judge_certificate([_certificate(tmp_path, **changes)], "mx.longan.edu.vn", NOW, tmp_path)  # type: ignore[arg-type]
    assert (found.result, word in found.found.en) == (expected, True), found


def test_a_certificate_that_is_not_valid_yet(tmp_path: Path) -> None:
    chain = [_certificate(tmp_path, days=60)]
    assert judge_certificate(chain, "mx.longan.edu.vn", NOW - timedelta(days=200), tmp_path).result == "error"


def test_a_wildcard_stands_for_one_label() -> None:
    assert covers("*.longan.edu.vn", "MX.longan.edu.vn")
    assert not covers("*.edu.vn", "mx.longan.edu.vn")


async def test_no_certificate_and_one_from_a_file(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        assert await results(seen, "tls.certificate") == ["warning"]
    files = write_certificate(tmp_path)
    async with world(tmp_path / "2", smtp={**files}) as seen:
        [outcome] = await look(seen, "tls.certificate")
        assert (outcome.result, outcome.values["names"]) == ("warning", ["mx.longan.edu.vn"])  # one day left


def test_keys(tmp_path: Path) -> None:
    key = write_certificate(tmp_path)["key"]
    root = Service(0, 0, frozenset({0}))
    key.chmod(0o640)
    assert judge_key("smtp.key", key, root).result == "ok"
    key.chmod(0o644)
    assert judge_key("smtp.key", key, root).result == "error"
    key.chmod(0o600)
    found = judge_key("smtp.key", key, SERVICE)
    assert (found.result, "chmod 0640" in found.mend.vi) == ("error", True)
    assert judge_key("smtp.key", tmp_path / "none", root).result == "error"


def test_mounts() -> None:
    table = (
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 22 0:40 / /srv/thư\\040viện rw shared:1 - nfs4 nas:/x rw\n"
        "31 22 0:41 / /var rw - xfs /dev/sdb rw\n"
    )
    assert mount_of(Path("/srv/thư viện/var"), table).kind == "nfs4"
    assert mount_of(Path("/var/lib/gateway"), table).kind == "xfs"
    assert mount_of(Path("/variable"), table).kind == "ext4"
