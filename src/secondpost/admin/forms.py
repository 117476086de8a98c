"""Forms of connections, made from what is declared: the fields that all share, and each mailer's own settings.

Rule: a secret goes into a form and never comes out of one; what was typed survives a mistake, secrets excepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from secondpost.admin.visit import Form
from secondpost.config import catalog
from secondpost.config import connections as reading
from secondpost.config.faults import Faults
from secondpost.config.kinds import span_text
from secondpost.config.settings import LimitsTable, Table, TimeoutsTable
from secondpost.core.connection import Connection
from secondpost.mailers.base import Setting
from secondpost.service.credentials import digest_of

PATH = "form"
MEANWHILE = (
    "It was changed meanwhile, in another tab or by somebody else. Here is what you typed; "
    "saving again puts it in the place of theirs."
)
NAME = "name"  # stands for a name that the connection does not have yet
SHARED = (
    Setting(name="nickname", label="Connection Nickname", help="What you and the lists call it."),
    Setting(name="from_email", label="From Email", help="The address that mail by this connection comes from."),
    Setting(
        name="force_from_email", label="Force From Email", kind="toggle", default=True,
        help="Use it even when the message has a From of its own, which becomes Reply-To.",
    ),
    Setting(name="from_name", label="From Name"),
    Setting(
        name="force_from_name", label="Force From Name", kind="toggle", default=False,
        help="Use it even when the message has a name of its own.",
    ),
    Setting(name="return_path", label="Return Path", kind="toggle", default=True, help="Bounces go to the From Email."),
)  # fmt: skip
SENDER = {
    "from_email": "email", "force_from_email": "force_email", "from_name": "name", "force_from_name": "force_name",
    "return_path": "return_path",
}  # fmt: skip
ENABLED = Setting(name="enabled", label="Enabled", kind="toggle", default=True, help="Whether it may carry mail.")
GROUPS: dict[str, type[Table]] = {"limits": LimitsTable, "timeouts": TimeoutsTable}
LABELS = {
    "per_second": "Messages per second", "per_minute": "Messages per minute", "per_hour": "Messages per hour",
    "per_day": "Messages per day", "per_month": "Messages per month", "sessions": "Sessions at once",
    "connect": "To connect", "command": "For each command", "data_block": "Between two blocks",
    "data_reply": "For the answer at the end",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form. `is_set`: a secret is kept, which is not shown. `again`: one was typed, and is not shown."""

    setting: Setting
    name: str
    value: str | int | bool = ""
    error: str = ""
    is_set: bool = False
    again: bool = False

    @property
    def id(self) -> str:
        return "field-" + self.name.replace(".", "-")

    @property
    def rare(self) -> bool:
        return self.setting.advanced and not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class MailerForm:
    """One mailer of the grid with its own fields."""

    name: str
    title: str
    chosen: bool
    fields: list[Field]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionForm:
    shared: list[Field]
    mailers: list[MailerForm]
    groups: dict[str, list[Field]]  # limits and time-outs
    backups: list[str]  # its own backup chain
    errors: dict[str, str]  # by field name
    seen: str  # what stood there when the form was made

    @property
    def faulty(self) -> list[Field]:
        """The fields to mend, for the summary."""
        chosen = [field for mailer in self.mailers if mailer.chosen for field in mailer.fields]
        grouped = [field for group in self.groups.values() for field in group]
        return [field for field in (*self.shared, *chosen, *grouped) if field.error]


def make(
    connection: Connection | None, form: Form | None = None, errors: Mapping[str, str] | None = None, backup: str = ""
) -> ConnectionForm:
    """The form of a connection as it is kept, or as a person has filled it in. `backup` is chosen beside it."""
    errors = dict(errors or {})
    mailer = form.text("mailer") if form is not None else connection.mailer if connection else "smtp"
    kept = _shared_values(connection)
    return ConnectionForm(
        shared=[_field(one, one.name, kept.get(one.name), form, errors) for one in (*SHARED, ENABLED)],
        groups={name: _group(name, connection, form, errors) for name in GROUPS},
        backups=_chain(form) if form is not None else list(connection.backups) if connection else [],
        mailers=[_mailer_form(name, name == mailer, connection, form, errors) for name in _names()],
        errors=errors, seen=_stamp(connection, backup) if form is None or "seen" in errors else form.text("seen"),
    )  # fmt: skip


def overtaken(form: Form, connection: Connection | None, backup: str = "") -> dict[str, str]:
    """The error of a form that would undo what somebody else has saved since it was opened; saving again does it."""
    return {"seen": MEANWHILE} if is_late(form, _stamp(connection, backup)) else {}


def is_late(form: Form, seen: str) -> bool:
    """Whether what is kept, for which `seen` stands, was changed since the form was made that is to be saved."""
    return form.text("do") == "save" and form.text("seen") not in ("", seen)


def stamp(kept: object) -> str:
    """Stands for what is kept, in a form."""
    return digest_of(repr(kept))[:16]


