"""The guard before every page: the name we are called by, the session, the permission, and the headers of the answer.

Rule: a page runs only after all checks; whatever goes wrong, the answer tells nothing that the user may not know.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from secondpost.admin.origins import SAFE
from secondpost.admin.permissions import Permission, may
from secondpost.admin.visit import Visit
from secondpost.errors import SecondpostError
from secondpost.service.users import NotAllowed

if TYPE_CHECKING:
    from secondpost.admin.site import Site

logger = logging.getLogger(__name__)

Page = Callable[[Visit], Awaitable[Response]]
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send no Origin with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}


def cookie_of(site: "Site", request: Request) -> str:
    """The name of the session's cookie. With TLS the browser itself sees to it that only we can set it."""
    return "__Host-secondpost" if site.origins.is_safe_line(request.headers.get("host", "")) else "secondpost"


async def answer(site: "Site", request: Request, page: Page, permission: Permission) -> Response:
    """The answer of a page, or why there is none."""
    visit = Visit(site, request)
    try:
        response = await _refusal(visit, permission) or await page(visit)
    except NotAllowed as error:
        await visit.record(f"was refused: {request.method} {request.url.path}: {error}")
        response = visit.render("error.html", status=403, title="Not for your role", text=str(error))
    except SecondpostError as error:
        response = visit.render("error.html", status=400, title="That did not work", text=str(error))
    except Exception:
        number = secrets.token_hex(4)
        logger.exception("a page failed by a fault of our own", extra={"reference": number})
        text = f"The gateway's log says why, at the reference {number}. No mail is concerned."
        response = visit.render("error.html", status=500, title="A fault of ours", text=text)
    return protected(visit, response)


async def _refusal(visit: Visit, permission: Permission) -> Response | None:
    site, request = visit.site, visit.request
    if not site.origins.names_us(request.headers.get("host", "")):
        return PlainTextResponse(
            "This name is not ours. Set it as [http] public_url, or open the web admin by its IP address.\n", 421
        )
    await _recognize(visit)
    if not site.origins.ours(request.method, request.headers):
        text = "The request did not come from a page of this web admin. Nothing was changed."
        return visit.render("error.html", status=403, title="Refused", text=text)
    if may(visit.user.role if visit.user else None, permission):
        return None
    if visit.user is None:
        return _to_sign_in(visit)
    await visit.record(f"was refused: {request.method} {request.url.path} needs the permission {permission}")
    text = f"Your role is {visit.user.role.capitalize()}, and this needs the permission “{permission}”. Ask an owner."
    return visit.render("error.html", status=403, title="Not for your role", text=text)


async def _recognize(visit: Visit) -> None:
    """The session of the cookie, and its user as they are now."""
    secret = visit.request.cookies.get(cookie_of(visit.site, visit.request), "")
    session = await visit.operations.sessions.find(secret)
    user = await visit.operations.users.find(session.email) if session else None
    if user is not None:
        visit.user, visit.session = user, session


def _to_sign_in(visit: Visit) -> Response:
    """And back to the page that was asked for; of a form that came too late, to the page that it was on."""
    request = visit.request
    late = request.method not in SAFE
    url = urlsplit(request.headers.get("referer", "") if late else str(request.url))
    path = url.path + (f"?{url.query}" if url.query else "")
    where = "/sign-in" if path in ("", "/", "/sign-in") else f"/sign-in?next={quote(path, safe='')}"
    return visit.go(where, "You were signed out meanwhile. Nothing was changed." if late else "", good=False)


def protected(visit: Visit, response: Response) -> Response:
    """With the headers that keep the browser from doing what we did not mean. A page may have set its own."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if visit.site.origins.is_safe_line(visit.request.headers.get("host", "")):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response
