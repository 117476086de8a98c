"""What every mailer with an HTTP API promises, tried on all of them, each against a server that plays its provider.

`tests/mailers/test_NAME.py` has the script (`PEER`) of the mailer NAME: what its provider documents.
"""

import asyncio
import importlib
from datetime import timedelta
from typing import Any

import pytest

from secondpost import mailers
from secondpost.config import catalog
from secondpost.config.connections import build
from secondpost.core.outcome import Accepted, Deferred, Fault, Phase, Rejected, Unclear
from secondpost.mailers.base import Abilities
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Provider
from tests.service.test_housekeeping import until

NAMES = [name for name in catalog.apis() if name in mailers.MAILERS]
SCRIPTS = {name: importlib.import_module(f"tests.mailers.test_{name}").PEER for name in NAMES}
REFUSALS = [(name, refusal) for name in NAMES for refusal in SCRIPTS[name].refusals]
HTML = b"Content-Type: text/html; charset=utf-8\r\nFrom: Shop <shop@shop.example>\r\n"


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def peer(name):
    with Provider(SCRIPTS[name]) as peer:
        yield peer


def make(name, peer, **changes):
    return api_mailer(name, **{"data_block": 10.0, "data_reply": 10.0, **peer.settings, **changes})


@pytest.fixture
async def mailer(name, peer):
    made = make(name, peer)
    yield made
    await made.close()


def mail(*recipients, **more):
    """A message that every provider takes."""
    to = ", ".join(recipients or ("bob@dest.example",)).encode()
    head = HTML + b"To: %b\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n" % to
    return parcel(*recipients, head=head, **{"body": b"<p>A long enough Hello.</p>\r\n", **more})


# ── facts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_api_mailers():
    assert len(NAMES) >= 3


def test_facts_are_declared(name):
    found: Any = mailers.find(name)
    names = [setting.name for setting in found.settings]
    assert found.name == name
    assert found.title
    assert found.api.site.startswith("https://")
    assert isinstance(found.can, Abilities)
    assert {"host", "private_addresses"} <= set(names)
    assert any(setting.kind == "secret" and setting.required and setting.help for setting in found.settings)
    assert found.can.lookup == (found.api.lookup.__qualname__.split(".")[0] != "Api")
    assert found.can.events == (found.api.events.__qualname__.split(".")[0] != "Api")


def test_a_dsn_makes_a_connection(name):
    settings = mailers.find(name).settings
    required = [one for one in settings if one.required and one.default == "" and one.name != "host"]
    host = "mail.example.com" if any(one.required for one in settings if one.name == "host") else "default"
    values = {one.name: f"value-{number}" for number, one in enumerate(required)}
    login = ":".join(list(values.values())[:2])
    rest = "&".join(f"{key}={value}" for key, value in list(values.items())[2:])
    made = build("test", {"dsn": f"{name}+api://{login}@{host}{'?' + rest if rest else ''}"})
    assert made.mailer == name
    assert {key: made.settings[key] for key in values} == values


def test_an_address_of_a_private_network_needs_leave(name, peer):
    settings = {**peer.settings, "private_addresses": False}
    with pytest.raises(Exception, match="Allow Private Addresses"):
        api_mailer(name, **settings)


