"""What every mailer promises, tried on all that need no HTTP; the others have test_http_mailers.py.

A peer stands for a provider: it has the `settings` that lead to it, counts what it has `taken`, and can `fail` by name.
"""

import asyncio
import contextlib
import sys
from typing import Any, ClassVar

import pytest

from secondpost import mailers
from secondpost.core.outcome import Accepted, Deferred, Fault, Phase, Rejected, Unclear
from secondpost.mailers.base import Abilities
from tests.mailers.parcels import Crossing, connection, parcel, told
from tests.provider import HOST, Provider, hang_up, say, silence

SECRET = "secret-canary"


class SmtpPeer:
    """SMTP, by a server of our own."""

    secrets = (SECRET, "c2VjcmV0LWNhbmFyeQ==", "AHNob3AAc2VjcmV0LWNhbmFyeQ==")

    def __init__(self, _):
        self.provider = Provider(users={"shop": SECRET})

    def __enter__(self):
        self.provider.__enter__()
        self.settings = {"host": HOST, "port": self.provider.port, "encryption": "none"}
        self.settings |= {"username": "shop", "password": SECRET}
        return self

    def __exit__(self, *problem):
        self.provider.__exit__(*problem)
        assert self.provider.violations == []

    @property
    def taken(self):
        return len(self.provider.mail)

    def fail(self, fault):
        step, act = {
            "lost before the point": ("data", hang_up),
            "silent before the point": ("mail", silence),
            "lost after the point": ("taken", hang_up),
            "silent after the point": ("taken", silence),
            "recipient refused": ("rcpt", say("550 5.1.1 no such user")),
            "account refused": ("auth", say(f"535 5.7.8 no: {SECRET}")),
            "temporarily refused": ("dot", say("451 4.3.0 later")),
        }[fault]
        self.provider.on(step, act, only="eve@" if step == "rcpt" else "")


class SendmailPeer:
    """A program in the place of sendmail."""

    secrets = ()
    CODE: ClassVar[dict[str, str]] = {
        "": "data = sys.stdin.buffer.read(); open(OUT, 'ab').write(b'!')",
        "lost before the point": "os.kill(os.getpid(), 9)",
        "lost after the point": "sys.stdin.buffer.read(); open(OUT, 'ab').write(b'!'); os.kill(os.getpid(), 9)",
        "silent after the point": "sys.stdin.buffer.read(); open(OUT, 'ab').write(b'!'); time.sleep(60)",
        "temporarily refused": "sys.stdin.buffer.read(); sys.exit(75)",
    }

    def __init__(self, folder):
        self.program, self.out = folder / "sendmail", folder / "out"

    def __enter__(self):
        self.settings = {"program": str(self.program)}
        self.fail("")
        return self

    def __exit__(self, *_):
        pass

    @property
    def taken(self):
        return len(self.out.read_bytes()) if self.out.exists() else 0

    def fail(self, fault):
        if fault not in self.CODE:
            pytest.skip("sendmail cannot fail so")
        start = f"#!{sys.executable} -S\nimport os, sys, time\nOUT = {str(self.out)!r}\n"
        self.program.write_text(f"{start}{self.CODE[fault]}\n")
        self.program.chmod(0o755)


class CapturePeer(contextlib.nullcontext[None]):
    """The Inbox, which has nobody who could fail."""

    secrets = ()
    settings: ClassVar[dict[str, Any]] = {}
    taken = None

    def __enter__(self) -> Any:
        return self

    def fail(self, fault):
        pytest.skip("nothing can fail here")


PEERS: dict[str, Any] = {"smtp": SmtpPeer, "sendmail": SendmailPeer, "capture": CapturePeer}


@pytest.fixture(params=sorted(PEERS))
def name(request):
    return request.param


@pytest.fixture
def peer(name, tmp_path):
    with PEERS[name](tmp_path) as peer:
        yield peer


@pytest.fixture
async def mailer(name, peer):
    made = mailers.find(name)(connection(name, command=0.7, data_block=0.7, data_reply=0.7, **peer.settings))
    yield made
    await made.close()


# ── facts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("listed", mailers.names())
def test_facts_are_declared(listed):
    found = mailers.find(listed)
    assert found.name == listed
    assert found.title
    assert isinstance(found.can, Abilities)
    assert all(setting.label for setting in found.settings)
    names = [setting.name for setting in found.settings]
    assert len(set(names)) == len(names)
    for setting in found.settings:
        assert setting.kind != "choice" or setting.default in setting.choices


