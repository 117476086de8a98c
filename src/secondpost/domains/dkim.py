"""DKIM keys (RFC 6376, 8463): what a selector's record is worth. Pure but for the reading of a key.

Rule: a key that receivers would not take is told as what it is, not as one that is there.
"""

import base64
import binascii
from dataclasses import dataclass

SMALLEST = 1024  # bits; RFC 8301


@dataclass(frozen=True, slots=True)
class Key:
    """A record that was found. `fault`: why receivers would not take it."""

    kind: str
    bits: int = 0
    fault: str = ""


def tags(text: str) -> dict[str, str]:
    """A tag list (section 3.2), shared with DMARC."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    return {name.strip().lower(): "".join(value.split()) for name, _, value in pairs}


def parse(text: str) -> Key | None:
    """The key in a TXT text; None when it is something else."""
    found = tags(text)
    if "p" not in found or found.get("v", "DKIM1") != "DKIM1":
        return None
    kind = found.get("k", "rsa").lower()
    if not found["p"]:
        return Key(kind, fault="the key was revoked: its record is empty")
    try:
        content = base64.b64decode(found["p"], validate=True)
    except (binascii.Error, ValueError):
        return Key(kind, fault="the key cannot be read: it is not base64")
    if kind == "ed25519":
        return Key(kind, 256, "" if len(content) == 32 else "the key cannot be read: it has the wrong length")
    return _rsa(content)


def _rsa(content: bytes) -> Key:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(content)
    except (ValueError, TypeError):
        return Key("rsa", fault="the key cannot be read")
    if not isinstance(key, RSAPublicKey):
        return Key("rsa", fault="the key is of another kind than its record says")
    weak = f"the key has {key.key_size} bits; receivers want {SMALLEST} at least" if key.key_size < SMALLEST else ""
    return Key("rsa", key.key_size, weak)
