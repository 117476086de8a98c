"""The desk: which connections there are, which is primary and which backup, and the route each message gets.

Rule: what the file or the environment sets wins over the database and cannot be changed here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from secondpost.core import fallback, routing, suppression
from secondpost.core.connection import Connection
from secondpost.core.message import Message, Summary
from secondpost.core.priority import Policy, Priority
from secondpost.errors import Refusal


class Asked(Protocol):
    """What the desk needs to know of a draft."""

    @property
    def sender(self) -> str: ...
    @property
    def recipients(self) -> tuple[str, ...]: ...
    @property
    def client(self) -> str: ...
    @property
    def priority(self) -> Priority | None: ...
    @property
    def trusted(self) -> bool: ...
    @property
    def connection(self) -> str: ...
    @property
    def prefer(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """The route chosen for a message: its connections in order, or why it is blocked."""

    connections: tuple[str, ...]
    priority: Priority | None = None
    blocked: str = ""
    notes: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Desk:
    """`connections` in order; the first is primary unless `primary` names another."""

    policies: dict[Priority, Policy]
    connections: dict[str, Connection] = field(default_factory=dict)
    primary: str = ""
    backup: str = ""
    rules: Sequence[routing.Rule] = ()
    controls: Sequence[routing.Rule] = ()  # rules that block, whatever else is asked for
    matcher: Callable[[str, str], bool] | None = None
    suppressed: suppression.List = field(default_factory=suppression.List)
    do_not_send: bool = False
    _ordinary: Verdict | None = None

    def arrange(self, connections: dict[str, Connection], *, primary: str, backup: str) -> None:
        """Replace the connections and their roles."""
        self.connections, self.primary, self.backup = connections, primary, backup
        self._ordinary = None

    @property
    def ordinary(self) -> Verdict:
        """The route of mail that no rule concerns: the Primary Connection, then the Backup Connection."""
        if self._ordinary is None:
            self._ordinary = Verdict(self.route(self.primary))
        return self._ordinary

    def route(self, first: str) -> tuple[str, ...]:
        return fallback.route(first, self.backup, self.connections)

    def choose(self, draft: Asked, summary: Summary, message: Message) -> Verdict:
        """The route of a message. Raises `Refusal` when it names a connection that it may not have."""
        if self.do_not_send and not draft.connection:
            return Verdict((), blocked="Do Not Send is switched on")
        if self.controls and not draft.connection:
            rule = self._met(self.controls, draft, summary, message)
            if rule is not None:
                return self.verdict(rule)
        named = draft.connection or draft.prefer or summary.private.get("secondpost-connection", "")
        if named:
            return self._named(draft, named)
        if not self.rules:
            return self.ordinary
        return self.verdict(self._met(self.rules, draft, summary, message))

    def _named(self, draft: Asked, name: str) -> Verdict:
        if not (draft.connection or draft.prefer or draft.trusted):
            raise Refusal(
                550, "5.7.1", "This log-in may not choose a connection (Secondpost-Connection). Nothing was stored."
            )
        if name not in self.connections:
            known = ", ".join(self.connections) or "none"
            raise Refusal(550, "5.7.1", f"There is no connection {name!r}. Nothing was stored. Connections: {known}.")
        # A test message never falls back: it tests the connection chosen.
        route = (name,) if draft.connection else self.route(name)
        return Verdict(route, notes={"why": f"the message names the connection {name}"})

    def _met(
        self, rules: Sequence[routing.Rule], draft: Asked, summary: Summary, message: Message
    ) -> routing.Rule | None:
        facts = routing.facts(
            summary, message, sender=draft.sender, recipients=draft.recipients, client=draft.client,
            priority=draft.priority.label if draft.priority is not None else "",
        )  # fmt: skip
        return routing.first(rules, facts, self.connections, self.matcher)

    def verdict(self, rule: routing.Rule | None) -> Verdict:
        """What a rule leads to; without one, the ordinary route."""
        if rule is None:
            return self.ordinary
        if rule in self.controls:
            notes = {"why": f"Email Controls: {rule.name}"}
            return Verdict((), blocked=f"blocked by the rule {rule.name}", notes=notes)
        notes = {"why": f"Smart Routing: {rule.name}"}
        if rule.block:
            return Verdict((), blocked=f"blocked by the route {rule.name}", notes=notes)
        return Verdict(self._rule_route(rule), priority=rule.priority, notes=notes)

    def _rule_route(self, rule: routing.Rule) -> tuple[str, ...]:
        return fallback.route(rule.connection, self.backup, self.connections, backups=rule.backups)

    def withheld(self, recipients: Sequence[str], verdict: Verdict) -> Mapping[str, str]:
        """Recipients that must not be written to, with the reason."""
        if verdict.blocked:
            return dict.fromkeys(recipients, verdict.blocked)
        if not self.suppressed:
            return {}
        return {to: f"suppressed: {why}" for to in recipients if (why := self.suppressed.reason(to))}
