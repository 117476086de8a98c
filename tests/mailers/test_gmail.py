"""Gmail, as its API reference documents it, and its service accounts."""

import base64
import json
from dataclasses import replace
from email import message_from_bytes, policy
from email.utils import getaddresses
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from secondpost.core.outcome import Accepted
from secondpost.errors import ConfigError
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script
from tests.providers.tokens import REFRESH, Tokens

TOKENS = Tokens()


def recipients(call: Call) -> list[str]:
    sent = message_from_bytes(call.body, policy=policy.default)
    return [address for name in ("To", "Cc", "Bcc") for _, address in getaddresses(sent.get_all(name, []))]


def faults(call: Call) -> list[str]:
    return [
        *([] if call.headers["content-type"] == "message/rfc822" else ["not a message"]),
        *([] if call.query == {"uploadType": "media"} else ["not an upload"]),
        *([] if recipients(call) else ["Recipient address required"]),
    ]


def error(status: int, reason: str, text: str) -> dict[str, Any]:
    inner = {"domain": "global", "reason": reason, "message": text}
    return {"error": {"code": status, "message": text, "errors": [inner]}}


PEER = Script(
    settings={"client_id": "123.apps.googleusercontent.com", "client_secret": SECRET, "refresh_token": REFRESH},
    send="POST /upload/gmail/v1/users/me/messages/send",
    authorized=TOKENS.lets_in,
    unauthorized=Says(401, error(401, "authError", f"Invalid Credentials {SECRET}"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"id": "18c-1", "threadId": "18c-1", "labelIds": ["SENT"]}),
    refusals={
        "bad": Says(400, error(400, "invalidArgument", "Recipient address required"), "rejected message"),
        "disabled": Says(400, error(400, "failedPrecondition", "Mail service not enabled"), "deferred account"),
        "scope": Says(403, error(403, "insufficientPermissions", "Insufficient Permission"), "deferred account"),
        "domain": Says(403, error(403, "domainPolicy", "disabled by the administrator"), "deferred account"),
        "user rate": Says(403, error(403, "userRateLimitExceeded", "User Rate Limit Exceeded"), "deferred limit"),
        "daily": Says(403, error(403, "dailyLimitExceeded", "Daily Limit Exceeded"), "deferred limit"),
        "rate": Says(429, error(429, "rateLimitExceeded", "Too many concurrent requests"), "deferred limit"),
        "unavailable": Says(503, error(503, "backendError", "Backend Error"), "deferred provider"),
        "error": Says(500, error(500, "backendError", "Backend Error"), "unclear"),
    },
    verify="GET /gmail/v1/users/me/profile",
    verified=Says(200, {"emailAddress": "shop@gmail.com", "messagesTotal": 7}),
    look=TOKENS.answer,
)


async def test_who_may_only_send_has_signed_in():
    says = Says(403, error(403, "insufficientPermissions", "Request had insufficient authentication scopes."))
    with Provider(replace(PEER, verified=says)) as peer:
        mailer = api_mailer("gmail", **peer.settings)
        verdict = await mailer.verify()
        await mailer.close()
    assert isinstance(verdict.outcome, Accepted)
    assert verdict.details == {"may": "send only"}


async def test_blind_copies_are_named_where_gmail_reads_them():
    with Provider(PEER) as peer:
        mailer = api_mailer("gmail", **peer.settings)
        head = b"From: shop@shop.example\r\nTo: bob@dest.example\r\n"
        assert (
            told(await mailer.send(parcel("bob@dest.example", "eve@dest.example", head=head), Crossing()))
            == ["accepted"] * 2
        )
        await mailer.close()
        assert peer.copies == {"bob@dest.example": 1, "eve@dest.example": 1}


# Service accounts -----------------------------------------------------------------------------------------------------

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ACCOUNT = {
    "type": "service_account", "client_email": "mail@project.iam.gserviceaccount.com", "private_key_id": "k1",
    "private_key": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
}  # fmt: skip


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def asserted(fields: dict[str, str]) -> bool:
    """Whether this is a signed assertion of the account."""
    head, claims, proof = fields.get("assertion", "..").split(".")
    try:
        KEY.public_key().verify(
            base64.urlsafe_b64decode(proof + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    except InvalidSignature:
        return False
    told = decoded(claims)
    return (
        decoded(head)["alg"] == "RS256"
        and (told["iss"], told["sub"]) == (ACCOUNT["client_email"], "shop@shop.example")
        and told["aud"] == "https://oauth2.googleapis.com/token"
        and 0 < told["exp"] - told["iat"] <= 3600
    )


SERVICE = {"grant": "service_account", "mailbox": "shop@shop.example", "client_secret": json.dumps(ACCOUNT)}


async def test_a_service_account_signs_for_itself():
    tokens = Tokens(alone=asserted)
    with Provider(replace(PEER, authorized=tokens.lets_in, look=tokens.answer)) as peer:
        mailer = api_mailer("gmail", **{**peer.settings, **SERVICE, "refresh_token": ""})
        assert told(await mailer.send(parcel(), Crossing())) == ["accepted"]
        assert told(await mailer.send(parcel(), Crossing())) == ["accepted"]
        await mailer.close()
    assert [fields["grant_type"].rpartition(":")[2] for fields in tokens.asked] == ["jwt-bearer"]


@pytest.mark.parametrize(
    "changes",
    [{"mailbox": ""}, {"client_secret": "GOCSPX-1"}, {"client_secret": "{}"},
     {"client_secret": json.dumps(ACCOUNT | {"private_key": "-----BEGIN PRIVATE KEY-----"})}],
)  # fmt: skip
def test_a_service_account_that_is_not_whole_is_refused_before_it_is_kept(changes):
    with pytest.raises(ConfigError) as refused:
        api_mailer("gmail", **{**PEER.settings, **SERVICE, **changes})
    assert "PRIVATE KEY" not in str(refused.value)
