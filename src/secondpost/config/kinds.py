"""The kinds of values that settings have: spans, listeners, lists. From text or from a file's own types.

Rule: a refusal (`ValueError`) says how the value is written correctly.
"""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from secondpost.config.faults import clip

_PART = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]*)")
_UNITS = {"ms": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_UNITS |= {"d": 86_400, "day": 86_400, "w": 604_800, "week": 604_800}
FOREVER = 36_500  # days
_LONGEST = timedelta(days=3650)


def span(value: Any) -> timedelta:
    """A span of time: "1h", "2 s", "1h 30m", "2 days"; a bare number is seconds."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().lower() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    seconds, position = 0.0, 0
    while match := _PART.match(text, position):
        unit = match[2]
        if unit not in _UNITS:
            unit = unit.removesuffix("s") if unit else "s"
        if unit not in _UNITS:
            break
        seconds, position = seconds + float(match[1]) * _UNITS[unit], match.end()
    if not text or position < len(text):
        raise ValueError(f'must be a span of time such as "30s", "10m", "1h" or "2d", not {clip(value)}')
    return _bounded(seconds)


def _bounded(seconds: float) -> timedelta:
    if seconds > _LONGEST.total_seconds():
        raise ValueError("must be at most ten years")
    return timedelta(seconds=seconds)


def _span_or(word: str) -> PlainValidator:
    """A span, or one word in its place."""

    def read(value: Any) -> Any:
        return word if value == word else span(value)

    return PlainValidator(read)


def span_text(value: timedelta) -> str:
    """A span as it is written in a configuration: "1h 30m"."""
    left = value // timedelta(milliseconds=1)
    words = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        words += [f"{count}{unit}"] if count else []
    return " ".join(words) or "0s"


def _no_bool(value: Any) -> Any:
    if value is True or value is False:
        raise ValueError(f"must be a whole number, not {str(value).lower()}")
    return value


def _items(value: Any) -> Any:
    """A list as one string (from the environment): with commas, or as JSON."""
    if not isinstance(value, str):
        return value if isinstance(value, list | tuple) else [value]
    if value.lstrip().startswith(("[{", "[ {", '["', "{", "[]")):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("looks like JSON but cannot be read as JSON") from None
        return found if isinstance(found, list) else [found]
    return [part.strip() for part in value.split(",") if part.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where to listen. `tls`: encrypted from the first byte."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + (" (tls)" if self.tls else "")

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or self.host.startswith("127.") or self.host == "::1"


def listener(value: Any) -> Listener:
    """From "host:port" or {address = "host:port", tls = "implicit" | "none"}."""
    if isinstance(value, Listener):
        return value
    if isinstance(value, dict):
        return _listener_table(value)
    host, colon, port = value.strip().rpartition(":") if isinstance(value, str) else ("", "", "")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    right = colon and host and not set(host) & set("/@[]") and host.isprintable() and " " not in host
    if not (right and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        hint = 'must be "host:port" such as "127.0.0.1:2525" ("0.0.0.0:2525": every address; IPv6: "[::1]:2525")'
        raise ValueError(f"{hint}, not {clip(value)}")
    return Listener(host=host, port=int(port))


def _listener_table(table: dict[str, Any]) -> Listener:
    tls = table.get("tls", "none")
    if "address" not in table or set(table) - {"address", "tls"} or tls not in ("implicit", "none"):
        raise ValueError('must be {address = "0.0.0.0:465", tls = "implicit"}')
    found = listener(table["address"]) if isinstance(table["address"], str) else listener("")
    return Listener(host=found.host, port=found.port, tls=tls == "implicit")


def _listeners(value: Any) -> Any:
    return [] if value == "off" else _items(value)


def _days(value: Any) -> Any:
    return FOREVER if value == "forever" else _no_bool(value)


def _none_if_unlimited(value: Any) -> Any:
    return None if value == "unlimited" else value


def _network(value: Any) -> str:
    try:
        return str(ip_network(value)) if isinstance(value, str) else str(ip_network(""))
    except ValueError:
        raise ValueError(f'must be an address or a network such as "203.0.113.0/24", not {clip(value)}') from None


def _path(value: Any) -> Any:
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("must be the name of a file or folder")
    return value


OffSpan = Annotated[timedelta | Literal["off"] | None, _span_or("off")]
UnlimitedSpan = Annotated[timedelta | Literal["unlimited"] | None, _span_or("unlimited")]
_path_or_off = BeforeValidator(lambda value: None if value == "off" else _path(value))
_listener_or_off = PlainValidator(lambda value: None if value is None or value == "off" else listener(value))
Span = Annotated[timedelta, BeforeValidator(span)]
Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=2**53)]
UnlimitedCount = Annotated[Count | None, BeforeValidator(_none_if_unlimited)]
Days = Annotated[int, BeforeValidator(_days), Field(ge=0, le=FOREVER)]
FilePath = Annotated[Path, BeforeValidator(_path)]
Listen = Annotated[Listener, BeforeValidator(listener)]
OffPath = Annotated[Path | None, _path_or_off]
OffListen = Annotated[Listener | None, _listener_or_off]
Listens = Annotated[tuple[Listen, ...], BeforeValidator(_listeners)]
Networks = Annotated[tuple[Annotated[str, BeforeValidator(_network)], ...], BeforeValidator(_items)]
Names = Annotated[tuple[str, ...], BeforeValidator(_items)]
Tables = Annotated[tuple[dict[str, Any], ...], BeforeValidator(_items)]
