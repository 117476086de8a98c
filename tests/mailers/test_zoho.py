"""Zoho Mail, as its API reference and that of its accounts document it."""

from dataclasses import replace
from email.utils import getaddresses
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from secondpost import mailers
from secondpost.core.outcome import Accepted
from secondpost.errors import ConfigError
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted
from tests.providers.tokens import REFRESH, Tokens

ACCOUNT = "2560636000000008002"
FIELDS = ("toAddress", "ccAddress", "bccAddress")


class ZohoTokens(Tokens):
    """What Zoho refuses has status 200."""

    def answer(self, call: Call, _taken: Any = None) -> Says:
        says = super().answer(call)
        return says if says.status == 200 or says is self.refuse else Says(200, {"error": "invalid_code"})


def tokens() -> ZohoTokens:
    return ZohoTokens(scheme="Zoho-oauthtoken")


TOKENS = tokens()


def recipients(call: Call) -> list[str]:
    return [address for _, address in getaddresses([call.json[name] for name in FIELDS if name in call.json])]


def faults(call: Call) -> list[str]:
    it = call.json
    return [
        *wanted(it, fromAddress=str, toAddress=str, content=str),
        *unknown(it, *FIELDS, "fromAddress", "subject", "content", "mailFormat", "encoding"),
        *([] if it.get("mailFormat") in {"html", "plaintext"} else ["no such mailFormat"]),
        *([] if it.get("encoding") == "UTF-8" else ["no such encoding"]),
    ]


def error(status: int, text: str, **data: str) -> dict[str, Any]:
    return {"status": {"code": status, "description": text}, "data": data}


def accounts(*listed: dict[str, Any]) -> Says:
    return Says(200, {"status": {"code": 200, "description": "success"}, "data": list(listed)})


OWN = {"accountId": ACCOUNT, "type": "ZOHO_ACCOUNT", "primaryEmailAddress": "shop@shop.example"}
FETCHED = {"accountId": "17", "type": "IMAP_ACCOUNT", "primaryEmailAddress": "old@else.example"}
PEER = Script(
    settings={"client_id": "1000.ABC", "client_secret": SECRET, "refresh_token": REFRESH, "account_id": ACCOUNT},
    send=f"POST /api/accounts/{ACCOUNT}/messages",
    authorized=TOKENS.lets_in,
    unauthorized=Says(
        401, error(401, f"Unauthorized {SECRET}", errorCode="INVALID_OAUTHTOKEN"), "deferred account"
    ),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"status": {"code": 200, "description": "success"}, "data": {"messageId": "m-1"}}),
    refusals={
        "bad": Says(400, error(400, "Invalid Input", moreInfo="toAddress is empty"), "rejected message"),
        "gate": Says(400, error(400, "Invalid Input", errorCode="INVALID_TICKET"), "deferred account"),
        "forbidden": Says(403, error(403, "Forbidden"), "deferred account"),
        "account": Says(404, error(404, "Invalid Input", moreInfo="Account id 1 is invalid"), "deferred account"),
        "url": Says(404, error(404, "Invalid Input", errorCode="URL_RULE_NOT_CONFIGURED"), "deferred account"),
        "fast": Says(
            400, error(400, "Invalid Input", errorCode="URL_ROLLING_THROTTLES_LIMIT_EXCEEDED"), "deferred limit"
        ),
        "rate": Says(429, error(429, "Too many requests"), "deferred limit"),
        "unavailable": Says(503, error(503, "Service Unavailable"), "deferred provider"),
        "internal": Says(500, error(500, "Internal Error", moreInfo="unexpected"), "unclear"),
    },
    verify="GET /api/accounts",
    verified=accounts(FETCHED, OWN),
    look=TOKENS.answer,
)  # fmt: skip


def asked(peer: Provider) -> list[str]:
    return [f"{call.method} {call.path}" for call in peer.calls]


def mail() -> Any:
    return parcel(head=b"From: shop@shop.example\r\nTo: bob@dest.example\r\n")


async def send(peer: Provider, *parcels: Any, **changes: Any) -> list[Any]:
    mailer = api_mailer("zoho", **{**peer.settings, **changes})
    reports = [await mailer.send(one, Crossing()) for one in parcels]
    await mailer.close()
    return reports


async def test_the_account_is_asked_for_once():
    with Provider(PEER) as peer:
        reports = await send(peer, mail(), mail(), account_id="")
        assert [told(report) for report in reports] == [["accepted"]] * 2
        assert reports[0].outcomes[0].provider_id == "m-1"
        assert asked(peer)[1:] == ["GET /api/accounts", PEER.send, PEER.send]


