"""The Inbox: mail that a connection has kept instead of sending it.

Rule: it is what the log keeps; deleting it deletes the entries of the log, and nothing that is still on its way.
"""

from dataclasses import dataclass
from typing import Any

from secondpost.core import message as rfc5322
from secondpost.core.delivery import State
from secondpost.service import present
from secondpost.service.connections import Connections
from secondpost.store.base import Store
from secondpost.store.log import Query

ROWS = 50
BATCH = 500


@dataclass(slots=True)
class Inbox:
    store: Store
    connections: Connections

    def all(self) -> dict[str, str]:
        """The connections that keep mail: titles by name."""
        return {row["name"]: row["title"] for row in self.connections.show() if row["mailer"] == "capture"}

    async def page(self, name: str, before: str | None) -> dict[str, Any]:
        """What a connection has kept, newest first."""
        query = present.query({"connection": name, "status": "sent", "before": before, "limit": ROWS})
        rows = await self.store.page(query)
        more = rfc5322.id_text(rows[-1].id) if len(rows) == ROWS else None
        return {"rows": [present.row(row) for row in rows], "next": more}

    async def clear(self, name: str) -> int:
        """Delete all that a connection has kept; returns how many messages."""
        dropped, before = 0, None
        while rows := await self.store.page(
            Query(connection=name, standings=(State.ACCEPTED,), before=before, limit=BATCH)
        ):
            dropped += len(await self.store.drop([row.id for row in rows]))
            before = rows[-1].id
        return dropped
