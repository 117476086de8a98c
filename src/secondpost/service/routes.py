"""Rules as people keep them: the routes of Smart Routing, beside those of the configuration, and Email Controls.

Rule: the configuration's come first, so that they win; what is kept is in force from the next message on.
"""

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from secondpost.core import message as rfc5322
from secondpost.core import routing
from secondpost.core.conditions import Operator
from secondpost.core.routing import Facts, Matcher, Rule
from secondpost.errors import SecondpostError
from secondpost.service.desk import Desk, Verdict
from secondpost.store.base import Store
from secondpost.store.log import LogRow, Query

KIND = "routing"
REPLAYED = 1000  # messages
MOVED = 20  # of them, examples that a replay shows


@dataclass(slots=True)
class Routes:
    """`fixed` come from the configuration and are always in force; `kept`, by id, while Smart Routing is enabled."""

    called: ClassVar[str] = "routes"
    noun: ClassVar[str] = "route"
    store: Store
    desk: Desk
    matcher: Matcher
    fixed: tuple[Rule, ...] = ()
    origin: str = ""
    enabled: bool = False
    kept: dict[str, Rule] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Raises `ConfigError` for a rule that cannot be understood: that stops the start, not a submission."""
        self.desk.matcher = self.matcher
        self.fix(self.fixed, self.origin)

    def fix(self, fixed: tuple[Rule, ...], origin: str) -> None:
        """Replace those of the configuration. Raises `ConfigError`, and changes nothing then."""
        self.try_patterns(*fixed)
        self.fixed, self.origin = fixed, origin
        self._arrange()

    async def load(self) -> None:
        found = await self.store.get(KIND, self.called) or {"enabled": self.enabled, "routes": []}
        self.enabled = found["enabled"]
        self.kept = {id: routing.parse(rule) for id, rule in found["routes"]}
        self._arrange()

    def _arrange(self) -> None:
        self.desk.rules = self.all() if self.enabled else self.fixed

    def all(self) -> tuple[Rule, ...]:
        """All routes in their order, whether Smart Routing is enabled or not."""
        return (*self.fixed, *self.kept.values())

    def try_patterns(self, *rules: Rule) -> None:
        """Raises `ConfigError` for a regular expression that is none."""
        for condition in (condition for rule in rules for group in rule.groups for condition in group):
            if condition.operator is Operator.MATCHES_REGEX:
                self.matcher(condition.value, "")

    # Showing -------------------------------------------------------------------------------------------------------

    def show(self) -> list[dict[str, Any]]:
        """Every route in its order, where it comes from, and why it is skipped if it is."""
        fixed = [self._row(rule, "", origin=self.origin) for rule in self.fixed]
        return fixed + [self._row(rule, id, origin="database") for id, rule in self.kept.items()]

    def _row(self, rule: Rule, id: str, *, origin: str) -> dict[str, Any]:
        skipped = routing.why_skipped(rule, self.desk.connections)
        if not skipped and id and not self.enabled:
            skipped = "Smart Routing is not enabled"
        return {**routing.to_dict(rule), "id": id, "locked": not id, "origin": origin, "skipped": skipped}

    def known(self, id: str) -> Rule:
        try:
            return self.kept[id]
        except KeyError:
            raise SecondpostError(f"There is no such {self.noun} (any more). Nothing was changed.") from None

    def uses(self, name: str) -> list[str]:
        """The routes that name a connection."""
        return [f"route {rule.name}" for rule in self.all() if name in (rule.connection, *rule.backups)]

    def leads_to(self, name: str) -> bool:
        """Whether some kept route sends by this connection first."""
        return any(rule.connection == name for rule in self.kept.values())

    # Changing ------------------------------------------------------------------------------------------------------

    async def _keep(self, kept: Mapping[str, Rule], *, enabled: bool) -> None:
        rules = [[id, routing.to_dict(rule)] for id, rule in kept.items()]
        await self.store.put(KIND, self.called, {"enabled": enabled, "routes": rules})
        self.kept, self.enabled = dict(kept), enabled
        self._arrange()

    async def enable(self, enabled: bool) -> None:
        async with self._turn:
            await self._keep(self.kept, enabled=enabled)

    def check(self, entry: Mapping[str, Any], connections: Collection[str] = ()) -> Rule:
        """The route that plain data means. Raises `SecondpostError` when it cannot be kept so.

        `connections`: the names there will be, if not those that there are."""
        rule = routing.parse(entry)
        self.try_patterns(rule)
        if not rule.name or not rule.name.isprintable() or len(rule.name) > 200:
            raise SecondpostError(f"A {self.noun} needs a name of one line, at most 200 characters.")
        for name in (*([] if rule.block else [rule.connection]), *rule.backups):
            if name not in (connections or self.desk.connections):
                raise SecondpostError(f"There is no connection {name!r}. Choose another for the route {rule.name!r}.")
        return rule

    async def put(self, id: str, entry: Mapping[str, Any]) -> str:
        """Keep a route, a new one at the end. Returns its id."""
        rule = self.check(entry)
        async with self._turn:
            if id:
                self.known(id)
            id = id or secrets.token_hex(4)
            await self._keep({**self.kept, id: rule}, enabled=self.enabled)
        return id

    async def replace_all(self, entries: Sequence[Mapping[str, Any]], *, enabled: bool) -> None:
        """Keep these instead of all that are kept now."""
        kept = {secrets.token_hex(4): self.check(entry) for entry in entries}
        async with self._turn:
            await self._keep(kept, enabled=enabled)

    async def remove(self, id: str) -> None:
        async with self._turn:
            self.known(id)
            await self._keep({key: rule for key, rule in self.kept.items() if key != id}, enabled=self.enabled)

    async def switch(self, id: str) -> None:
        """Off if it is on, on if it is off."""
        async with self._turn:
            rule = self.known(id)
            await self._keep({**self.kept, id: replace(rule, enabled=not rule.enabled)}, enabled=self.enabled)

    async def move(self, id: str, by: int) -> None:
        """Up (-1) or down (1) by one place; at the end it stays."""
        async with self._turn:
            self.known(id)
            order = list(self.kept)
            place = order.index(id)
            order.insert(max(place + by, 0), order.pop(place))
            await self._keep({key: self.kept[key] for key in order}, enabled=self.enabled)

    async def replace(self, name: str, replacement: str) -> None:
        """Give the place of one connection in all kept routes to another; "" leaves a backup's place empty."""
        async with self._turn:
            kept = {id: _replaced(rule, name, replacement) for id, rule in self.kept.items()}
            if kept != self.kept:
                await self._keep(kept, enabled=self.enabled)

    # Trying --------------------------------------------------------------------------------------------------------

    def with_draft(self, id: str, rule: Rule) -> tuple[Rule, ...]:
        """All routes as they would be with this one, which replaces the one of that id or comes last."""
        return (*self.fixed, *{**self.kept, id: rule}.values())

    def explain(self, found: Facts, rules: Sequence[Rule]) -> dict[str, Any]:
        """Which of these routes the message would take, and why. Email Controls are asked before them."""
        rules = (*self.desk.controls, *rules)
        rule, verdict = self._verdict(found, rules)
        return {
            "route": rule.name if rule else None,
            "connections": list(verdict.connections),
            "blocked": verdict.blocked,
            "rules": routing.explain(rules, found, self.desk.connections, self.matcher),
        }

    def _verdict(self, found: Facts, rules: Sequence[Rule]) -> tuple[Rule | None, Verdict]:
        rule = routing.first(rules, found, self.desk.connections, self.matcher)
        return rule, self.desk.verdict(rule)

    async def replay(self, rules: Sequence[Rule], before: Sequence[Rule]) -> dict[str, Any]:
        """How many of the last messages of the log go another way by these rules than by those of `before`."""
        told: dict[str, Any] = {"messages": 0, "missing": 0, "moved": 0, "by_route": {}, "examples": []}
        for row in await self.store.page(Query(limit=REPLAYED)):
            content = await self.store.content(row.id)
            if content is None:
                told["missing"] += 1
                continue
            told["messages"] += 1
            self._compare(told, row, logged(row, content), rules, before)
        return told

    def _compare(
        self, told: dict[str, Any], row: LogRow, found: Facts, rules: Sequence[Rule], before: Sequence[Rule]
    ) -> None:
        rule, now = self._verdict(found, rules)
        _, then = self._verdict(found, before)
        if rule is not None:
            told["by_route"][rule.name] = told["by_route"].get(rule.name, 0) + 1
        if (now.connections, now.blocked) == (then.connections, then.blocked):
            return
        told["moved"] += 1
        if len(told["examples"]) < MOVED:
            told["examples"].append(
                {"id": rfc5322.id_text(row.id), "subject": row.subject, "from": then.connections, "to": now.connections}
            )


