"""Settings, Additional Connections: list, add, edit, verify, duplicate, switch off, delete.

Rule: what is in use is neither switched off nor deleted without naming what takes its place.
"""

from typing import Any

from starlette.responses import Response

from secondpost.admin import forms
from secondpost.admin.pages.general import SAVED
from secondpost.admin.visit import Form, Visit
from secondpost.core.connection import Connection
from secondpost.errors import SecondpostError
from secondpost.mailers.base import has_tokens

LIST = "/settings/connections"


async def index(visit: Visit) -> Response:
    connections = visit.operations.connections
    rows = [row for row in connections.show() if row["role"] != "primary" and row["origin"] != "built-in"]
    return visit.render("connections.html", rows=rows, readiness=await visit.operations.verification.readiness())


async def new(visit: Visit) -> Response:
    return _page(visit, None, forms.make(None))


async def add(visit: Visit) -> Response:
    form = await visit.form()
    table, shown, connection = _checked(None, form, {})
    if connection is None:
        return _page(visit, None, shown, status=422)
    if form.text("do") == "verify":
        return _page(visit, None, shown, verdict=await visit.operations.verification.try_out(connection))
    name = await visit.operations.connections.create(table)
    await visit.record(f"added the connection {name}")
    visit.operations.verification.later(name)
    return visit.go(LIST, SAVED)


async def edit(visit: Visit) -> Response:
    connection = visit.operations.connections.known(visit.path("name"))
    return _page(visit, connection, forms.make(connection))


async def save(visit: Visit) -> Response:
    operations, form = visit.operations, await visit.form()
    before = operations.connections.known(visit.path("name"))
    table, shown, connection = _checked(before, form, operations.connections.kept.get(before.name, {}))
    if connection is not None and not connection.enabled and (uses := operations.connections.uses(before.name)):
        text = f"It is in use ({', '.join(uses)}). Disable it from the list: there you choose what takes its place."
        shown, connection = forms.make(before, form, {"enabled": text}), None
    if connection is None:
        return _page(visit, before, shown, status=422)
    if form.text("do") == "verify":
        return _page(visit, before, shown, verdict=await operations.verification.try_out(connection))
    await operations.connections.change(before.name, table)
    await visit.record(f"changed the connection {before.name}")
    await operations.verification.forget(before.name)
    operations.verification.later(before.name)
    return visit.go(LIST, SAVED)


def _checked(
    before: Connection | None, form: Form, kept: dict[str, Any]
) -> tuple[dict[str, Any], forms.ConnectionForm, Connection | None]:
    """The table that the form means, the form to show again, and the connection if nothing is wrong."""
    table = forms.table(form, before, kept)
    connection, errors = forms.check(table)
    if not table["nickname"]:
        connection, errors = None, {**errors, "nickname": "Is missing: give it a name, so that you find it in lists."}
    if late := forms.overtaken(form, before):
        connection, errors = None, errors | late
    return table, forms.make(before, form, errors), connection


def _page(
    visit: Visit, connection: Connection | None, form: forms.ConnectionForm, *, verdict: Any = None, status: int = 200
) -> Response:
    connections = visit.operations.connections
    row = connections.row(connection) if connection else None
    chain = forms.chain(connections.show(), connection.name if connection else "")
    meets = connection is not None and any(_meets(visit, connection))
    return visit.render("connection.html", status=status, row=row, form=form, verdict=verdict, chain=chain, meets=meets)


def _meets(visit: Visit, connection: Connection) -> tuple[bool, bool]:
    """Whether its provider tells by webhooks, and whether a person signs in to it with a browser."""
    mailer = visit.operations.worker.ways.lines[connection.name].mailer
    return mailer.can.events, has_tokens(mailer) and mailer.by_person


async def provider(visit: Visit) -> Response:
    """What is to be entered at the provider, and its page to sign in at. Both are secrets."""
    operations, connection = visit.operations, visit.operations.connections.known(visit.path("name"))
    tells, lets_in = _meets(visit, connection)
    return visit.render(
        "connection_provider.html",
        row=operations.connections.row(connection),
        webhook=await operations.feedback.address(connection.name) if tells else "",
        page=await operations.sign_ins.begin(connection.name) if lets_in else "",
        redirect=operations.sign_ins.redirect,
    )


async def verify(visit: Visit) -> Response:
    (verdict,) = await visit.operations.connections_verify(visit.path("name"))
    words = "Signing in worked" if verdict["ok"] else f"{verdict['advice']['title']}: {verdict['reply'].rstrip('.')}"
    title = visit.titles[visit.path("name")]
    return visit.go(LIST, f"{title}: {words}. Nothing was sent.", good=verdict["ok"])


async def duplicate(visit: Visit) -> Response:
    connections = visit.operations.connections
    before = connections.known(visit.path("name"))
    kept = connections.kept.get(before.name)
    if kept is None:
        raise SecondpostError(f"{before.name!r} is set by {before.origin}: copy it there. Nothing was changed.")
    name = await connections.create({**kept, "nickname": f"{before.nickname or before.name} (copy)"})
    await visit.record(f"duplicated the connection {before.name} as {name}")
    return visit.go(f"{LIST}/{name}", "This is the copy, with the same secrets. It is kept already.")


async def switch(visit: Visit) -> Response:
    connections, replacement = visit.operations.connections, (await visit.form()).text("replacement")
    before = connections.known(visit.path("name"))
    if before.enabled and connections.uses(before.name) and not replacement:
        return _ask(visit, "Disable")
    if before.enabled:
        await connections.disable(before.name, replacement or None)
    else:
        await connections.change(before.name, {**connections.kept.get(before.name, {}), "enabled": True})
    await visit.record(f"switched the connection {before.name} {'off' if before.enabled else 'on'}")
    return visit.go(LIST, SAVED)


async def ask_delete(visit: Visit) -> Response:
    return _ask(visit, "Delete")


def _ask(visit: Visit, verb: str) -> Response:
    """Whether it is meant, and what takes its place where it is in use."""
    connections = visit.operations.connections
    connection = connections.known(visit.path("name"))
    row, uses = connections.row(connection), connections.uses(connection.name)
    others = [one for one in connections.show() if one["name"] != connection.name and one["enabled"]]
    if connection.name == connections.desk.backup:
        others = [one for one in others if one["role"] != "primary"]
    leads = row["role"] == "primary" or connections.routes.leads_to(connection.name)
    return visit.render("connection_delete.html", row=row, uses=uses, others=others, leads=leads, verb=verb)


async def delete(visit: Visit) -> Response:
    name, form = visit.path("name"), await visit.form()
    await visit.operations.connections.remove(name, form.text("replacement") or None)
    await visit.operations.verification.forget(name)
    await visit.record(f"deleted the connection {name}")
    return visit.go(LIST, "The connection was deleted.")


PAGES = {
    "GET /settings/connections": index,
    "GET /settings/connections/new": new,
    "POST /settings/connections/new": add,
    "GET /settings/connections/{name}": edit,
    "POST /settings/connections/{name}": save,
    "POST /settings/connections/{name}/verify": verify,
    "POST /settings/connections/{name}/provider": provider,
    "POST /settings/connections/{name}/duplicate": duplicate,
    "POST /settings/connections/{name}/switch": switch,
    "GET /settings/connections/{name}/delete": ask_delete,
    "POST /settings/connections/{name}/delete": delete,
}
