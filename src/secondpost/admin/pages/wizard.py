"""The Setup Wizard: a mailer, its fields, the From, a backup, a test, and how to point an app here.

Rule: each step keeps what it asked at once, checked by signing in; it can be left at any time and taken up again.
"""

from typing import Any

from starlette.responses import PlainTextResponse, Response

from secondpost.admin import forms, snippets
from secondpost.admin.pages import general
from secondpost.admin.pages.email_test import BAD_ADDRESS
from secondpost.admin.visit import Form, Visit
from secondpost.core import address
from secondpost.errors import Refusal, SecondpostError
from secondpost.service.connections import Connections
from secondpost.store.log import Query

STEPS = ("Mailer", "Connection", "From", "Backup", "Test", "Done")
LEFT = ("wizard", "left")
FROM = ("from_email", "force_from_email", "from_name", "force_from_name", "return_path")
NOT_AN_APP = frozenset({"cli", "report", "resend"})


async def offered(visit: Visit) -> bool:
    """Whether it is what a visitor needs first: nothing is configured, and nobody has left it."""
    connections = visit.operations.connections
    fresh = connections.known(connections.desk.primary).origin == "built-in" and not connections.kept
    return fresh and visit.may("configure") and await visit.operations.store.get(*LEFT) is None


async def leave(visit: Visit) -> Response:
    await visit.operations.store.put(*LEFT, {"by": visit.me.email})
    return visit.go("/settings/general", "The Setup Wizard can be opened again from this page.")


def _page(visit: Visit, step: int, template: str, *, status: int = 200, **values: Any) -> Response:
    return visit.render(f"wizard_{template}.html", status=status, step=step, steps=STEPS, **values)


def _role(word: str) -> str:
    return "backup" if word == "backup" else "primary"


def _name(connections: Connections, role: str) -> str:
    """The connection of that role, if it is one that people keep; else there is none to change."""
    name = connections.desk.backup if role == "backup" else connections.desk.primary
    return name if name in connections.kept else ""


async def choose(visit: Visit) -> Response:
    connections = visit.operations.connections
    primary = connections.row(connections.known(connections.desk.primary))
    return _page(
        visit, 1, "mailer", mailers=forms.make(None).mailers, primary=primary, locked=general.locked(connections)
    )


# Its fields -------------------------------------------------------------------------------------------------------


async def fields(visit: Visit) -> Response:
    return _fields(visit, _role(visit.query("role")), visit.query("mailer"))


def _fields(visit: Visit, role: str, mailer: str, form: forms.ConnectionForm | None = None, **values: Any) -> Response:
    connections = visit.operations.connections
    name = _name(connections, role)
    form = form or forms.make(connections.known(name) if name else None)
    own = next((one for one in form.mailers if one.name == mailer), None)
    if own is None:
        raise SecondpostError("Choose one of the mailers.")
    step = 4 if role == "backup" else 2
    return _page(visit, step, "connection", role=role, mailer=own, form=form, **{"verdict": None} | values)


async def connect(visit: Visit) -> Response:
    """Sign in with what the form says; keep it when that worked, or when it is wanted all the same."""
    operations, form = visit.operations, await visit.form()
    role = _role(form.text("role"))
    name = _name(operations.connections, role)
    table, shown = _read(operations.connections, role, form)
    connection, _ = forms.check(table)
    if connection is None:
        return _fields(visit, role, form.text("mailer"), shown, status=422)
    verdict = await operations.verification.try_out(connection)
    if not verdict["ok"] and not form.checked("anyway"):
        return _fields(visit, role, form.text("mailer"), shown, status=422, verdict=verdict)
    if name:
        await operations.connections.change(name, table)
    else:
        name = await operations.connections.create(table, primary=role == "primary")
    if role == "backup":
        await operations.connections.set_backup(name)
    await visit.record(f"set up the connection {name} as {role}")
    await operations.verification.keep({**verdict, "name": name})
    return visit.go(f"/wizard/checked?role={role}")


def _read(connections: Connections, role: str, form: Form) -> tuple[dict[str, Any], forms.ConnectionForm]:
    """The table that the form means: what this step does not ask stays, or is as usual."""
    name = _name(connections, role)
    before, kept = (connections.known(name), connections.kept[name]) if name else (None, {})
    table = forms.table(form, before, kept)
    usual = {one.name: one.default for one in forms.SHARED} | {"nickname": role.capitalize()}
    table |= {key: kept.get(key, value) for key, value in usual.items() if key not in form or not form.text(key)}
    _, errors = forms.check(table)
    return table, forms.make(before, form, errors)


