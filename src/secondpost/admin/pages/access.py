"""Settings, Access: who may come in, people and programs, and what they did.

Rule: a link or a secret is shown once, to who made it; only an owner makes, changes or removes owners.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from secondpost.admin.visit import Form, Visit
from secondpost.errors import SecondpostError, WrongInput
from secondpost.service.keys import SCOPES
from secondpost.service.users import Role, User, check_rank

PATH = "/settings/access"
ROWS = 50  # of the audit log on a page


async def show(visit: Visit) -> Response:
    return await page(visit)


async def page(
    visit: Visit,
    *,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    form: Form | None = None,
    fresh: Mapping[str, Any] | None = None,
) -> Response:
    """All of it. `errors` are by field; `fresh` is the secret that was just made."""
    operations = visit.operations
    people = await operations.users_list()
    return visit.render(
        "access.html", status=status, errors=errors or {}, form=form or Form(), fresh=fresh, people=people,
        invited=await operations.users.invited(), sessions=await operations.sessions.all(),
        credentials=operations.credentials.list(), keys=operations.keys.list(), scopes=SCOPES, roles=roles(visit.me),
    )  # fmt: skip


def roles(me: User) -> list[Role]:
    """The roles that this user may give."""
    return [role for role in reversed(Role) if me.role is Role.OWNER or role is not Role.OWNER]


def role_of(form: Form, name: str) -> Role:
    try:
        return Role(form.text(name))
    except ValueError:
        raise WrongInput("role", "Choose one of the roles.") from None


async def add_user(visit: Visit) -> Response:
    form = await visit.form()
    try:
        role = role_of(form, "user.role")
        check_rank(visit.me, role, *await _waiting(visit, form.text("user.email")))
        made = await visit.operations.users_add(form.text("user.email"), role)
    except WrongInput as error:
        return await page(visit, status=422, errors={f"user.{error.field}": str(error)}, form=form)
    await visit.record(f"invited {made['email']} as {role}")
    return await page(visit, fresh=made)


async def _waiting(visit: Visit, email: str) -> list[Role]:
    """The role of a link that is out for this address: a new one would end it."""
    return [one.role for one in await visit.operations.users.invited() if one.email == email.lower()]


async def withdraw(visit: Visit) -> Response:
    email = (await visit.form()).text("email")
    check_rank(visit.me, *await _waiting(visit, email))
    await visit.operations.users.withdraw(email)
    await visit.record(f"withdrew the link of {email}")
    return visit.go(PATH, f"The link of {email} does not work any more.")


async def end_session(visit: Visit) -> Response:
    id = (await visit.form()).text("id")
    session = next((one for one in await visit.operations.sessions.all() if one.id == id), None)
    if session is None:
        raise SecondpostError("This session has ended already.")
    if (user := await visit.operations.users.find(session.email)) is not None:
        check_rank(visit.me, user.role)
    await visit.operations.sessions.end(id)
    await visit.record(f"ended a session of {session.email}")
    return visit.go(PATH, "The session was ended.")


async def audit(visit: Visit) -> Response:
    """What people did, newest first; the next page is found by key."""
    key, text = visit.key("before"), visit.query("q").strip()
    rows = await visit.operations.store.events(limit=ROWS + 1, before=key, kinds=["audit"], text=text)
    more = rows[ROWS - 1]["id"] if len(rows) > ROWS else None
    return visit.render("audit.html", rows=rows[:ROWS], more=more, text=text, first=key is None)


PAGES = {
    "GET /settings/access": show,
    "POST /settings/access/users": add_user,
    "POST /settings/access/links/withdraw": withdraw,
    "POST /settings/access/sessions/end": end_session,
    "GET /settings/access/audit": audit,
}
