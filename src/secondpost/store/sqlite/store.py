"""The SQLite store: queue, log and settings over one engine."""

from pathlib import Path

from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.log import SqliteLog
from secondpost.store.sqlite.queue import SqliteQueue
from secondpost.store.sqlite.settings import SqliteSettings


class SqliteStore(SqliteQueue, SqliteLog, SqliteSettings):
    """Everything in one folder: the database, its key, large bodies."""

    def __init__(self, folder: Path, *, key: bytes | None = None) -> None:
        self._engine = Engine(folder, key)

    async def open(self) -> None:
        await self._engine.open()

    async def close(self) -> None:
        await self._engine.close()
