"""Templates: everything is escaped, and a name that is not given is an error.

Rule: what people see of times, sizes and words is formed here, the same on every page.
"""

from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from secondpost import __version__
from secondpost.admin import static
from secondpost.service.present import iso


def environment() -> Environment:
    found = Environment(
        loader=PackageLoader("secondpost.admin"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {"when": when, "ago": ago, "size": size, "count": count, "clock": clock, "took": took, "due": due}
    found.globals |= {"link": static.link, "version": __version__}
    return found


def _moment(at: datetime | str) -> datetime:
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)


def when(at: datetime | str | None) -> str:
    """A time in full, marked up so that the script can show it in the reader's zone."""
    if at is None:
        return "–"
    moment = _moment(at)
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M:%S} UTC</time>').format(iso(moment), moment)


def clock(at: datetime | str, now: datetime) -> str:
    """A time of the day, with the date when it is another one."""
    moment = _moment(at)
    form = "%H:%M UTC" if abs((now - moment).total_seconds()) < 86400 else "%b %d, %H:%M UTC"
    return Markup('<time datetime="{}" data-clock>{}</time>').format(iso(moment), moment.strftime(form))


def took(milliseconds: int | None) -> str:
    """A span of time as exactly as a person wants it."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 10_000 else span(milliseconds / 1000)


def ago(at: datetime | str | None, now: datetime) -> str:
    """How long ago, or how long until, in one unit."""
    if at is None:
        return "never"
    seconds = (now - _moment(at)).total_seconds()
    if -5 < seconds < 60:
        return "just now"
    text = span(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def due(at: datetime | str | None, now: datetime) -> str:
    """When something comes: now, if its time is over."""
    if at is None:
        return "–"
    return "now" if _moment(at) <= now else ago(at, now)


def span(seconds: float) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def size(number: int) -> str:
    for unit, length in (("MB", 1_000_000), ("kB", 1000)):
        if number >= length:
            return f"{number / length:.1f} {unit}"
    return f"{number} bytes"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
