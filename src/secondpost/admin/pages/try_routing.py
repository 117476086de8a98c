"""Smart Routing, Try it: which route a message would take and why, and what the routes would have changed lately.

Rule: nothing is sent and nothing is kept; a message of the log that is looked at is recorded.
"""

from typing import Any

from starlette.responses import Response

from secondpost.admin.pages.routing import LABELS
from secondpost.admin.visit import Visit
from secondpost.core.facts import Facts
from secondpost.errors import SecondpostError
from secondpost.service.present import message_number
from secondpost.service.routes import logged, pasted
from secondpost.store.log import Query

RECENT = 20


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, **values: Any) -> Response:
    routes = visit.operations.connections.routes
    shown = {"pasted": "", "picked": "", "told": None, "replay": None} | values
    recent = await visit.operations.log_list(limit=RECENT)
    return visit.render(
        "routing_try.html",
        recent=recent["rows"],
        enabled=routes.enabled,
        titles=visit.titles,
        labels=LABELS,
        **shown,
    )


async def explain(visit: Visit) -> Response:
    form, routes = await visit.form(), visit.operations.connections.routes
    if form.text("do") == "replay":
        await visit.record("replayed the routes over the log")
        return await _page(visit, replay=await routes.replay(routes.all(), ()))
    given, picked = form.raw("message"), form.text("picked")
    if not given.strip() and not picked:
        raise SecondpostError("Paste a message or its header, or choose one of the log.")
    found = pasted(given.lstrip().encode()) if given.strip() else await _logged(visit, picked)
    return await _page(visit, pasted=given, picked=picked, told=routes.explain(found, routes.all()))


async def _logged(visit: Visit, id: str) -> Facts:
    number = message_number(id)
    store = visit.operations.store
    rows = await store.page(Query(before=number + 1, limit=1))
    content = await store.content(number)
    if not rows or rows[0].id != number or content is None:
        raise SecondpostError("The content of this message is not kept (any more). Paste its header instead.")
    await visit.record(f"looked at message {id}, to see its route")
    return logged(rows[0], content)


PAGES = {"GET /settings/routing/try": show, "POST /settings/routing/try": explain}
