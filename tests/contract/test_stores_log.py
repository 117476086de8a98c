"""What every store promises of the log: its pages, what they are searched and filtered by, and its events."""

import pytest

from secondpost.core.delivery import Move, State
from secondpost.core.event import Sequel
from secondpost.core.message import Message
from secondpost.core.outcome import Fault, Rejected, Unclear
from secondpost.core.priority import Priority
from secondpost.store.base import Store
from secondpost.store.log import Query
from secondpost.store.sqlite import SqliteStore
from tests.store.samples import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    ROUTE,
    WORKER,
    accepted,
    claim,
    ended,
    message_id,
    record,
    start,
    submission,
)


async def test_a_page_is_newest_first_and_goes_on_by_key(store):
    crowd = [submission(n, id=message_id(n)) for n in range(7)]
    for it in crowd:
        await store.accept(it)
    first = await store.page(Query(limit=3))
    second = await store.page(Query(limit=3, before=first[-1].id))
    third = await store.page(Query(limit=3, before=second[-1].id))
    assert [row.id for row in first + second + third] == [it.id for it in reversed(crowd)]


async def test_a_page_can_be_oldest_first_and_goes_on_by_key(store):
    crowd = [submission(n, id=message_id(n)) for n in range(7)]
    for it in crowd:
        await store.accept(it)
    first = await store.page(Query(limit=3, oldest_first=True))
    second = await store.page(Query(limit=3, oldest_first=True, before=first[-1].id))
    third = await store.page(Query(limit=3, oldest_first=True, before=second[-1].id))
    assert [row.id for row in first + second + third] == [it.id for it in crowd]
    assert await store.page(Query(oldest_first=True, before=crowd[-1].id)) == []


async def test_a_row_says_what_lists_show(store):
    it = submission(worker=WORKER, recipients=("a@x.org", "b@x.org"), priority=Priority.BULK)
    await store.accept(it)
    await store.record(record(it, accepted(1)))
    (row,) = await store.page(Query())
    assert (row.id, row.accepted, row.subject, row.sender) == (it.id, NOW, "Order 1", "shop@example.com")
    assert (row.recipients, row.states) == (("a@x.org", "b@x.org"), (State.LEASED, State.ACCEPTED))
    assert (row.by_backup, row.withheld, row.entrypoint) == (False, "", "smtp")
    assert (row.connection, row.client, row.size, row.priority) == ("primary", "shop", it.message.size, Priority.BULK)


async def test_an_entry_says_everything(store):
    it = submission(notes='{"why":"rule 1"}', tag="receipt", parent=42)
    await store.accept(it)
    await store.event("fallback", at=NOW, connection="primary", message=it.id, text="slow")
    entry = await store.entry(it.id)
    assert (entry.row.notes, entry.tag, entry.parent, entry.row.entrypoint) == (it.notes, "receipt", 42, "smtp")
    assert entry.expires == it.expires
    assert [(e["kind"], e["at"], e["text"]) for e in entry.events] == [("fallback", NOW, "slow")]


async def found(store: Store, **filters: object) -> list[str]:
    return [row.subject for row in await store.page(Query(**filters))]  # type: ignore[arg-type]  # each test gives its own


async def tell(store: Store, subject: str, *told: Sequel, number: int = 0) -> None:
    """What a provider says later came of a message."""
    ((message, text),) = [(row.id, f"#{number}") for row in await store.page(Query()) if row.subject == subject]
    for came in told:
        await store.event("told", at=NOW, message=message, text=text, sequel=(number, came))


