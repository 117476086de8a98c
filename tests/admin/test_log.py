"""The Email Log in the web admin: what it shows, to whom, and that nothing in a message can act."""

import base64
import csv
import io
from urllib.parse import urlencode

import pytest

from secondpost.core.event import Sequel
from secondpost.core.ids import parse_id
from secondpost.service.users import Role
from tests.admin.conftest import Admin

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


async def put(admin: Admin, subject: str = "Order 1", **fields) -> str:
    """One message in the log; the built-in Inbox takes it."""
    known = {"sender": "shop@example.com", "to": ["anna@example.org"], "text": "Hello Anna", "subject": subject}
    sent = await admin.operations.send(**known | fields)
    for _ in range(200):
        if (await admin.operations.log_show(sent["id"]))["status"] == "accepted":
            break
        await admin.operations.worker.refill()
    return str(sent["id"])


async def test_an_empty_log_says_what_to_do(admin):
    page = await (await admin.signed_in(Role.VIEWER)).get("/log")
    assert "No mail has come yet" in page.text
    assert "/tools/email-test" in page.text


async def test_the_list_shows_and_finds_by_address_and_subject(admin):
    await put(admin, "Your invoice")
    await put(admin, "Newsletter", to=["bob@example.net"])
    browser = await admin.signed_in(Role.VIEWER)
    both = await browser.get("/log")
    assert "Your invoice" in both.text
    assert "Newsletter" in both.text
    assert 'href="/log?q=bob%40example.net"' in both.text
    assert "Newsletter" not in (await browser.get("/log?q=anna")).text
    found = await browser.get("/log?" + urlencode({"q": "news", "in": "subject"}))
    assert "Newsletter" in found.text
    assert "Your invoice" not in found.text


async def test_counts_respect_the_filters(admin):
    await put(admin, "One")
    await put(admin, "Two", to=["bob@example.net"])
    browser = await admin.signed_in(Role.VIEWER)
    assert 'Sent <span class="number">2</span>' in (await browser.get("/log")).text
    assert 'Sent <span class="number">1</span>' in (await browser.get("/log?q=bob")).text
    assert 'Failed <span class="number">0</span>' in (await browser.get("/log")).text


async def test_the_list_says_what_a_provider_told_later_and_finds_it(admin):
    messages = {subject: await put(admin, subject) for subject in ("One", "Two", "Three")}
    for subject, came in (("One", Sequel.DELIVERED), ("Two", Sequel.BOUNCED)):
        told = {"message": parse_id(messages[subject]), "sequel": (0, came), "text": "#0 anna@example.org: as told"}
        await admin.operations.store.event(came.value, at=admin.operations.now(), **told)
    browser = await admin.signed_in(Role.OPERATOR)
    page = (await browser.get("/log")).text
    for label in ("Sent", "Delivered", "Bounced"):
        assert f'{label} <span class="number">1</span>' in page
    bounced = (await browser.get("/log?status=bounced")).text
    assert ("/log/" + messages["Two"] in bounced, "/log/" + messages["One"] in bounced) == (True, False)
    assert '<span class="standing bad">Bounced</span>' in bounced
    story = (await browser.get(f"/log/{messages['One']}")).text
    assert '<span class="standing good">Delivered</span>' in story
    assert '<span class="badge">delivered</span>' in story
    answer = await browser.post("/log/export", data={"format": "csv", "all": "on", "query": "status=bounced"})
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["id"], row["status"]) == (messages["Two"], "bounced")


async def test_pages_go_on_by_key_and_never_show_a_message_twice(admin, monkeypatch):
    monkeypatch.setattr("secondpost.admin.pages.log.ROWS", 2)
    ids = [await put(admin, f"Order {number}") for number in range(5)]
    browser = await admin.signed_in(Role.VIEWER)
    seen, path = [], "/log"
    for _ in range(3):
        text = (await browser.get(path)).text
        seen += [one for one in ids if f'href="/log/{one}"' in text]
        path = text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert sorted(seen) == ids
    assert path == ""


async def test_the_oldest_come_first_when_the_date_is_clicked_and_pages_go_on_from_there(admin, monkeypatch):
    monkeypatch.setattr("secondpost.admin.pages.log.ROWS", 2)
    ids = [await put(admin, f"Order {number}") for number in range(3)]
    browser = await admin.signed_in(Role.VIEWER)
    newest = (await browser.get("/log?q=order&in=subject")).text
    assert 'aria-sort="descending"' in newest
    assert 'href="/log?q=order&amp;in=subject&amp;sort=date">Date Sent</a>' in newest
    first = (await browser.get("/log?q=order&in=subject&sort=date")).text
    assert 'aria-sort="ascending"' in first
    assert 'href="/log?q=order&amp;in=subject">Date Sent</a>' in first
    assert first.index(f'href="/log/{ids[0]}"') < first.index(f'href="/log/{ids[1]}"')
    assert ids[2] not in first
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    rest = (await browser.get(following)).text
    assert f'href="/log/{ids[2]}"' in rest
    assert ids[1] not in rest.partition("<tbody>")[2].partition("</tbody>")[0]


