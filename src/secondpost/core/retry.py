"""When to ask again: our own backoff, and what a provider asks for with Retry-After.

Rule: every wait is bounded, whatever the number of tries and whatever a provider says.
"""

import re
from datetime import UTC, datetime, timedelta

STEPS = tuple(timedelta(seconds=seconds) for seconds in (15, 60, 300, 900, 1800, 3600, 7200, 14400))
SPREAD = 0.2
LONGEST_WAIT = timedelta(hours=24)

_SECONDS = re.compile(r"([+-]?)(\d+)(?:\.\d*)?", re.ASCII)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
# RFC 9110 section 5.6.7: the date of today, the obsolete one of RFC 850, and that of asctime.
_DATE = re.compile(
    r"[a-z]+,? (?:(?P<day>\d\d)[ -](?P<month>[a-z]{3})[ -](?P<year>\d{4}|\d\d) (?P<time>\d\d:\d\d:\d\d) gmt"
    r"|(?P<month2>[a-z]{3}) {1,2}(?P<day2>\d{1,2}) (?P<time2>\d\d:\d\d:\d\d) (?P<year2>\d{4}))",
    re.ASCII,
)


def backoff(tries: int, jitter: float) -> timedelta:
    """The wait after a delivery has cost `tries` tries before this one. `jitter` in [-1, 1] spreads it by ±20 %."""
    step = STEPS[min(max(tries, 0), len(STEPS) - 1)]
    return step * (1 + SPREAD * min(max(jitter, -1.0), 1.0))


def bounded(wait: timedelta) -> timedelta:
    """A wait that somebody else named, brought to between nothing and a day."""
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def retry_after(text: str, now: datetime) -> timedelta | None:
    """What an HTTP Retry-After asks for, in seconds or as a date, bounded; None when it cannot be read."""
    text = text.strip().lower()
    match = _SECONDS.fullmatch(text)
    if match:
        seconds = int(match[2][:9]) if len(match[2].lstrip("0")) <= 9 else 10**9
        return bounded(timedelta(seconds=-seconds if match[1] == "-" else seconds))
    date = _date(text)
    return bounded(date - now) if date else None


def _date(text: str) -> datetime | None:
    match = _DATE.fullmatch(text)
    if not match:
        return None
    year = int(match["year"] or match["year2"])
    hour, minute, second = (int(part) for part in (match["time"] or match["time2"]).split(":"))
    try:
        return datetime(
            year + 2000 if year < 100 else year,
            _MONTHS.index(match["month"] or match["month2"]) // 4 + 1,
            int(match["day"] or match["day2"]),
            hour,
            minute,
            min(second, 59),  # a leap second
            tzinfo=UTC,
        )
    except ValueError:
        return None