@pytest.fixture(params=["fresh", "indexed"])
async def filled(request: pytest.FixtureRequest, store: Store) -> Store:
    """Seven messages in all states, before and after the search index reaches them."""
    it = [
        submission(n, worker=WORKER if n > 1 else "", subject=subject, recipients=to, accepted=NOW + n * HOUR)
        for n, subject, *to in (
            (1, "Your invoice", "anna@example.org"),
            (2, "Your Café order", "bob.smith@mail.example.net"),
            (3, "Password reset", "anna@example.org", "carol@example.com"),
            (4, "Your order", "dave@example.org"),
            (5, "Newsletter", "eve@example.org"),
            (6, "Receipt", "anna.b@example.org"),
            (7, "Ticket", "frank@example.org"),
        )
    ]
    for one in it:
        await store.accept(one)
    await store.record(record(it[1], accepted(0), connection="backup"))
    await store.record(record(it[2], accepted(0), ended(1, Rejected(Fault.RECIPIENT, "550"), Move.REJECT)))
    await store.start(start(it[3]))
    await store.start(start(it[4]))
    await store.record(record(it[4], ended(0, Unclear(), Move.DOUBT)))
    await store.move(it[5].id, None, Move.CANCEL, now=NOW, due=None, reason="")
    if request.param == "indexed" and isinstance(store, SqliteStore):
        assert await store.index(5) == 5  # so that some are still to be looked through
    return store


async def test_the_log_is_searched_by_address(filled):
    assert await found(filled, address="anna@example.org") == ["Password reset", "Your invoice"]
    assert await found(filled, address="ANNA") == ["Receipt", "Password reset", "Your invoice"]
    assert await found(filled, address="smith@mail") == ["Your Café order"]
    assert await found(filled, address="shop@example.com", limit=2) == ["Ticket", "Receipt"]
    assert await found(filled, address="anna@example.or") == []  # a whole address is looked for as it is
    assert await found(filled, address="anna@exam") == ["Password reset", "Your invoice"]
    assert await found(filled, address="nobody") == []


async def test_the_log_is_searched_by_subject(filled):
    assert await found(filled, subject="your") == ["Your order", "Your Café order", "Your invoice"]
    assert await found(filled, subject="cafe ord") == ["Your Café order"]
    assert await found(filled, subject='"quoted" OR (odd*) -words') == []
    assert len(await found(filled, subject="?!")) == 7


async def test_the_log_is_filtered_by_state(filled):
    assert await found(filled, standings=(State.WAITING,)) == ["Your invoice"]
    assert await found(filled, standings=(State.LEASED,)) == ["Ticket"]
    assert await found(filled, standings=(State.SENDING,)) == ["Your order"]
    assert await found(filled, standings=(State.UNCLEAR,)) == ["Newsletter"]
    assert await found(filled, standings=(State.ACCEPTED,)) == ["Password reset", "Your Café order"]
    assert await found(filled, standings=(State.REJECTED, State.CANCELLED)) == ["Receipt", "Password reset"]
    assert await found(filled, standings=(State.EXPIRED,)) == []


async def test_what_a_provider_told_later_is_shown_and_found(filled):
    await tell(filled, "Your Café order", Sequel.DELIVERED)
    await tell(filled, "Password reset", Sequel.BOUNCED)
    await tell(filled, "Receipt", Sequel.DELIVERED)  # withdrawn while it was unclear, and they had it
    assert await found(filled, standings=(Sequel.DELIVERED,)) == ["Receipt", "Your Café order"]
    assert await found(filled, standings=(Sequel.BOUNCED,)) == ["Password reset"]
    assert await found(filled, standings=(Sequel.COMPLAINED, State.REJECTED)) == ["Password reset"]
    assert await found(filled, standings=(State.ACCEPTED,)) == await found(filled, standings=(State.CANCELLED,)) == []
    assert await found(filled, standings=(Sequel.DELIVERED,), subject="cafe") == ["Your Café order"]
    assert await found(filled, standings=(Sequel.DELIVERED,), connection="primary") == []
    assert await filled.count(Query(standings=(Sequel.DELIVERED,))) == (2, False)
    (row,) = await filled.page(Query(standings=(Sequel.BOUNCED,)))
    assert (row.states, row.sequels) == ((State.ACCEPTED, State.REJECTED), (Sequel.BOUNCED, None))
    assert row.standings == (Sequel.BOUNCED, State.REJECTED)


async def test_of_what_was_told_what_weighs_most_stays_whatever_comes_first(filled):
    await tell(filled, "Your Café order", Sequel.DELIVERED, Sequel.COMPLAINED, Sequel.DELIVERED)
    await tell(filled, "Password reset", Sequel.BOUNCED, Sequel.DELIVERED)
    assert await found(filled, standings=(Sequel.COMPLAINED,)) == ["Your Café order"]
    assert await found(filled, standings=(Sequel.BOUNCED,)) == ["Password reset"]
    assert await found(filled, standings=(Sequel.DELIVERED,)) == []


