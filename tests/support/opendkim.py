"""A real OpenDKIM as one more milter of the same Postfix: one that verifies, or one that signs. Keys come from a file."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE = 20.0  # seconds; only for a test that would hang otherwise
AUTHSERV_ID = "dkim.longan.edu.vn"


def find() -> str:
    """Its path; the test is skipped where it is not installed."""
    path = shutil.which("opendkim", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if path is None:
        pytest.skip("opendkim is not installed (Debian package opendkim)")
    return path


@contextmanager
def _running(folder: Path, door: Path, lines: str) -> Iterator[None]:
    folder.mkdir()
    config, log = folder / "opendkim.conf", folder / "log"
    config.write_text(
        f"Socket local:{door}\nUMask 0117\nSyslog no\nBackground no\nRequireSafeKeys no\nPidFile {folder}/pid\n{lines}"
    )
    with log.open("wb") as output, subprocess.Popen([find(), "-f", "-x", str(config)], stderr=output) as process:
        try:
            until = time.monotonic() + PATIENCE
            while not door.exists():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.02)
            yield
        finally:
            process.kill()  # it keeps nothing, and libmilter takes seconds to end by itself


@contextmanager
def verifier(folder: Path, door: Path, keys: Mapping[str, bytes]) -> Iterator[None]:
    """Checks signatures and writes Authentication-Results of AUTHSERV_ID; `keys` are key records by name."""
    table = folder.with_suffix(".keys")
    table.write_text("".join(f"{name} {record.decode()}\n" for name, record in keys.items()))
    lines = f"Mode v\nAuthservID {AUTHSERV_ID}\nTestPublicKeys {table}\nAlwaysAddARHeader yes\n"
    with _running(folder, door, lines):
        yield


@contextmanager
def signer(folder: Path, door: Path, domain: str, selector: str, private: bytes, fields: str) -> Iterator[None]:
    """Signs whatever passes, for one domain; `fields` are signed besides OpenDKIM's own choice: "+X-A,+X-B"."""
    key, keys, senders = (folder.with_suffix(suffix) for suffix in (".pem", ".keys", ".senders"))
    key.write_bytes(private)
    key.chmod(0o600)
    keys.write_text(f"{selector} {domain}:{selector}:{key}\n")
    senders.write_text(f"* {selector}\n")
    lines = (
        f"Mode s\nKeyTable {keys}\nSigningTable refile:{senders}\nInternalHosts 0.0.0.0/0,::/0\n"
        f"Canonicalization relaxed/simple\nSignHeaders *,{fields}\n"
    )
    with _running(folder, door, lines):
        yield
