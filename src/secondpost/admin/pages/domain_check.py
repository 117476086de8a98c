"""Tools, Domain Check: SPF, DKIM and DMARC of a domain, for each connection that would send its mail.

Rule: names are looked up only when a person of ours asks, so the answer comes to a form that was sent.
"""

from typing import Any

from starlette.responses import Response

from secondpost.admin.visit import Form, Visit
from secondpost.errors import WrongInput


async def show(visit: Visit) -> Response:
    return _page(visit, Form(), None)


def _page(visit: Visit, form: Form, rows: list[dict[str, Any]] | None, **errors: str) -> Response:
    domains = visit.operations.domain_checks.domains()
    asked = form.text("domain") or next(iter(domains), "")
    return visit.render(
        "domain_check.html", status=422 if errors else 200, form=form, errors=errors, rows=rows, asked=asked,
        domains=domains,
    )  # fmt: skip


async def look(visit: Visit) -> Response:
    form = await visit.form()
    try:
        rows = await visit.operations.domain_check(form.text("domain"), selector=form.text("selector"))
    except WrongInput as error:
        return _page(visit, form, None, **{error.field: str(error)})
    return _page(visit, form, rows)


PAGES = {"GET /tools/domain-check": show, "POST /tools/domain-check": look}
