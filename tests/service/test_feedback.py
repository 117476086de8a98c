"""What providers tell later reaches the right message, once, and nobody else can tell anything."""

import json
from datetime import timedelta
from typing import Any

import pytest

from secondpost.core import message as rfc5322
from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Unclear
from secondpost.errors import HookRefused, StoreUnavailable
from secondpost.mailers.base import Abilities, Hook
from secondpost.service import present
from secondpost.service.feedback import Feedback, NoSuchHook, told
from secondpost.service.suppressions import Suppressions
from tests.service.conftest import DOWN, Office, ScriptedMailer

TO = "a@example.net"


class Telling(ScriptedMailer):
    """Its webhooks are our events as JSON; one that is not signed is refused."""

    can = Abilities(events=True)

    async def hear(self, hook, now):
        if hook.headers.get("signature") != "right":
            raise HookRefused("The signature of the webhook is not the provider's.")
        return [
            Event(kind=Kind(one.pop("kind")), at=now + timedelta(seconds=one.pop("after", 0)), **one)
            for one in json.loads(hook.body)
        ]


class Desk:
    """One office whose primary tells later."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.suppressions = Suppressions(office.store, office.desk, office.clock)
        self.feedback = Feedback(
            office.store, office.worker, self.suppressions, office.clock, "https://mail.shop.example"
        )  # fmt: skip
        office.mailers["primary"] = office.line().mailer = Telling(office.primary.connection)

    async def token(self, name="primary"):
        return (await self.feedback.address(name)).rpartition("/")[2]

    async def tell(self, message, *kinds, to=TO, name="primary", token=None, signature="right", **more):
        events = [{"kind": kind, "recipient": to, "message": message} | more for kind in kinds]
        hook = Hook(body=json.dumps(events).encode(), headers={"signature": signature})
        return await self.feedback.take(name, token or await self.token(name), hook)

    async def timeline(self, message):
        known = set(Kind)
        return [(one["kind"], one["text"]) for one in (await self.office.entry(message)).events if one["kind"] in known]


@pytest.fixture
async def desk(office):
    desk = Desk(office)
    await desk.suppressions.load()
    return desk


async def doubtful(office, *recipients):
    office.primary.answer = lambda parcel: (Unclear("lost"),) * len(parcel.recipients)
    return await office.send(*(recipients or (TO,)))


# Believing ------------------------------------------------------------------------------------------------------------


async def test_the_address_is_a_secret_of_the_connection_that_stays_until_it_is_renewed(desk):
    first = await desk.feedback.address("primary")
    assert first.startswith("https://mail.shop.example/webhooks/primary/")
    assert await desk.feedback.address("primary") == first
    assert len(first.rpartition("/")[2]) >= 40
    second = await desk.feedback.address("primary", renew=True)
    assert second != first
    with pytest.raises(NoSuchHook):
        await desk.tell(1, "delivered", token=first.rpartition("/")[2])


@pytest.mark.parametrize("wrong", ["token", "empty token", "connection", "deaf connection", "forgotten"])
async def test_what_is_not_addressed_right_is_not_read(desk, wrong):
    message = await desk.office.send()
    named: dict[str, Any] = {
        "token": {"token": "x" * 43},
        "empty token": {"token": " "},
        "connection": {"name": "nobody", "token": await desk.token()},
        "deaf connection": {"name": "backup"},
        "forgotten": {"token": await desk.token()},
    }
    if wrong == "forgotten":
        await desk.feedback.forget("primary")
    with pytest.raises(NoSuchHook):
        await desk.tell(message, "delivered", **named[wrong])
    assert await desk.timeline(message) == []


async def test_what_is_not_signed_changes_nothing(desk):
    message = await doubtful(desk.office)
    with pytest.raises(HookRefused):
        await desk.tell(message, "delivered", "complained", signature="wrong")
    assert await desk.office.states(message) == ["unclear"]
    assert await desk.timeline(message) == []
    assert desk.suppressions.show() == []


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"a":1}', b'[{"kind":"no such kind"}]', b"\xff", b"[" * 100_000])
async def test_what_is_signed_and_cannot_be_read_is_refused_and_is_no_fault_of_ours(desk, body):
    hook = Hook(body=body, headers={"signature": "right"})
    with pytest.raises(HookRefused, match="cannot be read"):
        await desk.feedback.take("primary", await desk.token(), hook)


async def test_the_mailer_is_told_the_url_as_the_provider_knows_it(desk):
    seen: list[str] = []

    async def hear(hook, now):
        seen.append(hook.url)
        return []

    desk.office.primary.hear = hear
    await desk.tell(1)
    assert seen == [await desk.feedback.address("primary")]


# Telling --------------------------------------------------------------------------------------------------------------


async def test_an_event_is_on_the_timeline_and_says_of_whom(desk):
    message = await desk.office.send(TO, "b@example.net")
    await desk.tell(message, "delivered", to="B@Example.net", text="250 ok\r\n\x1b[31m")
    ((kind, text),) = await desk.timeline(message)
    assert kind == "delivered"
    assert text.startswith("#1 b@example.net: 250 ok")
    assert "\x1b" not in text
    assert told((await desk.office.entry(message)).events) == {1: Kind.DELIVERED}


async def listed(desk, status):
    found = await desk.office.store.page(present.query({"status": status}))
    return [row.id for row in found]


@pytest.mark.parametrize(
    ("kinds", "status"),
    [(["delivered"], "delivered"), (["opened"], "delivered"), (["delivered", "bounced"], "bounced"),
     (["bounced", "delivered"], "bounced"), (["delivered", "complained", "opened"], "complained"),
     (["rejected"], "failed"), (["deferred", "sent", "queued", "autoresponded", "subscribed"], "sent")],
)  # fmt: skip
async def test_the_list_says_what_became_of_mail_and_finds_it(desk, kinds, status):
    message, other = await desk.office.send(), await desk.office.send()
    await desk.tell(message, *kinds)
    assert await listed(desk, status) == ([other, message] if status == "sent" else [message])
    ((shown),) = [present.row(row) for row in await desk.office.store.page(present.query({})) if row.id == message]
    assert shown["status"] == ("accepted" if status == "sent" else status)


async def test_of_several_recipients_each_stands_for_itself(desk):
    message = await desk.office.send(TO, "b@example.net", "c@example.net")
    await desk.tell(message, "delivered")
    await desk.tell(message, "bounced", to="b@example.net")
    await desk.tell(message, "complained", to="")  # whose it is is not said
    (row,) = await desk.office.store.page(present.query({}))
    assert row.standings == ("delivered", "bounced", "accepted")
    for status in ("delivered", "bounced", "sent"):
        assert await listed(desk, status) == [message]
    assert await listed(desk, "complained") == []


async def test_a_connection_whose_copy_failed_says_nothing_of_another_ones(desk):
    desk.office.primary.refuse = DOWN
    message = await desk.office.send()  # the backup carries it
    await desk.tell(message, "bounced", "failed")
    assert await listed(desk, "sent") == [message]
    await desk.tell(message, "delivered")  # it is in the mailbox, whoever brought it
    assert await listed(desk, "delivered") == [message]


async def test_what_comes_twice_is_told_once(desk):
    message = await desk.office.send()
    for _ in range(3):
        await desk.tell(message, "delivered", "opened", "delivered")
    assert [kind for kind, _ in await desk.timeline(message)] == ["delivered", "opened"]


async def test_what_nobody_here_sent_is_accepted_and_forgotten(desk):
    message = await desk.office.send()
    other = await desk.office.send(connection="backup")
    for told_of, to in ((7, TO), (None, TO), (message, "stranger@example.net"), (other, TO)):
        assert await desk.tell(told_of, "complained", to=to) == 1
    assert await desk.timeline(message) == await desk.timeline(other) == []
    assert desk.suppressions.show() == []


async def test_their_clock_is_not_believed(desk):
    message = await desk.office.send()
    await desk.tell(message, "delivered", after=10**9)
    await desk.tell(message, "opened", after=-(10**9))
    entry = await desk.office.entry(message)
    assert all(entry.row.accepted <= event["at"] <= desk.office.clock() for event in entry.events)


# Following ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "state"),
    [("delivered", "accepted"), ("bounced", "accepted"), ("sent", "accepted"), ("rejected", "rejected"),
     ("failed", "rejected"), ("subscribed", "unclear"), ("unknown", "unclear")],
)  # fmt: skip
async def test_an_event_settles_a_doubt(desk, kind, state):
    message = await doubtful(desk.office)
    await desk.tell(message, kind)
    assert await desk.office.states(message) == [state]
    settled = [event for event in (await desk.office.entry(message)).events if event["kind"] == "doubt"]
    assert len(settled) == (state != "unclear")


async def test_an_event_settles_only_the_doubt_of_its_own_recipient(desk):
    message = await doubtful(desk.office, TO, "b@example.net")
    await desk.tell(message, "delivered", to="b@example.net")
    await desk.tell(message, "delivered", to="")  # whose it is is not said
    assert await desk.office.states(message) == ["unclear", "accepted"]


async def test_a_final_state_never_changes(desk):
    message = await desk.office.send()
    await desk.tell(message, "failed", "rejected", "bounced")
    assert await desk.office.states(message) == ["accepted"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [({"kind": "bounced", "permanent": True}, "bounced"), ({"kind": "complained"}, "spam"),
     ({"kind": "unsubscribed"}, "unsubscribed"), ({"kind": "bounced"}, None), ({"kind": "delivered"}, None)],
)  # fmt: skip
async def test_who_bounced_for_good_or_complained_is_not_written_to_again(desk, event, reason):
    message = await desk.office.send()
    await desk.tell(message, event.pop("kind"), **event)
    assert [(one["address"], one["reason"]) for one in desk.suppressions.show()] == ([(TO, reason)] if reason else [])
    again = await desk.office.send()
    assert await desk.office.states(again) == (["cancelled"] if reason else ["accepted"])


@pytest.mark.parametrize("failing", ["put", "entry", "move"])
async def test_what_cannot_be_written_down_is_not_acknowledged_and_may_come_again(desk, failing):
    message = await doubtful(desk.office)
    token = await desk.token()
    desk.office.store.failing = {failing}
    with pytest.raises(StoreUnavailable):
        await desk.tell(message, "complained", token=token)
    desk.office.store.failing = set()
    await desk.tell(message, "complained", token=token)
    assert await desk.office.states(message) == ["accepted"]
    assert [kind for kind, _ in await desk.timeline(message)] == ["complained"]
    assert len(desk.suppressions.show()) == 1


def test_words_of_other_events_are_no_statuses():
    assert told([{"kind": "person", "text": "#0 delivered"}, {"kind": "delivered", "text": "one of them"}]) == {}


async def test_many_events_at_once_are_all_told(desk):
    messages = [await desk.office.send() for _ in range(30)]
    events = [{"kind": "delivered", "recipient": TO, "message": message} for message in messages]
    hook = Hook(body=json.dumps(events).encode(), headers={"signature": "right"})
    assert await desk.feedback.take("primary", await desk.token(), hook) == 30
    assert all([len(await desk.timeline(message)) == 1 for message in messages])
    assert rfc5322.id_text(messages[0])
