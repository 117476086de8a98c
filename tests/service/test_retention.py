"""What is kept of finished mail, and how long."""

import pytest

from secondpost.core.delivery import Move
from secondpost.core.message import Message
from secondpost.core.outcome import Unclear
from secondpost.errors import WrongInput
from secondpost.service.retention import CONTENT, ENTRIES, FOREVER, MEGABYTES, UNLIMITED, Retention
from secondpost.store.memory import MemoryStore
from secondpost.store.sqlite import SqliteStore
from tests.store.samples import NOW, WORKER, change, record, start, submission

KEPT = {CONTENT: 7, ENTRIES: 30, MEGABYTES: UNLIMITED}


@pytest.fixture
def retention(office) -> Retention:
    return Retention(office.store, office.clock, KEPT)


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
    await retention.change(content=0, entries=FOREVER, megabytes=UNLIMITED, never=[])
    again = Retention(office.store, office.clock, KEPT)
    await again.load()
    assert again.show() == {"content": 0, "entries": FOREVER, "megabytes": UNLIMITED, "never": [], "attachments": True}
    office.clock.forward(seconds=1)
    await again.purge()
    assert await office.store.content(done) is None
    office.clock.forward(days=4000)
    await again.purge()
    assert await office.store.entry(done) is not None


async def test_what_the_file_sets_wins(office):
    first = Retention(office.store, office.clock, KEPT)
    await first.change(content=1, entries=1, megabytes=1, never=[])
    fixed = Retention(
        office.store, office.clock, KEPT | {MEGABYTES: 5}, {CONTENT: "secondpost.toml", MEGABYTES: "secondpost.toml"}
    )
    await fixed.load()
    assert fixed.show()["content"] == 7
    assert fixed.show()["megabytes"] == 5
    assert fixed.show()["entries"] == 1
    await fixed.change(content=365, entries=30, megabytes=9, never=[])
    assert fixed.show() == {"content": 7, "entries": 30, "megabytes": 5, "never": [], "attachments": True}


async def test_what_was_chosen_before_there_was_a_cap_still_counts(office, retention):
    await office.store.put("setting", "log", {"days": {CONTENT: 0, ENTRIES: 365}, "never": ["reset"]})
    await retention.load()
    assert retention.show() == {
        "content": 0,
        "entries": 365,
        "megabytes": UNLIMITED,
        "never": ["reset"],
        "attachments": True,
    }


async def test_content_of_mail_that_matches_goes_when_it_is_finished(office, retention):
    await retention.change(
        content=7, entries=30, megabytes=UNLIMITED, never=[" password   reset ", "", "one-time code"]
    )
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


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path)
    await store.open()
    yield store
    await store.close()


async def hold(store, number: int, kilobytes: int, *moves: Move) -> int:
    """One message with so much content, which makes these moves."""
    it = submission(number, worker=WORKER, message=Message(b"", bytes(kilobytes * 1000)))
    await store.accept(it)
    if Move.DOUBT in moves:
        await store.start(start(it))
    if moves:
        await store.record(record(it, change(*moves)))
    return it.id


@pytest.mark.parametrize("batch", [1, 2, 500])
async def test_the_oldest_content_beyond_the_cap_goes_and_what_is_not_finished_stays(store, batch, monkeypatch):
    monkeypatch.setattr("secondpost.service.retention.BATCH", batch)
    unclear, leased = await hold(store, 1, 400, Move.DOUBT), await hold(store, 2, 400)
    small, large, *new = [
        await hold(store, number, size, Move.ACCEPT) for number, size in ((3, 1), (4, 500), (5, 400), (6, 200))
    ]
    retention = Retention(store, lambda: NOW, KEPT)
    await retention.shrink()
    assert len(await store.contents(before=None, limit=9)) == 6
    await retention.change(content=7, entries=30, megabytes=1, never=[])
    for _ in range(2):
        await retention.shrink()
        kept = [message for message, _ in await store.contents(before=None, limit=9)]
        assert kept == [*reversed(new), leased, unclear]
    assert await store.entry(large) is not None
    assert await store.entry(small) is not None
    (event,) = await store.events(limit=9, kinds=["retention"])
    assert event["text"] == "more than 1 MB of content were kept: dropped the oldest, 2 in all"


async def test_content_up_to_the_cap_is_kept(store):
    first, last = [await hold(store, number, 500, Move.ACCEPT) for number in (1, 2)]
    await Retention(store, lambda: NOW, KEPT | {MEGABYTES: 1}).shrink()
    assert await store.contents(before=None, limit=9) == [(last, 500_000), (first, 500_000)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"content": -1},
        {"entries": 0},
        {"entries": FOREVER + 1},
        {"megabytes": 0},
        {"megabytes": UNLIMITED + 1},
        {"never": [f"word {n}" for n in range(60)]},
    ],
    ids=str,
)
async def test_what_makes_no_sense_changes_nothing(retention, wrong):
    with pytest.raises(WrongInput, match="Nothing was saved"):
        await retention.change(**{"content": 1, "entries": 1, "megabytes": 1, "never": []} | wrong)
    assert retention.show() == {"content": 7, "entries": 30, "megabytes": UNLIMITED, "never": [], "attachments": True}


async def test_mail_with_attachments_is_not_kept_where_they_are_not_to_be(office, retention):
    plain = await mail(office)
    head = b"Subject: Invoice\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n"
    file = b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n"
    attached = int(await office.send(content=head + part + file))
    await retention.forget()
    assert await office.store.content(attached) is not None
    await retention.change(content=7, entries=30, megabytes=UNLIMITED, never=[], attachments=False)
    again = Retention(office.store, office.clock, KEPT)
    await again.load()
    await again.forget()
    assert await office.store.content(attached) is None
    assert await office.store.entry(attached) is not None
    assert await office.store.content(plain) is not None
