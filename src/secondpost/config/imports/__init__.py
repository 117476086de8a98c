"""Connections of other programs: the settings of WP Mail SMTP, the environment of Symfony, Laravel and Django.

Rule: a pure reading of text. What cannot be taken over is told in a note, and a note never repeats a secret.
"""

from secondpost.config.imports import environment, wordpress
from secondpost.config.imports.found import Found

__all__ = ["Found", "read"]


def read(text: str) -> Found:
    """The connections in a JSON export or in lines of NAME=value. Raises `ValueError` when there are none."""
    found = wordpress.read(text) if text.lstrip().startswith("{") else environment.read(text)
    if not found.tables and not found.notes:
        raise ValueError(
            "There are no mail settings in it. It is read as the settings of WP Mail SMTP (JSON), or as lines with "
            "MAILER_DSN (Symfony), MAIL_… (Laravel), or EMAIL_… (Django)."
        )
    return found
