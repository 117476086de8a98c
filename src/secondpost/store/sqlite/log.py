"""The log in SQLite: pages by key, one message with all that is known, content, depth, events."""

from secondpost.core.message import Message
from secondpost.store.sqlite.batch import CONTENT_PLACE
from secondpost.store.sqlite.engine import Engine
from secondpost.store.statements import statements

_SQL = statements("sqlite/log")


class SqliteLog:
    """The log's part of the store."""

    _engine: Engine

    async def content(self, message: int) -> Message | None:
        rows = await self._engine.read(lambda db: db.execute(_SQL["content"], (message,)).fetchall())
        if not rows:
            return None
        head, _tail, sealed = rows[0]
        plain = self._engine.vault.open(sealed, CONTENT_PLACE % message)
        return Message(plain[:head], plain[head:])