async def test_no_private_address_is_called_by_its_number_or_its_name(name, peer):
    for host in ("127.0.0.1", "localhost", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"):
        mailer = make(name, peer, host=f"{host}:{peer.port}", private_addresses=False)
        report = await mailer.send(mail(), Crossing())
        assert told(report) == ["deferred unreachable"]
        assert "private" in report.outcomes[0].reply or "public" in report.outcomes[0].reply
        await mailer.close()
    assert peer.calls == []


# ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_recipient_has_an_outcome_and_one_copy(mailer, peer):
    recipients = [f"r{n}@dest.example" for n in range(7)]
    report = await mailer.send(mail(*recipients), Crossing())
    assert told(report) == ["accepted"] * 7
    assert report.phase is Phase.POINT
    assert peer.copies == dict.fromkeys(recipients, 1)
    assert report.transcript == ""


async def test_hidden_recipients_get_a_copy_each_and_nobody_else_does(mailer, peer):
    if not mailer.can.envelope:
        pytest.skip("its recipients stand in the header")
    hidden = ["a@dest.example", "b@dest.example"]
    report = await mailer.send(parcel(*hidden, head=HTML + b"To: list@shop.example\r\n", body=b"<p>Hi</p>"), Crossing())
    assert told(report) == ["accepted"] * 2
    assert peer.copies == dict.fromkeys(hidden, 1)


@pytest.mark.parametrize(("name", "refusal"), REFUSALS)
async def test_every_documented_refusal_is_understood(name, refusal):
    says = SCRIPTS[name].refusals[refusal]
    with Provider(SCRIPTS[name]) as peer:
        peer.fail(says)
        mailer = make(name, peer)
        report = await mailer.send(mail(), Crossing())
        await mailer.close()
    assert told(report) == [says.means]
    assert report.transcript or says.means == "accepted"


async def test_throttling_names_its_wait(mailer, peer):
    peer.fail("throttled")
    (outcome,) = (await mailer.send(mail(), Crossing())).outcomes
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.LIMIT
    assert outcome.retry_after == timedelta(seconds=17)


async def test_before_the_point_a_loss_is_a_definite_no(mailer, peer):
    peer.fail("lost before the point")
    report = await mailer.send(mail(), Crossing(delay=0.2))
    assert told(report) == ["deferred unreachable"]
    assert report.phase is not Phase.POINT
    assert not peer.taken


@pytest.mark.parametrize("fault", ["lost after the point", "broken"])
async def test_after_the_point_a_loss_is_unclear(mailer, peer, fault):
    peer.fail(fault)
    report = await mailer.send(mail(), Crossing())
    assert all(isinstance(outcome, Unclear) for outcome in report.outcomes)
    assert report.phase is Phase.POINT
    assert len(peer.taken) == 1


async def test_silence_after_the_point_is_unclear(name, peer):
    peer.fail("silent after the point")
    mailer = make(name, peer, data_reply=0.5)
    report = await mailer.send(mail(), Crossing())
    await mailer.close()
    assert all(isinstance(outcome, Unclear) for outcome in report.outcomes)
    assert report.phase is Phase.POINT
    await until(lambda: len(peer.taken) == 1, 10)  # they may read it later than we gave up


async def test_what_is_under_way_when_it_is_closed_is_answered_first(mailer, peer):
    peer.fail("slow")
    sending = asyncio.create_task(mailer.send(mail(), Crossing()))
    await until(lambda: peer.taken, 10)
    await mailer.close()
    assert told(await sending) == ["accepted"]
    assert told(await mailer.send(mail(), Crossing())) == ["accepted"]  # whoever had it in hand may use it still


@pytest.mark.parametrize("fault", ["unreadable", "cut", "endless"])
async def test_a_success_that_cannot_be_read_is_never_a_failure(mailer, peer, fault):
    peer.fail(fault)
    (outcome,) = (await mailer.send(mail(), Crossing())).outcomes
    assert isinstance(outcome, Unclear if mailer.api.body_tells else Accepted)
    assert len(peer.taken) == 1


async def test_a_redirect_is_not_followed(mailer, peer):
    peer.fail("elsewhere")
    (outcome,) = (await mailer.send(mail(), Crossing())).outcomes
    assert isinstance(outcome, Deferred)
    assert not any(call.path == "/stolen" for call in peer.calls)


async def test_without_the_right_nothing_is_sent(mailer, peer):
    crossing = Crossing(granted=False)
    report = await mailer.send(mail("a@dest.example", "b@dest.example"), crossing)
    assert report.abandoned
    assert crossing.taken == 1
    assert told(report) == ["deferred local"] * 2
    await asyncio.sleep(0.1)
    assert not peer.taken


async def test_the_right_is_taken_once_and_prepared_before(mailer):
    crossing = Crossing()
    await mailer.send(mail(), crossing)
    assert (crossing.prepared, crossing.taken) == (1, 1)


async def test_oversize_is_refused_before_sending(mailer, peer):
    if mailer.can.max_bytes is None:
        pytest.skip("it declares no limit")
    crossing = Crossing()
    report = await mailer.send(mail(body=b"x" * 998 + b"\r\n", tail=Endless(mailer.can.max_bytes)), crossing)
    assert told(report) == ["rejected message unsupported"]
    assert (crossing.taken, peer.calls) == (0, [])


class Endless:
    """A tail of a message that is too large."""

    def __init__(self, size):
        self.size = size

    def blocks(self):
        block = b"x" * 65536
        for _ in range(self.size // len(block) + 1):
            yield block


async def test_a_message_that_cannot_be_taken_apart_is_refused_not_mutilated(mailer, peer):
    head = HTML.replace(b"text/html; charset=utf-8", b'multipart/signed; boundary="b"') + b"To: bob@dest.example\r\n"
    report = await mailer.send(parcel(head=head, body=b"--b\r\n\r\nx\r\n--b--\r\n"), Crossing())
    assert told(report) == (["accepted"] if mailer.can.raw else ["rejected message unsupported"])
    assert len(peer.taken) == mailer.can.raw


# ── signing in, and secrets ─────────────────────────────────────────────────────────────────────────────────────────


async def test_verify_sends_nothing(mailer, peer):
    verdict = await mailer.verify()
    assert isinstance(verdict.outcome, Accepted), verdict
    assert verdict.phase is Phase.LOGIN
    assert [(stage.name, stage.ok) for stage in verdict.stages] == [("TCP", True), ("Log-in", True)]
    assert not peer.taken


async def test_a_bad_key_is_an_account_fault_and_never_shown(name, peer):
    secrets = {one.name: "a-revoked-key" for one in mailers.find(name).settings if one.kind == "secret"}
    mailer = make(name, peer, **secrets)
    verdict, report = await mailer.verify(), await mailer.send(mail(), Crossing())
    await mailer.close()
    assert getattr(verdict.outcome, "fault", None) is Fault.ACCOUNT
    assert (verdict.stages[-1].name, verdict.stages[-1].ok) == ("Log-in", False)
    assert told(report) == ["deferred account"]
    stages = [stage.text for stage in verdict.stages]
    for text in (*stages, verdict.transcript, report.transcript, verdict.outcome.reply, report.outcomes[0].reply):
        assert "a-revoked-key" not in text
    assert not peer.taken


async def test_no_secret_and_no_content_is_in_a_transcript(mailer, peer):
    says = peer.script.unauthorized
    traced = await mailer.send(mail(trace=True), Crossing())
    verdict = await mailer.verify()
    peer.fail(says)
    refused = await mailer.send(mail(), Crossing())
    for text in (traced.transcript, verdict.transcript, refused.transcript):
        assert text
        assert SECRET not in text
        assert "Hello." not in text
    assert "****" in refused.transcript
    assert SECRET not in refused.outcomes[0].reply


async def test_many_at_once_are_carried_once_each(mailer, peer):
    reports = await asyncio.gather(*[mailer.send(mail(), Crossing()) for _ in range(20)])
    assert {one for report in reports for one in told(report)} == {"accepted"}
    assert len(peer.taken) == 20


async def test_a_server_that_is_not_there_is_unreachable(name, peer):
    mailer = make(name, peer, host="http://127.0.0.1:1")
    report, verdict = await mailer.send(mail(), Crossing()), await mailer.verify()
    await mailer.close()
    assert told(report) == ["deferred unreachable"]
    assert getattr(verdict.outcome, "fault", None) is Fault.UNREACHABLE
    assert [(stage.name, stage.ok) for stage in verdict.stages] == [("TCP", False)]


async def test_nobody_is_rejected_for_what_is_not_theirs(mailer, peer):
    """A refusal about a recipient that names none of several blames none."""
    refusals = [says for says in peer.script.refusals.values() if says.means == "rejected recipient"]
    for says in refusals:
        peer.fail(says)
        report = await mailer.send(mail("bob@dest.example", "ann@dest.example"), Crossing())
        assert not isinstance(report.outcomes[1], Rejected)
