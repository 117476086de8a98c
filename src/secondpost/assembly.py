"""Putting the parts together: the store and the work done on it, for the gateway and for the library alike.

Rule: nothing here is a way in, and nothing of the gateway is loaded; everything else is handed what it needs.
"""

import contextlib
import functools
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from secondpost import mailers
from secondpost.config import Config
from secondpost.core import routing
from secondpost.errors import ConfigError, StoreError
from secondpost.mailers.base import Mailer
from secondpost.service.connections import Connections
from secondpost.service.credentials import Credentials
from secondpost.service.desk import Desk
from secondpost.service.housekeeping import Duty, Housekeeping
from secondpost.service.ids import new_id, worker_name
from secondpost.service.keys import PREFIX, Keys
from secondpost.service.ladder import Ladder
from secondpost.service.nondelivery import NonDelivery
from secondpost.service.operate import Operations
from secondpost.service.overall import SPANS
from secondpost.service.retention import CONTENT, ENTRIES, MEGABYTES, UNLIMITED, Retention
from secondpost.service.routes import Routes
from secondpost.service.submit import Submit, utc_now
from secondpost.service.suppressions import Suppressions
from secondpost.service.trial import Trials
from secondpost.service.worker import Worker
from secondpost.store.base import Store
from secondpost.store.sqlite import SqliteStore