async def test_sorting_by_subject_goes_on_by_key_too(admin, monkeypatch):
    monkeypatch.setattr("secondpost.admin.pages.log.ROWS", 2)
    for subject in ("cherry", "Apple", "banana"):
        await put(admin, subject)
    browser = await admin.signed_in(Role.VIEWER)
    first = (await browser.get("/log?sort=subject")).text
    assert first.index("Apple") < first.index("banana")
    assert "cherry" not in first
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "cherry" in (await browser.get(following)).text


@pytest.mark.parametrize("query", ["since=yesterday", "before=nonsense", "status=odd", "until=2026-99-99"])
async def test_what_makes_no_sense_is_told_and_the_form_stays(admin, query):
    page = await (await admin.signed_in(Role.VIEWER)).get(f"/log?{query}&q=kept")
    assert page.status_code == 422
    assert 'value="kept"' in page.text


async def test_copies_have_columns_that_are_hidden_at_first(admin):
    await put(admin, cc=["carol@example.org"], bcc=["dora@example.org"])
    browser = await admin.signed_in(Role.VIEWER)
    assert "carol@example.org" not in (await browser.get("/log")).text
    await browser.post("/log/columns", data=[("column", "status"), ("column", "cc"), ("column", "bcc")])
    page = (await browser.get("/log")).text
    assert "carol@example.org" in page
    assert "dora@example.org" in page
    assert "Date Sent</a>" not in page


async def test_views_are_saved_for_one_user(admin):
    browser = await admin.signed_in(Role.VIEWER)
    await browser.post("/log/views", data={"name": "Bob’s", "query": "q=bob&status=failed&evil=1"})
    page = (await browser.get("/log")).text
    assert 'href="/log?q=bob&amp;status=failed">Bob’s</a>' in page
    assert "Bob’s" not in (await (await admin.signed_in(Role.OPERATOR)).get("/log")).text
    await browser.post("/log/views/remove", data={"name": "Bob’s", "query": ""})
    assert "No view" not in (page := (await browser.get("/log")).text)
    assert 'status=failed">Bob’s' not in page


async def test_the_content_is_searched_by_those_who_may_read_it(admin):
    await put(admin, "One", text="The password is swordfish")
    await put(admin, "Two")
    operator = await admin.signed_in(Role.OPERATOR)
    found = (await operator.get("/log?q=swordfish&in=content")).text
    assert ">One</a>" in found
    assert ">Two</a>" not in found
    assert "searched the content of the log: swordfish" in (await admin.audit())[0]
    viewer = await admin.signed_in(Role.VIEWER)
    assert (await viewer.get("/log?q=swordfish&in=content")).status_code == 400
    assert (await viewer.get("/log?q=swordfish&in=subject&headers=1")).status_code == 400


async def test_headers_are_searched_when_asked(admin):
    await put(admin, "One", headers=[("X-Order", "A-17")])
    operator = await admin.signed_in(Role.OPERATOR)
    assert ">One</a>" not in (await operator.get("/log?q=A-17&in=subject")).text
    assert ">One</a>" in (await operator.get("/log?q=A-17&in=subject&headers=1")).text


async def test_each_look_at_content_is_recorded_and_the_list_is_not(admin):
    id = await put(admin)
    browser = await admin.signed_in(Role.OPERATOR)
    await browser.get("/log")
    await browser.get(f"/log/{id}")
    assert await admin.audit() == []
    for path in ("content", "html", "source"):
        assert (await browser.get(f"/log/{id}/{path}")).status_code == 200
    assert len([line for line in await admin.audit() if id in line and "operator@" in line]) == 3


async def test_a_viewer_gets_no_content_by_any_way(admin):
    id = await put(admin)
    browser = await admin.signed_in(Role.VIEWER)
    page = await browser.get(f"/log/{id}")
    assert page.status_code == 200
    assert "Hello Anna" not in page.text
    assert f"/log/{id}/content" not in page.text
    for path in ("content", "html", "source", "attachments/0"):
        assert (await browser.get(f"/log/{id}/{path}")).status_code == 403


async def test_the_timeline_tells_the_whole_story(admin):
    id = await put(admin)
    page = (await (await admin.signed_in(Role.VIEWER)).get(f"/log/{id}")).text
    steps = ["Accepted, and on disk", "Route: ", "the ordinary route", "Attempt by ", "anna@example.org: accepted"]
    places = [page.index(step) for step in steps]
    assert places == sorted(places)


