"""Every name of aiosmtpd and asyncio that the door touches although it is private. A new version must pass this first."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version

import aiosmtpd.smtp
import pytest
from aiosmtpd.smtp import SMTP, Session

from gateway.endpoint.shared import VERBS, Shared
from gateway.endpoint.smtp_connection import Connection
from gateway.endpoint.smtp_session import SmtpSession
from gateway.settings import SmtpSettings
from tests.support.reception import FakeReception


@pytest.fixture
async def shared(tmp_path) -> Shared:
    loop = asyncio.get_running_loop()
    settings = SmtpSettings()
    return Shared(SmtpSession, settings, FakeReception(), hostname="mx.longan.edu.vn", spool=tmp_path, loop=loop)


def test_the_version_that_was_read() -> None:
    assert version("aiosmtpd") == "1.4.6"


def test_base_classes() -> None:
    assert issubclass(SMTP, asyncio.StreamReaderProtocol)
    assert issubclass(SmtpSession, SMTP)


@pytest.mark.parametrize(
    "name",
    ["_handle_client", "_reset_timeout", "_timeout_cb", "_cb_client_connected", "connection_made", "connection_lost"],
)
def test_methods_that_are_called_or_replaced(name: str) -> None:
    assert callable(getattr(SMTP, name))


def test_connection_made_starts_the_session() -> None:
    """It makes the Session, arms the timer and runs _handle_client as _handler_coroutine."""
    source = inspect.getsource(SMTP.connection_made)
    for part in ("_create_session()", "_reset_timeout()", "_handler_coroutine", "_handle_client()", "session.peer"):
        assert part in source


def test_connection_lost_and_eof_of_aiosmtpd_cancel_the_work() -> None:
    """The reason for which they are replaced (R-9); when this fails, read them again."""
    assert "_handler_coroutine.cancel()" in inspect.getsource(SMTP.connection_lost)
    assert "_handler_coroutine.cancel()" in inspect.getsource(SMTP.eof_received)
    assert Connection.connection_lost is not SMTP.connection_lost
    assert Connection.eof_received is not SMTP.eof_received


async def test_template_holds_what_sessions_need(shared: Shared) -> None:
    for name in ("_timeout_duration", "_timeout_handle", "session", "transport", "_handler_coroutine"):
        assert name in shared.template
    assert shared.template["_timeout_duration"] == shared.settings.command_timeout


async def test_sessions_share_no_state(shared: Shared) -> None:
    """Finding 6: command_size_limits was one dict for all sessions."""
    one, other = SmtpSession(shared), SmtpSession(shared)
    mutable = (dict, list, set, bytearray, asyncio.Future, asyncio.StreamReader)
    ignored = {"command_size_limits", "_auth_methods", "_handle_hooks", "_smtp_methods"}
    for name, value in vars(one).items():
        if isinstance(value, mutable) and name not in ignored:
            assert value is not vars(other)[name], name


async def test_the_command_table(shared: Shared) -> None:
    """aiosmtpd's table, by method names; all our verbs and none that an MX has no use for (S-10)."""
    assert set(shared.commands) == set(VERBS)
    assert not {"AUTH", "HELP", "EXPN"} & set(shared.commands)
    for verb, command in shared.commands.items():
        assert command is not getattr(SMTP, f"smtp_{verb}", None), f"{verb} is aiosmtpd's own"


async def test_session_attributes() -> None:
    session = Session(asyncio.get_running_loop())
    assert (session.peer, session.ssl, session.host_name, session.extended_smtp) == (None, None, None, False)


async def test_stream_internals() -> None:
    """_buffer: what came and is not read; _transport: replaced after STARTTLS, as aiosmtpd does it itself."""
    reader = asyncio.StreamReader()
    reader.feed_data(b"octets")
    assert reader._buffer == bytearray(b"octets")
    assert reader._transport is None
    source = inspect.getsource(SMTP.connection_made)
    assert "self._reader._transport = transport" in source
    assert "self._writer._transport = transport" in source
    assert aiosmtpd.smtp.__all__ is not None