class Controls(Routes):
    """Email Controls: rules that block, in force whether Smart Routing is enabled or not."""

    __slots__ = ()
    called: ClassVar[str] = "controls"
    noun: ClassVar[str] = "rule"

    def _arrange(self) -> None:
        self.desk.controls = self.all()


def _replaced(rule: Rule, name: str, replacement: str) -> Rule:
    connection = replacement if rule.connection == name else rule.connection
    backups = dict.fromkeys(replacement if one == name else one for one in rule.backups)
    return replace(rule, connection=connection, backups=tuple(one for one in backups if one not in {connection, ""}))


def pasted(content: bytes, *, sender: str = "", recipients: tuple[str, ...] = ()) -> Facts:
    """The facts of a message that somebody gave, or of its header alone."""
    head, body = rfc5322.split(content)
    summary = rfc5322.summarize(head)
    return routing.facts(
        summary, rfc5322.Message(head, body), sender=sender or summary.from_email,
        recipients=recipients or (*summary.to, *summary.cc, *summary.bcc), client="",
    )  # fmt: skip


def logged(row: LogRow, content: rfc5322.Message) -> Facts:
    """The facts of a message of the log."""
    return routing.facts(
        rfc5322.summarize(content.head), content, sender=row.sender, recipients=row.recipients, client=row.client,
        priority=row.priority.label,
    )  # fmt: skip
