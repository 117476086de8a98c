"""Settings, Smart Routing: the list of routes, and the builder of one.

Rule: the builder works by its buttons alone; what the file or the environment sets is shown locked.
"""

from typing import Any

from starlette.responses import Response

from secondpost.admin import route_form
from secondpost.admin.pages.general import SAVED
from secondpost.admin.route_form import RouteForm
from secondpost.admin.visit import Visit
from secondpost.core.conditions import Operator
from secondpost.core.routing import Property, why_skipped
from secondpost.errors import SecondpostError
from secondpost.service.routes import Routes

LIST = "/settings/routing"
LABELS = {word.value: word.label for word in (*Property, *Operator)}


async def index(visit: Visit) -> Response:
    routes = visit.operations.connections.routes
    return visit.render(
        "routing.html", routes=routes.show(), enabled=routes.enabled, titles=titles(visit), labels=LABELS
    )


def titles(visit: Visit) -> dict[str, str]:
    """What people call each connection."""
    return {row["name"]: row["title"] for row in visit.operations.connections.show()}


async def enable(visit: Visit) -> Response:
    enabled = (await visit.form()).checked("enabled")
    await visit.operations.connections.routes.enable(enabled)
    await visit.record(f"switched Smart Routing {'on' if enabled else 'off'}")
    return visit.go(LIST, SAVED)


async def new(visit: Visit) -> Response:
    return _page(visit, "", route_form.new(visit.operations.connections.desk.primary))


async def edit(visit: Visit) -> Response:
    id = visit.path("id")
    return _page(visit, id, route_form.of(visit.operations.connections.routes.known(id)))


def _page(visit: Visit, id: str, form: RouteForm, *, status: int = 200, **values: Any) -> Response:
    connections = visit.operations.connections
    named = {form.connection, *form.backups}
    rows = [row for row in connections.show() if row["enabled"] or row["name"] in named]
    known = {row["name"] for row in rows}
    choices = [(row["name"], row["title"] + ("" if row["enabled"] else " – switched off")) for row in rows]
    choices += [(name, f"{name} – deleted") for name in sorted(named - known - {""})]
    return visit.render(
        "route.html", status=status, id=id, form=form, choices=choices, titles=titles(visit),
        **route_form.words(),
        **{"replay": None, "skipped": ""} | values,
    )  # fmt: skip


async def add(visit: Visit) -> Response:
    return await _submitted(visit, "")


async def save(visit: Visit) -> Response:
    visit.operations.connections.routes.known(visit.path("id"))
    return await _submitted(visit, visit.path("id"))


async def _submitted(visit: Visit, id: str) -> Response:
    routes, sent = visit.operations.connections.routes, await visit.form()
    form = route_form.read(sent)
    if route_form.press(form, sent.text("do")):
        return _page(visit, id, form)
    _check(routes, form)
    if form.faulty:
        return _page(visit, id, form, status=422)
    if sent.text("do") == "replay":
        return await _replayed(visit, id, form)
    id = await routes.put(id, form.entry())
    await visit.record(f"kept the route {form.name}")
    return visit.go(LIST, SAVED)


def _check(routes: Routes, form: RouteForm) -> None:
    route_form.check(form)
    if not form.faulty:
        try:
            routes.check(form.entry())
        except SecondpostError as error:
            form.error = str(error)


async def _replayed(visit: Visit, id: str, form: RouteForm) -> Response:
    """What this draft would change, against what is in force now. Nothing is kept."""
    connections = visit.operations.connections
    rule = connections.routes.check(form.entry())
    await visit.record(f"replayed a draft of the route {form.name} over the log")
    told = await connections.routes.replay(connections.routes.with_draft(id, rule), connections.desk.rules)
    return _page(visit, id, form, replay=told, skipped=why_skipped(rule, connections.desk.connections))


async def move(visit: Visit) -> Response:
    up = (await visit.form()).text("to") == "up"
    await visit.operations.connections.routes.move(visit.path("id"), -1 if up else 1)
    await visit.record(f"moved the route {visit.path('id')} {'up' if up else 'down'}")
    return visit.go(LIST, SAVED)


async def switch(visit: Visit) -> Response:
    await visit.operations.connections.routes.switch(visit.path("id"))
    await visit.record(f"switched the route {visit.path('id')}")
    return visit.go(LIST, SAVED)


async def ask_delete(visit: Visit) -> Response:
    route = visit.operations.connections.routes.known(visit.path("id"))
    return visit.render("route_delete.html", route=route)


async def delete(visit: Visit) -> Response:
    routes = visit.operations.connections.routes
    name = routes.known(visit.path("id")).name
    await routes.remove(visit.path("id"))
    await visit.record(f"deleted the route {name}")
    return visit.go(LIST, "The route was deleted.")


PAGES = {
    "GET /settings/routing": index,
    "POST /settings/routing": enable,
    "GET /settings/routing/new": new,
    "POST /settings/routing/new": add,
    "GET /settings/routing/{id}": edit,
    "POST /settings/routing/{id}": save,
    "POST /settings/routing/{id}/move": move,
    "POST /settings/routing/{id}/switch": switch,
    "GET /settings/routing/{id}/delete": ask_delete,
    "POST /settings/routing/{id}/delete": delete,
}