async def test_what_is_still_open_stands_as_it_is_until_it_is_over(filled):
    await tell(filled, "Newsletter", Sequel.DELIVERED)
    assert await found(filled, standings=(Sequel.DELIVERED,)) == []
    assert await found(filled, standings=(State.UNCLEAR,)) == ["Newsletter"]
    (row,) = await filled.page(Query(standings=(State.UNCLEAR,)))
    await filled.move(row.id, None, Move.SETTLE_ARRIVED, now=NOW, due=None, reason="")
    assert await found(filled, standings=(Sequel.DELIVERED,)) == ["Newsletter"]


async def test_what_is_told_of_a_message_that_is_gone_changes_nothing(filled):
    await filled.event("delivered", at=NOW, message=42, text="#0", sequel=(0, Sequel.DELIVERED))
    assert await found(filled, standings=(*Sequel,)) == []


async def test_the_log_is_filtered_by_connection(filled):
    assert await found(filled, connection="backup") == ["Your Café order"]
    assert await found(filled, connection="primary") == ["Newsletter", "Your order", "Password reset"]
    assert await found(filled, connection="primary", standings=(State.REJECTED,)) == ["Password reset"]


async def test_the_log_is_filtered_by_date(filled):
    assert await found(filled, since=NOW + 3 * HOUR, until=NOW + 5 * HOUR) == ["Your order", "Password reset"]


async def test_the_log_is_filtered_by_who_sent_it_by_backup_and_by_the_words_of_an_error(filled):
    assert await found(filled, client="shop", limit=1) == ["Ticket"]
    assert await found(filled, client="sho") == []
    assert await found(filled, by_backup=True) == ["Your Café order"]
    assert await found(filled, error="55") == ["Password reset"]
    assert await found(filled, error="250") == []  # a success is no error
    assert await found(filled, error="%") == []


async def test_what_was_withheld_is_told_apart_by_its_reason(filled):
    reasons = {"a@x.org": "suppressed: bounced", "b@x.org": "blocked by the route Demo"}
    for number, (recipient, reason) in enumerate(reasons.items(), 20):
        it = submission(number, accepted=NOW + DAY, recipients=[recipient], withheld={recipient: reason})
        await filled.accept(it)
    cancelled = (State.CANCELLED,)
    assert await found(filled, withheld="suppressed", standings=cancelled) == ["Order 20"]
    assert await found(filled, withheld="blocked", standings=cancelled) == ["Order 21"]
    assert await found(filled, withheld="cancelled", standings=cancelled) == ["Receipt"]
    (row,) = await filled.page(Query(withheld="blocked", standings=cancelled))
    assert row.withheld == "blocked by the route Demo"


async def test_what_is_sealed_is_searched_too(filled):
    special = submission(30, accepted=NOW + DAY, message=Message(b"X-Order: A-17\r\n\r\n", b"Dear Zo\xc3\xab\r\n"))
    await filled.accept(special)
    assert await found(filled, head="x-order: a-17") == ["Order 30"]
    assert await found(filled, content="zoë") == ["Order 30"]
    assert await found(filled, content="a-17") == []
    assert len(await found(filled, content="thank you", limit=3)) == 3
    assert await found(filled, content="thank you", address="carol") == ["Password reset"]


async def test_a_look_goes_on_where_it_ended(filled):
    seen, before = [], None
    while True:
        look = await filled.look(Query(limit=2, before=before))
        seen += [row.subject for row in look.rows]
        if (before := look.before) is None:
            break
    assert seen == await found(filled, limit=10)
    assert len(seen) == 7


