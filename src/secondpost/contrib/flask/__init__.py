"""Flask: `Mail`, with the messages and the configuration names of Flask-Mail and of Flask-Mailman."""

from secondpost.contrib.flask.extension import Connection, Mail
from secondpost.contrib.flask.messages import EmailMessage, EmailMultiAlternatives, Message

__all__ = ["Connection", "EmailMessage", "EmailMultiAlternatives", "Mail", "Message"]
