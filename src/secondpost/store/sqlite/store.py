"""The SQLite store: queue, log, settings and retention over one engine, everything in one folder."""

import asyncio
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from secondpost.errors import StoreError
from secondpost.store.base import TailWriter
from secondpost.store.migrate import migrations, version
from secondpost.store.sqlite.connections import SQL, check
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.log import SqliteLog
from secondpost.store.sqlite.purge import SqlitePurge
from secondpost.store.sqlite.queue import SqliteQueue
from secondpost.store.sqlite.reports import SqliteReports
from secondpost.store.sqlite.rows import fetch
from secondpost.store.sqlite.settings import SqliteSettings
from secondpost.store.sqlite.trouble import FULL
from secondpost.store.tails import FileTailWriter, tail_files, tail_path


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
        await asyncio.to_thread(self._engine.apart, lambda db: _copy(db, self._engine.bodies, Path(path)))

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


def _copy(db: apsw.Connection, bodies: Path, folder: Path) -> None:
    """The database first: a body that it knows and that is gone by then has gone by retention."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise StoreError(f"{folder} exists already. A backup overwrites nothing: name a new folder.") from None
    path = folder / "secondpost.db"
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "rb") as file:
        db.pragma("query_only", False)  # it would forbid the copy; the database itself is open for reading only
        db.execute(SQL["copy"], (str(path),))
        os.fsync(file.fileno())
    for message, body in tail_files(bodies):
        with suppress(FileNotFoundError):
            _copy_body(body, tail_path(folder / "bodies", message))


def _copy_body(body: Path, path: Path) -> None:
    for above in (path.parent.parent, path.parent):  # `parents` would open those above to all the world
        above.mkdir(mode=0o700, exist_ok=True)
    with body.open("rb") as source, path.open("xb") as target:
        path.chmod(0o600)
        shutil.copyfileobj(source, target, 2**20)
        target.flush()
        os.fsync(target.fileno())
