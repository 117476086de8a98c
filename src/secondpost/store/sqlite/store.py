"""The SQLite store: queue, log, settings and retention over one engine, everything in one folder."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import apsw

from secondpost.store.base import TailWriter
from secondpost.store.migrate import migrations, version
from secondpost.store.sqlite.backups import copied
from secondpost.store.sqlite.connections import SQL, check
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.log import SqliteLog
from secondpost.store.sqlite.purge import SqlitePurge
from secondpost.store.sqlite.queue import SqliteQueue
from secondpost.store.sqlite.reports import SqliteReports
from secondpost.store.sqlite.rows import fetch
from secondpost.store.sqlite.settings import SqliteSettings
from secondpost.store.sqlite.trouble import FULL
from secondpost.store.tails import FileTailWriter, tail_path


class SqliteStore(SqliteQueue, SqlitePurge, SqliteLog, SqliteReports, SqliteSettings):
    """`folder` gets the database, its key, large bodies. `key`: 32 bytes, instead of the folder's file `secret.key`."""

    def __init__(self, folder: Path, *, key: bytes | None = None) -> None:
        self._engine = Engine(folder, key)

    async def open(self) -> None:
        await self._engine.open()

    async def close(self) -> None:
        await self._engine.close()

    def tail(self, message: int) -> TailWriter:
        return FileTailWriter(tail_path(self._engine.bodies, message), self._engine.vault, message)

    async def ready(self) -> None:
        stamp = round(time.time() * 1000)
        await self._engine.write(lambda db: fetch(db, SQL["prove"], (stamp,)))
        if not self._engine.reserve.whole:
            raise FULL

    async def index(self, limit: int = 500) -> int:
        """Let the search index catch up by up to `limit` messages; returns how many. When idle it does so by itself."""
        return await self._engine.write(lambda db: self._engine.index(db, limit))

    async def check(self) -> None:
        """Read the whole database for damage. Raises `StoreCorrupt`."""
        await asyncio.to_thread(self._engine.apart, check)

    async def backup(self, path: str) -> None:
        await asyncio.to_thread(self._engine.apart, lambda db: copied(db, self._engine.bodies, Path(path)))

    async def status(self) -> dict[str, Any]:
        facts = await self._engine.read(_facts)
        return facts | await asyncio.to_thread(self._sizes)

    def _sizes(self) -> dict[str, Any]:
        engine = self._engine
        disk = os.statvfs(engine.folder)
        wal = engine.path.with_name(engine.path.name + "-wal")
        return {
            "path": str(engine.path),
            "bytes": engine.path.stat().st_size,
            "wal_bytes": wal.stat().st_size if wal.exists() else 0,
            "free_bytes": disk.f_bavail * disk.f_frsize,
            "reserve": engine.reserve.whole,
            "trouble": str(engine.trouble or ""),
        }


def _facts(db: apsw.Connection) -> dict[str, Any]:
    return {
        "kind": "sqlite",
        "sqlite": apsw.sqlite_lib_version(),
        "version": version(db),
        "newest": migrations()[-1][0],
        "journal_mode": db.pragma("journal_mode"),
        "synchronous": "FULL" if db.pragma("synchronous") == 2 else "not FULL",
    }
