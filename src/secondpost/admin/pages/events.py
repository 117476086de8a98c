"""Tools, Debug Events: what the gateway noticed, newest first.

Rule: it tells what happened, never a secret and never what a message says.
"""

from starlette.responses import Response

from secondpost.admin.visit import Visit
from secondpost.core.message import id_text
from secondpost.service.noticed import KINDS

ROWS = 50


async def show(visit: Visit) -> Response:
    kind, text = visit.query("kind"), visit.query("q").strip()
    kinds = [kind] if kind in KINDS else list(KINDS)
    before = visit.key("before")
    rows = await visit.operations.store.events(limit=ROWS + 1, before=before, kinds=kinds, text=text)
    shown = [row | {"message": id_text(row["message"]) if row["message"] else ""} for row in rows[:ROWS]]
    more = rows[ROWS - 1]["id"] if len(rows) > ROWS else None
    return visit.render(
        "events.html", rows=shown, titles=visit.titles, more=more, text=text, kind=kind, kinds=KINDS,
        first=before is None,
    )  # fmt: skip


PAGES = {"GET /tools/events": show}
