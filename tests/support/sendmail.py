"""A real Sendmail before a mail store: unpacked by tests/debian-packages.sh, since Debian's does not live beside Postfix.

Its configuration is a few lines of ours around deploy/sendmail/gateway.mc, so that what is shipped is what runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.milter_house import shipped
from tests.support.node import ROOT
from tests.support.ports import free_port

PATIENCE = 30.0  # seconds; only for a test that would hang otherwise
UNPACKED = ROOT / "build" / "sendmail"
HOSTNAME = "mail.longan.edu.vn"

MAIN = """\
divert(0)dnl
VERSIONID(`for tests')
OSTYPE(`linux')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`HELP_FILE', `')dnl
define(`ALIAS_FILE', `')dnl
define(`confCR_FILE', `{folder}/relay-domains')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/service.switch')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
define(`confTO_IDENT', `0')dnl
define(`confDEF_USER_ID', `mail:mail')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {store}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
RELAY_DOMAIN(`longan.edu.vn')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
include(`{folder}/gateway.mc')dnl
MAILER(`smtp')dnl
"""


def unavailable() -> str:
    """Why no Sendmail can be run here, or ""."""
    if not (UNPACKED / "complete").exists():
        return "Sendmail is not unpacked (sh tests/debian-packages.sh)"
    if shutil.which("m4") is None or shutil.which("unshare") is None:
        return "m4 or unshare is not installed"
    if os.geteuid() != 0:
        return "Sendmail can only be run by root"
    if subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode:
        return "no name space of its own for the host name, without which Sendmail waits for a minute"
    return ""


@dataclass
class Sendmail:
    """One instance; it hands all mail to the server at `store`, and asks the milter at `door`."""

    folder: Path
    store: int
    door: Path
    port: int = field(default_factory=free_port)
    reinject: int = field(default_factory=free_port)

    def queue(self) -> list[str]:
        """Queue files of the messages that are still to be delivered."""
        return [path.name for path in (self.folder / "queue").iterdir() if path.name.startswith("qf")]

    @property
    def log(self) -> str:
        """What was said over SMTP, in both directions."""
        trace = self.folder / "trace"
        return trace.read_text(errors="replace") if trace.exists() else ""

    def configure(self) -> None:
        self.folder.mkdir()
        (self.folder / "queue").mkdir(mode=0o700)
        (self.folder / "relay-domains").touch()
        (self.folder / "service.switch").write_text("hosts files\naliases files\n")
        changes = {"local:/run/gateway/milter.sock": f"local:{self.door}", "10026": str(self.reinject)}
        (self.folder / "gateway.mc").write_text(shipped("sendmail/gateway.mc", changes))
        values = {"folder": self.folder, "hostname": HOSTNAME, "store": self.store, "port": self.port}
        (self.folder / "sendmail.mc").write_text(MAIN.format(**values))
        macros = UNPACKED / "root/usr/share/sendmail/cf"
        built = subprocess.run(
            ["m4", f"-D_CF_DIR_={macros}/", str(macros / "m4/cf.m4"), "sendmail.mc"],
            cwd=self.folder,
            capture_output=True,
            check=True,
        )
        assert built.stderr == b"", built.stderr
        (self.folder / "sendmail.cf").write_bytes(built.stdout)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self.configure()
        program = UNPACKED / "root/usr/libexec/sendmail/sendmail"
        libraries = next((UNPACKED / "root/usr/lib").glob("*-linux-gnu*"), UNPACKED)
        command = [*("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', HOSTNAME, str(program))]
        command += ["-C", str(self.folder / "sendmail.cf"), "-bD", "-X", str(self.folder / "trace")]
        output = (self.folder / "output").open("wb")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries), "RES_OPTIONS": "timeout:1 attempts:1"}
        with output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
            try:
                self._await_greeting(process)
                yield
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _await_greeting(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                if client.recv(512).startswith(b"220 "):
                    return
            told = (self.folder / "output").read_text(errors="replace")
            assert process.poll() is None, told
            assert time.monotonic() < until, told
            time.sleep(0.05)


@contextlib.contextmanager
def safe_folder() -> Iterator[Path]:
    """A folder for Sendmail's files and the milter's socket: it trusts none below one that others may write to."""
    with tempfile.TemporaryDirectory(prefix="gateway-", dir="/run") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
