"""The ladder for a doubt (delivery rules, section 6): when a provider is asked about it, and what its answer settles.

Rule: every time follows from when the doubt arose, which is on disk; so a restart forgets no rung.
"""

from datetime import datetime, timedelta

# Indexes of providers lag, so it is asked soon, and then less and less often. After the last, only events settle it.
RUNGS = tuple(
    timedelta(seconds=seconds)
    for seconds in (2, 10, 30, 120, 300, 900, 2400, 7200, 12 * 3600, 24 * 3600)
)  # fmt: skip
LAST = 0.9  # of the time until the policy acts: it is asked once more before that


def next_rung(since: datetime, now: datetime, deadline: datetime | None) -> datetime | None:
    """When to ask next about a doubt that arose at `since`; None: never again.

    `deadline`: when the policy sends it again, if it does."""
    rungs = [since + rung for rung in RUNGS]
    if deadline is not None:
        rungs = sorted([rung for rung in rungs if rung < deadline] + [since + (deadline - since) * LAST])
    return next((rung for rung in rungs if rung > now), None)


def is_absent(since: datetime, now: datetime, after: timedelta | None) -> bool:
    """Whether a look-up that finds nobody proves that the provider did not take it."""
    return after is not None and now - since >= after


def is_kept(started: datetime, now: datetime, life: timedelta | None) -> bool:
    """Whether the provider still knows the key of a request that began at `started`. A minute is left for the way."""
    return life is not None and now - started < life - timedelta(minutes=1)
