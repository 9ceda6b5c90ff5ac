"""What the tests of both doors share."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from gateway import maillog


@pytest.fixture
def log() -> Iterator[io.BytesIO]:
    """The mail log, written to memory."""
    stream = io.BytesIO()
    maillog.write_to(stream)
    yield stream
    maillog.write_to(None)
