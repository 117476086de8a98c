"""Where a provider's sign-in page sends people back to.

Rule: whoever comes may be anybody; only the state that was begun here, used once, changes anything.
"""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from secondpost.errors import SecondpostError
from secondpost.service.sign_in import PATH, SignIns

LONGEST = 4096  # of what a provider sends along
HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def route(sign_ins: SignIns) -> Route:
    async def answer(request: Request) -> Response:
        given = {name: request.query_params.get(name, "")[:LONGEST] for name in ("state", "code", "error")}
        try:
            name = await sign_ins.end(given["state"], given["code"], given["error"])
        except SecondpostError as error:
            return _page(str(error), 400)
        return _page(f"Signed in to {name}. You can close this page.", 200)

    return Route(PATH, answer, methods=["GET"])


def _page(text: str, status: int) -> Response:
    html = f'<!doctype html><html lang="en"><title>Secondpost</title><p>{escape(text)}</p></html>'
    return HTMLResponse(html, status, HEADERS)