@pytest.mark.parametrize(
    "filters",
    [
        {"address": "anna"}, {"subject": "your"}, {"connection": "primary"}, {"by_backup": True}, {"error": "55"},
        {"standings": (State.ACCEPTED, State.WAITING)}, {"standings": (State.LEASED,)}, {"content": "thank you"},
        {"since": NOW + 2 * HOUR, "until": NOW + 6 * HOUR},
    ],
    ids=str,
)  # fmt: skip
async def test_oldest_first_every_filter_finds_the_same_the_other_way_round(filled, filters):
    newest = await found(filled, **filters)
    assert newest
    assert await found(filled, **filters, oldest_first=True) == newest[::-1]
    seen, before = [], None
    while True:
        look = await filled.look(Query(**filters, oldest_first=True, limit=1, before=before))
        seen += [row.subject for row in look.rows]
        if (before := look.before) is None:
            break
    assert seen == newest[::-1]


async def test_what_is_found_is_counted_up_to_a_limit(filled):
    assert await filled.count(Query(address="anna", limit=10)) == (3, False)
    assert await filled.count(Query(limit=5)) == (5, True)
    assert await filled.count(Query(client="nobody")) == (0, False)


async def test_only_finished_messages_are_dropped(filled):
    rows = await filled.page(Query())
    by_subject = {row.subject: row.id for row in rows}
    asked = [by_subject[name] for name in ("Your invoice", "Your Café order", "Receipt", "Newsletter")]
    assert await filled.drop([*asked, 42]) == [by_subject["Receipt"], by_subject["Your Café order"]]
    assert await filled.entry(by_subject["Receipt"]) is None
    assert await filled.content(by_subject["Receipt"]) is None
    assert await found(filled, subject="cafe") == []
    assert len(await found(filled)) == 5


async def test_filters_narrow_each_other(filled):
    assert await found(filled, address="anna", subject="reset", standings=(State.ACCEPTED,), connection="primary") == [
        "Password reset"
    ]
    assert await found(filled, address="anna", connection="backup") == []
    assert await found(filled, address="anna", before=message_id(3, NOW + 3 * HOUR)) == ["Your invoice"]


async def test_what_an_indexed_message_is_carried_by_later_is_found_too(filled):
    (lease,) = await claim(filled, now=NOW + DAY)
    it = submission(1, accepted=NOW + HOUR)
    assert await filled.record(record(it, fence=lease.fence, connection="backup")) is True
    assert await found(filled, connection="backup") == ["Your Café order", "Your invoice"]


async def test_the_depth_of_the_queue_is_told_by_route_state_and_priority(filled):
    await filled.accept(submission(8, accepted=NOW + 8 * HOUR))
    depth = {(d.state, d.priority): d for d in await filled.depth()}
    waiting = depth[State.WAITING, Priority.NORMAL]
    assert (waiting.route, waiting.count, waiting.oldest, waiting.next_due) == (ROUTE, 2, NOW + HOUR, NOW + HOUR)
    assert {state: d.count for (state, _), d in depth.items()} == {
        State.WAITING: 2, State.LEASED: 1, State.SENDING: 1, State.UNCLEAR: 1,
    }  # fmt: skip


async def test_events_are_newest_first_and_go_on_by_key(store):
    for number in range(5):
        await store.event("breaker", at=NOW + number * MINUTE, connection="primary", text=str(number))
    first = await store.events(limit=3)
    rest = await store.events(limit=3, before=first[-1]["id"])
    assert [event["text"] for event in first + rest] == ["4", "3", "2", "1", "0"]
    assert (first[0]["at"], first[0]["connection"], first[0]["message"]) == (NOW + 4 * MINUTE, "primary", None)


async def test_events_are_narrowed_by_kind_and_text(store):
    for kind, text in (("audit", "ada SIGNED in"), ("breaker", "open"), ("audit", "ben signed out"), ("audit", "100%")):
        await store.event(kind, at=NOW, connection="primary" if kind == "breaker" else "", text=text)

    async def found(**narrowed):
        return [event["text"] for event in await store.events(limit=2, **narrowed)]

    assert await found(kinds=["audit"]) == ["100%", "ben signed out"]
    assert await found(kinds=["audit"], text="Signed") == ["ben signed out", "ada SIGNED in"]
    assert await found(kinds=["audit", "breaker"], text="PRIMARY") == ["open"]
    assert await found(text="%") == ["100%"]
