"""The SMTP mailer before a provider of the test's own, by each way that a message can leave."""

from contextlib import asynccontextmanager
from typing import Any

from secondpost.mailers.smtp import Smtp
from tests.mailers.parcels import Crossing, connection, parcel
from tests.provider import HOST

NO_PIPELINING = frozenset({"8BITMIME", "SMTPUTF8"})
WAYS: dict[str, dict[str, Any]] = {
    "pipelined": {},
    "step_by_step": {"extensions": NO_PIPELINING},
    "chunked": {"chunking": True},
}


@asynccontextmanager
async def reaching(provider, **options):
    """A mailer for `provider`, gone at the end with all its sessions."""
    mode = "tls" if provider.implicit_tls else "starttls" if provider.tls else "none"
    options = {"host": HOST, "port": provider.port, "encryption": mode} | options
    mailer = Smtp(connection(**options))
    try:
        yield mailer
    finally:
        await mailer.close()
        for session in list(mailer._pool._live):
            session.drop("the test is over")


async def send(mailer, *recipients, crossing=None, **options):
    return await mailer.send(parcel(*recipients, **options), crossing or Crossing())
