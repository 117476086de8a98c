"""Email Log, one message: its story, and what it says, for those who may read it.

Rule: a hostile message runs nothing and loads nothing: its HTML is a document of its own behind a sandbox and a policy,
everything else is text or a download. Each look into content is recorded.
"""

import base64
import re
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from secondpost.admin import preview, story
from secondpost.admin.preview import Preview
from secondpost.admin.visit import Visit
from secondpost.core.numbers import whole
from secondpost.errors import SecondpostError
from secondpost.service.present import LABELS

PLAIN = re.compile(r"[^\w.@ ()+-]")


async def show(visit: Visit) -> Response:
    entry = await visit.operations.log_show(visit.path("id"))
    known = visit.titles
    return visit.render(
        "log_message.html", entry=entry, labels=LABELS, titles=known, steps=story.steps(entry, known), page="story"
    )


async def content(visit: Visit) -> Response:
    entry = await visit.operations.log_show(visit.path("id"))
    source = await _source(visit, "read the content")
    shown = await run_in_threadpool(preview.take_apart, source)
    return visit.render("log_content.html", entry=entry, labels=LABELS, shown=shown, size=len(source), page="content")


async def html(visit: Visit) -> Response:
    """The HTML by itself. The headers hold also when somebody opens it outside the frame."""
    shown = await _preview(visit, "looked at the HTML")
    return HTMLResponse(shown.framed, headers=preview.HEADERS)


async def source(visit: Visit) -> Response:
    found = await _source(visit, "downloaded the source")
    return _download(found, f"{visit.path('id')}.eml")


async def attachment(visit: Visit) -> Response:
    shown = await _preview(visit, f"downloaded attachment {visit.path('number')}")
    number = whole(visit.path("number"))
    if number is None or number >= len(shown.files):
        raise SecondpostError("This message has no such attachment.")
    file = shown.files[number]
    return _download(file.data, file.name)


async def _preview(visit: Visit, what: str) -> Preview:
    return await run_in_threadpool(preview.take_apart, await _source(visit, what))


async def _source(visit: Visit, what: str) -> bytes:
    found = base64.b64decode(await visit.operations.log_content(visit.path("id")))
    await visit.record(f"{what} of message {visit.path('id')}")
    return found


def _download(data: bytes, name: str) -> Response:
    """A file that no browser opens by itself, whatever it claims to be (RFC 6266)."""
    plain = PLAIN.sub("_", name.encode("ascii", "replace").decode().replace("?", "_"))[:100]
    whole = quote(name[:200], safe="")
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}"
    headers = {"Content-Disposition": disposition, "Content-Security-Policy": preview.CLOSED}
    return Response(data, media_type="application/octet-stream", headers=headers)


PAGES = {
    "GET /log/{id}": show,
    "GET /log/{id}/content": content,
    "GET /log/{id}/html": html,
    "GET /log/{id}/source": source,
    "GET /log/{id}/attachments/{number}": attachment,
}
