"""Amazon's Signature Version 4, from the side that verifies it.

Rule: the signature covers host, time and the whole body, is compared in constant time, and is good for five minutes.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from secondpost.wire.sigv4 import Signed, signature

FRESH = timedelta(minutes=5)
_FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([a-z0-9-]+)/ses/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class Claim(NamedTuple):
    """What a request says of its signature."""

    access_id: str
    day: str
    region: str
    signed: tuple[str, ...]
    signature: str


def claim(authorization: str) -> Claim | None:
    found = _FORM.fullmatch(authorization)
    if not found:
        return None
    access_id, day, region, signed, signature = found.groups()
    return Claim(access_id, day, region, tuple(signed.split(";")), signature)


def is_right(it: Claim, secret: str, path: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:  # noqa: PLR0917  # what is signed
    """Whether whoever signed this POST without a query knew the secret, just now."""
    at = headers.get("x-amz-date", "")
    try:
        stamp = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    if abs(now - stamp) > FRESH or not at.startswith(it.day) or not {"host", "x-amz-date"} <= set(it.signed):
        return False
    signed = Signed(method="POST", path=quote(path, safe="/-_.~"), headers=headers, names=it.signed, body=body)
    return hmac.compare_digest(signature(signed, secret, it.region), it.signature)
