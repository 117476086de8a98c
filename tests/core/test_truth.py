"""The sentence of the dashboard: what it says in each situation, and what it never says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.truth import CARRIES, Health, Moment, Sentence, Situation, Tone, Way, sentence

NOW = datetime(2026, 8, 3, 14, 2, tzinfo=UTC)
HOURS = timedelta(hours=3)
WELL = Way(title="Primary (SendGrid)", health=Health.WELL)
READY = Way(title="Second (Mailgun)", health=Health.WELL, ready=True, checked=NOW - HOURS)
DOWN = Way(title="Primary (SendGrid)", health=Health.DOWN, at=NOW)


def said(found: Sentence) -> str:
    """As the page shows it."""
    return "".join(
        part if isinstance(part, str) else "3 h ago" if part.ago else f"{part.at:%H:%M}" for part in found.parts
    )


BY_PRIMARY = "All mail leaves by Primary (SendGrid). "


@pytest.mark.parametrize(
    ("situation", "tone", "text"),
    [
        (Situation(primary=WELL, backup=READY), "good", BY_PRIMARY + "Backup Second (Mailgun) checked 3 h ago."),
        (
            Situation(primary=WELL, backup=READY, routed=True), "good",
            "Mail that no route moves leaves by Primary (SendGrid). Backup Second (Mailgun) checked 3 h ago.",
        ),
        (
            Situation(primary=WELL, backup=None), "open",
            BY_PRIMARY + "There is no Backup Connection: if it fails, mail waits.",
        ),
        (
            Situation(primary=WELL, backup=Way(title="B", health=Health.WELL)), "open",
            BY_PRIMARY + "The Backup Connection B was never checked.",
        ),
        (
            Situation(primary=WELL, backup=Way(title="B", health=Health.WELL, ready=False, checked=NOW)), "open",
            BY_PRIMARY + "The Backup Connection B is not ready: signing in failed 3 h ago.",
        ),
        (
            Situation(primary=WELL, backup=Way(title="B", health=Health.DOWN, at=NOW)), "open",
            BY_PRIMARY + "The Backup Connection B is down since 14:02.",
        ),
        (
            Situation(primary=WELL, backup=Way(title="B", health=Health.OFF)), "open",
            BY_PRIMARY + "The Backup Connection B is switched off.",
        ),
        (
            Situation(primary=Way(title="Inbox", health=Health.WELL, keeps=True), backup=None), "open",
            "All mail is kept in the Inbox, and none of it is sent.",
        ),
        (
            Situation(primary=DOWN, backup=READY, rescued=214), "open",
            "Primary (SendGrid) is down since 14:02; 214 messages went out by Second (Mailgun).",
        ),
        (
            Situation(primary=DOWN, backup=READY, rescued=1), "open",
            "Primary (SendGrid) is down since 14:02; 1 message went out by Second (Mailgun).",
        ),
        (
            Situation(primary=DOWN, backup=READY), "open",
            "Primary (SendGrid) is down since 14:02; mail goes out by Second (Mailgun).",
        ),
        (
            Situation(primary=Way(title="A", health=Health.TRIAL, at=NOW), backup=READY, rescued=2), "open",
            "A was down from 14:02 and is on trial, one message at a time; 2 messages went out by Second (Mailgun).",
        ),
        (
            Situation(primary=Way(title="A", health=Health.TRIAL, at=NOW), backup=None, waiting=2), "open",
            ("A was down from 14:02 and is on trial, one message at a time; what it does not take waits."
            " 2 messages wait, and go out by themselves once they can."),
        ),
        (
            Situation(primary=Way(title="A", health=Health.SHAKY, at=NOW - HOURS), backup=READY, rescued=1), "open",
            "A failed 3 h ago; 1 message went out by Second (Mailgun).",
        ),
        (
            Situation(primary=Way(title="A", health=Health.DRILL, at=NOW), backup=READY), "open",
            "A refuses mail on purpose until 14:02 (Fallback Drill); mail goes out by Second (Mailgun).",
        ),
        (
            Situation(primary=Way(title="A", health=Health.DRILL, at=NOW), backup=None), "open",
            "A refuses mail on purpose until 14:02 (Fallback Drill); it takes what nobody else can.",
        ),
        (
            Situation(primary=Way(title="A", health=Health.SHAKY, at=NOW - HOURS), backup=None), "open",
            "A failed 3 h ago; what it does not take waits.",
        ),
        (
            Situation(primary=Way(title="A", health=Health.PAUSED, at=NOW), backup=READY), "open",
            "A was asked by its provider to pause until 14:02; mail goes out by Second (Mailgun).",
        ),
        (
            Situation(primary=DOWN, backup=Way(title="Inbox", health=Health.WELL, keeps=True), rescued=3), "open",
            "Primary (SendGrid) is down since 14:02; 3 messages were kept in the Inbox.",
        ),
        (
            Situation(primary=DOWN, backup=Way(title="Inbox", health=Health.WELL, keeps=True)), "open",
            "Primary (SendGrid) is down since 14:02; mail is kept in the Inbox.",
        ),
        (
            Situation(primary=DOWN, backup=None, waiting=1), "bad",
            ("Primary (SendGrid) is down since 14:02, and there is no Backup Connection."
            " 1 message waits, and goes out by itself once it can."),
        ),
        (
            Situation(primary=DOWN, backup=Way(title="B", health=Health.DOWN)), "bad",
            "Primary (SendGrid) is down since 14:02, and B is down: nothing leaves.",
        ),
        (
            Situation(primary=Way(title="A", health=Health.WELL, ready=False, checked=NOW), backup=READY), "open",
            "Signing in to A failed 3 h ago. While that goes on, mail goes out by Second (Mailgun).",
        ),
        (
            Situation(primary=Way(title="A", health=Health.WELL, ready=False, checked=NOW), backup=None), "open",
            "Signing in to A failed 3 h ago. While that goes on, mail waits.",
        ),
        (
            Situation(primary=DOWN, backup=Way(title="Inbox", health=Health.TRIAL, keeps=True), rescued=1), "open",
            "Primary (SendGrid) is down since 14:02; 1 message was kept in the Inbox.",
        ),
        (Situation(primary=None, backup=None), "bad", "There is no connection: nothing can be sent."),
        (
            Situation(primary=WELL, backup=READY, do_not_send=True), "open",
            "Do Not Send is switched on: mail is kept in the log, and none is sent.",
        ),
        (
            Situation(primary=WELL, backup=READY, suspended=True), "bad",
            "Sending is paused: results cannot be written to the disk. Nothing is lost; make room on it.",
        ),
    ],
)  # fmt: skip
def test_it_says_what_has_to_be_known(situation, tone, text):
    found = sentence(situation)
    assert (found.tone, said(found)) == (tone, text)


times = st.none() | st.just(NOW)
ways = st.builds(
    Way, title=st.sampled_from(["Main (SMTP)", "Other (Postmark)"]), health=st.sampled_from(Health), at=times,
    keeps=st.booleans(), ready=st.sampled_from([None, True, False]), checked=times,
)  # fmt: skip
situations = st.builds(
    Situation, primary=st.none() | ways, backup=st.none() | ways, rescued=st.integers(0, 5), waiting=st.integers(0, 5),
    routed=st.booleans(), do_not_send=st.booleans(), suspended=st.booleans(),
)  # fmt: skip


def carries(way: Way | None) -> bool:
    return way is not None and way.health in CARRIES


@given(situations)
def test_it_is_bad_exactly_when_nothing_leaves_that_should(now):
    nothing = not (carries(now.primary) or (now.primary and carries(now.backup)))
    assert (sentence(now).tone is Tone.BAD) is (now.suspended or (nothing and not now.do_not_send))


@given(situations)
def test_it_is_good_only_with_a_primary_that_sends_and_a_backup_that_is_ready(now):
    if sentence(now).tone is Tone.GOOD:
        assert now.primary.health is Health.WELL
        assert not (now.primary.keeps)
        assert not (now.suspended)
        assert not (now.do_not_send)
        assert now.backup.ready
        assert now.backup.health in CARRIES


@given(situations)
def test_it_says_that_all_mail_leaves_only_when_it_does(now):
    if "leaves by" in sentence(now).text:
        assert now.primary.health is Health.WELL
        assert not (now.primary.keeps)
        assert not (now.do_not_send)
        assert not (now.suspended)


@given(situations)
def test_who_carries_the_mail_is_named(now):
    if carries(now.primary) or not carries(now.backup) or now.primary is None or now.do_not_send or now.suspended:
        return
    assert now.backup.title in sentence(now).text
    assert now.primary.title in sentence(now).text


@given(situations)
def test_mail_that_waits_while_nothing_leaves_is_not_kept_quiet(now):
    found = sentence(now)
    if found.tone is Tone.BAD and now.waiting:
        assert f"{now.waiting} message" in found.text


@given(situations)
def test_it_is_a_sentence(now):
    text = sentence(now).text
    assert text.endswith(".")
    assert "  " not in text
    assert all(isinstance(part, str | Moment) for part in sentence(now).parts)