def test_an_unknown_mailer_is_a_key_error():
    with pytest.raises(KeyError):
        mailers.find("nobody")


def test_there_is_room_for_at_least_one(mailer):
    assert mailer.capacity >= 1


# ── promises ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_recipient_has_an_outcome(mailer, peer):
    recipients = [f"r{n}@dest.example" for n in range(7)]
    report = await mailer.send(parcel(*recipients), Crossing())
    assert told(report) == ["accepted"] * 7
    assert report.phase is Phase.POINT
    assert peer.taken in {None, 1}


async def test_a_success_has_no_transcript_unless_it_is_asked_for(mailer):
    assert (await mailer.send(parcel(), Crossing())).transcript == ""


async def test_without_the_right_nothing_is_sent(mailer, peer):
    crossing = Crossing(granted=False)
    report = await mailer.send(parcel("a@dest.example", "b@dest.example"), crossing)
    assert report.abandoned
    assert crossing.taken == 1
    assert len(report.outcomes) == 2
    assert all(isinstance(outcome, Deferred) for outcome in report.outcomes)
    await asyncio.sleep(0.1)
    assert not peer.taken


async def test_the_right_is_taken_once(mailer):
    crossing = Crossing()
    await mailer.send(parcel(), crossing)
    assert crossing.taken == 1


async def test_verify_sends_nothing(mailer, peer):
    verdict = await mailer.verify()
    assert isinstance(verdict.outcome, Accepted)
    assert not peer.taken


@pytest.mark.parametrize("fault", ["lost before the point", "silent before the point"])
async def test_before_the_point_a_loss_is_a_definite_no(mailer, peer, fault):
    peer.fail(fault)
    crossing = Crossing(delay=0.2)
    report = await mailer.send(parcel(body=b"x\r\n" * 100_000), crossing)
    assert all(isinstance(outcome, Deferred) for outcome in report.outcomes)
    assert report.outcomes[0].fault in {Fault.UNREACHABLE, Fault.PROVIDER}
    assert report.phase is not Phase.POINT
    assert crossing.taken == 0
    assert not peer.taken


@pytest.mark.parametrize("fault", ["lost after the point", "silent after the point"])
async def test_after_the_point_a_loss_is_unclear(mailer, peer, fault):
    peer.fail(fault)
    report = await mailer.send(parcel(), Crossing())
    assert all(isinstance(outcome, Unclear) for outcome in report.outcomes)
    assert report.phase is Phase.POINT
    assert peer.taken == 1


async def test_what_they_say_no_to_they_do_not_have(mailer, peer):
    peer.fail("temporarily refused")
    report = await mailer.send(parcel(), Crossing())
    assert told(report) == ["deferred provider"]
    assert not peer.taken


async def test_one_refused_recipient_does_not_stop_the_others(mailer, peer):
    peer.fail("recipient refused")
    report = await mailer.send(parcel("bob@dest.example", "eve@dest.example"), Crossing())
    assert isinstance(report.outcomes[0], Accepted)
    assert report.outcomes[1] == Rejected(Fault.RECIPIENT, report.outcomes[1].reply)
    assert peer.taken == 1


async def test_no_secret_is_in_a_transcript(mailer, peer):
    traced = await mailer.send(parcel(trace=True), Crossing())
    verdict = await mailer.verify()
    peer.fail("account refused")
    refused = await mailers.find(mailer.name)(connection(mailer.name, **peer.settings)).send(parcel(), Crossing())
    assert told(refused) == ["deferred account"]
    for text in (traced.transcript, verdict.transcript, refused.transcript):
        assert text
        assert "****" in text
        assert not any(secret in text for secret in peer.secrets)
        assert "Hello." not in text


async def test_many_at_once_are_carried_once_each(mailer, peer):
    reports = await asyncio.gather(*[mailer.send(parcel(), Crossing()) for _ in range(min(mailer.capacity, 30))])
    assert {one for report in reports for one in told(report)} == {"accepted"}
    assert peer.taken in {None, len(reports)}


async def test_it_can_be_closed_twice_and_used_no_more(mailer):
    await mailer.send(parcel(), Crossing())
    await mailer.close()
    await mailer.close()
