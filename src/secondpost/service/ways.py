"""The ways mail can take: the lines there are, and which of them may carry an errand now.

Rule: a delivery is only ever sent by a line of its route, in the route's order; it waits while none is usable.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from secondpost.service.line import Errand, Line
from secondpost.service.overall import Overall

HORIZON = timedelta(seconds=30)  # how far ahead the limits' turns are given away; what comes after waits on disk


@dataclass(slots=True)
class Ways:
    """All lines by name. `ordinary` is the route for mail whose own connections no longer exist."""

    now: Callable[[], datetime]
    lines: dict[str, Line] = field(default_factory=dict)
    ordinary: tuple[str, ...] = ()
    overall: Overall = field(default_factory=Overall)

    def known(self, route: Sequence[str]) -> Sequence[str]:
        """The route as far as it still exists: mail of a deleted connection takes the ordinary way."""
        return [name for name in route if name in self.lines] or [name for name in self.ordinary if name in self.lines]

    def usable(self, route: Sequence[str]) -> bool:
        """Whether some connection of the route can be tried now."""
        now = self.now()
        return any(self.lines[name].usable(now) for name in self.known(route))

    def open(self, route: Sequence[str]) -> bool:
        """Whether what goes this route may set out now: the limits over all and those of some connection allow it."""
        return not self.overall.wait(self.now()) and self.allowed(route)

    def allowed(self, route: Sequence[str]) -> bool:
        """Whether some connection of the route can be tried now, and its limits let one more go before the horizon."""
        now = self.now()
        lines = [self.lines[name] for name in self.known(route)]
        return any(line.usable(now) and line.wait(now) <= HORIZON for line in lines)

    def passed_over(self, errand: Errand, line: Line, now: datetime) -> str:
        """Why it goes by this line although another comes before it in the route; "" where an attempt tells it."""
        untried = [name for name in self.known(errand.lease.route) if name not in errand.lease.deliveries[0].spent]
        first = untried[0] if untried else line.name
        if first == line.name or first in errand.tried:
            return ""
        usable = self.lines[first].usable(now, errand)
        return f"fallback: {first} {'has reached its limit' if usable else 'is known to be down'}"

    def open_to(self, errand: Errand, now: datetime, *, but: str = "") -> list[Line]:
        """The lines that may carry it now, in the order of its route.

        Of a possible duplicate its last connection comes first: who has the first copy may notice that it is the same.
        """
        lease = errand.lease
        delivery = lease.deliveries[0]
        spent = delivery.spent
        route = self.known(lease.route)
        if delivery.possible_duplicate and delivery.last in route:
            route = tuple(dict.fromkeys((delivery.last, *route)))
        return [
            line
            for name in route
            if name not in errand.tried and name != but and name not in spent
            and (line := self.lines[name]).usable(now, errand)
        ]  # fmt: skip

    def benched(self, errand: Errand, now: datetime) -> timedelta:
        """How long every line of its route will refuse the domain it is from, as far as is known.

        Which route is open does not tell of that: without this, mail of such a domain would be asked for in a loop.
        """
        spent = errand.lease.deliveries[0].spent
        lines = [self.lines[name] for name in self.known(errand.lease.route) if name not in spent]
        waits = [line.benched(errand, now) for line in lines if line.connection.enabled]
        return min(waits, default=timedelta())