def boot_id() -> str:
    """What changes when the machine starts anew: after that, a lease of before cannot still be transmitting."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


@dataclass(slots=True)
class Core:
    """Everything but the ways in: the store and the work done on it."""

    config: Config
    store: Store
    worker: Worker
    trials: Trials
    housekeeping: Housekeeping
    operations: Operations

    async def open(self) -> None:
        await self.store.open()
        try:
            await self.operations.load()
        except BaseException:
            await self.close()
            raise

    async def apply(self, config: Config) -> None:
        """Take up what can change while it works; all of it or nothing. Raises `SecondpostError`."""
        connections, rules = self.operations.connections, _rules(config)
        connections.routes.try_patterns(*rules)
        await connections.reload(
            dict(config.connections), _fixed_roles(config), require=config.require, origin=config.origin
        )
        connections.routes.fix(rules, config.origin("routes"))
        connections.desk.do_not_send = config.do_not_send
        self.worker.policies.update(config.policies)  # all parts share this one table
        self.worker.concurrency = config.worker.concurrency
        self.housekeeping.nondelivery.enabled = config.non_delivery_reports
        self.operations.retention.configure(*_retention(config))
        self.operations.misc.limits.configure(_limits(config))
        self.config = config

    async def close(self) -> None:
        """Write down what is left to be, and let everything go."""
        await self.operations.jobs.stop()
        await self.operations.verification.stop()
        await self.trials.stop()
        for line in self.worker.ways.lines.values():
            await line.mailer.close()
        with contextlib.suppress(StoreError):
            await self.worker.save_unsaved()
            it = self.operations
            for counting in (self.housekeeping, it.credentials, it.keys, it.misc.limits):
                await counting.keep_counts()
        await self.store.close()


def build(config: Config, store: Store | None = None, *, find: Callable[[str], type[Mailer]] | None = None) -> Core:
    """Put the parts together, on the configured database or on `store`; nothing is opened yet. Raises `ConfigError`."""
    store = store or _store(config)
    policies = dict(config.policies)
    hostname = config.smtp.hostname or socket.getfqdn()
    desk = Desk(policies=policies, do_not_send=config.do_not_send)
    routes = Routes(store, desk, _matcher(), _rules(config), origin=config.origin("routes"))
    worker = Worker(
        name=worker_name(), store=store, policies=policies, now=utc_now, chance=_chance,
        on_change=lambda line, outcome: trials.changed(line, outcome),  # noqa: PLW0108  # made below
        tell_sender=lambda lease, ended: nondelivery.rejected(lease, ended),  # noqa: PLW0108
        concurrency=config.worker.concurrency,
    )  # fmt: skip
    trials = Trials(store, worker, utc_now)
    credentials, keys = Credentials(store), Keys(store)
    suppressions = Suppressions(store, desk, utc_now)

    def pace(client: str, now: datetime) -> None:
        (keys if client.startswith(PREFIX) else credentials).pace(client, now)

    submit = Submit(store, worker, desk, hostname, utc_now, new_id, pace=pace)
    nondelivery = NonDelivery(store, submit, hostname, utc_now, new_id, enabled=config.non_delivery_reports)
    connections = Connections(
        store=store, desk=desk, worker=worker, trials=trials, routes=routes, now=utc_now,
        find=find or mailers.find, parse=config.connection, require=config.require,
        fixed=dict(config.connections), fixed_roles=_fixed_roles(config),
        origin=config.origin,
    )  # fmt: skip
    housekeeping = Housekeeping(
        store=store, worker=worker, submit=submit, nondelivery=nondelivery, policies=policies, now=utc_now,
        ladder=Ladder(store, worker, policies, utc_now), boot=boot_id(),
    )  # fmt: skip
    operations = Operations(
        store, worker, submit, connections, credentials, keys, suppressions, utc_now, new_id, url=_url(config),
        smtp=_smtp(config), retention=Retention(store, utc_now, *_retention(config)),
    )  # fmt: skip
    operations.misc.limits.configure(_limits(config))
    housekeeping.others = _duties(operations)
    return Core(config, store, worker, trials, housekeeping, operations)


def _chance() -> float:
    """From -1 to 1."""
    return secrets.randbelow(2_000_001) / 1_000_000 - 1


def _duties(it: Operations) -> tuple[Duty, ...]:
    """What is done every so many seconds besides moving mail."""
    return (
        (it.retention.purge, 600.0), (it.retention.shrink, 600.0), (it.retention.forget, 30.0),
        (it.drills.tend, 5.0), (it.verification.daily, 60.0),
        (it.credentials.keep_counts, 1.0), (it.keys.keep_counts, 1.0), (it.sign_ins.renew, 60.0),
        (it.misc.limits.keep_counts, 1.0),
    )  # fmt: skip


def _rules(config: Config) -> tuple[routing.Rule, ...]:
    return tuple(routing.parse(rule) for rule in config.routes)


def _limits(config: Config) -> dict[str, tuple[int, str]]:
    """The limits over all connections that the configuration sets, each with its place."""
    rates = {span: getattr(config.worker, span) for span in SPANS}
    return {span: (rate, config.origin(f"worker.{span}")) for span, rate in rates.items() if rate is not None}


def _retention(config: Config) -> tuple[dict[str, int], dict[str, str]]:
    """How much of mail is kept and how long, as far as the configuration says; and where that is fixed."""
    log = config.log
    most = min(log.content_megabytes or UNLIMITED, UNLIMITED)
    kept = {CONTENT: log.content_days, ENTRIES: log.retention_days, MEGABYTES: most}
    return kept, {name: config.origin(name) for name in kept if config.locked(name)}


def _smtp(config: Config) -> str:
    """Where programs of this machine submit without TLS."""
    plain = next((listener for listener in config.smtp.listen if not listener.tls), None)
    if plain is None:
        return ""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # nobody can open these as they stand
    return f"{everywhere.get(plain.host) or str(plain).rpartition(':')[0]}:{plain.port}"


def _url(config: Config) -> str:
    """How people reach the web admin."""
    return config.http.public_url.rstrip("/") or "(the web admin is off: [http] listen)"


def _store(config: Config) -> Store:
    if config.database != "sqlite":
        raise ConfigError(
            "This version keeps its data in SQLite only; PostgreSQL is not there yet. Nothing was started. "
            "Remove the setting database (or DATABASE_URL), or set SECONDPOST_DATABASE=sqlite."
        )
    return SqliteStore(config.data_dir)


def _fixed_roles(config: Config) -> dict[str, str]:
    """The roles that the configuration gives. Connections of its own make the first of them primary."""
    own = config.locked("primary") or config.locked("connections")
    roles = {"primary": config.primary} if own else {}
    return roles | ({"backup": config.backup or ""} if config.locked("backup") else {})


def _matcher() -> "routing.Matcher":
    """Regular expressions in linear time, so that no route can hang the process; both sides are case-folded."""

    @functools.lru_cache(maxsize=1000)
    def compiled(pattern: str) -> Any:
        re2 = _re2()
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        try:
            return re2.compile(pattern, options)
        except re2.error as error:
            raise ConfigError(f"The route's regular expression {pattern!r} cannot be used: {error}.") from None

    return lambda pattern, text: compiled(pattern).search(text) is not None


def _re2() -> Any:
    """Loaded only where a route has a regular expression: it is an optional part."""
    try:
        import re2
    except ImportError:
        raise ConfigError(
            "A route with a regular expression needs the package google-re2, which is not installed. "
            'Run: pip install "secondpost[server]", or use "contains", "starts with" or "ends with".'
        ) from None
    return re2