def _stamp(connection: Connection | None, backup: str) -> str:
    """Stands for a connection as it is kept, and tells nothing of its secrets but whether there are any."""
    if connection is None:
        return ""
    secret = {one.name for one in catalog.settings(connection.mailer) if one.kind == "secret"}
    settings = sorted((key, bool(value) if key in secret else value) for key, value in connection.settings.items())
    return stamp((replace(connection, settings={}), settings, backup))


def _names() -> list[str]:
    """Mailers in the order of the grid: providers first, the Inbox last."""
    names = catalog.names()
    return sorted(names, key=lambda name: (name == "capture", name == "sendmail", name == "smtp", name))


def _mailer_form(
    name: str, chosen: bool, connection: Connection | None, form: Form | None, errors: dict[str, str]
) -> MailerForm:
    kept = connection.settings if connection is not None and connection.mailer == name else {}
    fields = [
        _field(setting, f"{name}.{setting.name}", kept.get(setting.name), form, errors if chosen else {})
        for setting in catalog.settings(name)
    ]
    return MailerForm(name=name, title=catalog.title(name), chosen=chosen, fields=fields)


def _shared_values(connection: Connection | None) -> dict[str, Any]:
    if connection is None:
        return {}
    sender = {name: getattr(connection.sender, part) for name, part in SENDER.items()}
    return {"nickname": connection.nickname, "enabled": connection.enabled} | sender


def _group(name: str, connection: Connection | None, form: Form | None, errors: Mapping[str, str]) -> list[Field]:
    """The limits or the time-outs. An empty one has its default, which is shown."""
    fields = []
    for key, declared in GROUPS[name].model_fields.items():
        default = _written(declared.default)
        setting = Setting(name=key, label=LABELS[key], help=f"Empty: {default or 'no limit'}.")
        kept = _written(getattr(getattr(connection, name), key)) if connection else ""
        fields.append(_field(setting, f"{name}.{key}", "" if kept == default else kept, form, errors))
    return fields


def _written(value: Any) -> str:
    return span_text(value) if isinstance(value, timedelta) else "" if value is None else str(value)


def _chain(form: Form) -> list[str]:
    return list(dict.fromkeys(name for name in form.get("backups", []) if name))


def _field(setting: Setting, name: str, kept: Any, form: Form | None, errors: Mapping[str, str]) -> Field:
    value = setting.default if kept is None else kept
    if form is not None:
        value = form.checked(name) if setting.kind == "toggle" else form.text(name)
    secret = setting.kind == "secret"
    return Field(
        setting=setting, name=name, value="" if secret else value, is_set=secret and bool(kept),
        again=secret and form is not None and bool(form.raw(name)), error=errors.get(name, ""),
    )  # fmt: skip


def table(form: Form, connection: Connection | None, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says, as a table of the configuration. What it does not ask stays as it is kept."""
    found: dict[str, Any] = {key: kept[key] for key in (*GROUPS, "backups", "enabled") if key in kept}
    found |= {"backups": _chain(form)} if "backups" in form else {}
    found |= {"enabled": form.checked("enabled")} if "enabled.asked" in form else {}
    for group, model in GROUPS.items():
        given = {key: form.text(f"{group}.{key}") for key in model.model_fields if f"{group}.{key}" in form}
        found |= {group: {key: value for key, value in given.items() if value}} if given else {}
    mailer = form.text("mailer")
    for setting in SHARED:
        found[setting.name] = form.checked(setting.name) if setting.kind == "toggle" else form.text(setting.name)
    found["mailer"] = mailer
    own = connection.settings if connection is not None and connection.mailer == mailer else {}
    for setting in catalog.settings(mailer) if mailer in catalog.names() else ():
        value = _given(form, f"{mailer}.{setting.name}", setting, own.get(setting.name))
        if value not in ("", None):
            found[setting.name] = value
    return found


def _given(form: Form, name: str, setting: Setting, kept: Any) -> Any:
    if setting.kind == "toggle":
        return form.checked(name)
    if setting.kind == "secret":
        return form.raw(name) or ("" if form.checked(f"{name}.remove") else kept)
    return form.text(name)


def chain(rows: Sequence[Mapping[str, Any]], name: str) -> list[tuple[str, str]]:
    """The connections that can be in a backup chain of this one: name and title."""
    return [(row["name"], row["title"]) for row in rows if row["name"] != name and row["origin"] != "built-in"]


def check(table: Mapping[str, Any]) -> tuple[Connection | None, dict[str, str]]:
    """The connection that a table means, or what is wrong with it by the names of the form's fields."""
    faults = Faults()
    connection = reading.check(NAME, table, faults, lambda *_: PATH)
    errors = {_place(path, table): _words(path, text) for path, text in faults.texts.items()}
    return (None, errors) if errors else (connection, {})


def _place(path: str, table: Mapping[str, Any]) -> str:
    name = path.removeprefix(f"connections.{NAME}").removeprefix(".")
    if not name:
        return "mailer"
    shared = name in table and name in {one.name for one in SHARED}
    return name if shared or name.partition(".")[0] in GROUPS else f"{table.get('mailer')}.{name}"


def _words(path: str, text: str) -> str:
    text = text.removeprefix(f"{path} ({PATH}): ")
    return text[:1].upper() + text[1:]
