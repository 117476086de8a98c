"""The messages that a form is about: those that were ticked, or all that match what the list was narrowed to.

Rule: whoever may not read content cannot choose by it either.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from secondpost.admin.filters import Filters
from secondpost.admin.permissions import Permission
from secondpost.admin.visit import Visit
from secondpost.errors import SecondpostError

MOST = 10_000  # messages that one job or one deletion takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """`everything`: all that match `filters`, and not only `ids`."""

    ids: list[str]
    filters: Filters
    everything: bool

    @classmethod
    async def read(cls, visit: Visit) -> "Chosen":
        form = await visit.form()
        found = cls(
            ids=list(dict.fromkeys(form.get("id", []))), filters=Filters.parse(form.raw("query")),
            everything=form.checked("all"),
        )  # fmt: skip
        if not (found.ids or found.everything):
            raise SecondpostError("No message is chosen. Tick some, or “All that match”. Nothing was done.")
        if found.everything and found.filters.opens and not visit.may(Permission.CONTENT):
            raise SecondpostError("Only who may read content can choose by it. Nothing was done.")
        return found

    async def messages(self, visit: Visit) -> list[str]:
        """The ids, newest first. Raises `SecondpostError` when they are too many for one go."""
        if not self.everything:
            return self.ids
        found = await visit.operations.log_ids(MOST, **self.filters.asked())
        if len(found) == MOST:
            raise SecondpostError(f"That is {MOST:,} messages or more. Narrow them, by dates say. Nothing was done.")
        return found

    async def rows(self, visit: Visit) -> AsyncIterator[dict[str, Any]]:
        if self.everything:
            async for row in visit.operations.log_export(**self.filters.asked()):
                yield row
            return
        for id in self.ids:
            yield await visit.operations.log_show(id)
