"""What is not there: a person gets a page that says so, a program the answer of the API.

Rule: these answers come through the guard like all others; they tell nothing of what there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from secondpost.admin import guard
from secondpost.admin.origins import SAFE
from secondpost.admin.permissions import Permission
from secondpost.admin.visit import Visit

if TYPE_CHECKING:
    from secondpost.admin.site import Site


@dataclass(frozen=True, slots=True)
class Missing:
    """An application for what no page answers: the API, `programs`, comes behind it."""

    site: "Site"
    pages: Sequence[Route]
    programs: Starlette

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        known = [route for route in self.pages if route.matches(scope)[0] is Match.PARTIAL]  # but not by that method
        taken = any(route.matches(scope)[0] is Match.FULL for route in self.programs.routes)
        if not known and (taken or not _is_browser(request)):
            await self.programs(scope, receive, send)
            return
        answer = await guard.answer(self.site, request, _no_method if known else _no_page, Permission.OPEN)
        if known:
            answer.headers["Allow"] = ", ".join(sorted({method for route in known for method in route.methods or ()}))
        await answer(scope, receive, send)


def _is_browser(request: Request) -> bool:
    return request.method in SAFE and "text/html" in request.headers.get("accept", "")


async def _no_page(visit: Visit) -> Response:
    text = "Nothing stands at this address. It may have been written wrongly, or the page has another one now."
    return visit.render("error.html", status=404, title="There is no such page", text=text)


async def _no_method(visit: Visit) -> Response:
    text = "This page cannot be asked that way. Nothing was changed."
    return visit.render("error.html", status=405, title="This cannot be done here", text=text)
