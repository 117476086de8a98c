"""Settings, Email Log: what is kept of mail, how much and how long.

Rule: only what the gateway does stands here; what the file or the environment sets is shown locked.
"""

from collections.abc import Mapping

from starlette.responses import Response

from secondpost.admin.pages.general import SAVED
from secondpost.admin.visit import Visit
from secondpost.errors import WrongInput
from secondpost.service.retention import CONTENT, ENTRIES, FOREVER, MEGABYTES, UNLIMITED

PATH = "/settings/log"
USUAL_CONTENT = 7
SPANS = {1: "1 Day", 7: "1 Week", 30: "1 Month", 182: "6 Months", 365: "1 Year", FOREVER: "Forever"}


async def show(visit: Visit) -> Response:
    kept = visit.operations.retention.show()
    return _page(visit, kept | {"logs": kept["content"] > 0})


def _page(visit: Visit, kept: dict[str, object], errors: Mapping[str, str] | None = None) -> Response:
    fixed = visit.operations.retention.fixed
    return visit.render(
        "log_settings.html", status=422 if errors else 200, kept=kept, errors=errors or {}, spans=SPANS,
        usual=USUAL_CONTENT, unlimited=UNLIMITED,
        fixed={
            "content": fixed.get(CONTENT, ""), "entries": fixed.get(ENTRIES, ""), "megabytes": fixed.get(MEGABYTES, ""),
        },
    )  # fmt: skip


async def save(visit: Visit) -> Response:
    form, retention = await visit.form(), visit.operations.retention
    kept = retention.show()
    content = form.number_or("content", kept["content"] or USUAL_CONTENT) if form.checked("logs") else 0
    content = kept["content"] if CONTENT in retention.fixed else content
    entries = form.number_or("entries", kept["entries"])
    megabytes = kept["megabytes"] if MEGABYTES in retention.fixed else form.number_or("megabytes", UNLIMITED)
    never, attachments = form.raw("never").splitlines(), form.checked("attachments")
    try:
        await retention.change(
            content=content, entries=entries, megabytes=megabytes, never=never, attachments=attachments
        )
    except WrongInput as error:
        shown = {
            "content": content, "entries": entries, "never": never, "megabytes": megabytes, "logs": content > 0,
            "attachments": attachments,
        }  # fmt: skip
        return _page(visit, shown, {error.field: str(error)})
    cap = "" if megabytes == UNLIMITED else f", at most {megabytes} MB of content"
    cap += "" if attachments else ", no attachments"
    await visit.record(f"changed what the log keeps: content {content} days, entries {entries} days{cap}")
    return visit.go(PATH, SAVED)


PAGES = {f"GET {PATH}": show, f"POST {PATH}": save}
