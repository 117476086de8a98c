"""System checks: `manage.py check` says what is wrong with the settings before a message finds out."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from secondpost.contrib.django import options


def check(app_configs: Any = None, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001  # Django's signature
    return [found for alias, given in options.configured().items() for found in _mailer(alias, dict(given))]


def _mailer(alias: str, given: dict[str, Any]) -> list[checks.CheckMessage]:
    try:
        read = options.read(given)
    except ImproperlyConfigured as error:
        return [checks.Error(f"The mailer {alias!r}: {error}", id="secondpost.E001")]
    if read.mode == "outbox" and read.database not in settings.DATABASES:
        text = f"The outbox of the mailer {alias!r} is in the database {read.database!r}, which DATABASES has not."
        return [checks.Error(text, id="secondpost.E002")]
    if not read.has_backup:
        text = f"The mailer {alias!r} has no backup: when its provider is down, its mail is not sent."
        return [checks.Warning(text, hint='Add "backup" to its options.', id="secondpost.W001")]
    return []