@pytest.mark.parametrize(
    ("says", "means"),
    [(accounts(), "deferred account"), (accounts({"accountId": "../x"}), "deferred account"),
     (Says(200, "<html>"), "deferred account"), (Says(200, {"data": "x"}), "deferred account"),
     (Says(400, error(400, "Invalid Input")), "deferred account"), (Says(404, "?"), "deferred account"),
     (Says(429, error(429, "Too many requests")), "deferred limit"), (Says(500, "?"), "deferred unreachable")],
)  # fmt: skip
async def test_without_an_account_nothing_is_sent(says, means):
    with Provider(replace(PEER, verified=says)) as peer:
        (report,) = await send(peer, mail(), account_id="")
        assert told(report) == [means]
        assert not peer.taken


async def test_verify_tells_the_account():
    with Provider(PEER) as peer:
        mailer = api_mailer("zoho", **peer.settings)
        verdict = await mailer.verify()
        await mailer.close()
    assert isinstance(verdict.outcome, Accepted)
    assert verdict.details == {"mailbox": "shop@shop.example", "account_id": ACCOUNT}


async def test_what_has_no_place_in_a_request_is_refused_before_anything_is_asked():
    kinds = [
        b"Content-Type: application/pdf; name=a.pdf\r\n", b"Reply-To: help@shop.example\r\n",
        b"List-Unsubscribe: <https://shop.example>\r\n", b"In-Reply-To: <1@x>\r\n",
    ]  # fmt: skip
    with Provider(PEER) as peer:
        reports = await send(peer, *[parcel(head=b"To: bob@dest.example\r\n" + kind) for kind in kinds], account_id="")
        assert [told(report) for report in reports] == [["rejected message unsupported"]] * len(kinds)
        assert peer.calls == []


async def test_names_are_shown_and_a_text_stays_a_text():
    with Provider(PEER) as peer:
        head = b'From: "Shop, Inc." <shop@shop.example>\r\nTo: Bob <bob@dest.example>\r\nCc: eve@dest.example\r\n'
        (report,) = await send(peer, parcel("bob@dest.example", "eve@dest.example", "ann@dest.example", head=head))
        assert told(report) == ["accepted"] * 3
        it = peer.taken[0].json
    assert (it["fromAddress"], it["toAddress"]) == ('"Shop, Inc." <shop@shop.example>', '"Bob" <bob@dest.example>')
    assert (it["ccAddress"], it["bccAddress"]) == ("eve@dest.example", "ann@dest.example")
    assert (it["content"].rstrip(), it["mailFormat"]) == ("Hello.", "plaintext")


async def test_a_person_signs_in_and_the_account_is_theirs():
    theirs = tokens()
    script = replace(PEER, authorized=theirs.lets_in, look=theirs.answer)
    with Provider(script) as peer:
        mailer = api_mailer("zoho", **{**peer.settings, "refresh_token": "", "account_id": ""})
        assert mailer.by_person
        for number in range(2):
            page = urlsplit(mailer.sign_in_page(state="s", verifier="v" * 43, redirect="https://x.example/callback"))
            more = {name: value[0] for name, value in parse_qs(page.query).items()}
            assert (more["access_type"], more["prompt"]) == ("offline", "consent")
            theirs.codes["c"] = more["code_challenge"]
            signed = await mailer.signed_in(code="c", verifier="v" * 43, redirect="https://x.example/callback")
            assert isinstance(signed, Accepted)
            assert told(await mailer.send(mail(), Crossing())) == ["accepted"]
            assert asked(peer).count("GET /api/accounts") == number + 1
        await mailer.close()


async def test_who_asks_for_tokens_too_often_waits():
    busy = tokens()
    text = "You have made too many requests continuously. Please try again after some time."
    busy.refuse = Says(400, {"error_description": text, "error": "Access Denied", "status": "failure"})
    with Provider(replace(PEER, authorized=busy.lets_in, look=busy.answer)) as peer:
        (report,) = await send(peer, mail())
        assert told(report) == ["deferred limit"]
        assert not peer.taken


@pytest.mark.parametrize(
    ("region", "mail", "door"),
    [("com", "mail.zoho.com", "accounts.zoho.com"), ("com.au", "mail.zoho.com.au", "accounts.zoho.com.au"),
     ("ca", "mail.zohocloud.ca", "accounts.zohocloud.ca")],
)  # fmt: skip
def test_each_region_has_its_own_servers(region, mail, door):
    provider: Any = mailers.find("zoho")
    settings = {**PEER.settings, "region": region}
    assert urlsplit(provider.api.verify(settings).url).hostname == mail
    assert urlsplit(provider.api.token_url(settings)).hostname == door
    assert urlsplit(provider.api.sign_in(settings)[0]).hostname == door


@pytest.mark.parametrize("number", ["../x", "12a", "1/2", "٣"])
def test_an_account_that_would_lead_elsewhere_is_refused(number):
    with pytest.raises(ConfigError, match="digits"):
        api_mailer("zoho", **{**PEER.settings, "account_id": number})
