"""The HTTP API: what is stored, and what is refused and how it is told."""

import asyncio
import base64
import contextlib
import io
import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import SMTP

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from secondpost.core import message as rfc5322
from secondpost.core.event import Sequel
from secondpost.entrypoints.http_api import letters
from secondpost.entrypoints.http_api.intake import Intake
from secondpost.entrypoints.http_api.letters import Asked
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.entrypoints.http_api.v1 import read
from secondpost.errors import Refusal, StoreError, StoreUnavailable
from secondpost.service import compose
from secondpost.service.credentials import Client
from tests.entrypoints.http_api.conftest import FORM, RAW


def fields(answer) -> list[str]:
    return [error["field"] for error in answer.data["errors"]]


async def test_a_message_is_stored_with_all_that_was_given(api):
    given = FORM | {
        "cc": ["c@example.net"], "bcc": "b@example.net", "reply_to": "r@example.com", "html": "<p>Hi!</p>",
        "headers": {"X-Order": "17"}, "tags": ["receipt"], "metadata": {"order": "17"}, "priority": "urgent",
        "attachments": [{"filename": "a.txt", "content": base64.b64encode(b"file").decode()}],
    }  # fmt: skip
    answer = await api.post("/v1/messages", json=given, headers={"traceparent": "00-aa-bb-01"})
    assert (answer.status, answer.data["status"], answer.data["duplicate"]) == (202, "waiting", False)
    shown = (await api.get(f"/v1/messages/{answer.data['id']}")).data
    assert [delivery["recipient"] for delivery in shown["deliveries"]] == [
        "anna@example.net", "c@example.net", "b@example.net",
    ]  # fmt: skip
    assert shown["metadata"] == {"order": "17", "traceparent": "00-aa-bb-01"}
    assert (shown["tag"], shown["priority"], shown["entrypoint"], shown["initiator"]) == (
        "receipt", "urgent", "http", "key:key0",
    )  # fmt: skip
    message = message_from_bytes(compose.whole(await api.message()), policy=SMTP)
    assert (message["X-Order"], message["Cc"], message["Bcc"]) == ("17", "c@example.net", None)
    assert [part.get_content() for part in message.iter_attachments()] == ["file"]


async def test_all_faults_are_told_at_once_each_by_its_field(api):
    wrong = FORM | {
        "from": "x", "to": ["a@example.net", "y"], "subject": "a\nBcc: e@example.org",
        "headers": {"Bcc": "e@example.org"},
        "attachments": [{"content": "!"}],
    }  # fmt: skip
    answer = await api.post("/v1/messages", json=wrong)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert fields(answer) == ["from", "to[1]", "subject", "headers.Bcc", "attachments[0].content"]
    assert {"type", "title", "detail"} <= answer.data.keys()
    assert await api.stored() == []


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (b"", 400, []),
        (b"{", 400, []),
        (b"[1]", 422, [""]),
        (b'{"to": "a@example.net", "text": "x"}', 422, ["from"]),
        (json.dumps(FORM | {"subjcet": "x", "text": 1}).encode(), 422, ["text", "subjcet"]),
        (json.dumps(FORM | {"attachments": [{}]}).encode(), 422, ["attachments[0].content"]),
        (json.dumps(FORM | {"text": ""}).encode(), 422, ["text"]),
        (json.dumps(FORM | {"to": []}).encode(), 422, ["to"]),
        (json.dumps(FORM | {"to": [f"a{n}@example.net" for n in range(51)]}).encode(), 422, ["to"]),
        (json.dumps(FORM | {"send_at": "2026-01-01T00:00:00"}).encode(), 422, ["send_at"]),
        (json.dumps(FORM | {"send_at": "2099-01-01T00:00:00Z"}).encode(), 422, ["send_at"]),
        (b'{"from": "a@example.com", "to": "b@example.net", "text": "\\ud800"}', 400, []),
        (b"[" * 100_000, 400, []),
    ],
)
async def test_what_is_no_message_is_refused_and_nothing_is_stored(api, body, status, named):
    answer = await api.post("/v1/messages", data=body)
    assert (answer.status, fields(answer)) == (status, named)
    assert await api.stored() == []


async def test_a_message_for_later_waits(api):
    due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = await api.post("/v1/messages", json=FORM | {"send_at": due})
    (delivery,) = (await api.get(f"/v1/messages/{answer.data['id']}")).data["deliveries"]
    assert delivery["state"] == "waiting"
    assert delivery["due"][:16] == due[:16]


