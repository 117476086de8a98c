"""What the webhooks of providers have in common: signatures, ages, and times.

Rule: a signature is compared in constant time, and nothing is read before it is right.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from secondpost.core.ids import parse_id
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook

FRESH: Final = timedelta(minutes=15)  # how far a signed time may be from ours


def key(settings: Mapping[str, Any], name: str, label: str) -> str:
    """The key that signatures are checked with. Raises HookRefused when it was never given."""
    value = str(settings.get(name) or "")
    if not value:
        raise HookRefused(f"The webhook cannot be believed without its {label}. Enter it in the connection's settings.")
    return value


def check(given: str, expected: str) -> None:
    """Raises HookRefused when the signatures differ."""
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise HookRefused("The signature of the webhook is not the provider's. Nothing in it was believed.")


def hex_hmac(secret: str, signed: bytes, digest: Callable[..., Any] = hashlib.sha256) -> str:
    return hmac.new(secret.encode(), signed, digest).hexdigest()


def base64_hmac(secret: bytes, signed: bytes, digest: Callable[..., Any] = hashlib.sha256) -> str:
    return base64.b64encode(hmac.digest(secret, signed, digest)).decode()


def check_age(seconds: Any, now: datetime) -> None:
    """Raises HookRefused when a signed time (Unix) is not about now: somebody may be repeating an old webhook."""
    at = when(seconds, now - 2 * FRESH)
    if abs(now - at) > FRESH:
        raise HookRefused("The webhook was signed long ago, or the clocks differ. Nothing in it was believed.")


def body(hook: Hook) -> Any:
    """The JSON that a webhook carries. Raises HookRefused."""
    try:
        return json.loads(hook.body)
    except (ValueError, RecursionError):
        raise HookRefused("The webhook is not JSON. Nothing in it was believed.") from None


def when(told: Any, now: datetime) -> datetime:
    """A time as providers write it, in seconds or in ISO 8601; `now` when it cannot be read."""
    try:
        if isinstance(told, str) and not told.replace(".", "", 1).isdigit():
            at = datetime.fromisoformat(told)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        return datetime.fromtimestamp(float(told), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def ours(mark: Any) -> int | None:
    """Our id of the message, when they carried it."""
    try:
        return parse_id(str(mark)) if mark else None
    except ValueError:
        return None


def each(told: Any) -> list[dict[str, Any]]:
    """The objects of a webhook that sends one or several."""
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]
