"""OPTIONS of a mailer, or the setting SECONDPOST: read, checked, and made into a post, one in a process for each.

Rule: a backend is made for every use, so this costs next to nothing the second time, and opens nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from secondpost.errors import ConfigError

TYPE_CHECKING = False  # the checks are loaded for every command; what sends need not be
if TYPE_CHECKING:
    from secondpost import blocking

PATH = "secondpost.contrib.django.EmailBackend"
PATHS = (PATH, "secondpost.contrib.django.backend.EmailBackend")

QUEUE = "secondpost-outbox"  # the worker's folder, where it runs, when it delivers by itself
_OWN = ("primary", "backup", "config", "connections", "routes", "priority")
_GATEWAY = ("url", "key")
_MODES: dict[str, tuple[str, ...]] = {
    "direct": (*_OWN, "timeout"),
    "submit": (*_GATEWAY, "timeout"),
    "outbox": ("database", "queue", "timeout", *_OWN, *_GATEWAY),
}


@dataclass(frozen=True, slots=True)
class Options:
    """`mode`: who sends, and when. `post` is what it is sent with; in the mode outbox the worker has it."""

    mode: str
    database: str
    post: "blocking.Post" = field(repr=False)
    has_backup: bool = True


def read(given: Mapping[str, Any]) -> Options:
    """The same object for the same options. Raises `ImproperlyConfigured`, which says what to change."""
    return _read(json.dumps(dict(given), sort_keys=True, default=str))


@lru_cache(maxsize=64)
def _read(text: str) -> Options:
    given: dict[str, Any] = json.loads(text)
    mode = given.pop("mode", "direct")
    if mode not in _MODES:
        raise ImproperlyConfigured(f'"mode" is {mode!r}: use "direct", "submit" or "outbox".')
    if unknown := sorted(given.keys() - set(_MODES[mode])):
        told = ", ".join(map(repr, unknown))
        raise ImproperlyConfigured(f"Unknown options {told}. The mode {mode} knows {', '.join(_MODES[mode])}.")
    if mode == "submit" and not given.get("url"):
        raise ImproperlyConfigured('The mode submit needs "url", the address of the gateway.')
    if mode == "outbox" and not given.get("url"):
        given.setdefault("queue", QUEUE)
    database = given.pop("database", "default")
    has_backup = mode == "submit" or "url" in given or "config" in given or bool(given.get("backup"))
    return Options(mode, database, _post(given), has_backup)


def _post(given: dict[str, Any]) -> "blocking.Post":
    from secondpost import blocking

    file = given.pop("config", None)
    try:
        return blocking.open(file, **given)
    except ConfigError as error:
        raise ImproperlyConfigured(str(error)) from None


def configured() -> dict[str, Mapping[str, Any]]:
    """The options of every mailer of this project that is ours, by its alias."""
    mailers = getattr(settings, "MAILERS", None) or {}
    found = {name: it.get("OPTIONS", {}) for name, it in mailers.items() if it.get("BACKEND") in PATHS}
    if not mailers and getattr(settings, "EMAIL_BACKEND", "") in PATHS:
        found["default"] = setting()
    return found


def setting() -> Mapping[str, Any]:
    """SECONDPOST, where EMAIL_BACKEND names the backend."""
    given: Mapping[str, Any] = getattr(settings, "SECONDPOST", {})
    return given
