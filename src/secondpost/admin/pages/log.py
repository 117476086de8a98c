"""Email Log: the list, its filters, its pages by key, saved views and columns.

Rule: the address holds everything that is asked; a page takes a moment, and says so when it did not see all.
"""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from secondpost.admin.filters import SCOPES, Filters
from secondpost.admin.permissions import Permission
from secondpost.admin.visit import Visit
from secondpost.core.ids import milliseconds, parse_id
from secondpost.errors import SecondpostError
from secondpost.service.present import LABELS
from secondpost.service.views import COLUMNS

ROWS = 50
SORTED = 500  # messages that are put in order by their subject: the newest that match
TITLES = {
    "status": "Status", "subject": "Subject", "from": "From", "to": "To", "initiator": "Initiator",
    "connection": "Connection", "cc": "CC", "bcc": "BCC", "date": "Date Sent",
}  # fmt: skip


async def show(visit: Visit) -> Response:
    filters = Filters.read(visit.request.query_params)
    if filters.opens:
        if not visit.may(Permission.CONTENT):
            raise SecondpostError(
                "Headers and content are for those who may read content. Search addresses and subjects instead."
            )
        await visit.record(f"searched the {'headers' if filters['headers'] else 'content'} of the log: {filters['q']}")
    try:
        found = await _find(visit, filters)
        counts = {} if filters.opens else await _counts(visit, filters, found)
        error = ""
    except SecondpostError as mistake:  # a date that is none: the form stays as it was filled in
        found, counts, error = {"rows": [], "next": None, "full": False}, {}, str(mistake)
    mine = await visit.operations.views.of(visit.me.email)
    return visit.render(
        "log.html", status=422 if error else 200, filters=filters, found=found, counts=counts, error=error,
        labels=LABELS, scopes=SCOPES, columns=mine["columns"], views=mine["views"], every_column=COLUMNS,
        column_titles=TITLES, connections=visit.titles, reached=_reached(found["next"]),
        sorted_of=SORTED, paged=bool(visit.query("before")),
    )  # fmt: skip


async def _find(visit: Visit, filters: Filters) -> dict[str, Any]:
    before = visit.query("before")
    if not filters.by_subject:
        return await visit.operations.log_look(
            **filters.asked(), oldest_first=filters.oldest_first, before=before, limit=ROWS
        )
    found = await visit.operations.log_look(**filters.asked(), limit=SORTED)
    rows = sorted(found["rows"], key=lambda row: row["subject"].casefold(), reverse=filters["sort"] == "-subject")
    start = next((number for number, row in enumerate(rows, 1) if row["id"] == before), 0)
    page = rows[start : start + ROWS]
    more = page[-1]["id"] if start + ROWS < len(rows) else None
    return {"rows": page, "next": more, "full": more is not None, "cut": found["next"] is not None}


async def _counts(visit: Visit, filters: Filters, found: dict[str, Any]) -> dict[str, tuple[int, bool]]:
    if found.get("counts") and not filters["status"] and not visit.query("before"):
        return dict(found["counts"])  # the page shows all that a moment's look finds: they are counted already
    return await visit.operations.log_counts(**filters.asked())


def _reached(before: str | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds(parse_id(before)) / 1000, UTC) if before else None


async def save_view(visit: Visit) -> Response:
    form = await visit.form()
    filters = Filters.parse(form.raw("query"))
    await visit.operations.views.save(visit.me.email, form.text("name"), filters.query)
    return visit.go(filters.url(), "The view is saved.")


async def remove_view(visit: Visit) -> Response:
    form = await visit.form()
    await visit.operations.views.remove(visit.me.email, form.raw("name"))
    return visit.go(Filters.parse(form.raw("query")).url(), "The view is removed. The mail it showed stays.")


async def choose_columns(visit: Visit) -> Response:
    form = await visit.form()
    await visit.operations.views.choose(visit.me.email, form.get("column", []))
    return visit.go(Filters.parse(form.raw("query")).url())


PAGES = {
    "GET /log": show,
    "POST /log/views": save_view,
    "POST /log/views/remove": remove_view,
    "POST /log/columns": choose_columns,
}
