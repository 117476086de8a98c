"""Microsoft Graph, as its reference documents it."""

import base64
from dataclasses import replace
from email import message_from_bytes, policy
from email.utils import getaddresses
from typing import Any

import pytest

from secondpost.errors import ConfigError
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script
from tests.providers.tokens import REFRESH, Tokens

TOKENS = Tokens()
TENANT = "6f0a9a5c-1b1e-4c8e-9a51-0123456789ab"


def message_of(call: Call) -> Any:
    return message_from_bytes(base64.b64decode(call.body), policy=policy.default)


def recipients(call: Call) -> list[str]:
    sent = message_of(call)
    return [address for name in ("To", "Cc", "Bcc") for _, address in getaddresses(sent.get_all(name, []))]


def faults(call: Call) -> list[str]:
    return [
        *([] if call.headers["content-type"] == "text/plain" else ["not text/plain"]),
        *([] if recipients(call) else ["ErrorInvalidRecipients"]),
    ]


def error(code: str, text: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": text, "innerError": {"request-id": "r-1"}}}


PEER = Script(
    settings={"client_id": "app-1", "client_secret": SECRET, "refresh_token": REFRESH},
    send="POST /v1.0/me/sendMail",
    authorized=TOKENS.lets_in,
    unauthorized=Says(401, error("InvalidAuthenticationToken", f"Lifetime failed {SECRET}"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(202, None, headers={"request-id": "r-1"}),
    refusals={
        "mime": Says(400, error("ErrorMimeContentInvalidBase64String", "Invalid base64 string"), "rejected message"),
        "send as": Says(403, error("ErrorSendAsDenied", "not allowed to send as"), "deferred account sender"),
        "denied": Says(403, error("ErrorAccessDenied", "Access is denied."), "deferred account"),
        "user": Says(404, error("ErrorInvalidUser", "The requested user is invalid."), "deferred account"),
        "no mailbox": Says(404, error("MailboxNotEnabledForRESTAPI", "REST API is not yet"), "deferred account"),
        "large": Says(413, error("RequestEntityTooLarge", "too large"), "rejected message unsupported"),
        "rate": Says(429, error("ApplicationThrottled", "over its MailboxConcurrency limit"), "deferred limit"),
        "message limit": Says(403, error("ErrorExceededMessageLimit", "exceeded"), "deferred limit"),
        "unavailable": Says(503, error("serviceNotAvailable", "try later"), "deferred provider"),
        "gateway": Says(504, error("UnknownError", ""), "unclear"),
    },
    verify="GET /v1.0/me",
    verified=Says(403, error("Authorization_RequestDenied", "Insufficient privileges")),
    look=TOKENS.answer,
)


def by_itself(fields: dict[str, str]) -> bool:
    return (
        fields.get("grant_type") == "client_credentials"
        and fields.get("client_secret") == SECRET
        and fields.get("scope") == "https://graph.microsoft.com/.default"
    )


async def test_an_application_sends_for_a_mailbox():
    tokens = Tokens(alone=by_itself)
    path = "POST /v1.0/users/shop@shop.example/sendMail"
    with Provider(replace(PEER, authorized=tokens.lets_in, look=tokens.answer, send=path)) as peer:
        settings = {"grant": "application", "tenant": TENANT, "mailbox": "shop@shop.example", "refresh_token": ""}
        mailer = api_mailer("outlook", **{**peer.settings, **settings})
        assert told(await mailer.send(parcel(), Crossing())) == ["accepted"]
        await mailer.close()
        assert peer.calls[0].path == f"/{TENANT}/oauth2/v2.0/token"


async def test_the_message_is_carried_as_it_is():
    with Provider(PEER) as peer:
        mailer = api_mailer("outlook", **peer.settings)
        head = "From: shop@shop.example\r\nTo: bob@dest.example\r\nX-Own: grün\r\n".encode()
        (outcome,) = (await mailer.send(parcel(head=head), Crossing())).outcomes
        await mailer.close()
        assert outcome.provider_id == "r-1"
        assert "X-Own: grün".encode() in base64.b64decode(peer.taken[0].body)


@pytest.mark.parametrize(
    "changes",
    [{"tenant": "evil.example/x"}, {"tenant": "a@b"}, {"tenant": "../x"}, {"tenant": ""},
     {"grant": "application", "tenant": TENANT}, {"grant": "application", "mailbox": "a@b.example"}],
)  # fmt: skip
def test_a_tenant_that_would_lead_the_secret_elsewhere_is_refused(changes):
    with pytest.raises(ConfigError):
        api_mailer("outlook", **{**PEER.settings, **changes})
