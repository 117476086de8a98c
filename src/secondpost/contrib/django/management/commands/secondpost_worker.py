"""manage.py secondpost_worker: hands over what is in the outbox, and with a queue of its own delivers it."""

import signal
import threading
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, close_old_connections

from secondpost.contrib.django import options, outbox
from secondpost.contrib.django.options import Options
from secondpost.errors import SecondpostError

LONGEST = 30.0  # seconds between two tries while the way is not free


class Command(BaseCommand):
    help = "Hand over the mail in the outbox to the gateway or the queue, until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--using", default="", help="The mailer; needed when several have the mode outbox.")
        parser.add_argument("--once", action="store_true", help="Stop when the outbox is empty.")
        parser.add_argument("--interval", type=float, default=1.0, help="Seconds between two looks (1).")

    def handle(self, *, using: str, once: bool, interval: float, **_: Any) -> None:
        found = _mailer(using)
        stopped = threading.Event()
        with suppress(ValueError):  # not the main thread: whoever called us stops us
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopped.set())
        try:
            with found.post:
                self._work(found, stopped, once=once, interval=interval)
        except SecondpostError as error:
            raise CommandError(str(error)) from None

    def _work(self, found: Options, stopped: threading.Event, *, once: bool, interval: float) -> None:
        pause = interval
        while not stopped.is_set():
            close_old_connections()
            try:
                done, free = outbox.relay(found.post, found.database)
            except Error as error:
                self.stderr.write(f"the database must wait: {error}")
                done, free = 0, False
            if once and not (done and free):
                if not free:
                    raise CommandError("Not all could be handed over. What is left stays in the outbox; run it again.")
                return
            pause = interval if free else min(pause * 2, LONGEST)
            stopped.wait(0 if done and free else pause)


def _mailer(using: str) -> Options:
    every = {alias: options.read(given) for alias, given in options.configured().items()}
    outboxes = {alias: it for alias, it in every.items() if it.mode == "outbox" and using in ("", alias)}
    if len(outboxes) != 1:
        known = ", ".join(outboxes) or "none"
        raise CommandError(f"Which mailer? With the mode outbox there are: {known}. Name one with --using.")
    return next(iter(outboxes.values()))
