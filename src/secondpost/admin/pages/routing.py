"""Settings, Smart Routing and Email Controls: the list of routes or rules, and the builder of one.

Rule: the builder works by its buttons alone; what the file or the environment sets is shown locked.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from secondpost.admin import route_form
from secondpost.admin.forms import MEANWHILE, is_late, stamp
from secondpost.admin.pages.general import SAVED
from secondpost.admin.route_form import RouteForm
from secondpost.admin.visit import Visit
from secondpost.core.conditions import Operator
from secondpost.core.routing import Property, why_skipped
from secondpost.errors import SecondpostError
from secondpost.service.routes import Routes

ROUTING, CONTROLS = "/settings/routing", "/settings/controls"
LABELS = {word.value: word.label for word in (*Property, *Operator)}


def _top(visit: Visit) -> str:
    """Where we are: among the routes, or among the rules that block."""
    return CONTROLS if visit.request.url.path.startswith(CONTROLS) else ROUTING


def _routes(visit: Visit) -> Routes:
    return visit.operations.misc.controls if _top(visit) == CONTROLS else visit.operations.connections.routes


async def index(visit: Visit) -> Response:
    routes = _routes(visit)
    return visit.render(
        "routing.html",
        top=_top(visit),
        routes=routes.show(),
        enabled=routes.enabled,
        titles=visit.titles,
        labels=LABELS,
    )


async def enable(visit: Visit) -> Response:
    enabled = (await visit.form()).checked("enabled")
    await visit.operations.connections.routes.enable(enabled)
    await visit.record(f"switched Smart Routing {'on' if enabled else 'off'}")
    return visit.go(_top(visit), SAVED)


async def new(visit: Visit) -> Response:
    return _page(visit, "", route_form.new(visit.operations.connections.desk.primary))


async def edit(visit: Visit) -> Response:
    id = visit.path("id")
    return _page(visit, id, route_form.of(_routes(visit).known(id)))


def _page(visit: Visit, id: str, form: RouteForm, *, status: int = 200, **values: Any) -> Response:
    connections = visit.operations.connections
    named = {form.connection, *form.backups}
    rows = [row for row in connections.show() if row["enabled"] or row["name"] in named]
    known = {row["name"] for row in rows}
    choices = [(row["name"], row["title"] + ("" if row["enabled"] else " – switched off")) for row in rows]
    choices += [(name, f"{name} – deleted") for name in sorted(named - known - {""})]
    return visit.render(
        "route.html", status=status, top=_top(visit), noun=_routes(visit).noun, id=id, form=form, choices=choices,
        titles=visit.titles,
        **route_form.words(),
        **{"replay": None, "skipped": "", "seen": _seen(_routes(visit), id)} | values,
    )  # fmt: skip


async def add(visit: Visit) -> Response:
    return await _submitted(visit, "")


async def save(visit: Visit) -> Response:
    _routes(visit).known(visit.path("id"))
    return await _submitted(visit, visit.path("id"))


async def _submitted(visit: Visit, id: str) -> Response:
    routes, sent = _routes(visit), await visit.form()
    form = route_form.read(sent)
    form.block |= _top(visit) == CONTROLS
    if route_form.press(form, sent.text("do")):
        return _page(visit, id, form, seen=sent.text("seen"))
    _check(routes, form)
    if is_late(sent, _seen(routes, id)):
        form.error = form.error or MEANWHILE
    if form.faulty:
        return _page(visit, id, form, status=422)
    if sent.text("do") == "replay":
        return await _replayed(visit, id, form)
    id = await routes.put(id, form.entry())
    await visit.record(f"kept the {routes.noun} {form.name}")
    return visit.go(_top(visit), SAVED)


def _seen(routes: Routes, id: str) -> str:
    """Stands for a route as it is kept."""
    return stamp(route_form.of(routes.known(id))) if id else ""


def _check(routes: Routes, form: RouteForm) -> None:
    route_form.check(form)
    if not form.faulty:
        try:
            routes.check(form.entry())
        except SecondpostError as error:
            form.error = str(error)


async def _replayed(visit: Visit, id: str, form: RouteForm) -> Response:
    """What this draft would change, against what is in force now. Nothing is kept."""
    routes, desk = _routes(visit), visit.operations.connections.desk
    rule = routes.check(form.entry())
    await visit.record(f"replayed a draft of the {routes.noun} {form.name} over the log")
    now = (*desk.controls, *desk.rules)
    draft = routes.with_draft(id, rule)
    after = (*draft, *desk.rules) if routes is visit.operations.misc.controls else (*desk.controls, *draft)
    told = await routes.replay(after, now)
    seen = (await visit.form()).text("seen")
    return _page(visit, id, form, replay=told, skipped=why_skipped(rule, desk.connections), seen=seen)


async def move(visit: Visit) -> Response:
    up = (await visit.form()).text("to") == "up"
    await _routes(visit).move(visit.path("id"), -1 if up else 1)
    await visit.record(f"moved the {_routes(visit).noun} {visit.path('id')} {'up' if up else 'down'}")
    return visit.go(_top(visit), SAVED)


async def switch(visit: Visit) -> Response:
    await _routes(visit).switch(visit.path("id"))
    await visit.record(f"switched the {_routes(visit).noun} {visit.path('id')}")
    return visit.go(_top(visit), SAVED)


async def ask_delete(visit: Visit) -> Response:
    route = _routes(visit).known(visit.path("id"))
    return visit.render("route_delete.html", route=route, top=_top(visit), noun=_routes(visit).noun)


async def delete(visit: Visit) -> Response:
    routes = _routes(visit)
    name = routes.known(visit.path("id")).name
    await routes.remove(visit.path("id"))
    await visit.record(f"deleted the {routes.noun} {name}")
    return visit.go(_top(visit), f"The {routes.noun} was deleted.")


PAGES: dict[str, Callable[[Visit], Awaitable[Response]]] = {"POST /settings/routing": enable}
for _at in (ROUTING, CONTROLS):
    PAGES |= {
        f"GET {_at}": index,
        f"GET {_at}/new": new,
        f"POST {_at}/new": add,
        f"GET {_at}/{{id}}": edit,
        f"POST {_at}/{{id}}": save,
        f"POST {_at}/{{id}}/move": move,
        f"POST {_at}/{{id}}/switch": switch,
        f"GET {_at}/{{id}}/delete": ask_delete,
        f"POST {_at}/{{id}}/delete": delete,
    }
