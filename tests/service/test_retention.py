"""What is kept of finished mail, and how long."""

import pytest

from secondpost.core.delivery import Move
from secondpost.core.outcome import Unclear
from secondpost.errors import WrongInput
from secondpost.service.retention import CONTENT, ENTRIES, FOREVER, Retention


@pytest.fixture
def retention(office) -> Retention:
    return Retention(office.store, office.clock, {CONTENT: 7, ENTRIES: 30})


async def mail(office, subject: str = "Hello", *, lost: bool = False) -> int:
    if lost:
        office.primary.answer = lambda parcel: (Unclear(),) * len(parcel.recipients)
    message = await office.send(content=f"Subject: {subject}\r\n\r\nHi\r\n".encode())
    office.primary.heal()
    return int(message)


async def test_content_goes_before_the_entry_and_open_mail_keeps_both(office, retention):
    done = await mail(office)
    open_ = await mail(office, lost=True)
    office.clock.forward(days=8)
    await retention.purge()
    assert await office.store.content(done) is None
    assert await office.store.entry(done) is not None
    office.clock.forward(days=23)
    await retention.purge()
    assert await office.store.entry(done) is None
    assert await office.store.content(open_) is not None


async def test_what_is_changed_is_kept_and_done(office, retention):
    done = await mail(office)
    await retention.change(content=0, entries=FOREVER, never=[])
    again = Retention(office.store, office.clock, {CONTENT: 7, ENTRIES: 30})
    await again.load()
    assert again.show() == {"content": 0, "entries": FOREVER, "never": []}
    office.clock.forward(seconds=1)
    await again.purge()
    assert await office.store.content(done) is None
    office.clock.forward(days=4000)
    await again.purge()
    assert await office.store.entry(done) is not None


async def test_what_the_file_sets_wins(office):
    first = Retention(office.store, office.clock, {CONTENT: 7, ENTRIES: 30})
    await first.change(content=1, entries=1, never=[])
    fixed = Retention(office.store, office.clock, {CONTENT: 7, ENTRIES: 30}, {CONTENT: "secondpost.toml"})
    await fixed.load()
    assert fixed.show()["content"] == 7
    assert fixed.show()["entries"] == 1
    await fixed.change(content=365, entries=30, never=[])
    assert fixed.show()["content"] == 7


async def test_content_of_mail_that_matches_goes_when_it_is_finished(office, retention):
    await retention.change(content=7, entries=30, never=[" password   reset ", "", "one-time code"])
    reset, other, open_ = (
        await mail(office, "Your Password Reset"), await mail(office, "Your order"),
        await mail(office, "Password reset", lost=True),
    )  # fmt: skip
    await retention.forget()
    assert await office.store.content(reset) is None
    assert await office.store.entry(reset) is not None
    assert await office.store.content(other) is not None
    assert await office.store.content(open_) is not None
    office.clock.forward(days=2)
    later = await mail(office, "One-time code 123")
    move = {"now": office.clock(), "due": None, "reason": "settled"}
    await office.store.move(open_, None, Move.SETTLE_ARRIVED, **move)
    await retention.forget()
    assert await office.store.content(later) is None
    assert await office.store.content(open_) is None


@pytest.mark.parametrize(
    "wrong",
    [{"content": -1}, {"entries": 0}, {"entries": FOREVER + 1}, {"never": [f"word {n}" for n in range(60)]}],
    ids=str,
)
async def test_what_makes_no_sense_changes_nothing(retention, wrong):
    with pytest.raises(WrongInput, match="Nothing was saved"):
        await retention.change(**{"content": 1, "entries": 1, "never": []} | wrong)
    assert retention.show() == {"content": 7, "entries": 30, "never": []}
