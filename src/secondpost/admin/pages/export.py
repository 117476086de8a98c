"""Tools, Export: the log for a time, and the settings without their secrets.

Rule: every export is written down before its first byte leaves.
"""

import json
from urllib.parse import urlencode

from starlette.responses import Response

from secondpost.admin.pages import log_export
from secondpost.admin.visit import Form, Visit
from secondpost.errors import SecondpostError
from secondpost.service import present

STATUSES = ("sent", "delivered", "failed", "bounced", "complained", "waiting", "unclear")


async def show(visit: Visit) -> Response:
    return _page(visit, Form())


def _page(visit: Visit, form: Form, error: str = "") -> Response:
    status = 422 if error else 200
    return visit.render("export.html", status=status, form=form, error=error, statuses=STATUSES)


async def log(visit: Visit) -> Response:
    """The same as an export of all that matches, chosen here."""
    form = await visit.form()
    filters = {name: form.text(name) for name in ("since", "until", "status") if form.text(name)}
    try:
        present.query(filters)
        form["query"], form["all"] = [urlencode(filters)], ["on"]
        return await log_export.download(visit)
    except SecondpostError as error:
        return _page(visit, form, str(error))


async def settings(visit: Visit) -> Response:
    found = await visit.operations.settings_export()
    await visit.record("exported the settings, without secrets")
    text = json.dumps(found, indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": 'attachment; filename="secondpost-settings.json"'}
    return Response(text + "\n", media_type="application/json", headers=headers)


PAGES = {"GET /tools/export": show, "POST /tools/export/log": log, "POST /tools/export/settings": settings}
