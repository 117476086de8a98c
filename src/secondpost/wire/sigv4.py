"""Amazon's Signature Version 4, for both sides: who signs a request, and who verifies one.

Rule: it covers the method, the path, the signed header fields and the whole body; the query must be empty.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

SERVICE = "ses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What is signed. `path` is percent-encoded.

    `headers` have lower-case names, and x-amz-date among them; `names` are those that count."""

    method: str
    path: str
    headers: Mapping[str, str]
    names: tuple[str, ...]
    body: bytes


def signature(it: Signed, secret: str, region: str) -> str:
    at = it.headers["x-amz-date"]
    lines = "".join(f"{name}:{' '.join(it.headers.get(name, '').split())}\n" for name in it.names)
    digest = hashlib.sha256(it.body).hexdigest()
    canonical = f"{it.method}\n{it.path}\n\n{lines}\n{';'.join(it.names)}\n{digest}"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope(at, region)}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for part in (at[:8], region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def scope(at: str, region: str) -> str:
    """What a signature is good for: a day, a region, a service."""
    return f"{at[:8]}/{region}/{SERVICE}/aws4_request"
