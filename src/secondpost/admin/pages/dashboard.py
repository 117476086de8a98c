"""Dashboard: the truth about the mail in one sentence, then each connection, the last day, and what needs a person.

Rule: it keeps itself fresh for as long as its session lasts, and watching does not make the session last longer.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from secondpost.admin import chart
from secondpost.admin.permissions import Permission, may
from secondpost.admin.visit import Visit
from secondpost.service.dashboard import STEP

PACE = 2.0  # seconds between two looks
LOOKS = 300  # then the browser asks anew
MOST = 20  # watchers at once; the others look again by loading the page
LIVE = "dashboard_live.html"
watching: set[object] = set()


async def show(visit: Visit) -> Response:
    return visit.render("dashboard.html", **await _values(visit))


async def _values(visit: Visit) -> dict[str, Any]:
    overview = await visit.operations.dashboard.overview()
    drawn = chart.draw(overview.steps, since=overview.since, step=STEP, marked=overview.down)
    return {
        "overview": overview, "chart": drawn, "kinds": chart.KINDS, "queue": await visit.operations.queue(),
        "broken": [card for card in overview.cards if card.broken], "titles": visit.titles,
    }  # fmt: skip


async def live(visit: Visit) -> Response:
    """What has changed on the page, as it changes."""
    if len(watching) >= MOST:
        return PlainTextResponse("Too many pages are watching. Load the page anew.\n", 503)
    if visit.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    # Proxies that gather answers before they pass them on must not do so with this one.
    return StreamingResponse(_changes(visit), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _changes(visit: Visit) -> AsyncIterator[str]:
    watcher = object()
    watching.add(watcher)
    template = visit.site.templates.get_template(LIVE)
    shown = ""
    try:
        for _ in range(LOOKS):
            if not await _welcome(visit):
                return
            fresh = template.render(visit=visit, **await _values(visit))
            yield f"data: {json.dumps(fresh)}\n\n" if fresh != shown else ": nothing new\n\n"
            shown = fresh
            if await _stopping(visit):
                return
    finally:
        watching.discard(watcher)


async def _welcome(visit: Visit) -> bool:
    """Whether the session goes on, and its user may still look."""
    assert visit.session is not None
    user = await visit.operations.users.find(visit.session.email)
    lasts = await visit.operations.sessions.lasts(visit.session)
    return lasts and user is not None and may(user.role, Permission.READ)


async def _stopping(visit: Visit) -> bool:
    """Waits until the next look is due, or the gateway stops."""
    try:
        await asyncio.wait_for(visit.operations.stopping.wait(), PACE)
    except TimeoutError:
        return False
    return True


PAGES = {"GET /dashboard": show, "GET /dashboard/live": live}
