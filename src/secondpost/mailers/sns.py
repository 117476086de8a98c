"""Amazon SNS, which carries the events of others: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

Rule: a message is believed when it is of the topic, recent, and signed with a certificate that Amazon itself hands out.
"""

import base64
import re
from binascii import Error
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from secondpost.errors import HookRefused
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Hook

CONFIRMATION: Final = "SubscriptionConfirmation"
SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
DIGESTS: Final[Mapping[str, hashes.HashAlgorithm]] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303  # theirs
_THEIRS: Final = re.compile(r"https://sns\.[a-z0-9-]{1,30}\.amazonaws\.com(?:\.cn)?/[^\s#]*")
_REFUSED: Final = "The SNS message is not Amazon's, or not of this topic. Nothing in it was believed."


def certificate(hook: Hook) -> api.Request:
    """What must be fetched to check the message. Raises HookRefused."""
    return api.get(_their_url(_told(hook).get("SigningCertURL"), ".pem"), {"Accept": "*/*"})


def subscription(hook: Hook) -> api.Request | None:
    """What must be fetched so that a new subscription begins; the message was believed before."""
    told = _told(hook)
    return api.get(_their_url(told.get("SubscribeURL")), {}) if told.get("Type") == CONFIRMATION else None


def believed(hook: Hook, topic: str, now: datetime) -> Mapping[str, Any]:
    """The message, once it is shown to be Amazon's. Raises HookRefused."""
    told = _told(hook)
    fields = SIGNED.get(str(told.get("Type")))
    digest = DIGESTS.get(str(told.get("SignatureVersion")))
    if fields is None or digest is None or told.get("TopicArn") != topic:
        raise HookRefused(_REFUSED)
    text = "".join(f"{name}\n{told[name]}\n" for name in fields if told.get(name) is not None)
    try:
        key = load_pem_x509_certificate(hook.proof).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise HookRefused(_REFUSED)
        key.verify(base64.b64decode(str(told.get("Signature"))), text.encode(), padding.PKCS1v15(), digest)
    except (InvalidSignature, Error, ValueError):
        raise HookRefused(_REFUSED) from None
    hooks.check_age(hooks.when(told.get("Timestamp"), now - 2 * hooks.FRESH).timestamp(), now)
    return told


def _told(hook: Hook) -> Mapping[str, Any]:
    told = hooks.body(hook)
    if not isinstance(told, dict):
        raise HookRefused(_REFUSED)
    return told


def _their_url(url: Any, end: str = "") -> str:
    """Only of Amazon's own hosts: what comes from there is the proof."""
    if not (isinstance(url, str) and _THEIRS.fullmatch(url) and url.endswith(end)):
        raise HookRefused(_REFUSED)
    return url
