"""A handler for `logging` that mails what went wrong.

Rule: a program that logs never waits for its mail: records are collected, and another thread sends them, one mail for
the first and then at most one in every `interval`. What the sending itself logs is left out, so that nothing feeds on
itself.
"""

import logging
import os
import sys
import threading
import weakref
from collections import deque
from typing import Unpack

from secondpost import blocking
from secondpost.core import words
from secondpost.errors import ConfigError
from secondpost.library.opening import Settings

LONGEST = 200_000  # characters of one mail
LAST_SECONDS = 5.0  # for the last mail, when the program ends

_handlers: "weakref.WeakSet[LogHandler]" = weakref.WeakSet()


class LogHandler(logging.Handler):
    """Mails records to `to`. Takes what `secondpost.open` takes as well: `primary`, `url`, `queue` and the others."""

    def __init__(
        self,
        to: str | list[str],
        *,
        from_email: str = "",
        subject: str = "",
        interval: float = 300.0,
        capacity: int = 200,
        level: int | str = logging.ERROR,
        file: str | None = None,
        queue: str | None = None,
        url: str = "",
        key: str = "",
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(level)
        self._to, self._subject, self._interval = to, subject, interval
        self._post = blocking.open(file, queue=queue, url=url, key=key, from_email=from_email, **settings)
        if not self._post.inner.from_email:
            raise ConfigError("A log handler needs a sender: give from_email. Nothing was opened.")
        self._records: deque[tuple[str, str]] = deque(maxlen=capacity)  # headline and text
        self._begin()
        _handlers.add(self)

    def _begin(self) -> None:
        """Also after a fork, where the thread did not come along and the parent sends what it has collected."""
        self._pid = os.getpid()
        self._records.clear()
        self._lost = 0
        self._thread: threading.Thread | None = None
        self._wake = threading.Condition()
        self._ending = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] == "secondpost" or threading.current_thread().name.startswith("secondpost"):
            return
        try:
            text = self.format(record)
            headline = words.clean(f"{record.levelname}: {record.getMessage()}")[:150]
        except Exception:
            self.handleError(record)
            return
        if self._pid != os.getpid():
            self._begin()
        with self._wake:
            self._lost += len(self._records) == self._records.maxlen
            self._records.append((headline, text))
            if self._thread is None and not self._ending:
                self._thread = threading.Thread(target=self._run, name="secondpost-log", daemon=True)
                self._thread.start()
            self._wake.notify()

    def _run(self) -> None:
        """Send what has come; then leave the mailbox alone for a while."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._records or self._ending)
                if not self._records:
                    return
                records, lost = list(self._records), self._lost
                self._records.clear()
                self._lost = 0
            self._send(records, lost)
            with self._wake:
                self._wake.wait_for(lambda: self._ending, self._interval)

    def _send(self, records: list[tuple[str, str]], lost: int) -> None:
        texts = "\n\n".join([text for _, text in records])[:LONGEST]
        more = f"\n\n{lost} records before these were too many to keep." if lost else ""
        headline = records[0][0] + (f" (and {len(records) - 1 + lost} more)" if len(records) + lost > 1 else "")
        subject = words.clean(f"{self._subject} {headline}")
        text = texts.replace("\0", "").encode("utf-8", "replace").decode() + more
        try:
            self._post.send(to=self._to, subject=subject, text=text, priority="normal").check()
        except Exception as error:  # whatever it is: the program goes on
            if logging.raiseExceptions and sys.stderr is not None:
                sys.stderr.write(f"secondpost: {len(records) + lost} log records were not mailed: {error}\n")

    def flush(self) -> None:
        """Nothing: it would make the program wait. `close` sends what is left."""

    def close(self) -> None:
        """Send what is left, in a few seconds at most."""
        if self._pid == os.getpid() and (thread := self._thread) is not None:
            with self._wake:
                self._ending = True
                self._wake.notify()
            thread.join(LAST_SECONDS)
        super().close()


def _close_all() -> None:
    for handler in list(_handlers):
        handler.close()


blocking.at_exit(_close_all)  # before the posts are closed: the last one that registers is called first
