"""How each user likes to see the Email Log: saved views (searches by name) and columns.

Rule: one document a user; what one saves, nobody else sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from secondpost.errors import SecondpostError
from secondpost.store.base import Store

KIND = "log views"
MOST = 30
COLUMNS = ("status", "subject", "from", "to", "initiator", "connection", "cc", "bcc", "date")
USUAL = tuple(column for column in COLUMNS if column not in ("cc", "bcc"))


@dataclass(frozen=True, slots=True)
class Views:
    store: Store

    async def of(self, email: str) -> dict[str, Any]:
        """`views`: name -> query of the address bar; `columns`: those shown, in order."""
        return {"views": {}, "columns": list(USUAL)} | (await self.store.get(KIND, email) or {})

    async def save(self, email: str, name: str, query: str) -> None:
        name = " ".join(name.split())[:60]
        if not name:
            raise SecondpostError("Give the view a name. Nothing was saved.")
        mine = await self.of(email)
        mine["views"][name] = query[:2000]
        if len(mine["views"]) > MOST:
            raise SecondpostError(f"At most {MOST} views can be saved. Remove one first; nothing was saved.")
        await self.store.put(KIND, email, mine)

    async def remove(self, email: str, name: str) -> None:
        mine = await self.of(email)
        mine["views"].pop(name, None)
        await self.store.put(KIND, email, mine)

    async def choose(self, email: str, columns: Sequence[str]) -> None:
        """Show these columns. The subject is what a row is known by: it stays."""
        chosen = [column for column in COLUMNS if column in columns or column == "subject"]
        await self.store.put(KIND, email, await self.of(email) | {"columns": chosen})
