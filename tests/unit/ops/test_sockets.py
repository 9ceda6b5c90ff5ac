"""Listening sockets of the doors."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from gateway.settings import Address, HttpSettings, Settings, SmtpSettings
from gateway.supervisor import sockets
from gateway.supervisor.sockets import CannotListen, by_door, close_unused, described, listen, open_listeners


def open_sockets(wanted: Settings, environ: dict[str, str]) -> sockets.Sockets:
    return by_door(open_listeners(wanted, environ))


def settings(smtp: tuple[str, ...] = (), http: str = "") -> Settings:
    return Settings(smtp=SmtpSettings(listen=smtp), http=HttpSettings(listen=http))


def test_every_door_has_its_sockets_and_closes_those_of_others(tmp_path: Path) -> None:
    path = tmp_path / "smtp.sock"
    sockets = open_sockets(settings(("127.0.0.1:0", "[::1]:0", f"unix:{path}"), "127.0.0.1:0"), {})
    assert [each.family for each in sockets["smtp"]] == [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]
    kept = close_unused(sockets, frozenset({"http"}))
    assert kept == {"http": sockets["http"]}
    assert [each.fileno() for each in sockets["smtp"]] == [-1, -1, -1]
    kept["http"][0].close()


def test_no_socket_is_opened_where_the_settings_name_none() -> None:
    assert open_sockets(settings(), {}) == {"smtp": [], "milter": [], "http": []}


def test_accepted_connections_can_have_nodelay_set_by_the_event_loop() -> None:
    with listen(Address("127.0.0.1", 0)) as opened:
        assert opened.proto == socket.IPPROTO_TCP
        assert not opened.getblocking()


def test_a_unix_socket_is_for_its_group_only(tmp_path: Path) -> None:
    """S-34."""
    path = tmp_path / "smtp.sock"
    with listen(Address(path=str(path))):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_unix_socket_left_behind_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    """F-43."""
    address = Address(path=str(tmp_path / "smtp.sock"))
    listen(address).close()  # as after kill -9: the file is there, nobody answers
    with listen(address), pytest.raises(CannotListen, match="another program is listening there; stop it"):
        listen(address)


def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "smtp.sock"
    path.write_text("Sở GD&ĐT Long An")
    with pytest.raises(CannotListen, match="not a socket"):
        listen(Address(path=str(path)))
    assert path.read_text() == "Sở GD&ĐT Long An"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            Address("192.0.2.1", 2525),
            "192.0.2.1:2525: Cannot assign requested address; write an IP address of this server",
        ),
        (
            Address(path="/nowhere/at/all/smtp.sock"),
            "unix:/nowhere/at/all/smtp.sock: No such file or directory; make the folder /nowhere/at/all, so that",
        ),
        (Address(path="/dev/null/smtp.sock"), "Not a directory; make the folder /dev/null, so that"),
        (Address("no-such-host.invalid", 25), "no-such-host.invalid:25: no such host"),
    ],
)
def test_what_cannot_be_listened_at_is_said_in_words(address: Address, words: str) -> None:
    with pytest.raises(CannotListen, match=words):
        listen(address)


def test_a_socket_that_may_not_be_made_names_its_folder_and_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user who may not write there; root, who runs tests, may write anywhere."""

    def refused(_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(sockets, "_unix", refused)
    monkeypatch.setattr(sockets, "_tcp", refused)
    with pytest.raises(CannotListen) as complaint:
        listen(Address(path="/run/gateway/milter.sock"))
    assert str(complaint.value) == (
        "unix:/run/gateway/milter.sock: Permission denied; let the gateway's user write to the folder /run/gateway"
    )
    with pytest.raises(CannotListen, match="ports below 1024"):
        listen(Address("127.0.0.1", 25))


def test_where_the_doors_are_is_told_as_settings_write_it_and_who_may_open_them(tmp_path: Path) -> None:
    """S-34: a socket of the wrong group is closed to the mail server; the log of the start shows which group it has."""
    path = tmp_path / "milter.sock"
    with listen(Address(path=str(path))) as unix, listen(Address("127.0.0.1")) as four, listen(Address("::1")) as six:
        os.chown(path, -1, grp.getgrnam("mail").gr_gid)
        assert described(unix) == f"unix:{path} (mode 0660, group mail)"
        os.chown(path, -1, 54321)
        assert described(unix) == f"unix:{path} (mode 0660, group 54321)"
        assert described(four) == f"127.0.0.1:{four.getsockname()[1]}"
        assert described(six) == f"[::1]:{six.getsockname()[1]}"
        path.unlink()
        assert described(unix) == f"unix:{path}"


def test_a_refused_address_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(CannotListen):
            open_sockets(settings(("127.0.0.1:0", taken)), {})
        assert len(os.listdir("/proc/self/fd")) == before


def test_sockets_passed_to_another_process_are_left_alone() -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "smtp"}
    sockets = open_sockets(settings(("127.0.0.1:0",)), environ)
    assert sockets["smtp"][0].fileno() > 3
    assert environ == {}
    sockets["smtp"][0].close()


def test_a_passed_socket_without_a_known_name_is_refused() -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "gateway.socket"}
    with pytest.raises(CannotListen, match="FileDescriptorName=smtp"):
        open_sockets(settings(), environ)
