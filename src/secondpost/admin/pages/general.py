"""Settings, General: the Primary Connection, then the Backup Connection, saved together.

Rule: everything is checked before anything is kept; what the file or the environment sets is shown locked.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from secondpost.admin import forms
from secondpost.admin.visit import Form, Visit
from secondpost.core.connection import Connection
from secondpost.service.connections import Connections

SAVED = "Settings were successfully saved."


async def show(visit: Visit) -> Response:
    connections = visit.operations.connections
    return await _page(visit, forms.make(_primary(connections), backup=connections.desk.backup))


async def _page(
    visit: Visit, form: forms.ConnectionForm, *, backup: str | None = None, verdict: object = None, status: int = 200
) -> Response:
    connections = visit.operations.connections
    chosen = connections.desk.backup if backup is None else backup
    rows = [row for row in connections.show() if row["role"] != "primary"]
    return visit.render(
        "general.html", status=status, form=form, verdict=verdict, backup=chosen,
        primary=connections.row(connections.known(connections.desk.primary)), locked=locked(connections),
        backup_locked="backup" in connections.fixed_roles, backup_origin=connections.origin("backup"),
        chain=forms.chain(connections.show(), connections.desk.primary),
        choices=[row for row in rows if _offered(row) or row["name"] == chosen],
        additional=[row for row in rows if row["origin"] != "built-in"],
        readiness=await visit.operations.verification.readiness(),
    )  # fmt: skip


def _offered(row: Mapping[str, Any]) -> bool:
    """The built-in Inbox would keep the mail instead of sending it: nobody has set it up to be a backup."""
    return bool(row["enabled"]) and row["origin"] != "built-in"


def _primary(connections: Connections) -> Connection:
    return connections.known(connections.desk.primary)


def locked(connections: Connections) -> bool:
    """Whether file or environment set it. The built-in Inbox is only there until something else is."""
    primary = _primary(connections)
    return "primary" in connections.fixed_roles or (primary.name in connections.fixed and not _built_in(primary))


def _built_in(connection: Connection) -> bool:
    return connection.origin == "built-in"


async def save(visit: Visit) -> Response:
    connections, form = visit.operations.connections, await visit.form()
    table, shown = await _read(connections, form)
    if shown.errors:
        return await _page(visit, shown, backup=form.text("backup"), status=422)
    if form.text("do") == "verify":
        return await _verified(visit, form, table)
    backup = form.text("backup") or None
    if backup is not None and "backup" not in connections.fixed_roles:
        connections.check_backup(backup)  # before anything is kept
    if table is not None:
        await _keep_primary(visit, table)
    if "backup" not in connections.fixed_roles and backup != (connections.desk.backup or None):
        await connections.set_backup(backup)
        await visit.record(f"chose the Backup Connection: {backup or 'None'}")
    return visit.go("/settings/general", SAVED)


async def _read(connections: Connections, form: Form) -> tuple[dict[str, object] | None, forms.ConnectionForm]:
    """What the form says of the Primary Connection (None: nothing to keep), and the form as it was filled in."""
    primary = _primary(connections)
    if locked(connections):
        return None, forms.make(primary, backup=connections.desk.backup)
    table = forms.table(form, primary, connections.kept.get(primary.name, {}))
    table["nickname"] = primary.nickname if primary.name in connections.kept else "Primary"
    if _built_in(primary) and table["mailer"] == primary.mailer and not table["from_email"]:
        return None, forms.make(primary, backup=connections.desk.backup)
    _, errors = forms.check(table)
    backup = connections.desk.backup
    return table, forms.make(primary, form, errors | forms.overtaken(form, primary, backup), backup)


async def _verified(visit: Visit, form: Form, table: dict[str, object] | None) -> Response:
    """Sign in with what the form says, keep nothing."""
    connections = visit.operations.connections
    primary = _primary(connections)
    connection = primary if table is None else forms.check(table)[0]
    assert connection is not None
    shown = forms.make(primary, None if table is None else form, backup=connections.desk.backup)
    verdict = await visit.operations.verification.try_out(connection)
    return await _page(visit, shown, backup=form.text("backup"), verdict=verdict)


async def _keep_primary(visit: Visit, table: dict[str, object]) -> None:
    operations = visit.operations
    name = operations.connections.desk.primary
    if name in operations.connections.kept:
        await operations.connections.change(name, table)
    else:
        name = await operations.connections.create(table, primary=True)
    await visit.record(f"changed the Primary Connection {name}")
    await operations.verification.forget(name)
    operations.verification.later(name)


PAGES = {"GET /settings/general": show, "POST /settings/general": save}
