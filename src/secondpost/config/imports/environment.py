"""Lines of NAME=value, as in a `.env` file or printed by `env`: Symfony's, Laravel's and Django's names for mail.

Symfony: https://symfony.com/doc/current/mailer.html; Laravel: its config/mail.php and config/services.php; Django:
the settings EMAIL_… as programs read them from the environment, and EMAIL_URL of django-environ.
"""

import re
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any, Final

from secondpost.config import dsn
from secondpost.config.imports.found import Found, true

Environment = Mapping[str, str]

_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=[ \t]*(.*)")
_QUOTED: Final = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(?:#.*)?""")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SEVERAL: Final = re.compile(r"(failover|roundrobin)\((.*)\)(?:\?.*)?", re.DOTALL)
# Laravel's mailers that need a key: ours, and where each setting stands.
_LARAVEL: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]]] = {
    "mailgun": ("mailgun", {"key": ("MAILGUN_SECRET",), "domain": ("MAILGUN_DOMAIN",)}),
    "postmark": ("postmark", {
        "token": ("POSTMARK_API_KEY", "POSTMARK_TOKEN"), "message_stream": ("POSTMARK_MESSAGE_STREAM_ID",),
    }),
    "resend": ("resend", {"key": ("RESEND_API_KEY", "RESEND_KEY")}),
}  # fmt: skip
_KEPT: Final = {"log", "array"}  # Laravel's ways to send nothing


def read(text: str) -> Found:
    """Raises `ValueError` where a DSN cannot be understood."""
    known, found = _parse(text), Found()
    for take in (_symfony, _laravel, _django):
        take(known, found)
    return found


def _parse(text: str) -> dict[str, str]:
    known: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            known[match[1]] = _value(match[2], known)
    return known


def _value(text: str, known: Environment) -> str:
    """Quotes taken off, and ${NAME} put in except within single quotes."""
    quoted = _QUOTED.fullmatch(text)
    if quoted and quoted[2] is not None:
        return quoted[2]
    inner = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else re.sub(r"\s+#.*", "", text).strip()
    return _VARIABLE.sub(lambda match: known.get(match[1], ""), inner)


def _symfony(known: Environment, found: Found) -> None:
    """MAILER_DSN. failover(…) and roundrobin(…) name several: the first is primary, the second its backup."""
    if not (told := known.get("MAILER_DSN", "").strip()):
        return
    several = _SEVERAL.fullmatch(told)
    for number, one in enumerate(several[2].split() if several else [told]):
        if one.startswith("null://"):
            found.notes.append(
                "MAILER_DSN sends nothing (null://). The Inbox keeps mail to look at: capture://default."
            )
            continue
        try:
            name = found.add("symfony" if number == 0 else "symfony-backup", dsn.table(one))
        except ValueError as error:
            raise ValueError(f"MAILER_DSN cannot be taken over: {error}.") from None
        if number == 1:
            found.backup = name
    if several and several[1] == "roundrobin":
        found.notes.append("roundrobin() is not offered: the first is primary and the second its backup.")


def _laravel(known: Environment, found: Found) -> None:
    mailer = known.get("MAIL_MAILER") or known.get("MAIL_DRIVER") or ("smtp" if known.get("MAIL_HOST") else "")
    if mailer == "smtp":
        table = _laravel_smtp(known)
    elif mailer == "sendmail":
        table = {"mailer": "sendmail"}
    elif mailer in _LARAVEL:
        ours, places = _LARAVEL[mailer]
        table = {"mailer": ours}
        table |= {name: next((known[one] for one in where if known.get(one)), "") for name, where in places.items()}
        if mailer == "mailgun" and ".eu." in known.get("MAILGUN_ENDPOINT", ""):
            table["region"] = "eu"
    elif mailer in _KEPT:
        found.notes.append(f"MAIL_MAILER={mailer} sends nothing. The Inbox keeps mail to look at: capture://default.")
        return
    else:
        if mailer:
            found.notes.append(f"MAIL_MAILER={mailer} is not taken over: add its connections here.")
        return
    sender = {"from_email": known.get("MAIL_FROM_ADDRESS"), "from_name": known.get("MAIL_FROM_NAME")}
    found.add("laravel", table | sender)


def _laravel_smtp(known: Environment) -> dict[str, Any]:
    if url := known.get("MAIL_URL"):
        return dsn.table(url)
    at_once = known.get("MAIL_SCHEME") == "smtps" or known.get("MAIL_ENCRYPTION") == "ssl"
    login = {"username": _said(known, "MAIL_USERNAME"), "password": _said(known, "MAIL_PASSWORD")}
    return _smtp(
        known.get("MAIL_HOST"),
        known.get("MAIL_PORT"),
        login,
        tls=at_once,
        starttls=_said(known, "MAIL_ENCRYPTION") == "tls",
    )


def _said(known: Environment, name: str) -> str:
    """A value; Laravel writes null for none."""
    value = known.get(name, "")
    return "" if value.lower() in ("null", "(null)") else value


def _django(known: Environment, found: Found) -> None:
    if url := known.get("EMAIL_URL"):
        table = _django_url(url)
    elif known.get("EMAIL_HOST"):
        login = {"username": known.get("EMAIL_HOST_USER"), "password": known.get("EMAIL_HOST_PASSWORD")}
        table = _smtp(
            known["EMAIL_HOST"], known.get("EMAIL_PORT"), login,
            tls=true(known.get("EMAIL_USE_SSL")), starttls=true(known.get("EMAIL_USE_TLS")),
        )  # fmt: skip
    else:
        return
    name, email = parseaddr(known.get("DEFAULT_FROM_EMAIL", ""))
    found.add("django", table | {"from_email": email, "from_name": name})


def _django_url(url: str) -> dict[str, Any]:
    """smtp, smtp+tls (STARTTLS) and smtp+ssl (TLS at once), as django-environ has them."""
    scheme, _, rest = url.partition("://")
    ours = {"smtp+ssl": "smtps", "smtps": "smtp", "smtp+tls": "smtp", "submission": "smtp"}.get(scheme, scheme)
    try:
        return dsn.table(f"{ours}://{rest}")
    except ValueError as error:
        raise ValueError(f"EMAIL_URL cannot be taken over: {error}.") from None


def _smtp(host: str | None, port: str | None, login: Mapping[str, Any], *, tls: bool, starttls: bool) -> dict[str, Any]:
    at_once = tls or port == "465"
    encryption = "tls" if at_once else "starttls" if starttls else ""
    return {"mailer": "smtp", "host": host, "port": port, "encryption": encryption, **login}
