"""Tools, Email Test: one message by a connection of one's choice, or like a real message, and the truth about it.

Rule: a test by a named connection never falls back; the transcript has no credential and no content in it.
"""

import asyncio
from typing import Any

from starlette.responses import Response

from secondpost.admin import story
from secondpost.admin.visit import Visit
from secondpost.core import address
from secondpost.core.delivery import FINAL, State
from secondpost.core.event import Sequel
from secondpost.errors import Refusal, SecondpostError

BAD_ADDRESS = "Test failed. Please use a valid email address and try to resend the test email."
PATIENCE = 5.0  # seconds that we wait for a message sent like a real one before we show how far it is
DONE = frozenset({*FINAL, *Sequel, State.UNCLEAR})


async def show(visit: Visit) -> Response:
    return _page(visit, to=visit.me.email)


def _page(visit: Visit, *, status: int = 200, **values: Any) -> Response:
    shown = {
        "to": "",
        "connection": "",
        "html": True,
        "like_real": False,
        "error": "",
        "result": None,
        "found": None,
    } | values
    rows = [row for row in visit.operations.connections.show() if row["enabled"]]
    choices = sorted(rows, key=lambda row: row["role"] != "primary")
    return visit.render("email_test.html", status=status, choices=choices, **shown)


async def send(visit: Visit) -> Response:
    form = await visit.form()
    asked: dict[str, Any] = {
        "to": form.text("to"), "connection": form.text("connection"), "html": form.checked("html"),
        "like_real": form.checked("like_real"),
    }  # fmt: skip
    try:
        address.parse(form.text("to"))
    except address.AddressError:
        return _page(visit, status=422, error=BAD_ADDRESS, **asked)
    try:
        result = await visit.operations.email_test(
            form.text("to"), connection=form.text("connection") or None,
            plain=not form.checked("html"), like_real=form.checked("like_real"),
        )  # fmt: skip
    except (Refusal, SecondpostError) as error:
        return _page(visit, status=422, error=f"Test failed. {error}", **asked)
    await visit.record(f"sent a test message to {form.text('to')}")
    if form.checked("like_real"):
        return visit.go(f"/tools/email-test/{result['id']}")
    name = form.text("connection") or visit.operations.connections.desk.primary
    found = await visit.operations.domain_checks.of_test(name) if result["ok"] else None
    return _page(visit, result=result, found=found, **asked)


async def way(visit: Visit) -> Response:
    """The way that a message took, once it is there or after some seconds."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while True:
        entry = await visit.operations.log_show(visit.path("id"))
        if entry["tag"] != "test":
            raise SecondpostError("This is not a test message.")
        over = entry["status"] in DONE
        if over or asyncio.get_running_loop().time() > until:
            titles = visit.titles
            return visit.render("email_test_way.html", entry=entry, over=over, titles=titles, called=story.called)
        await asyncio.sleep(0.1)


PAGES = {
    "GET /tools/email-test": show,
    "POST /tools/email-test": send,
    "GET /tools/email-test/{id}": way,
}