async def checked(visit: Visit) -> Response:
    connections, role = visit.operations.connections, _role(visit.query("role"))
    name = _name(connections, role)
    verdict = await visit.operations.verification.last(name)
    if not verdict:
        return visit.go("/wizard")
    row = connections.row(connections.known(name))
    return _page(visit, 4 if role == "backup" else 2, "checked", verdict=verdict, row=row, role=role)


# From and backup ----------------------------------------------------------------------------------------------------


async def ask_from(visit: Visit) -> Response:
    name = _name(visit.operations.connections, "primary")
    if not name:
        return visit.go("/wizard/backup")
    return _from(visit, forms.make(visit.operations.connections.known(name)))


def _from(visit: Visit, form: forms.ConnectionForm, *, status: int = 200) -> Response:
    return _page(visit, 3, "from", status=status, form=form, asked=FROM)


async def keep_from(visit: Visit) -> Response:
    connections, form = visit.operations.connections, await visit.form()
    name = _name(connections, "primary")
    if not name:
        return visit.go("/wizard/backup")
    before = connections.known(name)
    given = {one.name: form.checked(one.name) if one.kind == "toggle" else form.text(one.name) for one in forms.SHARED}
    table = {**connections.kept[name], **{key: given[key] for key in FROM}}
    _, errors = forms.check(table)
    if errors:
        return _from(visit, forms.make(before, form, errors), status=422)
    await connections.change(name, table)
    await visit.record(f"changed the From of the connection {name}")
    return visit.go("/wizard/backup")


async def ask_backup(visit: Visit) -> Response:
    connections = visit.operations.connections
    rows = [
        row for row in connections.show() if row["role"] != "primary" and row["origin"] != "built-in" and row["enabled"]
    ]
    return _page(
        visit, 4, "backup", rows=rows, chosen=connections.desk.backup, mailers=forms.make(None).mailers,
        locked="backup" in connections.fixed_roles, origin=connections.origin("backup"),
    )  # fmt: skip


async def keep_backup(visit: Visit) -> Response:
    name = (await visit.form()).text("backup") or None
    await visit.operations.connections.set_backup(name)
    await visit.record(f"chose the Backup Connection: {name or 'None'}")
    return visit.go("/wizard/test")


# Test and done ------------------------------------------------------------------------------------------------------


async def ask_test(visit: Visit) -> Response:
    return _page(visit, 5, "test", to=visit.me.email, results=[], error="")


async def test(visit: Visit) -> Response:
    """One message by each of the two, so that both are known to carry mail."""
    desk, to = visit.operations.connections.desk, (await visit.form()).text("to")
    try:
        address.parse(to)
    except address.AddressError:
        return _page(visit, 5, "test", status=422, to=to, results=[], error=BAD_ADDRESS)
    results = [await _tested(visit, name, to) for name in dict.fromkeys((desk.primary, desk.backup)) if name]
    await visit.record(f"sent test messages to {to}")
    return _page(visit, 5, "test", to=to, results=results, error="")


async def _tested(visit: Visit, name: str, to: str) -> dict[str, Any]:
    connections = visit.operations.connections
    title = connections.row(connections.known(name))["title"]
    try:
        return {"title": title, **await visit.operations.email_test(to, connection=name)}
    except (Refusal, SecondpostError) as error:
        return {"title": title, "ok": False, "diagnosis": {"title": "Test failed", "text": str(error), "steps": []}}


async def done(visit: Visit) -> Response:
    sender = visit.operations.connections.known(visit.operations.connections.desk.primary).sender.email
    host, _, port = visit.operations.smtp.rpartition(":")
    texts = (
        snippets.snippets(host=host, port=int(port), sender=sender or visit.me.email, to=visit.me.email) if host else {}
    )
    return _page(visit, 6, "done", snippets=texts, first=await _first(visit))


async def _first(visit: Visit) -> dict[str, Any] | None:
    """The first message that an app has submitted, as far as the last ones tell."""
    store = visit.operations.store
    for row in reversed(await store.page(Query(limit=20))):
        entry = await store.entry(row.id)
        if entry is not None and row.entrypoint not in NOT_AN_APP and entry.tag != "test":
            return {"subject": row.subject, "at": row.accepted, "entrypoint": row.entrypoint}
    return None


async def first(visit: Visit) -> Response:
    """For the script that waits: whether the first message is there."""
    return PlainTextResponse("yes" if await _first(visit) else "")


PAGES = {
    "GET /wizard": choose,
    "POST /wizard/leave": leave,
    "GET /wizard/connection": fields,
    "POST /wizard/connection": connect,
    "GET /wizard/checked": checked,
    "GET /wizard/from": ask_from,
    "POST /wizard/from": keep_from,
    "GET /wizard/backup": ask_backup,
    "POST /wizard/backup": keep_backup,
    "GET /wizard/test": ask_test,
    "POST /wizard/test": test,
    "GET /wizard/done": done,
    "GET /wizard/first": first,
}
