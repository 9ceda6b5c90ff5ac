"""Where the running gateway really listens: with socket activation the settings do not say (O-2)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from gateway.doctor.listening import listening
from gateway.doctor.of_doors import doors_of
from gateway.settings import Address, Settings

SETTINGS = Settings.model_validate(
    {
        "smtp": {"listen": ["127.0.0.1:2525"]},
        "milter": {"listen": ["127.0.0.1:8891"]},
        "http": {"listen": "127.0.0.1:9925"},
    }
)
TOLD, HTTP, MILTER = Address("127.0.0.1", 2525), Address("127.0.0.1", 9925), Address("127.0.0.1", 8891)


def test_listening_sockets_are_read_from_proc() -> None:
    """Of both families; a connected or a bound socket is none."""
    with socket.socket() as four, socket.socket(socket.AF_INET6) as six, socket.socket() as bound:
        four.bind(("127.0.0.1", 0))
        six.bind(("::1", 0))
        bound.bind(("127.0.0.1", 0))
        four.listen()
        six.listen()
        with socket.create_connection(four.getsockname()):
            found = listening(os.getpid())
        assert Address("127.0.0.1", four.getsockname()[1]) in found
        assert Address("::1", six.getsockname()[1]) in found
        assert bound.getsockname()[1] not in {address.port for address in found}


def test_a_process_that_may_not_be_looked_at_listens_nowhere_known(tmp_path: Path) -> None:
    assert listening(1, tmp_path) == ()


def test_the_door_is_where_systemd_listens_for_it() -> None:
    passed = Address("0.0.0.0", 25)
    assert doors_of(SETTINGS, (passed, HTTP, MILTER)) == [passed]


def test_without_activation_it_is_where_the_settings_say() -> None:
    assert doors_of(SETTINGS, (TOLD, HTTP, MILTER)) == [TOLD]
    assert doors_of(SETTINGS, ()) == [TOLD]  # not running, or another user's
    assert doors_of(SETTINGS, (HTTP, MILTER)) == [TOLD]  # it runs, and its door is missing: that is to be told
