"""Flask: `Mail`, with the messages and the configuration names of Flask-Mail and of Flask-Mailman."""

from secondpost.contrib.flask.extension import Connection, Mail, email_dispatched
from secondpost.contrib.flask.messages import Attachment, EmailMessage, EmailMultiAlternatives, Message

__all__ = ["Attachment", "Connection", "EmailMessage", "EmailMultiAlternatives", "Mail", "Message", "email_dispatched"]
