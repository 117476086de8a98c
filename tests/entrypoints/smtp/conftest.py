"""The SMTP entrypoint on asyncio and uvloop, and certificates for it."""

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from tests.entrypoints.smtp.rig import HOST, Launch, Rig


@pytest.fixture(params=["asyncio", "uvloop"])
def launch(request) -> Iterator[Launch]:
    with contextlib.ExitStack() as stack:
        yield lambda settings=None, **options: stack.enter_context(Rig(settings or {}, request.param, options))


@pytest.fixture
def rig(launch):
    return launch()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority, tmp_path) -> dict[str, Any]:
    """The settings for TLS."""
    certificate = authority.issue_cert(HOST, "localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(tmp_path / "cert.pem"), append=True)
    files = {"tls_certificate": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}
    return files | {"loopback_starttls": True}


@pytest.fixture
def trusting(authority) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
