"""The backend: Django's messages, sent by Secondpost.

Rule: a message counts as sent when somebody has it, or may have it; what nobody has raises, unless Django was asked to
be silent. Either way the message says what became of each recipient.
"""

import logging
from collections.abc import Iterable
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from secondpost.contrib.django import options, status
from secondpost.contrib.django.letter import Letter
from secondpost.errors import SecondpostError
from secondpost.library.result import Result

logger = logging.getLogger(__name__)

KNOWS_MAILERS = django.VERSION >= (6, 1)


class EmailBackend(BaseEmailBackend):
    """Made anew for every use, and cheap; what it sends with is kept for the process."""

    def __init__(
        self,
        fail_silently: bool = False,
        username: str | None = None,
        password: str | None = None,
        *,
        alias: str | None = None,
        **given: Any,
    ) -> None:
        ignored = given.pop("_ignore_unknown_kwargs", None) or ()  # Django's own, while it leaves the old ways
        given = {name: value for name, value in given.items() if name not in ignored}
        super().__init__(**({"alias": alias} if KNOWS_MAILERS else {}))
        self.alias = alias
        self.fail_silently = fail_silently
        if username or password:
            raise ImproperlyConfigured(
                "Secondpost's connections have log-ins of their own: leave user and password out."
            )
        self.options = _read(given if alias is not None else {**options.setting(), **given}, alias)

    def send_messages(self, email_messages: Iterable[EmailMessage]) -> int:
        """Returns how many somebody has, or will have."""
        return sum(self._send(message) for message in email_messages or () if message.recipients())

    def _send(self, message: EmailMessage) -> bool:
        try:
            result = self._hand(Letter.of(message))
            status.note(message, result)
            return self._is_with_somebody(result)
        except (SecondpostError, ValueError, OSError):
            if not self.fail_silently:
                raise
            logger.warning("a message was not sent, and fail_silently was set", exc_info=True)
            return False

    def _hand(self, letter: Letter) -> Result:
        if self.options.mode != "outbox":
            return letter.send(self.options.post)
        from secondpost.contrib.django import outbox  # it has the model, which needs the app

        return outbox.add(letter, self.options.database)

    def _is_with_somebody(self, result: Result) -> bool:
        """Raises `NotAccepted` when nobody has it. Whom it is refused for while others have it is logged."""
        if result.is_lost:
            result.check()
        for it in result.recipients.values():
            if it.state in {"rejected", "deferred", "withheld"}:
                logger.warning("%s will not get message %s: %s", it.address, result.id, it.reply or it.state)
        return True


def _read(given: dict[str, Any], alias: str | None) -> options.Options:
    try:
        return options.read(given)
    except ImproperlyConfigured as error:
        if not KNOWS_MAILERS or alias is None:
            raise
        from django.core.mail import InvalidMailer

        raise InvalidMailer(str(error), alias=alias) from None
