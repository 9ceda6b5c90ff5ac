"""Stores of every backend for the contract tests; a new backend is a new parameter here and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store.sqlite import SqliteStore
from tests.support.store_samples import Clock

OpenStore = Callable[..., SqliteStore]


def _sqlite(folder: Path, **options: Any) -> SqliteStore:
    return SqliteStore(folder / "gateway.db", folder, **options)


BACKENDS = {"sqlite": _sqlite}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=sorted(BACKENDS))
async def open_store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[OpenStore]:
    """Open another store over the same database, as another process would; all are closed at the end."""
    opened: list[SqliteStore] = []

    def open_one(**options: Any) -> SqliteStore:
        opened.append(BACKENDS[request.param](tmp_path, clock=clock, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        await one.close()


@pytest.fixture
def store(open_store: OpenStore) -> SqliteStore:
    return open_store()
