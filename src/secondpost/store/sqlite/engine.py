"""The database file at work: one thread writes, one reads; trouble with the disk is met here.

Rule: after a failure that leaves it unknown what is on disk, nothing more is written until the store is opened anew.
"""

import asyncio
import os
import time
from asyncio import Future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import apsw

from secondpost.errors import StoreCorrupt, StoreError
from secondpost.store.migrate import migrate
from secondpost.store.sqlite.batch import ACCEPT, OTHER, Ask, Batch, runs, transaction
from secondpost.store.sqlite.connections import (
    CHECKED_SIZE,
    READER,
    SQL,
    WRITER,
    check,
    check_version,
    connect,
    keep_memory,
    open_vault,
    take_lock,
)
from secondpost.store.sqlite.contents import Contents
from secondpost.store.sqlite.refusals import Refusals
from secondpost.store.sqlite.reserve import Reserve
from secondpost.store.sqlite.rows import encode, fetch, value
from secondpost.store.sqlite.trouble import FULL, is_lasting, told
from secondpost.store.sqlite.writer import Writer
from secondpost.store.tails import tail_files

T = TypeVar("T")

WAL_PAGES = 8000  # about 32 MB: then the writer moves pages into the database, between two commits
INDEX_BATCH = 200  # messages: about 3 ms
INDEX_SHARE = 20  # one part of so many of the time under load goes to the search index
INDEX_AGE = 60_000  # milliseconds: by then most messages have settled


