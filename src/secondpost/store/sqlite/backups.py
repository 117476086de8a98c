"""Backups: a copy of the data folder, all but its key, while mail goes on.

Rule: it has its name only once it is whole and on disk: what was cut short must not be taken for a backup.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import apsw

from secondpost.errors import StoreError
from secondpost.store.sqlite.connections import SQL
from secondpost.store.tails import tail_files, tail_path
from secondpost.store.vault import sync_folder


def copied(db: apsw.Connection, bodies: Path, folder: Path) -> None:
    """Copy everything to the new `folder`. Raises `StoreError`, and then nothing is left of it."""
    try:
        if folder.exists():
            raise StoreError(f"{folder} exists already. A backup overwrites nothing: name a new folder.")
        draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            _copy(db, bodies, draft)
            draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    except (OSError, apsw.FullError) as error:  # of the copy: nothing else is written here
        why = error.strerror if isinstance(error, OSError) else "the disk is full"
        raise StoreError(
            f"The backup {folder} could not be made: {why}. Nothing is left of it, and mail goes on. "
            "Name a new folder in one that the gateway can write to, with room for all mail that is kept."
        ) from error


def _copy(db: apsw.Connection, bodies: Path, folder: Path) -> None:
    """The database first: a body that it knows and that is gone by then has gone by retention."""
    path = folder / "secondpost.db"
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "rb") as file:
        db.pragma("query_only", False)  # it would forbid the copy; the database itself is open for reading only
        db.execute(SQL["copy"], (str(path),))
        os.fsync(file.fileno())
    for message, body in tail_files(bodies):
        with suppress(FileNotFoundError):
            _copy_body(body, tail_path(folder / "bodies", message))
    for inner in (folder, *folder.rglob("*/")):
        sync_folder(inner)


def _copy_body(body: Path, path: Path) -> None:
    for above in (path.parent.parent, path.parent):  # `parents` would open those above to all the world
        above.mkdir(mode=0o700, exist_ok=True)
    with body.open("rb") as source, path.open("xb") as target:
        path.chmod(0o600)
        shutil.copyfileobj(source, target, 2**20)
        target.flush()
        os.fsync(target.fileno())
