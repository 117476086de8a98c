"""The composition root: builds the gateway from a configuration, starts it, and lets it go without losing anything.

Rule: this is the only module that knows everybody; everything else is handed what it needs.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
import uvloop

from secondpost import mailers
from secondpost.config import Config
from secondpost.core import routing
from secondpost.core.conditions import Operator
from secondpost.entrypoints.control import Control
from secondpost.entrypoints.http import HttpListener, Pages
from secondpost.entrypoints.metrics import Metrics
from secondpost.entrypoints.smtp import SmtpListener
from secondpost.errors import ConfigError, SecondpostError, StoreError
from secondpost.service.connections import Connections
from secondpost.service.credentials import Credentials
from secondpost.service.desk import Desk
from secondpost.service.housekeeping import Housekeeping
from secondpost.service.ids import new_id, worker_name
from secondpost.service.nondelivery import NonDelivery
from secondpost.service.operate import Operations
from secondpost.service.submit import Submit, utc_now
from secondpost.service.trial import Trials
from secondpost.service.worker import Worker
from secondpost.store.sqlite import SqliteStore

logger = logging.getLogger(__name__)

GRACE = 30.0  # seconds that attempts under way get to finish when we are asked to stop
LAST_SECONDS = 2.0  # for non-delivery reports, when we are asked to stop


def boot_id() -> str:
    """What changes when the machine starts anew: after that, a lease of before cannot still be transmitting."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


