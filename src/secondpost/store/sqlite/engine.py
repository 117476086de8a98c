"""The two connections to the database file and who may use them: one thread writes, one reads.

Rule: WAL with synchronous=FULL, set and read back on every connection; no other process writes or checkpoints this file.
"""

import asyncio
import fcntl
import os
from asyncio import Future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import apsw

from secondpost.errors import KeyProblem, StoreCorrupt, StoreError, StoreInUse, StoreUnavailable
from secondpost.store.migrate import migrate
from secondpost.store.sqlite.batch import OTHER, Batch, runs, transaction
from secondpost.store.sqlite.writer import Ask, Writer
from secondpost.store.statements import statements
from secondpost.store.vault import Vault, make_key, read_key

T = TypeVar("T")

SQL = statements("sqlite/engine")

OLDEST_SQLITE = (3, 51, 3)  # 3.7.0 to 3.51.2 can lose committed frames of the WAL when a checkpoint meets a writer
BUSY_TIMEOUT = 5000  # milliseconds
WAL_PAGES = 8000  # about 32 MB: then the writer moves pages into the database, between two commits


class Engine:
    """Opens, checks and holds everything below the store."""

    def __init__(self, folder: Path, key: bytes | None) -> None:
        self.folder = folder
        self.path = folder / "secondpost.db"
        self._key = key
        self._lock: IO[bytes] | None = None
        self._broken: StoreError | None = None
        self._checkpointed = 0  # pages written when the last checkpoint ended

    # Opening -------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        await asyncio.to_thread(self._open)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="secondpost-reader")
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(self._work, self._tidy)
        self.ask = self._writer.ask

    def _open(self) -> None:
        _check_version()
        _keep_memory()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        try:
            with told():
                self._connect()
        except BaseException:
            self._release()
            raise

    def _connect(self) -> None:
        self._broken = None
        new = not self.path.exists() or not self.path.stat().st_size
        self.write_connection = self._connection(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        migrate(self.write_connection)
        self.vault = Vault(self._key or self._key_file(new))
        self._check_canary()
        self.batch = Batch(self.write_connection, self.vault)
        self.read_connection = self._connection(apsw.SQLITE_OPEN_READONLY)

    def _connection(self, flags: int) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), flags=flags, statementcachesize=200)
        connection.set_busy_timeout(BUSY_TIMEOUT)
        writing = bool(flags & apsw.SQLITE_OPEN_READWRITE)
        connection.execute(SQL["set_up_writer" if writing else "set_up_reader"])
        mode, level = connection.pragma("journal_mode"), connection.pragma("synchronous")
        if (mode, level) != ("wal", 2):
            raise StoreUnavailable(
                f"SQLite opened {self.path} with journal_mode={mode} and synchronous={level}, not wal and 2 (FULL), so mail could be "
                "lost in a power cut. Put the folder on a local disk."
            )
        return connection

    def _key_file(self, new: bool) -> bytes:
        path = self.folder / "secret.key"
        if not path.exists() and (new or self.write_connection.execute(SQL["find_canary"]).get is None):
            return make_key(path)
        return read_key(path)

    def _check_canary(self) -> None:
        """Prove the key by a value that was sealed with it when the database was made."""
        sealed = self.write_connection.execute(SQL["find_canary"]).get
        if sealed is None:
            self.write_connection.execute(SQL["add_canary"], (self.vault.seal(b"canary", b"meta/canary"),))
        elif self.vault.open(sealed, b"meta/canary") != b"canary":
            raise KeyProblem("The key opens the canary, but it does not sing. Put the folder back from your backup.")

    def _take_lock(self) -> None:
        """One process a folder. The kernel gives the lock back when the process dies, however it dies."""
        self._lock = (self.folder / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise StoreInUse(
                f"Another process works with {self.folder}. Stop it first, or talk to it: one folder has one daemon at a time."
            ) from None

    # Closing -------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        await self._writer.close()
        await asyncio.to_thread(self._reading.shutdown)
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        for name in ("read_connection", "write_connection"):
            connection = self.__dict__.pop(name, None)
            if connection is not None:
                with suppress(apsw.Error):
                    connection.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # Reading and writing -------------------------------------------------------------------------------------------

    def write(self, work: Callable[[apsw.Connection], T]) -> "Future[T]":
        """Do `work` in a transaction of its own, in the writer thread."""
        return self.ask(OTHER, work)

    def read(self, work: Callable[[apsw.Connection], T]) -> "Future[T]":
        """Do `work` in the reader thread."""
        return self._loop.run_in_executor(self._reading, self._read, work)

    def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        with told():
            return work(self.read_connection)

    def _work(self, asks: list[Ask]) -> list[Any]:
        """What the writer thread does with a batch."""
        answers: list[Any] = []
        for run in runs(asks):
            answers += self._write_run(run)
        return answers

    def _pages_written(self) -> int:
        return self.write_connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]

    def _write_run(self, run: list[Ask]) -> list[Any]:
        try:
            if self._broken is not None:
                raise self._broken
            with told():
                return [self._write_other(run[0][1])] if run[0][0] == OTHER else self.batch.write(run)
        except StoreError as error:
            self.batch.forget()
            return [error] * len(run)

    def _write_other(self, work: Callable[[apsw.Connection], Any]) -> Any:
        with transaction(self.write_connection):
            return work(self.write_connection)

    # The write-ahead log -------------------------------------------------------------------------------------------

    def _tidy(self, *, most: int = 0) -> None:
        """Move committed pages into the database once there are more than `most`. Never on the path of a commit."""
        written = self._pages_written()
        if self._broken is None and written - self._checkpointed > most:
            self.write_connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._checkpointed = written


class told:  # noqa: N801 – used as a statement
    """Turn what SQLite raises into errors that say what to do."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case apsw.BusyError() | apsw.LockedError():
                raise StoreUnavailable("The database is locked by another program. Nothing was written; end that program or try again.") from error
            case apsw.FullError():
                raise StoreUnavailable("The disk is full. Nothing was written; free some space.") from error
            case apsw.CorruptError() | apsw.NotADBError():
                raise StoreCorrupt(
                    f"The database is damaged ({error}). Nothing was written and the file was left as it is: copy it away, then put "
                    "back a backup, or save what can be saved with `sqlite3 … .recover`."
                ) from error
            case apsw.Error():
                raise StoreUnavailable(f"The database cannot be used ({error}). Nothing was written; look at the disk and its rights.") from error
            case OSError():
                raise StoreUnavailable(f"The data folder cannot be used ({error}). Nothing was written.") from error


def _keep_memory() -> None:
    """Let glibc keep 32 MB at hand: freeing a large block once raises its threshold for giving memory back.

    Without this every batch gives back, and asks for, what SQLite's temporary tables use: 100 µs of CPU each.
    """
    bytes(16 * 2**20)


def _check_version() -> None:
    found = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if found < OLDEST_SQLITE:
        raise StoreUnavailable(
            f"SQLite {apsw.sqlite_lib_version()} can lose committed mail; {'.'.join(map(str, OLDEST_SQLITE))} or newer is needed. "
            "Run: pip install --upgrade apsw"
        )
