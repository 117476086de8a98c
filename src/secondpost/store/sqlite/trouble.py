"""What SQLite raises, told as errors that say what it means for the mail and what to do."""

import apsw

from secondpost.errors import StoreCorrupt, StoreUnavailable

FULL = StoreUnavailable(
    "The disk is full: no new mail is taken until there is room. Nothing was written. Free some space, or move the data folder."
)


class told:  # noqa: N801 – used as a statement
    """Turn what SQLite and the disk raise into errors of the store."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case apsw.BusyError() | apsw.LockedError():
                raise StoreUnavailable(
                    "The database is locked by another program, perhaps a backup. Nothing was written; try again, or end that program."
                ) from error
            case apsw.FullError() | apsw.IOError(extendedresult=apsw.SQLITE_IOERR_SHMSIZE):
                raise FULL from error
            case apsw.CorruptError() | apsw.NotADBError():
                raise StoreCorrupt(
                    f"The database is damaged ({error}). It was left as it is, and no mail is taken. Copy the folder away, then put back "
                    "a backup, or save what can be read with: sqlite3 secondpost.db .recover"
                ) from error
            case apsw.IOError():
                raise StoreUnavailable(
                    f"The disk failed ({error}). Whether the last write is on it is not known, so no more is written or sent. "
                    "Look at the disk, then restart Secondpost."
                ) from error
            case apsw.Error():
                raise StoreUnavailable(f"The database cannot be used ({error}). Nothing was written; look at the disk.") from error
            case OSError():
                raise StoreUnavailable(
                    f"The data folder cannot be used ({error}). Nothing was written; look at the disk and at the folder's owner."
                ) from error


def is_full(error: BaseException) -> bool:
    return error is FULL


def is_lasting(error: BaseException) -> bool:
    """Whether nothing may be believed until the store is opened anew: a disk that failed once, or a damaged file."""
    return isinstance(error, StoreCorrupt) or isinstance(error.__cause__, apsw.IOError)
