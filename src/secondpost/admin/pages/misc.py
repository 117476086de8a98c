"""Settings, Misc: Do Not Send.

Rule: what the configuration sets is shown locked.
"""

from starlette.responses import Response

from secondpost.admin.pages.general import SAVED
from secondpost.admin.visit import Visit


async def show(visit: Visit) -> Response:
    return visit.render("misc.html", do_not_send=visit.operations.do_not_send)


async def save(visit: Visit) -> Response:
    on = (await visit.form()).checked("do_not_send")
    await visit.operations.do_not_send.set(on=on)
    await visit.record(f"switched Do Not Send {'on' if on else 'off'}")
    return visit.go("/settings/misc", SAVED)


PAGES = {"GET /settings/misc": show, "POST /settings/misc": save}
