"""Settings, Access: log-ins of programs. SMTP credentials and API keys: made, shown once, revoked.

Rule: who revokes one is asked by its name first, since what uses it stops sending at once.
"""

from typing import Any

from starlette.responses import Response

from secondpost.admin.pages import access
from secondpost.admin.visit import Form, Visit
from secondpost.errors import SecondpostError, WrongInput
from secondpost.service.pace import SPANS

TITLES = {"credential": "SMTP credential", "key": "API key"}


async def add_credential(visit: Visit) -> Response:
    return await _add(visit, "credential")


async def add_key(visit: Visit) -> Response:
    return await _add(visit, "key")


async def _add(visit: Visit, kind: str) -> Response:
    form = await visit.form()
    try:
        made = await _make(visit, kind, form)
    except SecondpostError as error:
        field = getattr(error, "field", "name")
        return await access.page(visit, status=422, errors={f"{kind}.{field}": str(error)}, form=form)
    await visit.record(f"made the {TITLES[kind]} {made['name']}")
    return await access.page(visit, fresh=made | {"kind": kind})


async def _make(visit: Visit, kind: str, form: Form) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "name": form.text(f"{kind}.name"), "senders": form.text(f"{kind}.senders").replace(",", " ").split(),
        **{span: _number(form, kind, span) for span in SPANS},
    }  # fmt: skip
    if kind == "credential":
        return await visit.operations.credentials_add(**asked)
    scopes = form.get("key.scopes", [])
    if not scopes:
        raise WrongInput("scopes", "Choose at least one thing that the key may do.")
    return await visit.operations.keys_add(scopes=scopes, signing=form.checked("key.signing"), **asked)


def _number(form: Form, kind: str, name: str) -> int | None:
    number = form.number_or(f"{kind}.{name}", None)
    if number is not None and not 0 < number < 10**9:
        raise WrongInput(name, "Give a whole number of messages, at least 1, or leave it empty.")
    return number


async def ask_revoke(visit: Visit) -> Response:
    kind, name = visit.query("kind"), visit.query("name")
    return visit.render("revoke.html", kind=kind, title=_title(kind), name=name)


async def revoke(visit: Visit) -> Response:
    form = await visit.form()
    kind, name = form.text("kind"), form.raw("name")
    title = _title(kind)
    await (visit.operations.keys if kind == "key" else visit.operations.credentials).revoke(name)
    await visit.record(f"revoked the {title} {name}")
    return visit.go(access.PATH, f"The {title} {name} was revoked.")


def _title(kind: str) -> str:
    if kind not in TITLES:
        raise SecondpostError("There is no such kind of log-in. Nothing was changed.")
    return TITLES[kind]


PAGES = {
    "POST /settings/access/credentials": add_credential,
    "POST /settings/access/keys": add_key,
    "GET /settings/access/revoke": ask_revoke,
    "POST /settings/access/revoke": revoke,
}