@pytest.mark.parametrize("path", ["content", "html", "source"])
async def test_the_frame_and_the_downloads_have_a_policy_of_their_own(admin, path):
    id = await put(admin, html="<p>Hi</p><script>alert(1)</script>")
    answer = await (await admin.signed_in(Role.OPERATOR)).get(f"/log/{id}/{path}")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    if path != "content":
        assert "sandbox" in policy
        assert "allow" not in policy
    assert ("attachment" in answer.headers.get("Content-Disposition", "")) is (path == "source")


async def test_whatever_a_message_says_is_text_on_our_pages(admin):
    id = await put(admin, EVIL, sender=f'"{EVIL}" <shop@example.com>', text=EVIL, headers=[("X-Evil", EVIL)])
    browser = await admin.signed_in(Role.OPERATOR)
    for path in ("/log", f"/log/{id}", f"/log/{id}/content", "/log?" + urlencode({"q": EVIL})):
        answer = await browser.get(path)
        assert answer.status_code == 200
        text = answer.text
        assert "<script>alert" not in text
        assert "<img src=x" not in text


async def test_images_that_came_along_are_shown_as_data_and_svg_is_not(admin):
    files = [
        {"filename": name, "content": base64.b64encode(data).decode(), "content_type": kind, "content_id": cid}
        for name, data, kind, cid in (
            ("dot.png", b"\x89PNG", "image/png", "dot"),
            ("evil.svg", b"<svg onload=alert(1)>", "image/svg+xml", "evil"),
        )
    ]
    id = await put(admin, html='<img src="cid:dot"><img src="cid:evil">', attachments=files)
    framed = (await (await admin.signed_in(Role.OPERATOR)).get(f"/log/{id}/html")).text
    assert 'src="data:image/png;base64,' in framed
    assert 'src="cid:evil"' in framed


async def test_an_attachment_is_a_download_whatever_it_is_called(admin):
    name = 'évil";\r\nX: y.html'.replace("\r\n", "")
    file = {"filename": name, "content": base64.b64encode(b"<script>").decode(), "content_type": "text/html"}
    id = await put(admin, attachments=[file])
    browser = await admin.signed_in(Role.OPERATOR)
    answer = await browser.get(f"/log/{id}/attachments/0")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="')
    assert answer.headers["Content-Disposition"].count('"') == 2
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for number in ("1", "-1", "x", "9" * 30):
        assert (await browser.get(f"/log/{id}/attachments/{number}")).status_code == 400


async def test_poison_is_shown_as_its_source(admin):
    nested = b"Content-Type: message/rfc822\r\n\r\n" * 400 + b"Subject: x\r\n\r\nend\r\n"
    from secondpost.admin import preview

    shown = preview.take_apart(b"Subject: poison\r\n" + nested)
    assert ("Subject", "poison") in shown.headers
    assert "end" in shown.source


async def test_an_unknown_message_is_told_and_changes_nothing(admin):
    browser = await admin.signed_in(Role.OPERATOR)
    for path in ("0bn4v6kq2x7rd", "nonsense"):
        for rest in ("", "/content", "/html", "/source"):
            assert (await browser.get(f"/log/{path}{rest}")).status_code == 400
    assert await admin.audit() == []


def test_a_refused_attempt_tells_its_fault_and_reply():
    from secondpost.admin.story import steps

    entry = {
        "accepted": "2026-01-01T00:00:00+00:00", "initiator": "shop", "entrypoint": "smtp", "notes": "",
        "deliveries": [
            {"number": 0, "recipient": "a@x.org", "state": "accepted", "attempt": "1",
             "route": ["one", "two"], "reason": ""},
        ],
        "attempts": [
            {"connection": "one", "started": "2026-01-01T00:00:01+00:00", "ended": "2026-01-01T00:00:01.250+00:00",
             "phase": "envelope", "note": "", "transcript": "S: 550 no",
             "outcomes": [{"number": 0, "kind": "rejected", "fault": "account", "reply": "550 no"}]},
            {"connection": "two", "started": "2026-01-01T00:00:02+00:00", "ended": "2026-01-01T00:00:02.100+00:00",
             "phase": "point", "note": "fallback: one: 550 no", "transcript": "",
             "outcomes": [{"number": 0, "kind": "accepted", "reply": "250 ok", "provider_id": "p-9"}]},
        ],
        "events": [],
    }  # fmt: skip
    told = steps(entry, {"two": "Second (SMTP)"})
    assert [step.title for step in told] == [
        "Accepted, and on disk", "Route: one, then Second (SMTP)", "Attempt by one", "Attempt by Second (SMTP)",
    ]  # fmt: skip
    assert (told[2].mark, told[2].lines, told[2].facts) == (
        "bad", [("a@x.org", "rejected (account): 550 no")], ("Envelope", "250 ms"),
    )  # fmt: skip
    assert told[3].why == "fallback: one: 550 no"
    assert "the provider’s id: p-9" in told[3].lines[0][1]
