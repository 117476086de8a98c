"""Retention in SQLite: content goes first, whole log entries later, each only when all its deliveries are final."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import apsw

from secondpost.core.ids import new_id
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import HIGHEST, encode, fetch, ms
from secondpost.store.statements import statements
from secondpost.store.tails import remove_tail

_SQL = statements("sqlite/queue")

CHUNK = 100  # messages dropped in one transaction: mail must not wait long behind it


class SqlitePurge:
    """The retention's part of the store."""

    _engine: Engine

    async def purge(
        self, *, content_before: datetime, log_before: datetime, now: datetime, limit: int
    ) -> tuple[int, int]:
        contents = await self._find("content_to_drop", content_before, limit)
        for chunk in _chunks(contents):
            await self._drop(chunk, "drop_contents")
        entries = await self._find("entries_to_drop", log_before, limit)
        await self._drop_whole(entries)
        await self._engine.write(lambda db: _drop_old(db, ms(now), ms(log_before), limit))
        return len(contents), len(entries)

    async def drop(self, messages: Sequence[int], *, whole: bool = True) -> list[int]:
        asked, what = (encode(list(messages)),), "entries_finished" if whole else "contents_finished"
        entries = await self._engine.read(lambda db: fetch(db, _SQL[what], asked))
        if whole:
            await self._drop_whole(entries)
        else:
            for chunk in _chunks(entries):
                await self._drop(chunk, "drop_contents")
        return [message for message, _ in entries]

    async def contents(self, *, before: int | None, limit: int) -> list[tuple[int, int]]:
        asked = (HIGHEST if before is None else before, limit)
        return await self._engine.read(lambda db: fetch(db, _SQL["contents_kept"], asked))

    async def _drop_whole(self, entries: list[tuple[int, int | None]]) -> None:
        for chunk in _chunks(entries):
            await self._drop(chunk, "drop_words", "drop_events", "drop_entries")

    async def _find(self, what: str, before: datetime, limit: int) -> list[tuple[int, int | None]]:
        asked = (new_id(ms(before), -1), ms(before), limit)
        return await self._engine.read(lambda db: fetch(db, _SQL[what], asked))

    async def _drop(self, chunk: list[tuple[int, int | None]], *what: str) -> None:
        ids = encode([message for message, _ in chunk])

        def drop(db: apsw.Connection) -> None:
            for statement in what:
                db.execute(_SQL[statement], (ids,))

        await self._engine.write(drop)
        for message, tail in chunk:  # after the commit: a body without a message is harmless, the reverse is not
            if tail is not None:
                remove_tail(self._engine.bodies, message)


def _drop_old(db: apsw.Connection, now: int, before: int, limit: int) -> None:
    db.execute(_SQL["drop_keys"], (now, limit))
    db.execute(_SQL["drop_old_events"], (before, limit))


def _chunks(rows: list[Any]) -> list[list[Any]]:
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
