"""A real Postfix for tests: its own configuration, queue and log in a temporary directory, on loopback high ports.

Needs root, because Postfix's master does. Mail for the served domains goes to Maildirs under `mail`; one file per message.
With `xclient` tests choose the client's address. `main_lines` and `services` are put behind main.cf and master.cf, as an
administrator would append what deploy/ ships.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.ports import free_port

PATIENCE = 20.0  # seconds to wait for Postfix to start, stop or deliver

MASTER = """\
{smtpd}
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""


def unavailable() -> str:
    """Why no Postfix can be run here, or ""."""
    if shutil.which("postfix") is None:
        return "postfix is not installed"
    return "" if os.geteuid() == 0 else "postfix can only be run by root"


@dataclass
class Postfix:
    """One instance. `settings` are main.cf parameters over the defaults."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    domains: tuple[str, ...] = ("longan.edu.vn",)
    mailboxes: tuple[str, ...] = ("vanthu", "khaothi", "ketoan", "văn.thư")
    port: int = field(default_factory=free_port)
    main_lines: str = ""
    services: str = ""
    xclient: bool = False  # XCLIENT is honoured from loopback

    @property
    def log(self) -> str:
        return (self.folder / "log" / "maillog").read_text(errors="replace")

    def messages(self, local_part: str = "vanthu", domain: str = "") -> list[bytes]:
        """The messages of one mailbox, oldest first, with LF line ends as Postfix stores them."""
        new = self.folder / "mail" / (domain or self.domains[0]) / local_part / "new"
        files = sorted(new.iterdir(), key=lambda path: path.stat().st_mtime_ns) if new.is_dir() else []
        return [file.read_bytes() for file in files]

    def wait(self, count: int, local_part: str = "vanthu", domain: str = "") -> list[bytes]:
        """Wait until so many messages are there."""
        until = time.monotonic() + PATIENCE
        while len(found := self.messages(local_part, domain)) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} messages arrived\n{self.log[-4000:]}"
            time.sleep(0.02)
        return found

    def inject(self, reverse_path: str, recipients: list[str], message: bytes) -> None:
        """Put a message into this Postfix's queue, as a local sendmail would."""
        # S607: found by PATH, since distributions put it in different places
        subprocess.run(
            ["sendmail", "-C", str(self.folder / "etc"), "-i", "-f", reverse_path, *recipients],
            input=message,
            check=True,
        )

    def queue(self) -> list[str]:
        """Queue ids of the messages that are still to be delivered."""
        done = subprocess.run(
            ["postqueue", "-c", str(self.folder / "etc"), "-j"], capture_output=True, text=True, timeout=60, check=True
        )
        return [str(json.loads(line)["queue_id"]) for line in done.stdout.splitlines()]

    def socket_folder(self, name: str) -> Path:
        """A folder below the queue directory for a milter's socket, made as deploy/postfix/main.cf.milter says."""
        self.prepare()
        folder = self.folder / "queue" / name
        if not folder.exists():
            folder.mkdir()
            os.chown(folder, 0, pwd.getpwnam("postfix").pw_gid)
            folder.chmod(0o2750)
        return folder

    def prepare(self) -> None:
        """Folders and configuration; nothing runs yet."""
        if (self.folder / "etc").exists():
            return
        for name in ("etc", "queue", "data", "mail", "log"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        account = pwd.getpwnam("postfix")
        os.chown(self.folder / "data", account.pw_uid, account.pw_gid)
        os.chown(self.folder / "mail", account.pw_uid, account.pw_gid)
        self._configure(account)

    def start(self) -> None:
        self.prepare()
        self._command("start")
        until = time.monotonic() + PATIENCE
        while not self._greets():
            assert time.monotonic() < until, f"Postfix does not greet\n{self._log_if_any()}"
            time.sleep(0.05)
        while (
            self._log_if_any(whole=True).count("disconnect from") < 1
        ):  # our own look is in the log, not still to come
            assert time.monotonic() < until, f"Postfix does not log\n{self._log_if_any()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it and wait until its master is gone."""
        pid_file = self.folder / "queue" / "pid" / "master.pid"
        pid = int(pid_file.read_text()) if pid_file.exists() else 0
        self._command("stop", check=False)
        until = time.monotonic() + PATIENCE
        while pid and Path(f"/proc/{pid}/cmdline").exists() and time.monotonic() < until:
            time.sleep(0.05)

    def _configure(self, account: pwd.struct_passwd) -> None:
        etc = self.folder / "etc"
        mailboxes = "".join(f"{name}@{domain} {domain}/{name}/\n" for domain in self.domains for name in self.mailboxes)
        (etc / "mailboxes").write_text(mailboxes)
        main = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.folder / "queue"),
            "data_directory": str(self.folder / "data"),
            "maillog_file": str(self.folder / "log" / "maillog"),
            "maillog_file_prefixes": "/",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "mail.longan.edu.vn",
            "mydestination": "",
            "mynetworks": "",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "local_transport": "error:no local mail here",
            "virtual_mailbox_domains": ", ".join(self.domains),
            "virtual_mailbox_base": str(self.folder / "mail"),
            "virtual_mailbox_maps": f"texthash:{etc}/mailboxes",
            "virtual_uid_maps": f"static:{account.pw_uid}",
            "virtual_gid_maps": f"static:{account.pw_gid}",
            "virtual_minimum_uid": "1",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_tls_security_level": "none",
            "smtpd_client_connection_rate_limit": "0",
            "smtpd_client_connection_count_limit": "0",
            "smtputf8_enable": "yes",
            "biff": "no",
            "in_flow_delay": "0",
            "smtpd_delay_reject": "no",
        }
        if self.xclient:
            main["smtpd_authorized_xclient_hosts"] = "127.0.0.0/8"
        main |= self.settings
        lines = "".join(f"{name} = {value}\n" for name, value in main.items())
        (etc / "main.cf").write_text(lines + self.main_lines)
        server = MASTER.format(smtpd=f"127.0.0.1:{self.port} inet n - n - - smtpd")
        (etc / "master.cf").write_text(server + self.services)

    def _command(self, verb: str, *, check: bool = True) -> None:
        done = subprocess.run(
            ["postfix", "-c", str(self.folder / "etc"), verb], capture_output=True, text=True, timeout=60
        )
        assert not check or done.returncode == 0, f"postfix {verb}: {done.stdout}{done.stderr}{self._log_if_any()}"

    def _log_if_any(self, *, whole: bool = False) -> str:
        with contextlib.suppress(OSError):
            return self.log if whole else self.log[-4000:]
        return ""

    def _greets(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
            return client.recv(512).startswith(b"220 ")
        return False


@contextlib.contextmanager
def running_postfix(**changes: object) -> Iterator[Postfix]:
    """A started instance; the test is skipped, with the reason, where none can be run.

    Its folder is not below pytest's, which every run of pytest closes to other users, and Postfix's user is one.
    """
    if reason := unavailable():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="postfix-") as folder:
        instance = Postfix(Path(folder), **changes)  # type: ignore[arg-type]
        try:
            instance.start()
            yield instance
        finally:
            instance.stop()
