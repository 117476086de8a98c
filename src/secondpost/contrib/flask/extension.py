"""The extension: `mail = Mail(app)`, and `mail.send(message)` as Flask-Mail and Flask-Mailman have it.

Rule: one post for each app, opened with its first message, so that an app may be made before its server forks.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

from blinker import NamedSignal
from flask import Flask, current_app, has_app_context

from secondpost import blocking
from secondpost.contrib.flask import settings
from secondpost.contrib.flask.messages import EmailMessage, EmailMultiAlternatives, Message, Person, handed, refuse
from secondpost.errors import ConfigError, SecondpostError
from secondpost.library.result import Result

logger = logging.getLogger(__name__)

email_dispatched = NamedSignal("email-dispatched")  # Flask-Mail's: sent or suppressed; with the message, and `app`
KEPT = 1000  # messages that were not sent: an app may run for long with sending suppressed

_recorded: ContextVar[tuple[list[Any], ...]] = ContextVar("secondpost recorded", default=())


class State:
    """What one app has. The names beside `post` are those that messages of Flask-Mail and Flask-Mailman ask for."""

    default_charset, use_localtime, ascii_attachments = "utf-8", False, False

    def __init__(self, read: settings.Settings, app: Flask) -> None:
        self._app = app
        self.post = blocking.open(**read.post)
        self.default_sender, self.suppress = read.sender or None, read.suppress
        self.outbox: list[Any] = []  # what was not sent because sending is suppressed

    def send(self, message: Any) -> Result | None:
        """Raises `NotAccepted` when nobody has it. None: sending is suppressed."""
        for recorded in _recorded.get():
            recorded.append(message)
        ready, parts = handed(message)
        result = None
        if self.suppress:
            self.outbox.append(message)
            del self.outbox[:-KEPT]
        else:
            result = self.post.send(ready, **parts) if ready is not None else self.post.send(**parts)
            if result.is_lost:
                result.check()
        email_dispatched.send(message, app=self._app)
        return result

    def get_connection(self, backend: Any = None, fail_silently: bool = False, **others: Any) -> "Connection":
        refuse(backend=backend, **others)
        return Connection(self, fail_silently=fail_silently)


class Connection:
    """Several messages in a row; also what Flask-Mail's and Flask-Mailman's messages are sent with."""

    def __init__(self, state: State, *, fail_silently: bool = False) -> None:
        self._state, self._fail_silently = state, fail_silently

    def open(self) -> bool:
        """Nothing to do: sessions are kept by the post."""
        return False

    def close(self) -> None:
        """Nothing to do either."""

    def send(self, message: Any, envelope_from: str | None = None) -> Result | None:
        refuse(envelope_from=envelope_from)
        return self._state.send(message)

    def send_message(self, *given: Any, **named: Any) -> Result | None:
        return self.send(Message(*given, **named))

    def send_messages(self, messages: Iterable[Any]) -> int:
        """How many were sent, or will be."""
        return sum(self._send(message) for message in messages)

    def _send(self, message: Any) -> bool:
        try:
            self._state.send(message)
        except SecondpostError:
            if not self._fail_silently:
                raise
            logger.warning("a message was not sent, and fail_silently was set", exc_info=True)
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Mail:
    """`Mail(app)`, or `mail = Mail()` and later `mail.init_app(app)`."""

    def __init__(self, app: Flask | None = None) -> None:
        self.app = app
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> State:
        """Raises `ConfigError` for a configuration that is wrong."""
        state = State(settings.read(app.config, testing=app.testing), app)
        for name in ("secondpost", "mail", "mailman"):  # other extensions look for these
            app.extensions[name] = state
        return state

    @property
    def state(self) -> State:
        app = current_app if has_app_context() else self.app
        if app is None or "secondpost" not in app.extensions:
            raise ConfigError("There is no app here that has the extension: Mail(app), or mail.init_app(app).")
        state: State = app.extensions["secondpost"]
        return state

    @property
    def outbox(self) -> list[Any]:
        """What was not sent because sending is suppressed, as it is in tests."""
        return self.state.outbox

    def send(self, message: Any) -> Result | None:
        """Raises `NotAccepted` when nobody has it. None: sending is suppressed."""
        return self.state.send(message)

    def send_message(self, *given: Any, **named: Any) -> Result | None:
        """`Message` and `send` in one."""
        return self.send(Message(*given, **named))

    def connect(self) -> Connection:
        return Connection(self.state)

    def get_connection(self, backend: Any = None, fail_silently: bool = False, **others: Any) -> Connection:
        return self.state.get_connection(backend, fail_silently, **others)

    def send_mail(
        self, subject: str, message: str, from_email: Person | None = None, recipient_list: Iterable[Person] = (),
        fail_silently: bool = False, auth_user: str | None = None, auth_password: str | None = None,
        connection: Connection | None = None, html_message: str | None = None,
    ) -> int:  # fmt: skip
        refuse(auth_user=auth_user, auth_password=auth_password)
        made = EmailMultiAlternatives(subject, message, from_email, list(recipient_list), connection=connection)
        made.html = html_message or ""
        return (connection or self.get_connection(fail_silently=fail_silently)).send_messages([made])

    def send_mass_mail(self, datatuple: Iterable[tuple[Any, ...]], fail_silently: bool = False) -> int:
        return self.get_connection(fail_silently=fail_silently).send_messages([EmailMessage(*it) for it in datatuple])

    @contextmanager
    def record_messages(self) -> Iterator[list[Any]]:
        """While it lasts, what is sent here stands in this list, too."""
        recorded: list[Any] = []
        token = _recorded.set((*_recorded.get(), recorded))
        try:
            yield recorded
        finally:
            _recorded.reset(token)
