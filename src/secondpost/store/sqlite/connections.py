"""Opening the database file: one writing and one reading connection, checked before anything is trusted to them.

Rule: WAL with synchronous=FULL, set and read back on every connection; one process works a folder.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import IO

import apsw

from secondpost.core.delivery import withheld_as
from secondpost.errors import KeyProblem, StoreCorrupt, StoreInUse, StoreUnavailable
from secondpost.store.sqlite.rows import fetch, value
from secondpost.store.sqlite.trouble import damaged
from secondpost.store.statements import statements
from secondpost.store.vault import Vault, make_key, read_key
from secondpost.store.words import mentions, spells

SQL = statements("sqlite/engine")

OLDEST_SQLITE = (3, 51, 3)  # 3.7.0 to 3.51.2 can lose committed pages of the WAL when a checkpoint meets a writer
BUSY_TIMEOUT = 5000  # milliseconds
CHECKED_SIZE = 32 * 2**20  # a larger file is checked on demand only: start-up must not read all of it

WRITER = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
READER = apsw.SQLITE_OPEN_READONLY


def connect(path: Path, flags: int) -> apsw.Connection:
    """A connection that does what durability needs, or none."""
    if flags == WRITER:
        path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=200)
    connection.set_busy_timeout(BUSY_TIMEOUT)
    connection.execute(SQL["set_up_writer" if flags == WRITER else "set_up_reader"]).fetchall()
    connection.create_scalar_function("spells", _of_texts(spells), 2, deterministic=True)
    connection.create_scalar_function("mentions", _of_texts(mentions), 2, deterministic=True)
    connection.create_scalar_function("withheld_as", _of_texts(withheld_as), 1, deterministic=True)
    mode, level = connection.pragma("journal_mode"), connection.pragma("synchronous")
    if (mode, level) != ("wal", 2):
        connection.close()
        raise StoreUnavailable(
            f"SQLite opened {path} with journal_mode={mode} and synchronous={level} instead of wal and 2 (FULL): "
            "mail could be lost in a power cut. Put the folder on a local disk."
        )
    return connection


def _of_texts(rule: Callable[..., str | bool]) -> Callable[..., str | bool]:
    """A rule about texts as a function of SQL, where a text may be NULL."""
    return lambda *texts: rule(*["" if text is None else str(text) for text in texts])


def check(connection: apsw.Connection) -> None:
    """Look for damage. Raises `StoreCorrupt`."""
    found = [str(text) for (text,) in fetch(connection, SQL["check"])]
    if found != ["ok"]:
        raise StoreCorrupt(damaged(f"{len(found)} findings, the first: {found[0]}"))


def take_lock(folder: Path) -> IO[bytes]:
    """One process a folder; the kernel gives the lock back however the process ends. Raises `StoreInUse`."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreInUse(
            f"Another process works with {folder}. Stop it first, or talk to it: a folder has one daemon at a time."
        ) from None
    return lock


def open_vault(connection: apsw.Connection, path: Path, key: bytes | None) -> Vault:
    """The vault, its key proved by the canary that was sealed when the database was made. Raises `KeyProblem`."""
    sealed = value(connection, SQL["find_canary"])
    if key is None:
        key = make_key(path) if sealed is None and not path.exists() else read_key(path)
    vault = Vault(key)
    if sealed is None:
        connection.execute(SQL["add_canary"], (vault.seal(b"canary", b"meta/canary"),))
    elif vault.open(sealed, b"meta/canary") != b"canary":
        raise KeyProblem(f"The canary of {connection.filename} does not sing. Put the folder back from your backup.")
    return vault


def check_version() -> None:
    found = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if found < OLDEST_SQLITE:
        raise StoreUnavailable(
            f"SQLite {apsw.sqlite_lib_version()} can lose committed mail; "
            f"{'.'.join(map(str, OLDEST_SQLITE))} or newer is needed. Run: pip install --upgrade apsw"
        )


def keep_memory() -> None:
    """Let glibc keep 32 MB at hand: freeing a large block once raises its threshold for giving memory back.

    Without this every batch gives back, and asks for again, what SQLite's temporary tables use: 100 µs of CPU each.
    """
    bytes(16 * 2**20)
