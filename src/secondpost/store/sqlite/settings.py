"""Settings in SQLite: documents by (kind, name), sealed, since any of them may hold a password."""

import json
from collections.abc import Mapping
from typing import Any

import apsw

from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import fetch, value
from secondpost.store.statements import statements

_SQL = statements("sqlite/settings")


class SqliteSettings:
    """The settings' part of the store."""

    _engine: Engine

    async def get(self, kind: str, name: str) -> Any | None:
        sealed = await self._engine.read(lambda db: value(db, _SQL["get_setting"], (kind, name)))
        return None if sealed is None else self._document(kind, name, sealed)

    async def all(self, kind: str) -> dict[str, Any]:
        rows = await self._engine.read(lambda db: fetch(db, _SQL["all_settings"], (kind,)))
        return {name: self._document(kind, name, sealed) for name, sealed in rows}

    async def put(self, kind: str, name: str, value: Any) -> None:
        sealed = self._sealed(kind, name, value)
        await self._engine.write(lambda db: fetch(db, _SQL["put_setting"], (kind, name, sealed)))

    async def put_all(self, kind: str, documents: Mapping[str, Any | None]) -> None:
        kept = [(kind, name, self._sealed(kind, name, it)) for name, it in documents.items() if it is not None]
        gone = [(kind, name) for name, it in documents.items() if it is None]
        await self._engine.write(lambda db: _write_all(db, kept, gone))

    def _sealed(self, kind: str, name: str, value: Any) -> bytes:
        return self._engine.vault.seal(json.dumps(value).encode(), _place(kind, name))

    async def delete(self, kind: str, name: str) -> bool:
        rows = await self._engine.write(lambda db: fetch(db, _SQL["delete_setting"], (kind, name)))
        return bool(rows)

    def _document(self, kind: str, name: str, sealed: bytes) -> Any:
        return json.loads(self._engine.vault.open(sealed, _place(kind, name)))


def _write_all(db: apsw.Connection, kept: list[tuple[str, str, bytes]], gone: list[tuple[str, str]]) -> None:
    db.executemany(_SQL["put_setting"], kept)
    db.executemany(_SQL["delete_setting"], gone)


def _place(kind: str, name: str) -> bytes:
    return f"setting\0{kind}\0{name}".encode()
