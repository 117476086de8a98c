"""What SQLite and the disk raise, told as errors that say what it means for the mail and what to do."""

import apsw

from secondpost.errors import StoreCorrupt, StoreError, StoreUnavailable

FULL = StoreUnavailable(
    "The disk is full: no new mail is taken until there is room. Nothing was written. "
    "Free some space, or move the data folder."
)


class told:  # noqa: N801 – used as a statement
    """Turn what SQLite and the disk raise into errors of the store."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, apsw.Error | OSError):
            raise telling(error) from error


def telling(error: apsw.Error | OSError) -> StoreError:
    """The error of the store that one of SQLite or of the disk means."""
    if is_full_disk(error):
        return FULL
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return StoreUnavailable(
                "The database is locked by another program, perhaps a backup. Nothing was written; "
                "try again, or end that program."
            )
        case apsw.CorruptError() | apsw.NotADBError():
            return StoreCorrupt(damaged(str(error)))
        case apsw.IOError():
            return StoreError(  # not StoreUnavailable, which says that nothing was written
                f"The disk failed ({error}). Whether the last write is on it is not known, so no more is written "
                "or sent. Look at the disk, then restart Secondpost."
            )
        case OSError():
            return StoreUnavailable(
                f"The data folder cannot be used ({error}). Nothing was written; "
                "look at the disk and at the folder's owner."
            )
        case _:
            return StoreUnavailable(f"The database cannot be used ({error}). Nothing was written; look at the disk.")


def damaged(what: str) -> str:
    return (
        f"The database is damaged ({what}). It was left as it is, and no mail is taken. Copy the folder away, "
        "then put back a backup, or save what can be read with: sqlite3 secondpost.db .recover"
    )


def is_full_disk(error: apsw.Error | OSError) -> bool:
    """Also when the shared memory beside the WAL cannot grow: SQLite calls that an I/O error."""
    return isinstance(error, apsw.FullError) or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE


def is_lasting(error: StoreError) -> bool:
    """Whether nothing may be believed until the store is opened anew: a disk that failed once, or a damaged file."""
    return isinstance(error, StoreCorrupt) or (error is not FULL and isinstance(error.__cause__, apsw.IOError))
