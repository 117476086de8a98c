"""TLS for the test provider: one good server certificate, and every kind of bad one.

Made anew for each use, by trustme.
"""

import ssl
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import trustme


class Certificates:
    @cached_property
    def _authority(self) -> trustme.CA:
        return trustme.CA()

    def good(self) -> ssl.SSLContext:
        return self._server(self._authority, "127.0.0.1", "localhost")

    def wrong_host(self) -> ssl.SSLContext:
        return self._server(self._authority, "other.example")

    def expired(self) -> ssl.SSLContext:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        return self._server(self._authority, "127.0.0.1", "localhost", not_after=yesterday)

    def self_signed(self) -> ssl.SSLContext:
        """Signed by an authority that nobody trusts."""
        return self._server(trustme.CA(), "127.0.0.1", "localhost")

    def trusting(self) -> ssl.SSLContext:
        """For clients that trust our authority."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def trust_file(self, folder: Path) -> Path:
        """A bundle for SSL_CERT_FILE."""
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return path

    @staticmethod
    def _server(authority: trustme.CA, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, not_after=not_after).configure_cert(context)
        return context
