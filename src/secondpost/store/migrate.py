"""Bringing a database to the schema of this version: numbered SQL files, each applied once, in order, forward only.

Rule: a migration is one transaction, and an existing database is copied before it is touched.
"""

from pathlib import Path

import apsw

from secondpost.errors import StoreCorrupt, StoreNewer
from secondpost.store.statements import FOLDER

APPLICATION = 0x32504F53  # "2POS": marks the file as ours (PRAGMA application_id)


def migrations(folder: Path = FOLDER / "sqlite" / "migrations") -> list[tuple[int, str]]:
    """Number and text of each migration, in order."""
    return [(int(path.name[:4]), path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.sql"))]


def version(connection: apsw.Connection) -> int:
    """The schema version of a database; 0: empty. Raises `StoreCorrupt` when it is somebody else's."""
    number = int(connection.pragma("user_version"))
    objects = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if (number or objects) and connection.pragma("application_id") != APPLICATION:
        raise StoreCorrupt(
            f"{connection.filename} is an SQLite database, but not one of Secondpost. It was left as it is; "
            "name another folder, or put back the right file."
        )
    return number


def migrate(connection: apsw.Connection, steps: list[tuple[int, str]] | None = None) -> None:
    """Apply what is missing. Raises `StoreNewer`."""
    steps = migrations() if steps is None else steps
    current, newest = version(connection), steps[-1][0]
    if current > newest:
        raise StoreNewer(
            f"{connection.filename} has schema version {current}; this version of Secondpost knows up to {newest}. "
            "Install the newer version again; the database was not touched."
        )
    if 0 < current < newest:
        _copy(connection, current)
    for number, text in steps:
        if number > current:
            _apply(connection, number, text)


def _apply(connection: apsw.Connection, number: int, text: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(text).fetchall()
        connection.pragma("application_id", APPLICATION)
        connection.pragma("user_version", number)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _copy(connection: apsw.Connection, current: int) -> None:
    """A copy beside the file; an unfinished one of an earlier try is replaced."""
    path = Path(connection.filename)
    copy = path.with_name(f"{path.name}.before-{current + 1:04}")
    draft = copy.with_name(copy.name + ".part")
    draft.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(draft),))
    draft.rename(copy)
