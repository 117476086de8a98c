"""Coming in and going out: signing in, the single-use links by which people join, signing out, and the static files.

Rule: a wrong address and a wrong password get the same answer; who guesses has to wait.
"""

import logging
from urllib.parse import urlsplit

from starlette.responses import Response

from secondpost.admin import guard, navigation, static
from secondpost.admin.pages import wizard
from secondpost.admin.visit import Visit
from secondpost.errors import WrongInput
from secondpost.service.sessions import LONGEST
from secondpost.service.users import SET_UP, SHORTEST, User

logger = logging.getLogger(__name__)

WRONG = "Address, password or one-time code is wrong."


async def asset(visit: Visit) -> Response:
    found = static.assets().get(visit.path("name"))
    if found is None:
        return Response("There is no such file.\n", 404, media_type="text/plain")
    named = visit.request.url.query == found.digest  # by a page of this version
    kept = "public, max-age=31536000, immutable" if named else "no-cache"
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.compressed, media_type=found.media_type, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


async def home(visit: Visit) -> Response:
    """The first page that the user may see."""
    if await wizard.offered(visit):
        return visit.go("/wizard")
    first = next(iter(navigation.sections(visit.me.role)), None)
    if first is None:
        return visit.render("error.html", title="Signed in", text="Your role sees no page of this version.")
    return visit.go(first.path)


async def ask(visit: Visit) -> Response:
    if visit.user is not None:
        return visit.go("/")
    nobody = not await visit.operations.users.all()
    return visit.render("sign_in.html", nobody=nobody, email="", error="", next=visit.query("next"))


async def sign_in(visit: Visit) -> Response:
    form = await visit.form()
    email = form.text("email").lower()
    shown = {"email": email, "next": form.text("next")}
    keys = (f"user {email[:254]}", f"from {visit.client}")
    if wait := visit.site.throttle.wait(keys, visit.now):
        seconds = int(wait.total_seconds()) + 1
        response = _again(visit, 429, f"Too many failed tries. Try again in {seconds} s.", shown)
        response.headers["Retry-After"] = str(seconds)
        return response
    user = await visit.operations.users.sign_in(email, form.raw("password"), form.text("code"))
    if user is None:
        visit.site.throttle.failed(keys, visit.now)
        await visit.record(f"failed to sign in as {email[:254]}")
        logger.warning("web: a sign-in from %s failed", visit.client)
        return _again(visit, 401, WRONG, shown)
    visit.site.throttle.succeeded(keys)
    return await _begin(visit, user, _ours(form.text("next")))


def _again(visit: Visit, status: int, error: str, shown: dict[str, str]) -> Response:
    return visit.render("sign_in.html", status=status, nobody=False, error=error, **shown)


def _ours(path: str) -> str:
    """Only a path of ours: a link to the log-in must not lead away from here."""
    split = urlsplit(path)
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and not split.netloc and path.isprintable()
    return path if fine else "/"


async def _begin(visit: Visit, user: User, path: str) -> Response:
    """A new session, with a new secret: one that was there before is worth nothing."""
    if visit.session is not None:
        await visit.operations.sessions.end(visit.session.id)
    agent = visit.request.headers.get("user-agent", "")
    secret = await visit.operations.sessions.begin(user.email, client=visit.client, agent=agent)
    visit.user = user
    await visit.record("signed in")
    response = visit.go(path)
    name = guard.cookie_of(visit.site, visit.request)
    response.set_cookie(
        name, secret, max_age=int(LONGEST.total_seconds()), httponly=True, samesite="lax",
        secure=name.startswith("__Host-"),
    )  # fmt: skip
    return response


async def invitation(visit: Visit) -> Response:
    found = await visit.operations.users.invitation(visit.path("secret"))
    if found is None:
        text = "It was used already, or its time is over. Make a new one with: secondpost setup-url, or ask an owner."
        return visit.render("error.html", status=404, title="This link does not work any more", text=text)
    return _invited(visit, found.email, "", {})


def _invited(visit: Visit, invited: str, email: str, errors: dict[str, str]) -> Response:
    return visit.render(
        "join.html", status=422 if errors else 200, invited=invited, email=email, errors=errors,
        first=invited == SET_UP, shortest=SHORTEST,
    )  # fmt: skip


async def join(visit: Visit) -> Response:
    users, form, secret = visit.operations.users, await visit.form(), visit.path("secret")
    found = await users.invitation(secret)
    if found is None:
        return await invitation(visit)
    if form.raw("password") != form.raw("again"):
        return _invited(visit, found.email, form.text("email"), {"again": "The two passwords differ."})
    try:
        user = await users.join(secret, form.text("email"), form.raw("password"))
    except WrongInput as error:
        return _invited(visit, found.email, form.text("email"), {error.field: str(error)})
    await visit.operations.sessions.end_all(user.email)  # a new password ends what the old one began
    return await _begin(visit, user, "/")


async def sign_out(visit: Visit) -> Response:
    if visit.session is not None:
        await visit.operations.sessions.end(visit.session.id)
        await visit.record("signed out")
    response = visit.go("/sign-in")
    response.delete_cookie(
        name := guard.cookie_of(visit.site, visit.request), httponly=True, samesite="lax",
        secure=name.startswith("__Host-"),
    )  # fmt: skip
    return response


PAGES = {
    "GET /static/{name}": asset,
    "GET /": home,
    "GET /sign-in": ask,
    "POST /sign-in": sign_in,
    "GET /join/{secret}": invitation,
    "POST /join/{secret}": join,
    "POST /sign-out": sign_out,
}
