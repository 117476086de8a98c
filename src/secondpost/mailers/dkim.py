"""DKIM signatures (RFC 6376), for servers that do not sign themselves.

Rule: what is signed is the copy that leaves, with the connection's From rules applied; what is stored never changes.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from secondpost.core.message import Message, authors
from secondpost.core.outcome import Deferred, Fault, Outcome, Phase, Rejected
from secondpost.errors import ConfigError
from secondpost.mailers.base import Parcel, Report, Setting

SETTINGS: Final = (
    Setting(
        name="dkim_key", label="DKIM private key", kind="secret", advanced=True,
        help="PEM, RSA. Give one only when the server does not sign by itself.",
    ),
    Setting(
        name="dkim_selector", label="DKIM selector", advanced=True,
        help="The public key stands in the DNS at SELECTOR._domainkey.DOMAIN.",
    ),
    Setting(name="dkim_domain", label="DKIM domain", advanced=True, help="Empty: the domain of From."),
)  # fmt: skip
SMALLEST: Final = 1024  # bits (RFC 8301 section 3.2)
_PEM: Final = re.compile(r"-----BEGIN ([A-Z ]+)-----(.+)-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with one key, for one domain or for that of From."""

    key: bytes = field(repr=False)
    selector: bytes
    domain: str

    async def sign(self, parcel: Parcel) -> tuple[Parcel, Report | None]:
        """The parcel with a signature before its message; or a report of why it has none and cannot be sent."""
        try:
            return replace(parcel, message=await asyncio.to_thread(self._signed, parcel.message)), None
        except OSError as error:
            outcome: Outcome = Deferred(Fault.LOCAL, f"the message could not be read back: {error}")
        except Exception as error:  # its errors have no base of their own
            outcome = Rejected(Fault.MESSAGE, f"the message cannot be signed with DKIM: {error}", unsupported=True)
        return parcel, Report(outcomes=(outcome,) * len(parcel.recipients), phase=Phase.ENVELOPE)

    def _signed(self, message: Message) -> Message:
        import dkim  # an extra of its own

        domain = self.domain or _domain(message)
        if not domain:
            return message
        content = b"".join([message.head, message.body, *(message.tail.blocks() if message.tail else ())])
        signature: bytes = dkim.sign(content, self.selector, domain.encode("idna"), self.key)
        return replace(message, head=signature + message.head)


def signer(settings: Mapping[str, Any]) -> Signer | None:
    """From a connection's settings; None without a key. Raises `ConfigError`, which never repeats the key."""
    key, selector, domain = (str(settings.get(f"dkim_{name}") or "").strip() for name in ("key", "selector", "domain"))
    if not key:
        return None
    try:
        import dkim  # noqa: F401  # found now rather than at the first message
    except ImportError:
        raise ConfigError("A DKIM key needs the package dkimpy. Run: pip install 'secondpost[dkim]'.") from None
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", selector):
        raise ConfigError("A DKIM key needs its DKIM selector: letters, digits, dots and hyphens, such as mail2026.")
    return Signer(_usable(key), selector.encode(), domain)


def _usable(text: str) -> bytes:
    """The key as the signing library reads it. Line ends that a form field has lost are put back."""
    if (found := _PEM.fullmatch(text)) is None:
        raise ConfigError("The DKIM private key is not in PEM form: it begins with -----BEGIN PRIVATE KEY-----.")
    base64 = "".join(found[2].split())
    lines = "\n".join(base64[start : start + 64] for start in range(0, len(base64), 64))
    try:
        key = load_pem_private_key(f"-----BEGIN {found[1]}-----\n{lines}\n-----END {found[1]}-----\n".encode(), None)
    except (ValueError, TypeError):
        raise ConfigError("The DKIM private key cannot be read: it is damaged, or locked with a password.") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST:
        raise ConfigError(f"The DKIM private key must be an RSA key of at least {SMALLEST} bits; 2048 are usual.")
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _domain(message: Message) -> str:
    addresses = authors(message.head)
    return addresses[0].rpartition("@")[2] if addresses else ""
