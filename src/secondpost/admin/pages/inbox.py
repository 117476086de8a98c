"""Inbox: mail that was kept instead of sent, so that everything can be tried with no account anywhere.

Rule: the list shows no content; reading it needs its own permission, and each look is recorded (Email Log).
"""

from starlette.responses import Response

from secondpost.admin.templating import count
from secondpost.admin.visit import Visit
from secondpost.errors import SecondpostError


async def show(visit: Visit) -> Response:
    inbox = visit.operations.inbox
    boxes = inbox.all()
    name = visit.query("connection") or next(iter(boxes), "")
    found = (
        await inbox.page(_known(name, boxes), visit.query("before") or None) if boxes else {"rows": [], "next": None}
    )
    page = "/content" if visit.may("content") else ""
    return visit.render("inbox.html", boxes=boxes, name=name, found=found, page=page)


def _known(name: str, boxes: dict[str, str]) -> str:
    if name not in boxes:
        raise SecondpostError(f"There is no Inbox {name!r}. It may have been deleted.")
    return name


async def delete(visit: Visit) -> Response:
    """All of it, once the number was said and meant."""
    inbox, form = visit.operations.inbox, await visit.form()
    boxes = inbox.all()
    name = _known(form.text("connection"), boxes)
    if not form.checked("sure"):
        return visit.render("inbox_delete.html", name=name, title=boxes[name])
    dropped = await inbox.clear(name)
    await visit.record(f"deleted all {count(dropped, 'message')} of the Inbox {name}")
    return visit.go(f"/inbox?connection={name}", f"{count(dropped, 'message')} deleted.")


PAGES = {"GET /inbox": show, "POST /inbox/delete": delete}
