"""The settings of WP Mail SMTP: its option `wp_mail_smtp` as JSON, with all connections and the choice of the backup.

Rule: a mailer is taken over when its key is all that it needs. What a person has to allow in a browser is allowed anew.
"""

import json
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from typing import Any, Final

from secondpost.config.imports.found import Found, true

# Its mailers: ours, and the names of the settings.
_KEY: Final = {"api_key": "key"}
_REGION: Final = {"region": "region"}
_MAILERS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "elasticemail": ("elasticemail", _KEY),
    "mailersend": ("mailersend", {"api_key": "token"}),
    "mailgun": ("mailgun", _KEY | _REGION | {"domain": "domain"}),
    "mailjet": ("mailjet", _KEY | {"secret_key": "secret"}),
    "mandrill": ("mandrill", _KEY),
    "postmark": ("postmark", {"server_api_token": "token", "message_stream": "message_stream"}),
    "resend": ("resend", _KEY),
    "sendgrid": ("sendgrid", _KEY),
    "sendinblue": ("brevo", _KEY),
    "sendlayer": ("sendlayer", _KEY),
    "smtp2go": ("smtp2go", _KEY),
    "smtpcom": ("smtpcom", _KEY | {"channel": "channel"}),
    "sparkpost": ("sparkpost", _KEY | _REGION),
}
_ENCRYPTION: Final = {"tls": "starttls", "ssl": "tls"}  # its words and ours
_NONCE_AND_TAG: Final = 24 + 16  # bytes that libsodium adds to what it encrypts


def read(text: str) -> Found:
    """Raises `ValueError` when it is not JSON, or something else in JSON."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("It begins like JSON and is not JSON. Export it again, or print it with wp-cli.") from None
    kept = _table(told, "wp_mail_smtp") or _table(told)
    found, names = Found(), {"": ""}
    if _table(kept, "mail"):
        _take("primary", kept, found)
    for id in _table(kept, "connections"):
        one = _table(kept, "connections", id)
        names[id] = _take(str(one.get("connection_nickname") or id), one, found)
    found.backup = names.get(str(_table(kept, "backup_connection").get("connection_id", "")), "")
    if _table(kept, "smart_routing").get("routes"):
        found.notes.append("Smart Routing is not taken over: add its routes here.")
    return found


def _table(told: Any, *path: str) -> Mapping[str, Any]:
    """A table within tables; empty when there is none."""
    for name in path:
        told = told.get(name) if isinstance(told, dict) else None
    return told if isinstance(told, dict) else {}


def _take(wanted: str, told: Mapping[str, Any], found: Found) -> str:
    """Keep one connection, or say why not. Returns its name here."""
    mail = _table(told, "mail")
    mailer = str(mail.get("mailer") or "mail")
    own = _table(told, mailer)
    if mailer == "smtp":
        table = _smtp(own)
    elif mailer == "mail":
        table = {"mailer": "sendmail"}
    elif mailer in _MAILERS:
        ours, names = _MAILERS[mailer]
        table = {"mailer": ours} | {mine: own.get(its) for its, mine in names.items()}
        if region := table.get("region"):
            table["region"] = str(region).lower()
    else:
        found.notes.append(f"{wanted}: {mailer} is not taken over: its access has to be allowed anew. Add it here.")
        return ""
    return _keep(wanted, table | _sender(mail) | {"nickname": told.get("connection_nickname")}, found)


def _keep(wanted: str, table: dict[str, Any], found: Found) -> str:
    unread = [key for key in ("password", "key", "token", "secret") if _encrypted(table.get(key))]
    name = found.add(wanted, {key: value for key, value in table.items() if key not in unread})
    if unread:
        found.unread[name] = unread
    return name


def _smtp(own: Mapping[str, Any]) -> dict[str, Any]:
    plain = "auto" if true(own.get("autotls")) else "none"
    login = {"username": own.get("user"), "password": own.get("pass")} if true(own.get("auth")) else {}
    encryption = _ENCRYPTION.get(str(own.get("encryption")), plain)
    return {"mailer": "smtp", "host": own.get("host"), "port": own.get("port"), "encryption": encryption} | login


def _sender(mail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "from_email": mail.get("from_email"),
        "from_name": mail.get("from_name"),
        "force_from_email": true(mail.get("from_email_force")),
        "force_from_name": true(mail.get("from_name_force")),
        "return_path": true(mail.get("return_path")),
    }


def _encrypted(value: Any) -> bool:
    """Whether it looks as the plug-in encrypts: random bytes in Base64, longer than a nonce and a tag."""
    try:
        data = b64decode(str(value or ""), validate=True)
    except (Error, ValueError):
        return False
    return len(data) > _NONCE_AND_TAG and not data.isascii()