# Raw, batch, keys -----------------------------------------------------------------------------------------------------


async def test_a_written_message_is_taken_with_its_own_envelope_or_a_given_one(api):
    kind = {"Content-Type": "message/rfc822"}
    assert (await api.post("/v1/messages/raw", data=RAW, headers=kind)).status == 202
    assert (await api.stored())[0].recipients == ("anna@example.net",)
    given = kind | {"Secondpost-Mail-From": "bounce@example.com", "Secondpost-Rcpt-To": "b@example.net, c@example.net"}
    assert (await api.post("/v1/messages/raw", data=RAW, headers=given)).status == 202
    assert (await api.stored())[0].recipients == ("b@example.net", "c@example.net")
    assert (await api.stored())[0].sender == "bounce@example.com"
    assert b"\n" not in compose.whole(await api.message()).replace(b"\r\n", b"")


async def test_a_written_message_that_is_none_is_refused(api):
    kind = {"Content-Type": "message/rfc822"}
    answer = await api.post("/v1/messages/raw", data=b"Subject: x\n\nx", headers=kind)
    assert (answer.status, fields(answer)) == (422, ["Secondpost-Rcpt-To"])
    assert (await api.post("/v1/messages/raw", data=RAW + b"\0", headers=kind)).status == 422
    assert (await api.post("/v1/messages/raw", json=FORM)).status == 415
    assert await api.stored() == []


async def test_a_large_message_arrives_whole(api):
    file = bytes(range(256)) * 3000
    given = FORM | {"attachments": [{"filename": "a.bin", "content": base64.b64encode(file).decode()}]}
    assert (await api.post("/v1/messages", json=given)).status == 202
    message = await api.message()
    assert message.tail is not None
    (attached,) = message_from_bytes(compose.whole(message), policy=SMTP).iter_attachments()
    assert attached.get_content() == file


async def test_a_batch_is_taken_whole(api):
    answer = await api.post("/v1/messages/batch", json={"messages": [FORM, FORM | {"to": "b@example.net"}]})
    assert answer.status == 202
    assert {row.recipients[0] for row in await api.stored()} == {"anna@example.net", "b@example.net"}
    assert len({message["id"] for message in answer.data["messages"]}) == 2


async def test_of_a_batch_with_a_fault_nothing_is_taken(api):
    answer = await api.post(
        "/v1/messages/batch", json={"messages": [FORM, FORM | {"to": ["x", "y"]}, FORM | {"from": ""}]}
    )
    assert (answer.status, fields(answer)) == (422, ["messages[1].to[0]", "messages[1].to[1]", "messages[2].from"])
    assert await api.stored() == []


async def test_a_repeated_key_is_the_same_message_and_with_other_content_a_conflict(api):
    key = {"Idempotency-Key": "order-17"}
    given = FORM | {"html": "<p>Hi!</p>"}
    one, two = [await api.post("/v1/messages", json=given, headers=key) for _ in range(2)]
    assert (two.data["id"], two.data["duplicate"]) == (one.data["id"], True)
    other = await api.post("/v1/messages", json=FORM, headers=key)
    assert (other.status, fields(other)) == (409, ["Idempotency-Key"])
    assert len(await api.stored()) == 1
    another = await api.post("/v1/messages", json=given, headers=key, key=await api.make_key("send"))
    assert another.data["duplicate"] is False


async def test_a_batch_has_a_key_for_each_of_its_messages(api):
    sent = {"json": {"messages": [FORM, FORM]}, "headers": {"Idempotency-Key": "k"}}
    one, two = [await api.post("/v1/messages/batch", **sent) for _ in range(2)]
    assert [m["id"] for m in one.data["messages"]] == [m["id"] for m in two.data["messages"]]
    assert len(await api.stored()) == 2


async def test_a_retry_is_the_same_message_though_each_try_has_a_trace_of_its_own(api):
    tries = [f"00-0af7651916cd43dd8448eb211c80319c-{span:016x}-01" for span in (1, 2)]
    sent = [
        await api.post("/v1/messages", json=FORM, headers={"Idempotency-Key": "k", "traceparent": trace})
        for trace in tries
    ]
    assert [answer.data.get("duplicate") for answer in sent] == [False, True]
    shown = (await api.get(f"/v1/messages/{sent[0].data['id']}")).data
    assert shown["metadata"] == {"traceparent": tries[0]}


