"""Between values and rows: how times, names and outcomes are written in the database.

Rule: times are whole milliseconds of Unix time; everything else is text or JSON that a person can read.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HIGHEST = 2**63 - 1  # SQLite has no higher number: as a bound, it is none

# ensure_ascii=False is a third faster; what cannot be UTF-8 raises and is mended by `mended`.
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def fetch(db: apsw.Connection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
    """All rows of a statement."""
    return db.execute(sql, values).fetchall()


def value(db: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    """The first value of the first row; None when there is none."""
    return db.execute(sql, values).get


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def ms_or_none(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * 1000)


def when(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def when_or_none(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else when(milliseconds)


def names(text: str | None) -> tuple[str, ...]:
    """A JSON array of names."""
    return tuple(json.loads(text)) if text else ()


def mended(value: Any) -> Any:
    """The same rows with text that is not Unicode (lone surrogates from undecodable headers) made so."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {key: mended(item) for key, item in value.items()}
    return value
