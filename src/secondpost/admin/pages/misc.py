"""Settings, Misc: Do Not Send, and settings as a document to take elsewhere.

Rule: what the configuration sets is shown locked; an export has no secrets unless they are asked for.
"""

import json

from starlette.responses import Response

from secondpost.admin.forms import LABELS, Field
from secondpost.admin.pages.general import SAVED
from secondpost.admin.visit import Form, Visit
from secondpost.errors import SecondpostError, WrongInput
from secondpost.mailers.base import Setting
from secondpost.service.overall import SPANS, OverallLimits


async def show(visit: Visit) -> Response:
    return _page(visit)


def _page(
    visit: Visit, form: Form | None = None, wrong: WrongInput | None = None, *, document: str = "", odd: str = ""
) -> Response:
    """`odd`: what is wrong with the document that was to be imported."""
    misc = visit.operations.misc
    fields = [_field(span, misc.limits, form, wrong) for span in SPANS]
    return visit.render(
        "misc.html", status=422 if wrong or odd else 200, do_not_send=misc.do_not_send, limits=fields,
        fixed=misc.limits.fixed, error=str(wrong or ""), document=document, odd=odd,
    )  # fmt: skip


def _field(span: str, limits: OverallLimits, form: Form | None, wrong: WrongInput | None) -> Field:
    origin, kept = limits.origin(span), str(limits.rates.get(span, ""))
    setting = Setting(
        name=span, label=LABELS[span], kind="number",
        help=f"Set by {origin}; change it there." if origin else "Empty: no limit.",
    )  # fmt: skip
    error = str(wrong) if wrong is not None and wrong.field == span else ""
    return Field(setting=setting, name=span, value=kept if form is None or origin else form.text(span), error=error)


async def save(visit: Visit) -> Response:
    on = (await visit.form()).checked("do_not_send")
    await visit.operations.misc.do_not_send.set(on=on)
    await visit.record(f"switched Do Not Send {'on' if on else 'off'}")
    return visit.go("/settings/misc", SAVED)


async def limit(visit: Visit) -> Response:
    form = await visit.form()
    try:
        await visit.operations.misc.limits.change({span: form.number_or(span, None) for span in SPANS})
    except WrongInput as wrong:
        return _page(visit, form, wrong)
    rates = visit.operations.misc.limits.rates
    told = ", ".join(f"{LABELS[span].lower()}: {rates[span]}" for span in SPANS if span in rates)
    await visit.record(f"changed the limits over all connections: {told or 'none'}")
    return visit.go("/settings/misc", SAVED)


async def export(visit: Visit) -> Response:
    secrets = (await visit.form()).checked("secrets")
    await visit.record(f"exported the settings {'with' if secrets else 'without'} secrets")
    text = json.dumps(visit.operations.misc.out(secrets=secrets), indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": 'attachment; filename="secondpost-settings.json"'}
    return Response(text + "\n", media_type="application/json", headers=headers)


async def take_in(visit: Visit) -> Response:
    text = (await visit.form()).raw("document")
    try:
        told = await visit.operations.misc.take_in(json.loads(text))
    except (ValueError, RecursionError):
        return _page(visit, document=text, odd="This is not JSON. Paste the whole export. Nothing was changed.")
    except SecondpostError as error:
        return _page(visit, document=text, odd=str(error))
    await visit.record(f"imported settings: {told}")
    return visit.go("/settings/misc", told)


PAGES = {
    "GET /settings/misc": show,
    "POST /settings/misc": save,
    "POST /settings/misc/limits": limit,
    "POST /settings/misc/export": export,
    "POST /settings/misc/import": take_in,
}