async def test_long_keys_of_batches_that_begin_alike_are_different_keys(api):
    for end in "ab":
        sent = {"json": {"messages": [FORM]}, "headers": {"Idempotency-Key": "x" * 195 + end * 5}}
        answer = await api.post("/v1/messages/batch", **sent)
        assert answer.data["messages"][0]["duplicate"] is False
    assert len(await api.stored()) == 2


async def test_a_mailbox_that_is_named_twice_gets_one_copy(api):
    await api.post("/v1/messages", json=FORM | {"cc": ["anna@EXAMPLE.net", "Anna@example.net"]})
    written = {"Content-Type": "Message/RFC822", "Secondpost-Rcpt-To": "anna@example.net, anna@EXAMPLE.net"}
    await api.post("/v1/messages/raw", data=RAW, headers=written)
    stored = {row.recipients for row in await api.stored()}
    assert stored == {("anna@example.net", "Anna@example.net"), ("anna@example.net",)}


@pytest.mark.parametrize("key", ["x" * 201])
async def test_a_key_that_cannot_be_kept_is_refused(api, key):
    answer = await api.post("/v1/messages", json=FORM, headers={"Idempotency-Key": key})
    assert (answer.status, fields(answer)) == (422, ["Idempotency-Key"])


# What is too much -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{"patience": 0.05}, {"longest": 0.1}])
async def test_a_body_that_takes_too_long_is_refused_and_nothing_is_kept_of_it(limits):
    async def receive():
        await asyncio.sleep(1 if "patience" in limits else 0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    intake = Intake(1_000_000, **limits)
    with pytest.raises(Problem, match="408"):
        await intake.read(Request({"type": "http", "method": "POST", "headers": []}, receive))
    assert intake._taken == 0


async def test_a_body_that_is_too_large_is_refused_before_it_is_read_or_while(api):
    declared = await api.post("/v1/messages", data=io.BytesIO(b"x" * 4_000_000))
    assert declared.status == 413

    async def chunks():
        for _ in range(400):
            yield b"x" * 10_000

    with contextlib.suppress(aiohttp.ClientOSError):  # it hung up on us: that is a refusal too
        assert (await api.post("/v1/messages", data=chunks())).status == 413
    assert await api.stored() == []


async def test_a_compressed_body_is_not_unpacked(api):
    answer = await api.post("/v1/messages", data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert answer.status == 415


async def test_how_much_a_key_may_is_kept_and_when_to_come_back_is_told(api):
    key = await api.make_key("send", per_hour=1)
    assert (await api.post("/v1/messages", json=FORM, key=key)).status == 202
    answer = await api.post("/v1/messages", json=FORM, key=key)
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert len(await api.stored()) == 1


@pytest.mark.parametrize(
    "error", [StoreUnavailable("The disk is full. Nothing was written."), StoreError("Not known.")]
)
async def test_a_store_that_cannot_is_503_with_when_to_come_back(api, monkeypatch, error):
    def fail(_submission):
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    monkeypatch.setattr(api.core.store, "accept", fail)
    answer = await api.post("/v1/messages", json=FORM)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


async def test_202_comes_after_the_commit(api, monkeypatch):
    committed = asyncio.get_running_loop().create_future()
    accept = api.core.store.accept
    monkeypatch.setattr(api.core.store, "accept", lambda it: committed)
    request = asyncio.create_task(api.post("/v1/messages", json=FORM))
    await asyncio.sleep(0.1)
    assert not request.done()
    monkeypatch.setattr(api.core.store, "accept", accept)
    committed.set_exception(StoreUnavailable("The disk is full."))
    assert (await request).status == 503


# The rest -------------------------------------------------------------------------------------------------------------


async def test_the_list_goes_from_page_to_page(api):
    ids = [(await api.post("/v1/messages", json=FORM)).data["id"] for _ in range(3)]
    first = (await api.get("/v1/messages?limit=2")).data
    second = (await api.get(f"/v1/messages?limit=2&cursor={first['next']}")).data
    assert [row["id"] for row in first["messages"] + second["messages"]] == ids[::-1]
    assert (await api.get("/v1/messages?status=nope")).status == 422
    assert (await api.get("/v1/messages?cursor=nope")).status == 409


async def test_the_list_is_narrowed_by_what_a_provider_told_later(api):
    id, _ = [(await api.post("/v1/messages", json=FORM)).data["id"] for _ in range(2)]
    told = {"message": rfc5322.parse_id(id), "sequel": (0, Sequel.BOUNCED), "text": "#0 anna@example.net"}
    await api.core.store.event("bounced", at=datetime.now(UTC), **told)
    async with asyncio.timeout(20):  # the Inbox has taken it by then
        while not (rows := (await api.get("/v1/messages?status=bounced")).data["messages"]):
            await asyncio.sleep(0.01)
    assert [(row["id"], row["status"]) for row in rows] == [(id, "bounced")]


async def test_a_message_is_resent_cancelled_and_settled_or_it_is_told_why_not(api):
    due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    id = (await api.post("/v1/messages", json=FORM | {"send_at": due})).data["id"]
    assert (await api.post(f"/v1/messages/{id}/cancel")).data == {"cancelled": 1}
    assert (await api.post(f"/v1/messages/{id}/cancel")).status == 409
    assert (await api.post(f"/v1/messages/{id}/settle", json={"verdict": "arrived"})).status == 409
    assert (await api.post(f"/v1/messages/{id}/settle", json={"verdict": "x"})).status == 422
    again = await api.post(f"/v1/messages/{id}/resend")
    assert again.status == 202
    assert (await api.get(f"/v1/messages/{again.data['id']}")).data["parent"] == id


async def test_connections_are_shown_without_settings_and_verified(api):
    (row,) = (await api.get("/v1/connections")).data["connections"]
    assert (row["name"], row["role"], "settings" in row) == ("inbox", "primary", False)
    assert (await api.post("/v1/connections/inbox/verify")).data["ok"] is True
    assert (await api.post("/v1/connections/other/verify")).status == 404


async def test_the_statistics_tell_outcomes_and_the_queue(api):
    stats = (await api.get("/v1/stats")).data
    assert stats["queue"]["waiting"] == 0
    assert isinstance(stats["outcomes"], list)


async def test_the_description_is_openapi_and_the_page_needs_no_other_host(api):
    schema = (await api.get("/v1/openapi.json", key="")).data
    assert schema["openapi"].startswith("3.1")
    assert {"Letter", "Letters", "ProblemDocument", "Attached"} <= schema["components"]["schemas"].keys()
    page = await api.get("/v1/docs", key="")
    assert "POST /v1/messages" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_what_is_not_there_is_told_as_a_problem(api):
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/messages", 405),
        ("GET", "/nothing", 404),
    ):
        answer = await api(method, path)
        assert (answer.status, answer.data["status"]) == (status, status)
    assert (await api.get("/healthz")).text == "alive\n"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
LETTER = st.fixed_dictionaries(
    {"from": st.just("shop@example.com") | VALUES, "to": st.just("anna@example.net") | VALUES},
    optional={
        name: VALUES | st.text(max_size=40) for name in ("subject", "text", "html", "reply_to", "cc", "connection")
    }
    | {"headers": st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=3)}
    | {"attachments": st.lists(st.fixed_dictionaries({"filename": st.text(max_size=20), "content": st.just("YQ==")}))},
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(LETTER)
def test_no_letter_breaks_it_or_adds_a_field_of_its_own(given):
    asked = Asked(client=Client("key:shop", (), frozenset({"send"})))
    try:
        draft = letters.draft(read(letters.Letter, json.dumps(given).encode()), 1, asked)
    except (Problem, Refusal):
        return
    head, _ = rfc5322.split(draft.content)
    rfc5322.check_head(head)
    known = {"from", "to", "cc", "reply-to", "subject", "mime-version", "content-type", "content-transfer-encoding"}
    own = {name.lower() for name in given.get("headers", {})}
    assert {name.lower() for name in rfc5322.names(head)} <= known | own
    assert rfc5322.authors(head) == (draft.sender,)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=300), st.none() | st.text(max_size=20), st.lists(st.text(max_size=20), max_size=2))
def test_no_written_message_breaks_it_or_has_a_bare_line_end(content, sender, recipients):
    asked = Asked(client=Client("key:shop", (), frozenset({"send"})))
    try:
        draft = letters.raw(b"To: anna@example.net\n" + content, 1, asked, letters.Envelope(sender, recipients))
    except Refusal:
        return
    assert draft.recipients
    assert draft.content.count(b"\r\n") == draft.content.count(b"\n") == draft.content.count(b"\r")
    assert not any(ord(character) < 33 for address in (draft.sender, *draft.recipients) for character in address)