class Engine:
    """Opens and holds everything below the store."""

    def __init__(self, folder: Path, key: bytes | None) -> None:
        self.folder = folder
        self.path = folder / "secondpost.db"
        self.bodies = folder / "bodies"
        self.reserve = Reserve(folder / "reserve")
        self.refusals = Refusals(folder / "refused")
        self.trouble: StoreError | None = None
        self._key = key
        self._lock: IO[bytes] | None = None
        self._open_connections: list[apsw.Connection] = []
        self._checkpointed = 0  # pages written when the last checkpoint ended
        self._next_index = 0.0  # when the search index may take time again
        self._writer: Writer | None = None

    # Opening and closing -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        await asyncio.to_thread(self._open)
        self._loop = asyncio.get_running_loop()
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="secondpost-reader")
        self._writer = Writer(self._work, self._tidy)
        self.ask, self.withdraw = self._writer.ask, self._writer.withdraw

    def _open(self) -> None:
        check_version()
        keep_memory()
        with told():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = take_lock(self.folder)
        try:
            self._connect_or_make_room()
        except BaseException:
            self._release()
            raise

    def _connect_or_make_room(self) -> None:
        """On a full disk, mail that is stored can still go out: in the room that was kept back for it."""
        try:
            with told():
                self._connect()
        except StoreError as error:
            if error is not FULL:
                raise
            self._close_connections()
            self.reserve.give()
            with told():
                self._connect()

    def _connect(self) -> None:
        self.trouble = None
        old = self.path.exists() and self.path.stat().st_size
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # for nobody else, in any folder
        writing = self.write_connection = self._keep(connect(self.path, WRITER))
        if old and old <= CHECKED_SIZE:
            check(writing)
        migrate(writing)
        self.vault = open_vault(writing, self.folder / "secret.key", self._key)
        self.batch = Batch(writing, self.vault)
        self.contents = Contents(self.vault, self.bodies)
        self.batch.indexed = value(writing, SQL["indexed"])
        self.bodies.mkdir(mode=0o700, exist_ok=True)
        self._remove_orphans()
        self.reserve.restore()
        self.read_connection = self._keep(connect(self.path, READER))

    def _keep(self, connection: apsw.Connection) -> apsw.Connection:
        self._open_connections.insert(0, connection)
        return connection

    def _remove_orphans(self) -> None:
        """Large bodies whose message was never accepted: the process died while they arrived."""
        tails = dict(tail_files(self.bodies))
        kept = {message for (message,) in fetch(self.write_connection, SQL["with_content"], (encode(list(tails)),))}
        for message in tails.keys() - kept:
            tails[message].unlink(missing_ok=True)

    async def close(self) -> None:
        if self._writer is None:
            return
        await self._writer.close()
        self._writer = None
        await asyncio.to_thread(self._reading.shutdown)
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._close_connections()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _close_connections(self) -> None:
        while self._open_connections:
            connection = self._open_connections.pop(0)
            with suppress(apsw.Error):
                # What a failing disk holds must not be moved about: the next start reads it as it is.
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(self.trouble is not None))
                connection.close()

    # Reading and writing -------------------------------------------------------------------------------------------

    def write(self, work: Callable[[apsw.Connection], T]) -> "Future[T]":
        """Do `work` in a transaction of its own, in the writer thread."""
        return self.ask(OTHER, work)

    def read(self, work: Callable[[apsw.Connection], T]) -> "Future[T]":
        """Do `work` in the reader thread."""
        return self._loop.run_in_executor(self._reading, self._read, work)

    def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        try:
            with told():
                return work(self.read_connection)
        except StoreCorrupt as error:
            self.trouble = error
            raise

    def apart(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do something long on a connection of its own, in the caller's thread."""
        with told():
            connection = connect(self.path, READER)
            try:
                return work(connection)
            finally:
                connection.close()

    def _work(self, asks: list[Ask]) -> list[Any]:
        """What the writer thread does with a batch."""
        cuts = runs(asks)
        if len(cuts) == 1:
            return self._write(cuts[0])
        return [answer for run in cuts for answer in self._write(run)]

    def _write(self, run: list[Ask]) -> list[Any]:
        if self.trouble is not None:
            return [self.trouble] * len(run)
        if not self.reserve.restore():
            return self._write_but_accepts(run)
        answers = self._try(run)
        if answers[0] is FULL:
            self.reserve.give()
            return self._write_but_accepts(run)
        return answers

    def _write_but_accepts(self, run: list[Ask]) -> list[Any]:
        """On a full disk: what was sent must still be recorded, in the room that was kept back for it."""
        kept = [ask for ask in run if ask[0] != ACCEPT]
        answers = iter(self._try(kept) if kept else ())
        return [FULL if ask[0] == ACCEPT else next(answers) for ask in run]

    def _try(self, run: list[Ask]) -> list[Any]:
        try:
            with told():
                return [self._alone(run[0][1])] if run[0][0] == OTHER else self.batch.write(run)
        except StoreError as error:
            self.batch.forget()
            if is_lasting(error):
                self.trouble = error
            return [error] * len(run)

    def _alone(self, work: Callable[[apsw.Connection], Any]) -> Any:
        with transaction(self.write_connection):
            return work(self.write_connection)

    # Between commits -----------------------------------------------------------------------------------------------

    def _tidy(self, idle: bool) -> bool:
        """What can wait until no commit does. Returns whether there is more of it to do."""
        if self.trouble is not None:
            return False
        if idle:
            self.reserve.restore()
        try:
            with told():
                more = self._index_some(idle)
                self._checkpoint(0 if idle and not more else WAL_PAGES)
        except StoreError as error:
            if is_lasting(error):  # an fsync that failed here would be believed by the next commit
                self.trouble = error
            raise
        return more

    def _checkpoint(self, most: int) -> None:
        """Move committed pages into the database, if they are more than `most`."""
        written = self.write_connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
        if written - self._checkpointed > most:
            self.write_connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._checkpointed = written

    def _index_some(self, idle: bool) -> bool:
        """Let the search index catch up: at once when idle, else now and then."""
        begun = time.monotonic()
        if not idle and begun < self._next_index:
            return False
        count = 0
        if self._to_index(self.write_connection, INDEX_BATCH)[1]:
            count = self._alone(lambda db: self.index(db, INDEX_BATCH))
        more = count == INDEX_BATCH
        self._next_index = begun + (INDEX_SHARE * (time.monotonic() - begun) if more else 1.0)
        return more

    def index(self, db: apsw.Connection, limit: int) -> int:
        """Let the search index reach further by up to `limit` messages; returns by how many."""
        last, count = self._to_index(db, limit)
        if count:
            reach = (value(db, SQL["indexed"]), last)
            db.execute(SQL["index_words"], reach)
            db.execute(SQL["index_carried"], reach)
            db.execute(SQL["index_marks"], reach)
            db.execute(SQL["index_done"], (last,))
            self.batch.indexed = last
        return count

    def _to_index(self, db: apsw.Connection, limit: int) -> tuple[int, int]:
        """The last of the next messages to index, and how many they are."""
        last, count = fetch(db, SQL["index_next"], (limit, round(time.time() * 1000) - INDEX_AGE))[0]
        return last, count
