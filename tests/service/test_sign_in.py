"""A person signs in to a provider: begun here, ended once and in time, and renewed before it ends."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from secondpost.core import breaker
from secondpost.core.outcome import Accepted, Deferred, Fault
from secondpost.errors import SecondpostError
from secondpost.service.sign_in import SignIns
from secondpost.service.tokens import Kept, made
from secondpost.service.verification import Verification
from tests.service.conftest import ScriptedMailer
from tests.service.connected import connections_of

REVOKED = Deferred(Fault.ACCOUNT, "invalid_grant")


class Tokened(ScriptedMailer):
    """Let in by tokens, as the test says."""

    keeper = None
    by_person = True
    given: Any = None
    outcome: Any = Accepted("signed in")
    ends: Any = None

    def sign_in_page(self, *, state, verifier, redirect):
        return f"https://login.example/?state={state}&verifier={verifier}&redirect={redirect}"

    async def signed_in(self, **given):
        self.given = given
        return self.outcome

    async def renew(self, now):
        return self.ends


@pytest.fixture
async def sign_ins(office):
    connections = connections_of(office)
    for name in ("primary", "backup"):
        await connections.add(name, mailer="scripted")
    office.mailers["primary"] = office.line().mailer = Tokened(office.line().connection)
    verification = Verification(office.store, connections, office.clock)
    yield SignIns(office.store, office.worker, verification, office.clock, "https://mail.shop.example")
    await verification.stop()


async def begun(sign_ins):
    return {name: value[0] for name, value in parse_qs(urlsplit(await sign_ins.begin("primary")).query).items()}


async def test_what_was_begun_is_ended_with_its_own_verifier(sign_ins, office):
    page = await begun(sign_ins)
    assert await sign_ins.end(page["state"], "c-1") == "primary"
    redirect = "https://mail.shop.example/oauth/callback"
    assert page["redirect"] == redirect
    assert office.primary.given == {"code": "c-1", "verifier": page["verifier"], "redirect": redirect}
    assert [event["kind"] for event in await office.store.events(limit=5)] == ["sign-in"]


@pytest.mark.parametrize("wrong", ["twice", "late", "another", "empty"])
async def test_nobody_else_and_nobody_again_and_nobody_late(sign_ins, office, wrong):
    page = await begun(sign_ins)
    state = {"another": "x" * 43, "empty": ""}.get(wrong, page["state"])
    if wrong == "twice":
        await sign_ins.end(state, "c-1")
    if wrong == "late":
        office.clock.forward(minutes=16)
    office.primary.given = None
    with pytest.raises(SecondpostError, match="not begun here"):
        await sign_ins.end(state, "c-2")
    assert office.primary.given is None


async def test_a_person_who_says_no_changes_nothing_and_the_state_is_used_up(sign_ins, office):
    page = await begun(sign_ins)
    with pytest.raises(SecondpostError, match="access_denied"):
        await sign_ins.end(page["state"], "", "access_denied")
    with pytest.raises(SecondpostError, match="not begun here"):
        await sign_ins.end(page["state"], "c-1")


async def test_a_code_that_is_not_taken_is_told(sign_ins, office):
    office.primary.outcome = REVOKED
    with pytest.raises(SecondpostError, match="invalid_grant"):
        await sign_ins.end((await begun(sign_ins))["state"], "c-1")


@pytest.mark.parametrize(("name", "text"), [("nobody", "no connection"), ("backup", "needs to sign in")])
async def test_only_where_somebody_has_to_sign_in(sign_ins, name, text):
    with pytest.raises(SecondpostError, match=text):
        await sign_ins.begin(name)


async def test_an_application_that_signs_in_by_itself_has_no_page(sign_ins, office):
    office.primary.by_person = False
    with pytest.raises(SecondpostError, match="needs to sign in"):
        await sign_ins.begin("primary")


async def test_the_secrets_of_a_sign_in_are_gone_after_it_and_when_it_is_too_old(sign_ins, office):
    await sign_ins.end((await begun(sign_ins))["state"], "c-1")
    await begun(sign_ins)
    office.clock.forward(minutes=16)
    await begun(sign_ins)
    assert len(await office.store.all("sign-in")) == 1


async def test_a_connection_that_must_be_signed_in_to_again_is_shown_so_before_mail_fails(sign_ins, office):
    office.primary.ends, office.primary.refuse = REVOKED, REVOKED
    for _ in range(3):
        await sign_ins.renew()
    told = [event["text"] for event in await office.store.events(limit=9) if event["kind"] == "sign-in"]
    assert told == ["needs attention: invalid_grant"]
    assert (await sign_ins.verification.readiness())["primary"].ok is False


async def test_a_token_endpoint_that_is_away_alarms_nobody(sign_ins, office):
    office.primary.ends = Deferred(Fault.UNREACHABLE, "the line was lost")
    await sign_ins.renew()
    assert await office.store.events(limit=9) == []


async def test_mail_goes_by_it_at_once_when_a_person_has_signed_in(sign_ins, office):
    office.line().breaker = breaker.record(
        office.line().breaker, REVOKED, started=office.clock(), now=office.clock()
    )  # fmt: skip
    assert not office.line().usable(office.clock())
    await sign_ins.end((await begun(sign_ins))["state"], "c-1")
    assert office.line().usable(office.clock())


async def test_tokens_are_kept_under_the_name_of_the_connection(office):
    mailer: Any = made(lambda name: Tokened, office.line().connection, office.store)
    assert isinstance(mailer.keeper, Kept)
    await mailer.keeper.save({"refresh": "r"})
    assert await office.store.all("token") == {"primary": {"refresh": "r"}}
    assert await mailer.keeper.load() == {"refresh": "r"}
