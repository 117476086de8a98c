"""What the tests of the store on disk share: a store that can be closed and opened again, and children to kill."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from secondpost.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]

Spawn = Callable[..., "subprocess.Popen[str]"]


async def reopened(folder: Path, **given: bytes) -> SqliteStore:
    store = SqliteStore(folder, **given)
    await store.open()
    return store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start `child.py`; returns once it has opened its store."""
    children = []

    def spawn(*words: object, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        command = [*before, sys.executable, str(ROOT / "tests/store/child.py"), *map(str, words)]
        path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path})
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        return child

    yield spawn
    for child in children:
        child.kill()
        child.communicate()
