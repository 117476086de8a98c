"""The app's configuration as settings of a post.

Rule: SECONDPOST wins over the MAIL_ names; a name whose meaning cannot be kept is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formataddr
from typing import Any

from secondpost.errors import ConfigError

REFUSED = ("MAIL_SSL_KEYFILE", "MAIL_SSL_CERTFILE", "MAIL_FILE_PATH", "MAIL_SEND_OPTIONS")
SILENT = ("locmem", "dummy")  # Flask-Mailman's backends that send nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`post`: what `secondpost.blocking.open` is given."""

    post: Mapping[str, Any] = field(repr=False)
    sender: str
    suppress: bool


def read(config: Mapping[str, Any], *, testing: bool) -> Settings:
    """Raises `ConfigError`."""
    sender = person(config.get("MAIL_DEFAULT_SENDER") or "")
    backend = str(config.get("MAIL_BACKEND") or "smtp")
    if backend not in ("smtp", *SILENT):
        raise ConfigError(
            f"MAIL_BACKEND {backend!r} is not offered: leave it out. To send nothing: MAIL_SUPPRESS_SEND."
        )
    if wrong := [name for name in REFUSED if config.get(name)]:
        raise ConfigError(f"{', '.join(wrong)}: not offered with Secondpost; leave it out.")
    given = dict(config.get("SECONDPOST") or _by_mail_names(config))
    given.setdefault("from_email", sender)
    if timeout := config.get("MAIL_TIMEOUT"):
        given.setdefault("timeout", float(timeout))
    suppress = backend in SILENT or bool(config.get("MAIL_SUPPRESS_SEND", testing))
    return Settings(post=given, sender=sender or str(given["from_email"]), suppress=suppress)


def person(given: str | tuple[str, str]) -> str:
    """An address, or a pair of name and address, as one text."""
    return given if isinstance(given, str) else formataddr(given) if given[0] else given[1]


def _by_mail_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """MAIL_SERVER and its kin are the Primary Connection; SECONDPOST_BACKUP, a DSN, is its backup."""
    if config.get("MAIL_USE_SSL") and config.get("MAIL_USE_TLS"):
        raise ConfigError("MAIL_USE_SSL and MAIL_USE_TLS exclude each other: set one of them.")
    encryption = "tls" if config.get("MAIL_USE_SSL") else "starttls" if config.get("MAIL_USE_TLS") else "none"
    server = {
        "mailer": "smtp", "host": config.get("MAIL_SERVER") or "localhost", "port": int(config.get("MAIL_PORT") or 25),
        "encryption": encryption, "username": config.get("MAIL_USERNAME") or "",
        "password": config.get("MAIL_PASSWORD") or "",
    }  # fmt: skip
    found: dict[str, Any] = {"connections": {"primary": server}, "primary": "primary"}
    if backup := config.get("SECONDPOST_BACKUP"):
        found["backup"] = backup
    return found
