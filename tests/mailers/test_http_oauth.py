"""Tokens: had once for all, renewed ahead, kept over restarts; a refusal of one is an outcome, and says what to do."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from secondpost.core.outcome import Accepted, Deferred, Fault
from secondpost.errors import StoreUnavailable
from tests.mailers import test_outlook
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import Provider, Says
from tests.providers.tokens import REFRESH, Tokens

REVOKED = Says(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked.\nTrace: 1"})


class Memory:
    """Keeps what it is given, as a store does, or fails."""

    def __init__(self):
        self.kept = None
        self.full = False

    async def load(self):
        return self.kept

    async def save(self, value):
        if self.full:
            raise StoreUnavailable("The disk is full.")
        self.kept = dict(value)


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def peer(tokens):
    with Provider(replace(test_outlook.PEER, authorized=tokens.lets_in, look=tokens.answer)) as peer:
        yield peer


@pytest.fixture
def keeper():
    return Memory()


@pytest.fixture
async def make(peer, keeper):
    """Mailers of the same connection, one after another, as restarts make them."""
    made = []

    def make(**changes):
        mailer = api_mailer("outlook", data_block=0.5, data_reply=0.5, **{**peer.settings, **changes})
        mailer.keeper = keeper
        made.append(mailer)
        return mailer

    yield make
    for mailer in made:
        await mailer.close()


async def send(mailer, **more):
    return await mailer.send(parcel(**more), Crossing())


async def test_all_who_ask_together_wait_for_one_token(make, tokens, peer):
    mailer = make()
    reports = await asyncio.gather(*[send(mailer) for _ in range(10)])
    assert [told(report) for report in reports] == [["accepted"]] * 10
    assert len(tokens.asked) == 1
    assert len(peer.taken) == 10


async def test_a_restart_takes_the_token_along(make, tokens):
    assert told(await send(make())) == ["accepted"]
    assert told(await send(make())) == ["accepted"]
    assert len(tokens.asked) == 1


async def test_a_refresh_token_that_is_good_once_is_followed_over_restarts(make, tokens, keeper):
    tokens.rotates, tokens.life = True, 60
    for _ in range(3):
        assert told(await send(make())) == ["accepted"]
    assert [fields["refresh_token"] for fields in tokens.asked] == [REFRESH, "refresh-canary-2", "refresh-canary-3"]
    assert keeper.kept["refresh"] == "refresh-canary-4"


async def test_other_settings_do_not_take_the_kept_token(make, tokens):
    await send(make())
    assert told(await send(make(refresh_token="another"))) == ["deferred account"]


async def test_a_token_is_renewed_before_it_ends(make, tokens):
    mailer, now = make(), datetime.now(UTC)
    assert await mailer.renew(now) is None
    assert await mailer.renew(now + timedelta(minutes=40)) is None
    assert len(tokens.asked) == 1
    assert await mailer.renew(now + timedelta(minutes=50)) is None
    assert len(tokens.asked) == 2


async def test_while_no_new_one_can_be_had_the_old_one_is_used_to_its_end(make, tokens):
    tokens.life = 120  # less than the margin: a new one is wanted at once
    mailer = make()
    await send(mailer)
    tokens.refuse = Says(503, "<html>")
    assert told(await send(mailer)) == ["accepted"]
    assert len(tokens.asked) == 2


async def test_a_token_that_was_withdrawn_is_renewed_and_the_message_is_sent_once(make, tokens, peer):
    mailer = make()
    await send(mailer)
    tokens.withdrawn = {"access-canary-1"}
    reports = await asyncio.gather(*[send(mailer) for _ in range(5)])
    assert [told(report) for report in reports] == [["accepted"]] * 5
    assert len(tokens.asked) == 2
    assert len(peer.taken) == 6


async def test_a_grant_that_was_withdrawn_needs_a_person_and_says_so(make, tokens, peer):
    tokens.refuse = REVOKED
    mailer = make()
    report, verdict = await send(mailer), await mailer.verify()
    assert told(report) == ["deferred account"]
    assert "invalid_grant: Token has been expired or revoked." in report.outcomes[0].reply
    assert "secondpost connections connect" in report.outcomes[0].reply
    assert "invalid_grant" in report.transcript
    assert verdict.outcome.fault is Fault.ACCOUNT
    assert isinstance(await mailer.renew(datetime.now(UTC)), Deferred)
    assert not peer.taken


@pytest.mark.parametrize(
    ("says", "means"),
    [(Says(500, "<html>"), "deferred unreachable"), (Says(200, "<html>"), "deferred unreachable"),
     (Says(200, {"token": "x"}), "deferred unreachable"), (Says(401, {"error": "invalid_client"}), "deferred account"),
     (Says(429, {"error": "slow_down"}, headers={"Retry-After": "7"}), "deferred limit"),
     (Says(200, {"error": "invalid_code"}), "deferred account"),
     (Says(400, {"error": "Access Denied", "error_description": "too many requests continuously"}), "deferred limit"),
     (Says(200, [1]), "deferred unreachable"), (Says(400, "?"), "deferred account")],
)  # fmt: skip
async def test_every_refusal_of_a_token_is_an_outcome(make, tokens, peer, says, means):
    tokens.refuse = says
    assert told(await send(make())) == [means]
    assert not peer.taken


async def test_nobody_has_signed_in_yet(make, tokens):
    report = await send(make(refresh_token=""))
    assert told(report) == ["deferred account"]
    assert "nobody has signed in" in report.outcomes[0].reply
    assert tokens.asked == []


async def test_a_token_that_cannot_be_written_down_still_works(make, keeper, caplog):
    keeper.full = True
    mailer = make()
    assert told(await send(mailer)) == ["accepted"]
    assert told(await send(mailer)) == ["accepted"]
    assert "could not be written down" in caplog.text
    assert "canary" not in caplog.text


async def test_no_token_is_in_a_transcript(make, tokens, peer):
    mailer = make()
    await send(mailer)
    peer.fail(Says(400, {"error": {"message": f"bad token access-canary-1 or {REFRESH}"}}))
    refused = await send(mailer, trace=True)
    assert "bad token **** or ****" in refused.transcript
    assert "canary" not in refused.transcript + refused.outcomes[0].reply


async def test_a_person_signs_in_once_and_for_good(make, tokens, keeper):
    mailer = make(refresh_token="")
    page = mailer.sign_in_page(state="s-1", verifier="v" * 43, redirect="https://mail.shop.example/oauth/callback")
    tokens.codes["c-1"] = page.partition("code_challenge=")[2].partition("&")[0]
    given = {"code": "c-1", "verifier": "v" * 43, "redirect": "https://mail.shop.example/oauth/callback"}
    assert isinstance(await mailer.signed_in(**given), Accepted)
    assert told(await send(make(refresh_token=""))) == ["accepted"]
    assert isinstance(await mailer.signed_in(**given), Deferred)  # a code counts once
    assert told(await send(mailer)) == ["accepted"]
    assert "redirect_uri" in tokens.asked[0]


async def test_a_code_with_another_verifier_is_worthless(make, tokens):
    mailer = make(refresh_token="")
    page = mailer.sign_in_page(state="s-1", verifier="v" * 43, redirect="x")
    tokens.codes["c-1"] = page.partition("code_challenge=")[2].partition("&")[0]
    assert isinstance(await mailer.signed_in(code="c-1", verifier="w" * 43, redirect="x"), Deferred)


async def test_what_gives_no_refresh_token_would_end_within_the_hour(make, tokens):
    tokens.refuse = Says(200, {"access_token": "access-canary-9", "expires_in": 3600})
    outcome = await make(refresh_token="").signed_in(code="c", verifier="v", redirect="x")
    assert isinstance(outcome, Deferred)
    assert "refresh token" in outcome.reply
