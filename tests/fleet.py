"""One gateway before many providers: each case has a primary of its own, chosen by the subject, and all share a backup.

Rule: a case is one fault and one message. Starting a gateway costs most of a second; sixty faults at once cost no more.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway import Gateway
from tests.provider import Provider, wait_until

TO = "anna@example.com"
Fault = Callable[[Provider], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a case's message. `waited`: seconds until the backup had it."""

    waited: float
    by_primary: int
    by_backup: int
    state: str
    attempts: tuple[str, ...]
    violations: tuple[str, ...]


def fates(
    folder: Path, faults: Mapping[str, Fault], *, until: str, seconds: float, linger: float = 0.5, **settings: Any
) -> dict[str, Fate]:
    """Send one message for each fault, wait for all to reach the state `until`, and a little longer."""
    with many_primaries(folder, faults, **settings) as (gateway, primaries, backup):
        for case, fault in faults.items():
            fault(primaries[case])
        sent = {case: (gateway.send(mark=case), time.monotonic()) for case in faults}
        with suppress(AssertionError):
            wait_until(lambda: {row["status"] for row in gateway.log().values()} == {until}, seconds)
        time.sleep(linger)
        return {case: fate(gateway, primaries[case], backup, case, since) for case, (_, since) in sent.items()}


@contextmanager
def many_primaries(
    folder: Path, cases: Iterable[str], **settings: Any
) -> Iterator[tuple[Gateway, dict[str, Provider], Provider]]:
    """A gateway, the primary of each case, and the backup of all. A subject that is a case goes by its primary."""
    with ExitStack() as stack:
        backup = stack.enter_context(Provider(name="backup"))
        primaries = {case: stack.enter_context(Provider(name=case)) for case in cases}
        gateway = stack.enter_context(
            Gateway(folder, primary=backup, backup=backup, settings=routed(primaries) | settings)
        )
        yield gateway, primaries, backup
        assert gateway.complaints == [], gateway.output()


def fate(gateway: Gateway, primary: Provider, backup: Provider, case: str, since: float) -> Fate:
    entry = gateway.entry(case)
    arrivals = [copy.at for copy in backup.mail if copy.mark == case]
    return Fate(
        waited=min(arrivals, default=math.inf) - since,
        by_primary=primary.copies[case, TO],
        by_backup=backup.copies[case, TO],
        state=entry["deliveries"][0]["state"],
        attempts=tuple(attempt["connection"] for attempt in entry["attempts"]),
        violations=(*primary.violations, *backup.violations),
    )


def routed(primaries: Mapping[str, Provider]) -> dict[str, Any]:
    """A connection and a route for each case."""
    routes = [
        {"name": case, "connection": case, "any": [{"all": [{"property": "subject", "operator": "is", "value": case}]}]}
        for case in primaries
    ]
    return {"connections": {case: provider.connection() for case, provider in primaries.items()}, "routes": routes}
