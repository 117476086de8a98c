"""Settings, Misc: Do Not Send, and settings as a document to take elsewhere.

Rule: what the configuration sets is shown locked; an export has no secrets unless they are asked for.
"""

import json

from starlette.responses import Response

from secondpost.admin.pages.general import SAVED
from secondpost.admin.visit import Visit
from secondpost.errors import SecondpostError


async def show(visit: Visit) -> Response:
    return visit.render("misc.html", do_not_send=visit.operations.misc.do_not_send)


async def save(visit: Visit) -> Response:
    on = (await visit.form()).checked("do_not_send")
    await visit.operations.misc.do_not_send.set(on=on)
    await visit.record(f"switched Do Not Send {'on' if on else 'off'}")
    return visit.go("/settings/misc", SAVED)


async def export(visit: Visit) -> Response:
    secrets = (await visit.form()).checked("secrets")
    await visit.record(f"exported the settings {'with' if secrets else 'without'} secrets")
    text = json.dumps(visit.operations.misc.out(secrets=secrets), indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": 'attachment; filename="secondpost-settings.json"'}
    return Response(text + "\n", media_type="application/json", headers=headers)


async def take_in(visit: Visit) -> Response:
    try:
        document = json.loads((await visit.form()).raw("document"))
    except (ValueError, RecursionError):
        raise SecondpostError("This is not JSON. Paste the whole export. Nothing was changed.") from None
    told = await visit.operations.misc.take_in(document)
    await visit.record(f"imported settings: {told}")
    return visit.go("/settings/misc", told)


PAGES = {
    "GET /settings/misc": show,
    "POST /settings/misc": save,
    "POST /settings/misc/export": export,
    "POST /settings/misc/import": take_in,
}
