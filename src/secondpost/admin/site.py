"""The web admin as routes of the one HTTP port: each page behind the guard.

Rule: pages and permissions name exactly the same routes; the start fails otherwise.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from secondpost.admin import guard, templating
from secondpost.admin.missing import Missing
from secondpost.admin.origins import Origins
from secondpost.admin.pages import (
    access,
    account,
    clients,
    connections,
    dashboard,
    domain_check,
    drill,
    email_test,
    entrance,
    events,
    export,
    general,
    inbox,
    log,
    log_export,
    log_message,
    log_resend,
    log_settings,
    misc,
    people,
    queue,
    reports,
    routing,
    try_routing,
    wizard,
)
from secondpost.admin.permissions import TABLE
from secondpost.admin.throttle import Throttle
from secondpost.admin.visit import Visit
from secondpost.service.operate import Operations

Page = Callable[[Visit], Awaitable[Response]]
PAGES: dict[str, Page] = {
    **entrance.PAGES,
    **wizard.PAGES,
    **account.PAGES,
    **log.PAGES,
    **log_resend.PAGES,
    **log_export.PAGES,
    **log_message.PAGES,
    **log_settings.PAGES,
    **dashboard.PAGES,
    **queue.PAGES,
    **inbox.PAGES,
    **reports.PAGES,
    **general.PAGES,
    **connections.PAGES,
    **try_routing.PAGES,
    **routing.PAGES,
    **misc.PAGES,
    **access.PAGES,
    **people.PAGES,
    **clients.PAGES,
    **email_test.PAGES,
    **drill.PAGES,
    **domain_check.PAGES,
    **events.PAGES,
    **export.PAGES,
}


@dataclass(slots=True)
class Site:
    """What all pages share."""

    operations: Operations
    origins: Origins
    templates: Environment = field(default_factory=templating.environment)
    throttle: Throttle = field(default_factory=Throttle)

    def routes(self) -> list[Route]:
        """Every page."""
        if PAGES.keys() != TABLE.keys():
            odd = ", ".join(sorted(PAGES.keys() ^ TABLE.keys()))
            raise RuntimeError(f"these routes need a page and a line in permissions.py: {odd}")
        return [self._route(name, page) for name, page in PAGES.items()]

    def _route(self, name: str, page: Page) -> Route:
        method, _, path = name.partition(" ")

        async def endpoint(request: Request) -> Response:
            return await guard.answer(self, request, page, TABLE[name])

        return Route(path, endpoint, methods=[method], include_in_schema=False)


def make(operations: Operations, *, public_url: str, programs: Starlette | None = None) -> Starlette:
    """The web admin, and behind it what answers `programs` on all other paths."""
    site = Site(operations, Origins(public_url))
    pages = site.routes()
    return Starlette(routes=[*pages, Mount("/", Missing(site, pages, programs or Starlette()))])