@dataclass(slots=True)
class Core:
    """Everything but the ways in: the store and the work done on it."""

    config: Config
    store: SqliteStore
    worker: Worker
    submit: Submit
    connections: Connections
    credentials: Credentials
    trials: Trials
    housekeeping: Housekeeping
    operations: Operations
    reports: set["asyncio.Task[None]"]  # non-delivery reports that are being made

    async def open(self) -> None:
        await self.store.open()
        try:
            await self.credentials.load()
            await self.connections.load()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Write down what is left to be, and let everything go."""
        await self.trials.stop()
        for line in self.worker.ways.lines.values():
            await line.mailer.close()
        with contextlib.suppress(StoreError):
            await self.worker.save_unsaved()
            await self.housekeeping.keep_counts()
        if self.reports:
            await asyncio.wait(self.reports, timeout=LAST_SECONDS)
        await self.store.close()


def build(config: Config) -> Core:
    """Put the parts together; nothing is opened yet. Raises `ConfigError`."""
    if config.database != "sqlite":
        raise ConfigError(
            "This version keeps its data in SQLite only; PostgreSQL is not there yet. Nothing was started. "
            "Remove the setting database (or DATABASE_URL), or set SECONDPOST_DATABASE=sqlite."
        )
    store = SqliteStore(config.data_dir)
    policies = dict(config.policies)
    hostname = config.smtp.hostname or socket.getfqdn()
    desk = Desk(policies=policies, do_not_send=config.do_not_send)
    desk.rules = [routing.parse(rule) for rule in config.routes]
    desk.matcher = _matcher() if desk.rules else None
    _try_patterns(desk)
    tasks: set[asyncio.Task[None]] = set()

    def later(coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    worker = Worker(
        name=worker_name(),
        store=store,
        policies=policies,
        now=utc_now,
        chance=lambda: secrets.randbelow(2_000_001) / 1_000_000 - 1,
        on_change=lambda line, outcome: trials.changed(line, outcome),  # noqa: PLW0108  # made below
        on_failed=lambda lease, ended: later(nondelivery.failed(lease, ended)),
        concurrency=config.worker.concurrency,
    )
    trials = Trials(store, worker, utc_now)
    credentials = Credentials(store)
    submit = Submit(store, worker, desk, hostname, utc_now, new_id, pace=credentials.pace)
    nondelivery = NonDelivery(store, submit, hostname, utc_now, new_id, enabled=config.non_delivery_reports)
    connections = Connections(
        store=store, desk=desk, worker=worker, trials=trials, now=utc_now, find=mailers.find, parse=config.connection,
        require=config.require, fixed=dict(config.connections), fixed_roles=_fixed_roles(config), origin=config.origin,
    )  # fmt: skip
    housekeeping = Housekeeping(
        store=store, worker=worker, submit=submit, nondelivery=nondelivery, policies=policies, now=utc_now,
        boot=boot_id(),
        content_kept=timedelta(days=config.log.content_days), log_kept=timedelta(days=config.log.retention_days),
    )  # fmt: skip
    operations = Operations(store, worker, submit, connections, credentials, utc_now, new_id)
    return Core(config, store, worker, submit, connections, credentials, trials, housekeeping, operations, tasks)


def _try_patterns(desk: Desk) -> None:
    """A route that cannot be understood stops the start, not a submission. Raises `ConfigError`."""
    for rule in desk.rules:
        for group in rule.groups:
            for condition in group:
                if condition.operator is Operator.MATCHES_REGEX and desk.matcher is not None:
                    desk.matcher(condition.value, "")


def _fixed_roles(config: Config) -> dict[str, str]:
    """The roles that the configuration gives. Connections of its own make the first of them primary."""
    own = config.locked("primary") or config.locked("connections")
    roles = {"primary": config.primary} if own else {}
    return roles | ({"backup": config.backup or ""} if config.locked("backup") else {})


def _matcher() -> "routing.Matcher":
    """Regular expressions in linear time, so that no route can hang the gateway; both sides are case-folded."""
    import re2  # only where a route exists: it is an optional part

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False

    @functools.lru_cache(maxsize=1000)
    def compiled(pattern: str) -> Any:
        try:
            return re2.compile(pattern, options)
        except re2.error as error:
            raise ConfigError(f"The route's regular expression {pattern!r} cannot be used: {error}.") from None

    return lambda pattern, text: compiled(pattern).search(text) is not None


@dataclass(slots=True)
class Gateway:
    """The running gateway: the core and its ways in."""

    config: Config
    core: Core = field(init=False)
    smtp: SmtpListener = field(init=False)
    http: HttpListener | None = None
    control: Control = field(init=False)

    def __post_init__(self) -> None:
        self.core = core = build(self.config)
        self.smtp = SmtpListener(
            self.config.smtp,
            submit=core.submit,
            authenticate=core.credentials.authenticate,
            new_id=new_id,
            new_tail=core.store.tail,
        )
        if (listen := self.config.http.listen) is not None:
            pages = Pages(core.store, Metrics(core.store, core.worker))
            self.http = HttpListener(pages.app(), listen.host, listen.port)
        self.control = Control(core.operations, self.config.data_dir / "control.sock")

    async def start(self) -> None:
        """Open the store, take back what the last process held, then open the doors. Raises `SecondpostError`."""
        await self.core.open()
        try:
            await self.core.housekeeping.recover()
            await self.core.housekeeping.expire()  # before anything that expired while nobody worked could be sent
            await self.smtp.start()
            if self.http is not None:
                await self.http.start()
            await self.control.start()
        except BaseException:
            await self.smtp.stop(0)
            if self.http is not None:
                await self.http.stop()
            await self.control.stop()
            await self.core.worker.stop(0)
            await self.core.close()
            raise
        self.core.housekeeping.start()

    async def stop(self, grace: float = GRACE) -> None:
        """Close the doors, let what is under way finish, write everything down."""
        await self.smtp.stop(min(grace, 5.0))
        if self.http is not None:
            await self.http.stop()
        await self.control.stop()
        await self.core.housekeeping.stop()
        await self.core.worker.stop(grace)
        await self.core.close()


@contextlib.asynccontextmanager
async def offline(config: Config) -> AsyncIterator[Operations]:
    """The operations without a running gateway: opens the store alone. Raises `StoreInUse` if a gateway has it."""
    os.umask(0o077)
    core = build(config)
    await core.open()
    try:
        await core.housekeeping.recover()
        yield core.operations
    finally:
        await core.worker.stop(GRACE)
        await core.close()


def keep_log(level: str) -> None:
    """Structured logs on standard error: lines for a person at a terminal, JSON for everything else.

    Both escape control characters, so that nothing from a message or a provider can forge a line.
    """
    human = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(ensure_ascii=True)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.format_exc_info] if not human else []),
                _printable,
                last,
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _printable(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {
        key: value.encode("unicode_escape").decode() if isinstance(value, str) and not value.isprintable() else value
        for key, value in event.items()
    }


def serve(config: Config) -> int:
    """Run the gateway until SIGTERM, SIGINT or SIGHUP. Returns the exit status."""
    os.umask(0o077)  # what we keep is mail: for nobody else on this machine
    keep_log(config.log.level)
    try:
        uvloop.run(_serve(config))
    except SecondpostError as error:
        sys.stderr.write(f"secondpost: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    return 0


async def _serve(config: Config) -> None:
    gateway = Gateway(config)
    await gateway.start()
    _spare_the_collector()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    _announce(config)
    await stopped.wait()
    logger.info("stopping: finishing what is under way")
    await gateway.stop()


def _spare_the_collector() -> None:
    """What lives as long as the process is not searched for garbage again; messages make few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _announce(config: Config) -> None:
    smtp = ", ".join(str(address) for address in config.smtp.listen) or "nowhere"
    logger.info("ready: SMTP on %s, web on %s, data in %s", smtp, config.http.listen or "nowhere", config.data_dir)
