"""Settings, Access: one user. Role, a link for a new password, sessions, removal.

Rule: the last owner stays, and who is removed or gets a lower role is asked about by name first.
"""

from starlette.responses import Response

from secondpost.admin.pages import access
from secondpost.admin.visit import Visit
from secondpost.service.users import User, check_rank

PATH = "/settings/access/user"


async def show(visit: Visit) -> Response:
    return await _page(visit, await visit.operations.users.known(visit.query("email")))


async def _page(visit: Visit, subject: User, fresh: str = "") -> Response:
    sessions = await visit.operations.sessions.all(subject.email)
    return visit.render("person.html", subject=subject, sessions=sessions, fresh=fresh, roles=access.roles(visit.me))


async def _subject(visit: Visit) -> User:
    """The user that a form is about. Raises `NotAllowed` when it is not for this visitor to change them."""
    subject = await visit.operations.users.known((await visit.form()).text("email"))
    check_rank(visit.me, subject.role)
    return subject


async def change_role(visit: Visit) -> Response:
    subject, role = await _subject(visit), access.role_of(await visit.form(), "role")
    check_rank(visit.me, role)
    await visit.operations.users.change_role(subject.email, role)
    await visit.record(f"made {subject.email} {role}, who was {subject.role}")
    return visit.go(access.PATH, f"{subject.email} is {role.capitalize()} now.")


async def reset(visit: Visit) -> Response:
    subject = await _subject(visit)
    made = await visit.operations.users_reset(subject.email)
    await visit.record(f"made a link for a new password of {subject.email}")
    return await _page(visit, subject, made["url"])


async def end_sessions(visit: Visit) -> Response:
    subject = await _subject(visit)
    await visit.operations.sessions.end_all(subject.email)
    await visit.record(f"ended all sessions of {subject.email}")
    return visit.go(access.PATH, f"{subject.email} is signed out everywhere.")


async def ask_remove(visit: Visit) -> Response:
    return visit.render("person_remove.html", subject=await visit.operations.users.known(visit.query("email")))


async def remove(visit: Visit) -> Response:
    subject = await _subject(visit)
    await visit.operations.users.remove(subject.email)
    await visit.operations.sessions.end_all(subject.email)
    await visit.record(f"removed {subject.email}, who was {subject.role}")
    return visit.go(access.PATH, f"{subject.email} was removed.")


PAGES = {
    "GET /settings/access/user": show,
    "POST /settings/access/user/role": change_role,
    "POST /settings/access/user/reset": reset,
    "POST /settings/access/user/sessions": end_sessions,
    "GET /settings/access/user/remove": ask_remove,
    "POST /settings/access/user/remove": remove,
}
