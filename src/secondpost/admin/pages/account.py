"""One's own account, for every role: password, one-time codes, sessions.

Rule: who changes how they sign in gives their password once more, and every other session of theirs ends.
"""

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from secondpost.admin.visit import Form, Visit
from secondpost.errors import SecondpostError, WrongInput
from secondpost.service.users import SHORTEST

PATH = "/account"
SECRET = re.compile(r"[A-Z2-7]{32}")  # as we make them: 160 bits in base 32


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    return visit.render(
        "account.html", status=422 if errors else 200, errors=errors or {}, shortest=SHORTEST,
        mine=await visit.operations.sessions.all(visit.me.email),
    )  # fmt: skip


async def _check_password(visit: Visit, form: Form) -> None:
    """Raises `WrongInput`. Who found an open browser must not be able to guess."""
    keys, throttle = (f"user {visit.me.email}",), visit.site.throttle
    if wait := throttle.wait(keys, visit.now):
        raise WrongInput("current", f"Too many failed tries. Try again in {int(wait.total_seconds()) + 1} s.")
    if not await visit.operations.users.is_password(visit.me, form.raw("current")):
        throttle.failed(keys, visit.now)
        await visit.record("gave a wrong password on the account page")
        raise WrongInput("current", "This is not your password.")
    throttle.succeeded(keys)


async def _changed(visit: Visit, what: str) -> None:
    assert visit.session is not None
    await visit.operations.sessions.end_all(visit.me.email, but=visit.session.id)
    await visit.record(what)


async def change_password(visit: Visit) -> Response:
    form = await visit.form()
    try:
        await _check_password(visit, form)
        if form.raw("password") != form.raw("again"):
            raise WrongInput("again", "The two passwords differ.")
        await visit.operations.users.change_password(visit.me, form.raw("password"))
    except WrongInput as error:
        return await _page(visit, {f"password.{error.field}": str(error)})
    await _changed(visit, "changed the own password")
    return visit.go(PATH, "Your password was changed. You are signed out everywhere else.")


async def ask_codes(visit: Visit) -> Response:
    import pyotp  # not before somebody asks for it: the gateway starts without

    if visit.me.totp:
        return visit.go(PATH, "You use one-time codes already.")
    return _codes(visit, pyotp.random_base32())


def _codes(visit: Visit, secret: str, errors: Mapping[str, str] | None = None) -> Response:
    return visit.render(
        "codes.html", status=422 if errors else 200, errors=errors or {}, secret=secret,
        picture=picture(secret, visit.me.email),
    )  # fmt: skip


def picture(secret: str, email: str) -> str:
    """The QR code that a device reads, as the address of an image."""
    import pyotp
    import segno

    address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Secondpost")
    found: Any = segno.make(address, error="m")
    return str(found.svg_data_uri(scale=5, dark="#000", light="#fff"))


async def use_codes(visit: Visit) -> Response:
    form = await visit.form()
    secret = form.text("secret")
    if visit.me.totp or not SECRET.fullmatch(secret):
        return await ask_codes(visit)
    try:
        await _check_password(visit, form)
        recovery = await visit.operations.users.use_codes(visit.me, secret, form.text("code"))
    except WrongInput as error:
        return _codes(visit, secret, {error.field: str(error)})
    await _changed(visit, "switched one-time codes on")
    return visit.render("recovery.html", recovery=recovery)


async def drop_codes(visit: Visit) -> Response:
    try:
        await _check_password(visit, await visit.form())
    except WrongInput as error:
        return await _page(visit, {f"codes.{error.field}": str(error)})
    await visit.operations.users.drop_codes(visit.me)
    await _changed(visit, "switched one-time codes off")
    return visit.go(PATH, "One-time codes are switched off.")


async def end_sessions(visit: Visit) -> Response:
    """One's own session of that id; without one, all but this."""
    id, sessions = (await visit.form()).text("id"), visit.operations.sessions
    if not id:
        await _changed(visit, "ended all other sessions of their own")
        return visit.go(PATH, "You are signed out everywhere else.")
    if id not in {one.id for one in await sessions.all(visit.me.email)}:
        raise SecondpostError("This is no session of yours, or it has ended already.")
    await sessions.end(id)
    await visit.record("ended a session of their own")
    return visit.go(PATH, "The session was ended.")


PAGES = {
    "GET /account": show,
    "POST /account/password": change_password,
    "GET /account/codes": ask_codes,
    "POST /account/codes": use_codes,
    "POST /account/codes/off": drop_codes,
    "POST /account/sessions": end_sessions,
}
