"""Tools, Fallback Drill: a connection fails on purpose, and the way that the mail took is shown and kept.

Rule: real mail is refused on purpose only after an explicit yes, for a time that ends by itself.
"""

from starlette.responses import Response

from secondpost.admin.pages.email_test import BAD_ADDRESS
from secondpost.admin.visit import Form, Visit
from secondpost.core import address
from secondpost.errors import SecondpostError, WrongInput

PATH = "/tools/drill"


async def show(visit: Visit) -> Response:
    return await _page(visit, Form())


async def _page(visit: Visit, form: Form, **errors: str) -> Response:
    drills, rows = visit.operations.drills, visit.operations.connections.show()
    results = await drills.results()
    choices = sorted([row for row in rows if row["enabled"]], key=lambda row: row["role"] != "primary")
    return visit.render(
        "drill.html", status=422 if errors else 200, form=form, errors=errors, choices=choices, real=drills.real,
        titles=visit.titles, results=results,
        schedule=await drills.schedule(), proved=await drills.proved(),
        told=await drills.told(results[0]) if results else [],
    )  # fmt: skip


async def send(visit: Visit) -> Response:
    form = await visit.form()
    try:
        address.parse(form.text("to"))
        result = await visit.operations.drill(form.text("to"), form.text("connection"))
    except address.AddressError:
        return await _page(visit, form, to=BAD_ADDRESS)
    except SecondpostError as error:
        return await _page(visit, form, to=str(error))
    await visit.record(f"drilled the fallback from {result['connection']} with a message to {form.text('to')}")
    return visit.go(PATH)


async def begin(visit: Visit) -> Response:
    form = await visit.form()
    try:
        if not form.checked("yes"):
            raise WrongInput("yes", "Say yes to it first: real mail is concerned. Nothing was begun.")
        real = await visit.operations.drill_begin(form.number("minutes"), form.text("connection"))
    except SecondpostError as error:
        return await _page(visit, form, **{getattr(error, "field", "minutes"): str(error)})
    await visit.record(f"began a drill of real mail: {real['connection']} refuses it until {real['until']}")
    return visit.go(PATH, "The drill has begun. It ends by itself.")


async def end(visit: Visit) -> Response:
    await visit.operations.drill_end()
    await visit.record("ended the drill of real mail")
    return visit.go(PATH, "The drill is over.")


async def plan(visit: Visit) -> Response:
    form = await visit.form()
    days = form.number("days") if form.checked("on") else 0
    try:
        await visit.operations.drills.plan(days, form.text("to"))
    except SecondpostError as error:
        field = "days" if getattr(error, "field", "") == "days" else "plan_to"
        return await _page(visit, form, **{field: str(error)})
    await visit.record(f"set the schedule of drills: every {days} days" if days else "ended the schedule of drills")
    return visit.go(PATH, "Settings were successfully saved.")


PAGES = {
    "GET /tools/drill": show,
    "POST /tools/drill": send,
    "POST /tools/drill/begin": begin,
    "POST /tools/drill/end": end,
    "POST /tools/drill/schedule": plan,
}
