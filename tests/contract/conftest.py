"""Every store there is: what is promised must be kept by each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from secondpost.store.base import Store
from secondpost.store.memory import MemoryStore
from secondpost.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path)
    await store.open()
    yield store
    await store.close()
